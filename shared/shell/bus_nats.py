"""The bus over NATS: hear and say at once, catch up after an absence, keep trying for ever.

Owns: the connection of one process. While it is away, events are kept and commands are dropped (see
`outlives_outage`). When it is back the process first reads from the event stream what it missed, then says
again what the broker may have taken with it and says what it kept, and only then tells its cores
`LinkUp("bus")`. What was heard once is not told twice. Bytes that are no message of ours, or stand on
a subject that is not theirs, are counted and logged, never obeyed.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from nats.aio.client import Client
from nats.errors import Error, NoServersError

from shared.dispatch import outlives_outage
from shared.kernel import LinkDown, LinkUp, Message, Restored
from shared.messages.codec import MalformedMessage, decode_message, encode
from shared.shell.backoff import Backoff
from shared.shell.host import Ears
from shared.shell.nats_fastpath import Publisher, publisher, subscribe
from shared.shell.nats_stream import ensure_stream, has_forgotten, last_of, read_stream
from shared.state import EVENTS
from shared.subjects import RECALLS, is_heard, pattern_of, patterns_heard, subject_of

LINK = "bus"
CONNECT_TIMEOUT_S = 2
PING_S = 1.0
PONG_S = 2
BACKLOG_MAX = 10_000
RECENT_MAX = 4_096
OVERLAP_S = 10.0
"""Reading of the stream starts this long before the connection was lost; what was heard is not told again."""
HISTORY_S = 24 * 3600.0
HISTORY_MAX = 20_000
STREAM_TRIES = 3

_log = logging.getLogger(__name__)


class NatsBus:
    """The NATS connection of the cores named in `hosted`.

    Those also named in `history` are told, when the bus is reached first, what was said on the subjects
    they hear in the last day, before any `LinkUp("bus")`. `fast` false keeps to nats-py's public API.
    """

    def __init__(
        self,
        url: str,
        env: str,
        hosted: Sequence[str],
        history: Sequence[str] = (),
        *,
        fast: bool = True,
    ) -> None:
        self._url = url
        self._env = env
        self._hosted = tuple(hosted)
        self._name = "+".join(hosted)
        self._history = tuple(history)
        self._fast = fast
        patterns = [pattern for name in hosted for pattern in patterns_heard(env, name)]
        self._patterns = tuple(dict.fromkeys(patterns))
        self._data_prefix = f"{env}.data."
        self._client: Client | None = None
        self._publisher: Publisher | None = None
        self._ears: Ears | None = None
        self._lost = asyncio.Event()
        self._lost_at: float | None = None
        self._reason = ""
        self._backlog: deque[tuple[str, bytes]] = deque(maxlen=BACKLOG_MAX)
        self._unsure: deque[tuple[str, bytes]] = deque()
        self._recent: dict[tuple[str, bytes], None] = {}
        self._unread: list[tuple[str, bytes]] | None = None
        self._counts = {"bus_heard": 0, "bus_said": 0, "bus_malformed": 0, "bus_dropped": 0}

    def figures(self) -> dict[str, float]:
        """Totals since the start, and what waits to be said."""
        counts = {name: float(count) for name, count in self._counts.items()}
        return counts | {"bus_backlog": float(len(self._backlog))}

    def say(self, message: Message) -> None:
        """Write now; while the bus is away keep what must not be lost and drop the rest."""
        subject, data = subject_of(self._env, message), encode(message)
        lasting = outlives_outage(message)
        if self._publisher is not None and not self._backlog:
            if self._publisher.publish(subject, data):
                self._counts["bus_said"] += 1
                self._remember(subject, data)
                if lasting:
                    self._unsure.append((subject, data))
                return
            # Whatever is said after a refusal must not overtake what was refused.
            self._reason = "the broker takes no data"
            self._lost.set()
        if lasting:
            self._backlog.append((subject, data))
            self._remember(subject, data)
        else:
            self._counts["bus_dropped"] += 1

    async def keep(self, ears: Ears) -> None:
        """Be connected for ever."""
        self._ears = ears
        backoff = Backoff()
        while True:
            try:
                await self._connect()
                await self._join(ears)
                backoff.succeeded()
                ears.link(LinkUp(link=LINK))
                await self._watch()
            except NoServersError:
                pass  # what was wrong has been noted
            except (Error, OSError, TimeoutError) as error:
                await self._note_error(error)
            was_up = self._publisher is not None
            await self._disconnect()
            if was_up:
                self._lost_at = time.time()
                self._backlog.extendleft(reversed(self._unsure))
                self._unsure.clear()
                ears.link(LinkDown(link=LINK, reason=self._reason))
            if backoff.is_news(self._reason):
                fields = {"url": self._shown_url(), "reason": self._reason}
                _log.warning("bus lost or not there; trying again", extra={"fields": fields})
            await asyncio.sleep(backoff.failed())

    async def close(self) -> None:
        """Send what is written and end."""
        if self._client is not None:
            with suppress(Error, OSError, TimeoutError):
                await self._client.flush(timeout=1)
        await self._disconnect()

    async def _connect(self) -> None:
        self._lost = asyncio.Event()
        self._reason = "connection closed"
        client = Client()
        self._client = client
        await client.connect(
            servers=[self._url],
            name=self._name,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=CONNECT_TIMEOUT_S,
            no_echo=True,
            error_cb=self._note_error,
            disconnected_cb=self._note_loss,
            closed_cb=self._note_loss,
        )

    async def _join(self, ears: Ears) -> None:
        """Subscribe, read what was missed, tell it in order, say what was kept."""
        client = self._client
        assert client is not None
        self._unread = []
        for pattern in self._patterns:
            await subscribe(client, pattern, self._heard, fast=self._fast)
        await client.flush(timeout=CONNECT_TIMEOUT_S)
        if self._lost_at is None:
            await self._recall(client, ears)
            patterns = [p for core in self._history for p in patterns_heard(self._env, core)]
            for message in await self._past(tuple(dict.fromkeys(patterns)), HISTORY_S):
                for core in self._history:
                    if is_heard(core, message):
                        ears.deliver(core, message)
        else:
            away_s = time.time() - self._lost_at
            for message in await self._past(self._patterns, away_s + OVERLAP_S):
                ears.hear(message)
        unread, self._unread = self._unread, None
        for subject, data in unread:
            self._take(subject, data)
        self._publisher = publisher(client, fast=self._fast)
        while self._backlog:
            if self._publisher.publish(*self._backlog[0]):
                self._unsure.append(self._backlog.popleft())
            else:
                await client.flush(timeout=PONG_S)

    async def _recall(self, client: Client, ears: Ears) -> None:
        """Tell who asks for it the last word of each kind; or that the stream remembers none."""
        for core in self._hosted:
            if core not in RECALLS:
                continue
            try:
                await ensure_stream(client, self._env)
                forgets = await has_forgotten(client, self._env)
                kinds = RECALLS[core]
                found = [
                    await last_of(client, self._env, pattern_of(self._env, kind)) for kind in kinds
                ]
            except (Error, TimeoutError) as error:
                reason = f"the event stream cannot be read: {str(error) or type(error).__name__}"
                ears.deliver(core, Restored(key=EVENTS, value=reason))
                continue
            if found[0] is None and forgets:
                reason = f"the event stream has forgotten every {kinds[0].__name__}"
                ears.deliver(core, Restored(key=EVENTS, value=reason))
            for kind, data in zip(kinds, found, strict=True):
                if data is not None:
                    message = self._decoded(pattern_of(self._env, kind), data)
                    if message is not None:
                        ears.deliver(core, message)

    async def _past(self, patterns: Sequence[str], seconds: float) -> list[Message]:
        """What the stream holds of the last seconds and was not heard here yet."""
        assert self._client is not None
        journaled = [pattern for pattern in patterns if not pattern.startswith(self._data_prefix)]
        since = time.time() - seconds
        for attempt in range(STREAM_TRIES):
            try:
                await ensure_stream(self._client, self._env)
                found = await read_stream(self._client, self._env, journaled, since, HISTORY_MAX)
            except (Error, TimeoutError) as error:
                fields = {"attempt": attempt + 1, "reason": str(error) or type(error).__name__}
                _log.warning("event stream not readable", extra={"fields": fields})
                continue
            return [
                message
                for subject, data in found
                if (subject, data) not in self._recent
                if (message := self._decoded(subject, data)) is not None
            ]
        return []

    async def _watch(self) -> None:
        """Return when the connection is lost; a broker that does not answer is lost too.

        An answer is proof of what was said before the question before: nats-py may ask ahead of what
        it has not written yet.
        """
        assert self._client is not None
        asked_after = 0
        while True:
            try:
                async with asyncio.timeout(PING_S):
                    await self._lost.wait()
                return
            except TimeoutError:
                said = len(self._unsure)
                await self._client.flush(timeout=PONG_S)
            for _ in range(asked_after):
                self._unsure.popleft()
            asked_after = said - asked_after

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        if self._publisher is not None:
            self._publisher.close()
            self._publisher = None
        if client is not None and not client.is_closed:
            with suppress(Error, OSError, TimeoutError, AttributeError):
                async with asyncio.timeout(1.0):
                    await client.close()

    def _heard(self, subject: str, data: bytes) -> None:
        if self._unread is None:
            self._take(subject, data)
        else:
            self._unread.append((subject, data))

    def _take(self, subject: str, data: bytes) -> None:
        if (subject, data) in self._recent:
            return
        message = self._decoded(subject, data)
        if message is not None and self._ears is not None:
            self._counts["bus_heard"] += 1
            self._ears.hear(message)

    def _decoded(self, subject: str, data: bytes) -> Message | None:
        try:
            message = decode_message(data)
            due = subject_of(self._env, message)
            if due != subject:
                raise MalformedMessage(f"{type(message).__name__} belongs on {due}")
        except MalformedMessage as error:
            self._counts["bus_malformed"] += 1
            fields = {"subject": subject, "reason": str(error)}
            _log.error("malformed message on the bus, ignored", extra={"fields": fields})
            return None
        self._remember(subject, data)
        return message

    def _remember(self, subject: str, data: bytes) -> None:
        if subject.startswith(self._data_prefix):
            return
        self._recent[subject, data] = None
        if len(self._recent) > RECENT_MAX:
            del self._recent[next(iter(self._recent))]

    async def _note_error(self, error: Exception) -> None:
        self._reason = str(error) or type(error).__name__

    async def _note_loss(self) -> None:
        self._lost.set()

    def _shown_url(self) -> str:
        return self._url.rpartition("@")[2]
