"""Shared state in Redis: read once at the start, written behind, never waited for.

Owns: keys `{env}:{key}`. Writes go out in one transaction per turn, the last value of a key wins, and what
`URGENT` names goes first. When the server was away, everything this process ever stored is written again:
a restarted server may have come back empty. A kill latch that somebody else wrote is told within half a
second, so that a kill needs no bus. For an account that is traded the process must lead first (see
`leadership`): until it does, nothing starts.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from shared.kernel import LinkDown, LinkUp, Restored
from shared.shell.backoff import Backoff
from shared.shell.leadership import RENEW_S, Deposed, Leadership
from shared.state import KILL_LATCH, MODE

LINK = "state"
URGENT = (KILL_LATCH, MODE)
"""The keys that say trading is off: written before any other."""
TIMEOUT_S = 1.0
PING_S = RENEW_S

_log = logging.getLogger(__name__)

Tell = Callable[[LinkUp | LinkDown | Restored], None]


class State(Protocol):
    """Where shared state lives."""

    async def load(self, keys: Sequence[str]) -> dict[str, str]:
        """What the keys hold; those that hold nothing are left out. Waits until it can be known."""
        ...

    async def keep(self, tell: Tell) -> None:
        """Write what is stored, for ever; tell of the link's ups and downs and of a kill.

        Raises `Deposed`.
        """
        ...

    def store(self, key: str, value: str) -> None:
        """Write a value behind."""
        ...

    async def close(self) -> None:
        """Write what is left, briefly, and end."""
        ...

    @property
    def pending(self) -> int:
        """Keys with a value that is not written yet."""
        ...

    @property
    def waits_for(self) -> str:
        """What keeps `load` from ending; empty when nothing does."""
        ...


class MemoryState:
    """State that lives as long as the process, or as the dict given to it."""

    def __init__(self, values: dict[str, str] | None = None) -> None:
        self.values = {} if values is None else values

    async def load(self, keys: Sequence[str]) -> dict[str, str]:
        """What the dict holds."""
        return {key: self.values[key] for key in keys if key in self.values}

    async def keep(self, tell: Tell) -> None:
        """Always up."""
        tell(LinkUp(link=LINK))

    def store(self, key: str, value: str) -> None:
        """Into the dict."""
        self.values[key] = value

    async def close(self) -> None:
        """Nothing to do."""

    @property
    def pending(self) -> int:
        """Never any."""
        return 0

    @property
    def waits_for(self) -> str:
        """Never anything."""
        return ""


class RedisState:
    """State on a server that speaks the Redis protocol; `account`: what only one process may act for."""

    def __init__(self, url: str, env: str, account: str | None = None) -> None:
        self._url = url
        self._prefix = f"{env}:"
        self._client = redis.asyncio.Redis.from_url(
            url,
            decode_responses=True,
            # What is no text is for its reader to refuse, by name, and not for this connection to die of.
            encoding_errors="replace",
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            single_connection_client=False,
            retry=Retry(NoBackoff(), 0),
        )
        self._leadership = None if account is None else Leadership(self._client, env, account)
        self.waits_for = ""
        self._latch_seen: str | None = None
        """The kill latch as last read or written; None: it is not looked at."""
        self._written: dict[str, str] = {}
        self._pending: dict[str, str] = {}
        self._writing: dict[str, str] = {}
        self._stored = asyncio.Event()

    @property
    def pending(self) -> int:
        """Keys with a value that is not written yet."""
        return len(self._writing | self._pending)

    async def load(self, keys: Sequence[str]) -> dict[str, str]:
        """Read keys, waiting for the server and for the lead: without them nothing may start."""
        backoff = Backoff()
        while True:
            try:
                await self._lead()
                values = (
                    await self._client.mget([self._prefix + key for key in keys]) if keys else []
                )
            except (RedisError, OSError) as error:
                if backoff.is_news(str(error)):
                    self._warn(
                        "state store not reachable; waiting for it before anything starts", error
                    )
                await asyncio.sleep(backoff.failed())
                continue
            found = zip(keys, values, strict=True)
            loaded = {key: str(value) for key, value in found if value is not None}
            if KILL_LATCH in keys:
                self._latch_seen = loaded.get(KILL_LATCH, "")
            return loaded

    def store(self, key: str, value: str) -> None:
        """Keep the value for the next write; a later value of the same key replaces it."""
        self._pending.pop(key, None)
        self._pending[key] = value
        if key == KILL_LATCH and self._latch_seen is not None:
            self._latch_seen = value
        self._stored.set()

    async def keep(self, tell: Tell) -> None:
        """Write behind for ever."""
        backoff = Backoff()
        up = False
        while True:
            try:
                emptied = await self._look(tell)
                if emptied or not up:
                    self._pending = self._written | self._pending
                    await self._write()
                    backoff.succeeded()
                    if not up:
                        up = True
                        tell(LinkUp(link=LINK))
                await self._write_when_stored()
            except (RedisError, OSError) as error:
                if up:
                    up = False
                    tell(LinkDown(link=LINK, reason=str(error)))
                if backoff.is_news(str(error)):
                    self._warn("state store lost or not there; trying again", error)
                await asyncio.sleep(backoff.failed())

    async def close(self) -> None:
        """One last write."""
        try:
            await self._write()
        except (RedisError, OSError) as error:
            self._warn(f"{len(self._pending)} keys were not written at the end", error)
        except Deposed as deposed:
            self._warn("nothing more is written", deposed)
        with suppress(RedisError, OSError):
            if self._leadership is not None:
                await self._leadership.release()
        await self._client.aclose()

    async def _lead(self) -> None:
        """Wait until this process leads, saying once who does."""
        while self._leadership is not None and (leader := await self._leadership.claim()):
            if leader != self.waits_for:
                self.waits_for = leader
                _log.warning(
                    "another instance leads this account; standing by until it ends",
                    extra={"fields": {"leader": leader}},
                )
            await asyncio.sleep(RENEW_S)
        self.waits_for = ""

    async def _look(self, tell: Tell) -> bool:
        """Be sure of the server, of the lead and of the latch; whether the store came back empty."""
        emptied = False
        if self._leadership is not None:
            emptied = await self._leadership.renew()
        if self._latch_seen is None:
            await self._client.ping()
            return emptied
        latch = str(await self._client.get(self._prefix + KILL_LATCH) or "")
        # What this process is about to write says more than what is still there.
        if latch != self._latch_seen and KILL_LATCH not in self._pending:
            self._latch_seen = latch
            if latch:
                tell(Restored(key=KILL_LATCH, value=latch))
        return emptied

    async def _write_when_stored(self) -> None:
        """Until a ping is due again, write whatever is stored."""
        try:
            async with asyncio.timeout(PING_S):
                await self._stored.wait()
        except TimeoutError:
            return
        await self._write()

    async def _write(self) -> None:
        self._stored.clear()
        if not self._pending:
            return
        batch = self._writing = self._pending
        self._pending = {}
        first = {key: batch[key] for key in URGENT if key in batch}
        try:
            await self._set({self._prefix + key: value for key, value in (first | batch).items()})
        except (RedisError, OSError, Deposed, asyncio.CancelledError):
            self._pending = batch | self._pending
            raise
        finally:
            self._writing = {}
        self._written |= batch

    async def _set(self, values: dict[str, str]) -> None:
        if self._leadership is not None:
            await self._leadership.write(values)
            return
        async with self._client.pipeline(transaction=True) as pipe:
            for key, value in values.items():
                pipe.set(key, value)
            await pipe.execute()

    def _warn(self, message: str, error: Exception) -> None:
        fields = {"url": self._url.rpartition("@")[2], "reason": str(error)}
        _log.warning(message, extra={"fields": fields})
