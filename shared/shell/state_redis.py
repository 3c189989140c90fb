"""Shared state in Redis: read once at the start, written behind, never waited for.

Owns: keys `{env}:{key}`. Writes go out in one transaction per turn, the last value of a key wins, and what
`URGENT` names goes first. When the server was away, everything this process ever stored is written again:
a restarted server may have come back empty.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from shared.kernel import LinkDown, LinkUp
from shared.shell.backoff import Backoff
from shared.state import KILL_LATCH, MODE

LINK = "state"
URGENT = (KILL_LATCH, MODE)
"""The keys that say trading is off: written before any other."""
TIMEOUT_S = 1.0
PING_S = 1.0

_log = logging.getLogger(__name__)

Tell = Callable[[LinkUp | LinkDown], None]


class State(Protocol):
    """Where shared state lives."""

    async def load(self, keys: Sequence[str]) -> dict[str, str]:
        """What the keys hold; those that hold nothing are left out. Waits until it can be known."""
        ...

    async def keep(self, tell: Tell) -> None:
        """Write what is stored, for ever; tell of the link's ups and downs."""
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


class RedisState:
    """State on a server that speaks the Redis protocol."""

    def __init__(self, url: str, env: str) -> None:
        self._url = url
        self._prefix = f"{env}:"
        self._client = redis.asyncio.Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            single_connection_client=False,
            retry=Retry(NoBackoff(), 0),
        )
        self._written: dict[str, str] = {}
        self._pending: dict[str, str] = {}
        self._writing: dict[str, str] = {}
        self._stored = asyncio.Event()

    @property
    def pending(self) -> int:
        """Keys with a value that is not written yet."""
        return len(self._writing | self._pending)

    async def load(self, keys: Sequence[str]) -> dict[str, str]:
        """Read keys, waiting for the server as long as it takes: without them nothing may start."""
        backoff = Backoff()
        while True:
            try:
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
            return {key: str(value) for key, value in found if value is not None}

    def store(self, key: str, value: str) -> None:
        """Keep the value for the next write; a later value of the same key replaces it."""
        self._pending.pop(key, None)
        self._pending[key] = value
        self._stored.set()

    async def keep(self, tell: Tell) -> None:
        """Write behind for ever."""
        backoff = Backoff()
        up = False
        while True:
            try:
                await self._client.ping()
                if not up:
                    self._pending = self._written | self._pending
                    await self._write()
                    up = True
                    backoff.succeeded()
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
        await self._client.aclose()

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
            async with self._client.pipeline(transaction=True) as pipe:
                for key, value in (first | batch).items():
                    pipe.set(self._prefix + key, value)
                await pipe.execute()
        except (RedisError, OSError, asyncio.CancelledError):
            self._pending = batch | self._pending
            raise
        finally:
            self._writing = {}
        self._written |= batch

    def _warn(self, message: str, error: Exception) -> None:
        fields = {"url": self._url.rpartition("@")[2], "reason": str(error)}
        _log.warning(message, extra={"fields": fields})
