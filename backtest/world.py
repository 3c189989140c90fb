"""The World: the whole system in simulated time, from one heap of (time, sequence, target, event).

Owns: the heap, the latencies between processes and exchanges, the shared state in memory, and the replay
of a journal. It hosts any cores, grouped in processes as in production, and any number of exchanges; it
never reads a clock and draws only from streams named by its seed: same seed, same bytes.

    world = World(start=START, seed="7")
    world.add_exchange("deribit", MockDeribit(...))
    world.host(marketdata, venue="deribit")
    world.host(quoter, oms, venue="deribit", credentials=("id", "secret"))
    world.after_step(check_invariants)
    world.run_until(Nanos(START + 60 * SECOND))
"""

from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from typing import Any, Protocol

import msgspec

from backtest.latency import Latencies, Latency, Path
from backtest.lines import Credentials, Socket
from backtest.process import Process
from shared.dispatch import Dispatcher, Journal
from shared.journal import Header, Record, encode_effects
from shared.kernel import Core, Event, Message, Nanos
from shared.subjects import TOPICS

SWITCHING = 101
"""The HTTP status of a handshake that is accepted."""

Tap = Callable[[Nanos, int, bytes], None]
"""Told (now, connection, frame) of every frame of a venue, in both directions, when the venue has it."""


class Exchange(Protocol):
    """A simulated venue without sockets; what it answers are `Answer`s."""

    def admission(self, peer: str) -> int:
        """The HTTP status of a handshake from this peer: 101 accepts."""
        ...

    def opened(self, now: Nanos, conn: int, peer: str) -> "Sequence[Answer]":
        """A connection is open."""
        ...

    def received(self, now: Nanos, conn: int, frame: bytes) -> "Sequence[Answer]":
        """A frame of a connection."""
        ...

    def closed(self, now: Nanos, conn: int) -> "Sequence[Answer]":
        """A connection is gone."""
        ...

    def ask(
        self, now: Nanos, peer: str, key: Credentials | None, frame: bytes
    ) -> tuple[bytes | None, "Sequence[Answer]"]:
        """A request over HTTP: its answer (None: none comes), and what it makes leave on the connections."""
        ...

    def wake(self, now: Nanos) -> "Sequence[Answer]":
        """The time asked for by `next_wake` has come."""
        ...

    def next_wake(self) -> Nanos | None:
        """When it wants to be woken; None: not by itself."""
        ...


class Answer(Protocol):
    """A frame for a connection (it has `data`), or its end (it has `reason`)."""

    @property
    def conn(self) -> int:
        """The connection's number."""
        ...


class Halted(msgspec.Struct, frozen=True, kw_only=True):
    """A core stopped its process."""

    now: Nanos
    core: str
    reason: str


class Port:
    """An exchange as the World reaches it."""

    def __init__(self, world: "World", exchange: Exchange) -> None:
        self.exchange = exchange
        self.tap: Tap | None = None
        self._world = world
        self._sockets: dict[int, Socket] = {}
        self._armed: Nanos | None = None

    def open(self, socket: Socket) -> int | None:
        """Accept a connection, or not; numbers are unique in the World."""
        if self.exchange.admission(socket.peer) != SWITCHING:
            return None
        conn = self._world.next_conn()
        self._sockets[conn] = socket
        self.take(self.exchange.opened(self._world.now, conn, socket.peer))
        return conn

    def receive(self, conn: int, frame: bytes) -> None:
        """A frame arrives, unless the connection ended meanwhile."""
        if conn in self._sockets:
            if self.tap is not None:
                self.tap(self._world.now, conn, frame)
            self.take(self.exchange.received(self._world.now, conn, frame))

    def ask(self, peer: str, credentials: Credentials | None, frame: bytes) -> bytes | None:
        """A request over HTTP arrives; its answer, None where it is lost."""
        answer, caused = self.exchange.ask(self._world.now, peer, credentials, frame)
        self.take(caused)
        return answer

    def close(self, conn: int) -> None:
        """The other side's end arrives."""
        if self._sockets.pop(conn, None) is not None:
            self.take(self.exchange.closed(self._world.now, conn))

    def rearm(self) -> None:
        """Schedule the wake the exchange asks for."""
        at = self.exchange.next_wake()
        if at is not None and at != self._armed:
            self._armed = at
            self._world.schedule(Nanos(max(at, self._world.now)), self._ring, at)

    def _ring(self, at: Nanos) -> None:
        if at == self._armed:
            self._armed = None
            self.take(self.exchange.wake(self._world.now))

    def take(self, answers: "Sequence[Answer]") -> None:
        """Carry what the exchange says to its connections."""
        now = self._world.now
        for answer in answers:
            socket = self._sockets.get(answer.conn)
            if socket is None:
                continue
            data: bytes | None = getattr(answer, "data", None)
            if data is not None:
                if self.tap is not None:
                    self.tap(now, answer.conn, data)
                socket.reply(now, answer.conn, data)
            else:
                del self._sockets[answer.conn]
                socket.closed(now, answer.conn, str(getattr(answer, "reason", "closed by venue")))
        self.rearm()


