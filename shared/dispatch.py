"""The one loop every host drives: the cores of one process, an event at a time, run to completion.

Owns: the queue of (core, event), the strictly increasing `now`, the timers, and the order in which
effects happen. A host (NATS, local, World) gives it a clock and an `Outside`, and calls `deliver`, `hear`
and `wake`. What the venue waits for goes first: frames leave while an event is handled, words for the
bus once the queue has run empty, in the order in which they were said. A core never hears itself.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, assert_never

from shared.kernel import (
    Core,
    Cut,
    Effect,
    Effects,
    Event,
    Halt,
    Message,
    Nanos,
    Publish,
    Restored,
    Send,
    Started,
    Store,
    Wake,
    WakeAt,
)
from shared.messages import Kill, Pause
from shared.subjects import TOPICS, is_heard


def outlives_outage(message: Message) -> bool:
    """Whether a message said while the bus is away is kept until it is back.

    What happened is (events), and what makes safer. Data is old by then, and an order to act that comes
    late is worse than none.
    """
    return TOPICS[type(message)].kind == "evt" or isinstance(message, Kill | Pause)


class Outside(Protocol):
    """Where effects leave the process. Nothing here may block or call back into the dispatcher."""

    def dress(self, core: str, message: Message) -> Message:
        """The message as all others shall hear it: a host may add its own figures to a `Health`."""
        ...

    def say(self, message: Message) -> None:
        """Tell the other processes; the co-hosted cores have heard it already."""
        ...

    def send(self, core: str, link: str, data: bytes) -> None:
        """One frame for a venue socket."""
        ...

    def cut(self, core: str, link: str, reason: str) -> None:
        """Close a venue socket and open another."""
        ...

    def store(self, core: str, key: str, value: str) -> None:
        """Write shared state behind."""
        ...

    def wake_at(self, at: Nanos) -> None:
        """The earliest timer is due at `at`: call `Dispatcher.wake` then."""
        ...

    def halt(self, core: str, reason: str) -> None:
        """A core found an invariant broken; it is told nothing any more."""
        ...


Journal = Callable[[str, Nanos, Event, Effects], None]
"""Told (core, now, event, effects) after every event, before the effects happen."""


class Dispatcher:
    """The cores of one process. Names must differ; the order given breaks ties."""

    def __init__(
        self,
        cores: Sequence[Core],
        clock: Callable[[], Nanos],
        outside: Outside,
        journal: Journal | None = None,
    ) -> None:
        self._cores = {core.name: core for core in cores}
        if len(self._cores) != len(cores):
            names = ", ".join(core.name for core in cores)
            raise ValueError(f"cores of one process need different names, got: {names}")
        self._clock = clock
        self._outside = outside
        self._journal = journal
        self._queue: deque[tuple[str, Event]] = deque()
        self._said: deque[Message] = deque()
        self._listeners: dict[type[Message], tuple[str, ...]] = {}
        self._timers: dict[tuple[str, str], Nanos] = {}
        self._next_wake: Nanos | None = None
        self._now = Nanos(0)
        self._running = False

    @property
    def cores(self) -> tuple[Core, ...]:
        """The cores that are still told of events."""
        return tuple(self._cores.values())

    @property
    def now(self) -> Nanos:
        """When the latest event was handled."""
        return self._now

    @property
    def next_wake(self) -> Nanos | None:
        """When the earliest timer is due."""
        return self._next_wake

    def start(self, remembered: Mapping[str, str], incarnations: Mapping[str, int]) -> None:
        """Every core is told what it remembers (by key), then that it runs (incarnation by core).

        No core hears another before all of them run.
        """
        for name, core in self._cores.items():
            for key in core.remembers:
                self._queue.append((name, Restored(key=key, value=remembered.get(key))))
        for name in self._cores:
            self._queue.append((name, Started(incarnation=incarnations[name])))
        self._run()

    def deliver(self, core: str, event: Event) -> None:
        """Tell one core, and run until nothing is left to tell; later when already running."""
        self._queue.append((core, event))
        self._run()

    def deliver_all(self, event: Event) -> None:
        """Tell every core."""
        self._queue.extend((name, event) for name in self._cores)
        self._run()

    def hear(self, message: Message) -> None:
        """A message from another process: tell every core that hears its type."""
        self._queue.extend((name, message) for name in self._listening(message))
        self._run()

    def wake(self) -> None:
        """Tell every timer that is due by the clock, the earliest first."""
        # Nothing is earlier than now: most of those told ask anew, and one alarm is set for all.
        now = self._next_wake = self._clock()
        due = sorted((at, core, timer) for (core, timer), at in self._timers.items() if at <= now)
        for _, core, timer in due:
            del self._timers[core, timer]
            self._queue.append((core, Wake(timer=timer)))
        try:
            self._run()
        finally:
            self._next_wake = None
            self._schedule(min(self._timers.values(), default=None))

    def _run(self) -> None:
        if self._running:
            return
        self._running = True
        try:
            while self._queue:
                self._step(*self._queue.popleft())
        finally:
            self._running = False
        while self._said:
            self._outside.say(self._said.popleft())

    def _step(self, name: str, event: Event) -> None:
        core = self._cores.get(name)
        if core is None:
            return
        self._now = Nanos(max(self._clock(), self._now + 1))
        try:
            effects = core.handle(self._now, event)
        except Exception as fault:
            fault.add_note(f"{name} broke at {self._now} on {type(event).__name__}")
            self._drop(name)
            if self._journal is not None:
                self._journal(name, self._now, event, ())
            raise
        if self._journal is not None:
            self._journal(name, self._now, event, effects)
        for effect in effects:
            self._do(name, effect)

    def _do(self, name: str, effect: Effect) -> None:
        match effect:
            case Publish():
                heard = self._outside.dress(name, effect.message)
                for listener in self._listening(heard):
                    if listener != name:
                        self._queue.append((listener, heard))
                self._said.append(heard)
            case Send(link, data):
                self._outside.send(name, link, data)
            case WakeAt(timer, at):
                self._timers[name, timer] = at
                self._schedule(at)
            case Store(key, value):
                self._outside.store(name, key, value)
            case Cut(link, reason):
                self._outside.cut(name, link, reason)
            case Halt(reason):
                self._drop(name)
                self._outside.halt(name, reason)
            case _:
                assert_never(effect)

    def _drop(self, name: str) -> None:
        """Never tell this core anything again: what it believes cannot be trusted."""
        self._cores.pop(name, None)
        self._timers = {key: at for key, at in self._timers.items() if key[0] != name}
        self._listeners.clear()

    def _listening(self, message: Message) -> tuple[str, ...]:
        kind = type(message)
        if kind not in self._listeners:
            self._listeners[kind] = tuple(name for name in self._cores if is_heard(name, message))
        return self._listeners[kind]

    def _schedule(self, at: Nanos | None) -> None:
        if at is not None and (self._next_wake is None or at < self._next_wake):
            self._next_wake = at
            self._outside.wake_at(at)
