"""The host: one process' cores, driven by asyncio.

Owns: the dispatcher and its outside, the order of starting and stopping, the process' alarm, and what
happens when a core breaks. The bus and the state store are parts given to it: `LocalHost` has both in
memory, `NatsHost` has NATS and Redis.

Stopping: every core is told `Wake("stop")`, does what it must (the OMS pulls its orders) and may `Cut` its
links to say that it is done; a link that sent nothing for half a second counts as done as well. After three
seconds the process ends in any case, and the exchange cancels what the closed connection left.
"""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

import msgspec

from shared.dispatch import Dispatcher
from shared.journal import Header
from shared.kernel import Core, Event, LinkDown, LinkUp, Message, Nanos, Restored, Wake
from shared.messages import Health
from shared.shell.clock import Clock
from shared.shell.health import BEAT_S, Lag, Measured, remove_beat, rss_mb, write_beat
from shared.shell.journal import JOURNAL_FOLDER, Journals
from shared.shell.leadership import Deposed
from shared.shell.links import venue_link
from shared.shell.settings import Settings
from shared.shell.state_redis import State
from shared.shell.venue import SocketEvent
from shared.units import MILLISECOND

STOP = "stop"
"""The timer whose `Wake` tells a core that its process ends."""
STOP_S = 3.0
QUIET_S = 0.5
POLL_S = 0.01
CANCELS_MAX = 10
FREEZE_S = 5.0

_log = logging.getLogger(__name__)


class Ears(Protocol):
    """Where a bus tells what it hears."""

    def hear(self, message: Message) -> None:
        """A message for every core that hears its type."""
        ...

    def deliver(self, core: str, event: Event) -> None:
        """An event for one core."""
        ...

    def link(self, event: LinkUp | LinkDown) -> None:
        """The bus or the state store came or went."""
        ...


class Bus(Protocol):
    """The way to other processes."""

    async def keep(self, ears: Ears) -> None:
        """Be connected, for ever."""
        ...

    def say(self, message: Message) -> None:
        """Publish at once, or as soon as there is a connection if it must not be lost."""
        ...

    async def close(self) -> None:
        """Send what is written, briefly, and end."""
        ...

    def figures(self) -> dict[str, float]:
        """Counters for operators."""
        ...