class World:
    """Simulated time and everything in it. `journal` is told of every event of every core."""

    def __init__(
        self,
        *,
        start: Nanos,
        seed: str,
        latencies: Latencies | None = None,
        journal: Journal | None = None,
        state: dict[str, str] | None = None,
    ) -> None:
        self.now = start
        self.seed = seed
        self.state = {} if state is None else state
        self.halts: list[Halted] = []
        self._latencies = Latencies() if latencies is None else latencies
        self._journal = journal
        self._heap: list[tuple[Nanos, int, Callable[[Any], None], Any]] = []
        self._sequence = 0
        self._conns = 0
        self._ports: dict[str, Port] = {}
        self._processes: list[Process] = []
        self._incarnations: dict[str, int] = {}
        self._paths: dict[str, Path] = {}
        self._checks: list[Callable[[World], None]] = []
        self._routes: dict[tuple[str, type[Message]], list[tuple[Process, Path]]] = {}
        self._last_said: dict[type[Message], Message] = {}

    @property
    def steps(self) -> int:
        """How many steps were ever put on the heap."""
        return self._sequence

    def add_exchange(self, name: str, exchange: Exchange) -> None:
        """A venue, reached by processes that name it."""
        if name in self._ports:
            raise ValueError(f"there is an exchange {name!r} already")
        self._ports[name] = Port(self, exchange)
        self._ports[name].rearm()

    def host(
        self,
        *cores: Core,
        venue: str | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        """Start a process with these cores now. A killed core's successor is started the same way."""
        for core in cores:
            if self._find(core.name) is not None:
                raise ValueError(f"{core.name} is running already; kill it first")
            self._incarnations[core.name] = self._incarnations.get(core.name, 0) + 1
        if venue is not None and venue not in self._ports:
            raise ValueError(f"no exchange {venue!r} here; there are: {', '.join(self._ports)}")
        port = None if venue is None else self._ports[venue]
        name = "+".join(core.name for core in cores)
        process = Process(self, name, cores, port, credentials)
        process.dispatcher = Dispatcher(cores, process.clock, process, self._journal)
        self._processes.append(process)
        self._routes.clear()
        process.start(self._incarnations)

    def core(self, name: str) -> Core:
        """A running core; raises KeyError when there is none of that name."""
        process = self._find(name)
        if process is None:
            raise KeyError(f"no core {name!r} is running")
        return next(core for core in process.dispatcher.cores if core.name == name)

    def port(self, name: str) -> Port:
        """An exchange as the World reaches it; raises KeyError for a name that is none."""
        return self._ports[name]

    def deliver(self, core: str, event: Event) -> None:
        """Tell one running core something now, as its host would; raises KeyError for no such core."""
        self._process(core).dispatcher.deliver(core, event)

    def kill(self, core: str) -> None:
        """End the process of a core at once, with everything it did not say."""
        self._end(self._process(core))

    def cut(self, core: str, link: str, down_for: Nanos) -> None:
        """Sever `bus` or `state` of a core's process for a time, or a venue socket once."""
        process = self._process(core)
        process.sever(link, "cut by the simulation")
        if link in ("bus", "state"):
            self.schedule(Nanos(self.now + down_for), process.mend, link)

    def process(self, core: str) -> Process | None:
        """The process that runs a core; None when none does."""
        return self._find(core)

    def call_at(self, at: Nanos, action: Callable[[], None]) -> None:
        """Do something at a time: a fault, an operator's word, a look at the state."""
        self.schedule(at, lambda _: action(), None)

    def after_step(self, check: Callable[["World"], None]) -> None:
        """Called after every step of the heap; raise to fail with the seed and the time noted."""
        self._checks.append(check)

    def run_until(self, at: Nanos) -> None:
        """Run every step up to and including `at`; the time is `at` afterwards."""
        heap = self._heap
        while heap and heap[0][0] <= at:
            self.now, _, target, event = heappop(heap)
            try:
                target(event)
                for check in self._checks:
                    check(self)
            except Exception as fault:
                fault.add_note(f"in the World of seed {self.seed!r} at {self.now} ns")
                raise
        self.now = Nanos(max(at, self.now))

    def schedule(self, at: Nanos, target: Callable[[Any], None], event: Any) -> None:
        """Put a step on the heap; steps of one time run in the order in which they were put."""
        self._sequence += 1
        heappush(self._heap, (at, self._sequence, target, event))

    def path(self, name: str, kind: str) -> Path:
        """One direction between two ends; it lives as long as the World."""
        if name not in self._paths:
            model: Latency = getattr(self._latencies, kind)
            self._paths[name] = Path(model, f"{self.seed}|path|{name}")
        return self._paths[name]

    def next_conn(self) -> int:
        """A connection number nobody has."""
        self._conns += 1
        return self._conns

    def carry(self, sender: Process, message: Message) -> None:
        """A message on its way to every other process that hears it."""
        route = (sender.name, type(message))
        if route not in self._routes:
            self._routes[route] = [
                (process, self.path(f"{sender.name}|{process.name}|bus", "bus"))
                for process in self._processes
                if process is not sender and process.hears(message)
            ]
        lossy = TOPICS[type(message)].kind == "data"
        if not lossy:
            self._last_said[type(message)] = message
        for process, path in self._routes[route]:
            slow = sender.weather.extra(self.now, "bus") + process.weather.extra(self.now, "bus")
            held = max(sender.weather.not_before("bus"), process.weather.not_before("bus"))
            at = path.arrival(self.now, slow, held)
            for arrival in process.weather.scatter(path, self.now, at) if lossy else (at,):
                self.schedule(arrival, process.hear, message)

    def recalled(self, kind: type[Message]) -> Message | None:
        """The last of its kind that the event stream holds."""
        return self._last_said.get(kind)

    def forget_events(self) -> None:
        """The broker has lost its event stream."""
        self._last_said.clear()

    def note_halt(self, process: Process, core: str, reason: str) -> None:
        """A core halted: its process ends as soon as the running step is over."""
        self.halts.append(Halted(now=self.now, core=core, reason=reason))
        self.schedule(self.now, self._end, process)

    def _end(self, process: Process) -> None:
        if process in self._processes:
            self._processes.remove(process)
            self._routes.clear()
            process.kill()

    def _find(self, core: str) -> Process | None:
        for process in self._processes:
            if any(hosted.name == core for hosted in process.dispatcher.cores):
                return process
        return None

    def _process(self, core: str) -> Process:
        process = self._find(core)
        if process is None:
            raise KeyError(f"no core {core!r} is running")
        return process


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Where a replay left the journal."""

    record: int
    now: Nanos
    journaled: bytes
    replayed: bytes


def replay(header: Header, records: Iterable[Record], core: Core) -> list[Difference]:
    """Push a journal, from its part 0 on, through a core built anew from the header's config.

    Every event is told at the time it had; timers and words go nowhere, because what they led to is in
    the journal. Returns every record whose effects are not the same, byte for byte.
    """
    if header.core != core.name:
        raise ValueError(f"this is the journal of {header.core!r}, the core is {core.name!r}")
    if header.part != 0:
        raise ValueError(f"a replay starts with part 0 of a journal, this is part {header.part}")
    differences = []
    for number, record in enumerate(records):
        now = Nanos(record.now)
        effects = encode_effects(core.handle(now, record.event))
        if effects != bytes(record.effects):
            differences.append(
                Difference(
                    record=number, now=now, journaled=bytes(record.effects), replayed=effects
                )
            )
    return differences
