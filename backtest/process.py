"""One simulated process: the dispatcher's outside when time is only counted.

Owns: a process' sockets to the mock exchange, its bus and state connections and what is missed while one
of them is down. It behaves as the production host does: every `LinkUp` is followed by one `LinkDown`
before the next, data said during an outage is lost, events and commands are caught up with.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from backtest.latency import Path
from shared.deribit.vault import Vault
from shared.dispatch import Dispatcher, outlives_outage
from shared.kernel import (
    Core,
    FrameIn,
    LinkDown,
    LinkUp,
    Message,
    Nanos,
)
from shared.subjects import TOPICS, is_heard

Credentials = tuple[str, str]
"""Client id and client secret."""
HTTP = "http"
"""The link whose frames are requests over HTTP."""


class Venue(Protocol):
    """The exchange as a process reaches it: `backtest.world.Port`."""

    def open(self, socket: "Socket") -> int:
        """Accept a connection; its number."""
        ...

    def receive(self, conn: int, frame: bytes) -> None:
        """A frame of a connection arrives."""
        ...

    def close(self, conn: int) -> None:
        """A connection's end arrives."""
        ...

    def ask(self, peer: str, credentials: Credentials | None, frame: bytes) -> bytes | None:
        """A request over HTTP arrives; its answer, None where it is lost."""
        ...


class Around(Protocol):
    """What a process needs of the World that runs it."""

    now: Nanos
    state: dict[str, str]

    def schedule(self, at: Nanos, target: Any, event: Any) -> None:
        """Call `target(event)` at a time."""
        ...

    def path(self, name: str, kind: str) -> Path:
        """The path of that name, drawn from the latency model `kind`."""
        ...

    def carry(self, sender: "Process", message: Message) -> None:
        """Take a message to the other processes."""
        ...

    def note_halt(self, process: "Process", core: str, reason: str) -> None:
        """A core halted."""
        ...


class Socket:
    """One core's connection to the venue: opened again and again, each time with a new number."""

    def __init__(self, process: "Process", core: str, link: str, venue: Venue) -> None:
        self._process = process
        self._around = process.around
        self._core = core
        self.link = link
        self._venue = venue
        name = f"{process.name}|{core}|{link}"
        self._outbound = process.around.path(f"{name}|out", "order")
        self._inbound = process.around.path(
            f"{name}|in", "feed" if link == "public" else "response"
        )
        self._redial = process.around.path(f"{name}|redial", "reconnect")
        self._conn: int | None = None
        self._up = False
        self._vault: Vault | None = None
        self.peer = name

    def dial(self, _: None = None) -> None:
        """Open a connection; `LinkUp` follows when the venue's answer is here."""
        self._around.schedule(self._outbound.arrival(self._around.now), self._reach, None)

    def send(self, data: bytes) -> None:
        """A frame leaves; dropped when the socket is not up, as a real one would."""
        if self._up and self._conn is not None:
            frame = data if self._vault is None else self._vault.reveal(data)
            at = self._outbound.arrival(self._around.now)
            self._around.schedule(at, self._deliver_out, (self._conn, frame))

    def drop(self, reason: str, *, again: bool) -> None:
        """Close from this side; the venue learns of it one way later."""
        if self._conn is None:
            return
        at = self._outbound.arrival(self._around.now)
        self._around.schedule(at, self._venue.close, self._conn)
        self._lose(reason, again=again)

    def reply(self, now: Nanos, conn: int, data: bytes) -> None:
        """The venue says a frame at `now`."""
        self._around.schedule(self._inbound.arrival(now), self._deliver_in, (conn, data))

    def closed(self, now: Nanos, conn: int, reason: str) -> None:
        """The venue closed the connection at `now`."""
        self._around.schedule(self._inbound.arrival(now), self._closed_by_venue, (conn, reason))

    def _reach(self, _: None) -> None:
        if not self._process.alive or self._conn is not None:
            return
        credentials = self._process.credentials
        self._vault = None if credentials is None else Vault(*credentials)
        self._conn = self._venue.open(self)
        at = self._inbound.arrival(self._around.now)
        self._around.schedule(at, self._come_up, self._conn)

    def _come_up(self, conn: int) -> None:
        if conn == self._conn:
            self._up = True
            self._process.tell(self._core, LinkUp(link=self.link))

    def _deliver_out(self, frame: tuple[int, bytes]) -> None:
        self._venue.receive(*frame)

    def _deliver_in(self, frame: tuple[int, bytes]) -> None:
        conn, data = frame
        if conn == self._conn and self._up:
            shown = data if self._vault is None else self._vault.hide(data)
            self._process.tell(self._core, FrameIn(link=self.link, data=shown))

    def _closed_by_venue(self, end: tuple[int, str]) -> None:
        conn, reason = end
        if conn == self._conn:
            self._lose(reason, again=True)

    def _lose(self, reason: str, *, again: bool) -> None:
        was_up, self._up, self._conn = self._up, False, None
        now = self._around.now
        if was_up:
            down = LinkDown(link=self.link, reason=reason)
            self._around.schedule(now, self._tell_down, down)
        if again:
            self._around.schedule(self._redial.arrival(now), self.dial, None)

    def _tell_down(self, down: LinkDown) -> None:
        self._process.tell(self._core, down)