class Host:
    """Cores, and everything around them. `run` returns the exit code."""

    def __init__(
        self,
        cores: Sequence[Core],
        settings: Settings,
        bus: Bus,
        state: State,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self.clock = Clock()
        self._settings = settings
        self._bus = bus
        self._state = state
        self._measured = {core.name: Measured(core) for core in cores}
        self._names = tuple(self._measured)
        self._incarnation = self.clock() // MILLISECOND
        self._journals = self._open_journals(dict(config or {})) if settings.journal else None
        self.dispatcher = Dispatcher(
            list(self._measured.values()),
            self.clock,
            self,
            None if self._journals is None else self._journals.note,
        )
        self._sockets = {
            (core.name, link): venue_link(link, settings, partial(self._tell_socket, core.name))
            for core in cores
            for link in core.links
        }
        self._lag = Lag()
        self._links: dict[str, bool] = {"bus": False, "state": False}
        self._ready: dict[str, tuple[bool, str]] = {}
        self._started = False
        self._stopping = asyncio.Event()
        self._exit_code = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = Nanos(0)
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, companions: Sequence[Callable[["Host"], Awaitable[None]]] = ()) -> int:
        """Start, drive until told to stop, stop. `companions` (an HTTP server) run beside the cores."""
        loop = asyncio.get_running_loop()
        self._spawn(self._lag.watch())
        self._spawn(self._beat())
        if self._journals is not None:
            self._spawn(self._journals.keep())
        starting = asyncio.create_task(self._start())
        await self._first(starting)
        if not self._stopping.is_set():
            for companion in companions:
                self._spawn(companion(self))
            loop.call_later(FREEZE_S, _freeze)
            await self._stopping.wait()
        starting.cancel()
        await self._wind_down()
        return self._exit_code

    def stop(self) -> None:
        """End the process in good order."""
        self._stopping.set()

    def hear(self, message: Message) -> None:
        """A message from another process."""
        self._drive(self.dispatcher.hear, message)

    def deliver(self, core: str, event: Event) -> None:
        """An event for one core: also how a companion speaks to its core."""
        self._drive(self.dispatcher.deliver, core, event)

    def link(self, event: LinkUp | LinkDown) -> None:
        """The bus or the state store came or went; every core is told."""
        self._links[event.link] = isinstance(event, LinkUp)
        _log.info("link", extra={"fields": msgspec.to_builtins(event)})
        self._drive(self.dispatcher.deliver_all, event)

    def _told_by_state(self, event: LinkUp | LinkDown | Restored) -> None:
        if not isinstance(event, Restored):
            self.link(event)
            return
        for core in self.dispatcher.cores:
            if event.key in core.remembers:
                self.deliver(core.name, event)

    def dress(self, core: str, message: Message) -> Message:
        """A `Health` leaves with the figures of the process."""
        if not isinstance(message, Health):
            return message
        self._ready[core] = (message.ready, message.detail)
        figures = message.counters | self.figures(core)
        return msgspec.structs.replace(message, counters=figures)

    def say(self, message: Message) -> None:
        """To the bus."""
        self._bus.say(message)

    def send(self, core: str, link: str, data: bytes) -> None:
        """To the venue."""
        self._sockets[core, link].send(data)

    def cut(self, core: str, link: str, reason: str) -> None:
        """Close a venue socket."""
        self._sockets[core, link].cut(reason)

    def store(self, core: str, key: str, value: str) -> None:
        """To the shared state."""
        self._state.store(key, value)

    def wake_at(self, at: Nanos) -> None:
        """Set the alarm of the process."""
        if self._alarm is not None and self._alarm_at > at:
            self._alarm.cancel()
        elif self._alarm is not None:
            return
        self._alarm_at = at
        wait = max(0.0, (at - self.clock()) / 1e9)
        self._alarm = asyncio.get_running_loop().call_later(wait, self._ring)

    def halt(self, core: str, reason: str) -> None:
        """An invariant broke: stop with a non-zero exit."""
        _log.critical("halt", extra={"fields": {"core": core, "reason": reason}})
        self._exit_code = 1
        self.stop()

    def figures(self, core: str) -> dict[str, float]:
        """Counters of the process and of one core; names carry their unit."""
        durations = self._measured[core].durations
        sockets = [socket for (owner, _), socket in self._sockets.items() if owner == core]
        figures = {
            "events": float(durations.count),
            "handle_us_p50": durations.quantile(0.5) / 1e3,
            "handle_us_p99": durations.quantile(0.99) / 1e3,
            "handle_us_max": durations.longest / 1e3,
            "loop_lag_ms_max": self._lag.longest_ms,
            "rss_mb": rss_mb(),
            "state_pending": float(self._state.pending),
            "frames_in": float(sum(socket.frames_in for socket in sockets)),
            "frames_dropped": float(sum(socket.frames_dropped for socket in sockets)),
        }
        if self._journals is not None:
            figures["journal_pending"] = float(self._journals.pending)
        return figures | self._bus.figures()

    async def _first(self, starting: asyncio.Task[None]) -> None:
        """Wait until the start is done or the stop is asked for."""
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if starting.done():
            starting.result()

    async def _start(self) -> None:
        keys = {key: None for core in self.dispatcher.cores for key in core.remembers}
        remembered = await self._state.load(tuple(keys))
        incarnations = dict.fromkeys(self._names, self._incarnation)
        self._started = True
        self._drive(self.dispatcher.start, remembered, incarnations)
        self._spawn(self._state.keep(self._told_by_state))
        self._spawn(self._bus.keep(self))
        for socket in self._sockets.values():
            self._spawn(socket.keep())

    async def _wind_down(self) -> None:
        loop = asyncio.get_running_loop()
        for socket in self._sockets.values():
            socket.retire()
        if self._started:
            self._drive(self.dispatcher.deliver_all, Wake(timer=STOP))
            await self._drained(loop.time())
        for socket in self._sockets.values():
            socket.cut("process ends")
        await asyncio.sleep(0)
        if self._alarm is not None:
            self._alarm.cancel()
        await self._end_tasks()
        await self._bus.close()
        await self._state.close()
        if self._journals is not None:
            await self._journals.close()
        remove_beat(self._settings.run_dir, self._names)

    async def _drained(self, begun: float) -> None:
        """Wait until no core has anything more to say to the venue, at most `STOP_S`."""
        loop = asyncio.get_running_loop()
        for _ in range(round(STOP_S / POLL_S)):
            for_s = loop.time() - begun
            if not any(
                socket.is_up and min(socket.quiet_for(loop.time()), for_s) < QUIET_S
                for socket in self._sockets.values()
            ):
                return
            await asyncio.sleep(POLL_S)

    async def _end_tasks(self) -> None:
        pending = {task for task in self._tasks if not task.done()}
        for _ in range(CANCELS_MAX):
            if not pending:
                return
            for task in pending:
                task.cancel()
            # Python 3.11's wait_for swallows a cancellation that meets the end of what it waits for.
            _, pending = await asyncio.wait(pending, timeout=0.2)

    def _drive(self, step: Callable[..., None], *told: Any) -> None:
        try:
            step(*told)
        except Exception:
            # Whatever a core's mistake is, its orders must be pulled and the reason be seen.
            _log.critical("a core broke", exc_info=True)
            self._exit_code = 1
            self.stop()

    def _tell_socket(self, core: str, event: SocketEvent) -> None:
        self._drive(self.dispatcher.deliver, core, event)

    def _ring(self) -> None:
        self._alarm = None
        if self.clock() < self._alarm_at:
            self.wake_at(self._alarm_at)
            return
        self._drive(self.dispatcher.wake)

    def _spawn(self, work: Awaitable[None]) -> None:
        async def guarded() -> None:
            await work

        task = asyncio.create_task(guarded())
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        if isinstance(task.exception(), Deposed):
            _log.critical(f"{task.exception()}; this one pulls its orders and ends")
            self._exit_code = 1
            self.stop()
        elif task.exception() is not None:
            _log.critical("a part of the host broke", exc_info=task.exception())
            self._exit_code = 1
            self.stop()

    def _open_journals(self, config: dict[str, Any]) -> Journals:
        headers = [
            Header(
                core=name,
                version=_version(),
                incarnation=self._incarnation,
                part=0,
                config=config,
            )
            for name in self._names
        ]
        folder = self._settings.run_dir / JOURNAL_FOLDER
        return Journals(folder, headers, self._settings.journal_mb_max * 2**20)

    async def _beat(self) -> None:
        while True:
            self.clock.correct()
            down = [link for link, is_up in self._links.items() if not is_up]
            unready = [f"{core}: {detail}" for core, (ok, detail) in self._ready.items() if not ok]
            leader = self._state.waits_for
            standby = [f"standing by, another instance leads: {leader}"] if leader else []
            detail = "; ".join(standby + [f"{link} is down" for link in down] + unready)
            try:
                write_beat(self._settings.run_dir, self._names, ready=not detail, detail=detail)
            except OSError as error:
                _log.warning("heartbeat not written", extra={"fields": {"reason": str(error)}})
            # The clock may have been stepped over an alarm.
            self._drive(self.dispatcher.wake)
            await asyncio.sleep(BEAT_S)


def _freeze() -> None:
    """What lives now lives long: keep the collector from walking it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _version() -> str:
    try:
        return version("deribit-market-maker")
    except PackageNotFoundError:
        return "source"
