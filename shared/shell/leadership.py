"""Leadership: one process acts for an account at a time, and a deposed one can write nothing any more.

Owns two keys of the state store. `{env}:leader:{account}` names the leader and expires `LEASE_S` after its
last renewal; `{env}:fence:{account}` holds the fencing token of the last leader. Whoever finds no leader
takes the lease with a token larger than any before (Kleppmann, *How to do distributed locking*, 2016). A
write of a leader is refused by the server unless its token is still the one in force, so that a process
which slept through the end of its lease cannot overwrite what its successor has stored. Each step is one
script, which the server runs alone.

A standby asks twice a second: it leads at most `LEASE_S + RENEW_S` after the last renewal of one that died,
and at once after one that ended in good order. A token never returns, not even from a store that came
back empty, because it is at least the server's time in milliseconds.
"""

import os
import socket
import uuid
from collections.abc import Mapping

from redis.asyncio import Redis

LEASE_S = 2.0
RENEW_S = 0.5

_CLAIM = """
local held, fence = redis.call('GET', KEYS[1]), tonumber(redis.call('GET', KEYS[2]) or '0')
local mine = tonumber(ARGV[3])
if held and held ~= ARGV[1] then return {'', held} end
if mine ~= 0 and fence > mine then return {'', 'another that led meanwhile'} end
if fence ~= mine or mine == 0 then
    local time = redis.call('TIME')
    fence = math.max(fence + 1, time[1] * 1000 + math.floor(time[2] / 1000))
    redis.call('SET', KEYS[2], string.format('%.0f', fence))
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {string.format('%.0f', fence), ''}
"""
_WRITE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for i = 2, #KEYS do redis.call('SET', KEYS[i], ARGV[i]) end
return 1
"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class Deposed(Exception):
    """Another process leads this account now; the text names it."""


class Leadership:
    """One process' claim to act for an account."""

    def __init__(self, client: Redis, env: str, account: str) -> None:
        self._client = client
        self._leader = f"{env}:leader:{account}"
        self._fence = f"{env}:fence:{account}"
        self._me = f"{socket.gethostname()}, process {os.getpid()}, {uuid.uuid4().hex[:8]}"
        self.token = 0
        """What our writes carry; 0 before we led."""

    async def claim(self) -> str:
        """Take or renew the lease: empty when we lead now, else who does."""
        answer = await self._client.eval(
            _CLAIM, 2, self._leader, self._fence, self._me, round(LEASE_S * 1000), self.token
        )
        token, leader = answer
        if token:
            self.token = int(token)
        return str(leader)

    async def renew(self) -> bool:
        """Keep the lease; whether under a new token, as after the store was emptied. Raises `Deposed`."""
        before = self.token
        leader = await self.claim()
        if leader:
            raise Deposed(f"another instance leads this account: {leader}")
        return self.token != before

    async def write(self, values: Mapping[str, str]) -> None:
        """Set keys, all or none; raises `Deposed` when the token is no longer the one in force."""
        written = await self._client.eval(
            _WRITE, 1 + len(values), self._fence, *values, self.token, *values.values()
        )
        if not written:
            # Nobody leads under another token where the store was emptied: then the lease is taken anew.
            if await self.renew():
                await self.write(values)
                return
            raise Deposed("what this instance wrote was refused: its fencing token is not in force")

    async def release(self) -> None:
        """Leave the lease to whoever waits."""
        if self.token:
            await self._client.eval(_RELEASE, 1, self._leader, self._me)