class Errands:
    """One core's requests over HTTP: each goes and comes by itself, and none waits for a connection."""

    def __init__(self, process: "Process", core: str, venue: Venue) -> None:
        self._process = process
        self._around = process.around
        self._core = core
        self._venue = venue
        self.link = HTTP
        self.peer = f"{process.name}|{core}|{HTTP}"
        self._outbound = process.around.path(f"{self.peer}|out", "order")
        self._inbound = process.around.path(f"{self.peer}|in", "response")

    def dial(self, _: None = None) -> None:
        """Nothing has to be opened."""

    def send(self, data: bytes) -> None:
        """A request leaves."""
        self._around.schedule(self._outbound.arrival(self._around.now), self._reach, data)

    def drop(self, reason: str, *, again: bool) -> None:
        """Nothing stays open."""

    def _reach(self, data: bytes) -> None:
        answer = self._venue.ask(self.peer, self._process.credentials, data)
        if answer is not None:
            self._around.schedule(self._inbound.arrival(self._around.now), self._deliver_in, answer)

    def _deliver_in(self, data: bytes) -> None:
        self._process.tell(self._core, FrameIn(link=self.link, data=data))


class Process:
    """Cores that live and die together. Implements `shared.dispatch.Outside`."""

    def __init__(
        self,
        around: Around,
        name: str,
        cores: Sequence[Core],
        venue: Venue | None,
        credentials: Credentials | None,
    ) -> None:
        self.around = around
        self.name = name
        self.credentials = credentials
        self.alive = True
        self.dispatcher: Dispatcher
        self._armed = Nanos(0)
        self._down: dict[str, bool] = {"bus": True, "state": True}
        self._unsaid: list[Message] = []
        self._unheard: list[Message] = []
        self._unstored: dict[str, str] = {}
        self._sockets: dict[tuple[str, str], Socket | Errands] = {}
        for core in cores:
            for link in core.links:
                if venue is None:
                    raise ValueError(
                        f"{core.name} owns the link {link!r} and needs a venue; "
                        "pass host(..., venue=NAME) the name given to World.add_exchange"
                    )
                self._sockets[core.name, link] = (
                    Errands(self, core.name, venue)
                    if link == HTTP
                    else Socket(self, core.name, link, venue)
                )

    def start(self, incarnations: dict[str, int]) -> None:
        """Restore, start, connect: the order every host keeps."""
        self.dispatcher.start(self.around.state, incarnations)
        self.mend("state")
        self.mend("bus")
        for socket in self._sockets.values():
            socket.dial()

    def kill(self) -> None:
        """The process is gone: nothing more is said or heard, and the venue sees its sockets end."""
        self.alive = False
        for socket in self._sockets.values():
            socket.drop("process ended", again=False)

    def tell(self, core: str, event: FrameIn | LinkUp | LinkDown) -> None:
        """One host event for one core."""
        if self.alive:
            self.dispatcher.deliver(core, event)

    def sever(self, link: str, reason: str) -> None:
        """Lose the bus, the state store or a venue socket."""
        if link in self._down:
            if not self._down[link]:
                self._down[link] = True
                self.dispatcher.deliver_all(LinkDown(link=link, reason=reason))
            return
        for (_, name), socket in self._sockets.items():
            if name == link:
                socket.drop(reason, again=True)

    def mend(self, link: str) -> None:
        """The bus or the state store is back: catch up first, then say so."""
        if not self.alive or not self._down[link]:
            return
        self._down[link] = False
        if link == "state":
            self.around.state.update(self._unstored)
            self._unstored.clear()
        else:
            missed, self._unheard = self._unheard, []
            for message in missed:
                self.dispatcher.hear(message)
            late, self._unsaid = self._unsaid, []
            for message in late:
                self.around.carry(self, message)
        self.dispatcher.deliver_all(LinkUp(link=link))

    def hears(self, message: Message) -> bool:
        """Whether any core here takes this type of message."""
        return any(is_heard(core.name, message) for core in self.dispatcher.cores)

    def hear(self, message: Message) -> None:
        """A message arrives by the bus."""
        if not self.alive:
            return
        if not self._down["bus"]:
            self.dispatcher.hear(message)
        elif TOPICS[type(message)].kind != "data":
            self._unheard.append(message)

    def dress(self, core: str, message: Message) -> Message:
        """Simulated processes have no figures of their own."""
        return message

    def say(self, message: Message) -> None:
        """To the bus, or kept until it is back when it must not be lost."""
        if not self._down["bus"]:
            self.around.carry(self, message)
        elif outlives_outage(message):
            self._unsaid.append(message)

    def send(self, core: str, link: str, data: bytes) -> None:
        """To the venue."""
        self._sockets[core, link].send(data)

    def cut(self, core: str, link: str, reason: str) -> None:
        """Close a venue socket; another is dialled."""
        self._sockets[core, link].drop(reason, again=True)

    def store(self, core: str, key: str, value: str) -> None:
        """To the shared state at once, or when it is back."""
        (self._unstored if self._down["state"] else self.around.state)[key] = value

    def wake_at(self, at: Nanos) -> None:
        """Arm the one alarm of this process."""
        self._armed = at
        self.around.schedule(Nanos(max(at, self.around.now)), self._ring, at)

    def halt(self, core: str, reason: str) -> None:
        """Told to the World, which ends the process."""
        self.around.note_halt(self, core, reason)

    def _ring(self, at: Nanos) -> None:
        if self.alive and at == self._armed:
            self.dispatcher.wake()
