"""The lines from a simulated process to the mock exchange: WebSockets and requests over HTTP.

Owns: dialling for ever, what is on its way in both directions and how long it takes, the vault between core
and wire. A line behaves as production's does (`shared/shell/venue.py`): frames for a socket that is not up
are dropped, every connection has a new number, nothing of an old one is ever told.
"""

from collections.abc import Callable
from typing import Any, Protocol

from backtest.latency import Path
from backtest.weather import Weather
from shared.deribit.vault import Vault
from shared.kernel import FrameIn, LinkDown, LinkUp, Message, Nanos

Credentials = tuple[str, str]
"""Client id and client secret."""
HTTP = "http"
"""The link whose frames are requests over HTTP."""


class Venue(Protocol):
    """The exchange as a process reaches it: `backtest.world.Port`."""

    def open(self, socket: "Socket") -> int | None:
        """Accept a connection; its number, or None when the venue takes none."""
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
    seed: str
    state: dict[str, str]

    def schedule(self, at: Nanos, target: Any, event: Any) -> None:
        """Call `target(event)` at a time."""
        ...

    def path(self, name: str, kind: str) -> Path:
        """The path of that name, drawn from the latency model `kind`."""
        ...

    def carry(self, sender: Any, message: Message) -> None:
        """Take a message to the other processes."""
        ...

    def recalled(self, kind: type[Message]) -> Message | None:
        """The last of its kind that the event stream holds."""
        ...

    def note_halt(self, process: Any, core: str, reason: str) -> None:
        """A core halted."""
        ...


class Owner(Protocol):
    """What a line needs of the process that owns it: `backtest.process.Process`."""

    around: Around
    name: str
    credentials: Credentials | None
    alive: bool
    weather: Weather

    def tell(self, core: str, event: FrameIn | LinkUp | LinkDown) -> None:
        """One host event for one core."""
        ...

    def hangs(self, notice: Callable[[Any], None], event: Any) -> bool:
        """Whether the process hangs; then `notice(event)` is for later."""
        ...


class Socket:
    """One core's connection to the venue: opened again and again, each time with a new number."""

    def __init__(self, process: Owner, core: str, link: str, venue: Venue) -> None:
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

    def _arrival(self, path: Path, now: Nanos) -> Nanos:
        return self._process.weather.arrival(path, now, self.link)

    def dial(self, _: None = None) -> None:
        """Open a connection; `LinkUp` follows when the venue's answer is here."""
        self._around.schedule(self._arrival(self._outbound, self._around.now), self._reach, None)

    def send(self, data: bytes) -> None:
        """A frame leaves; dropped when the socket is not up, as a real one would."""
        if self._up and self._conn is not None:
            frame = data if self._vault is None else self._vault.reveal(data)
            at = self._arrival(self._outbound, self._around.now)
            self._around.schedule(at, self._deliver_out, (self._conn, frame))

    def drop(self, reason: str, *, again: bool) -> None:
        """Close from this side; the venue learns of it one way later."""
        if self._conn is None:
            return
        at = self._arrival(self._outbound, self._around.now)
        self._around.schedule(at, self._venue.close, self._conn)
        self._lose(reason, again=again)

    def reply(self, now: Nanos, conn: int, data: bytes) -> None:
        """The venue says a frame at `now`."""
        self._around.schedule(self._arrival(self._inbound, now), self._deliver_in, (conn, data))

    def closed(self, now: Nanos, conn: int, reason: str) -> None:
        """The venue closed the connection at `now`."""
        at = self._arrival(self._inbound, now)
        self._around.schedule(at, self._closed_by_venue, (conn, reason))

    def _reach(self, _: None) -> None:
        if not self._process.alive or self._conn is not None:
            return
        credentials = self._process.credentials
        self._vault = None if credentials is None else Vault(*credentials)
        self._conn = self._venue.open(self)
        if self._conn is None:
            self._around.schedule(self._redial.arrival(self._around.now), self.dial, None)
            return
        at = self._arrival(self._inbound, self._around.now)
        self._around.schedule(at, self._come_up, self._conn)

    def _come_up(self, conn: int) -> None:
        if self._process.hangs(self._come_up, conn):
            return
        if conn == self._conn:
            self._up = True
            self._process.tell(self._core, LinkUp(link=self.link))

    def _deliver_out(self, frame: tuple[int, bytes]) -> None:
        self._venue.receive(*frame)

    def _deliver_in(self, frame: tuple[int, bytes]) -> None:
        if self._process.hangs(self._deliver_in, frame):
            return
        conn, data = frame
        if conn == self._conn and self._up:
            shown = data if self._vault is None else self._vault.hide(data)
            self._process.tell(self._core, FrameIn(link=self.link, data=shown))

    def _closed_by_venue(self, end: tuple[int, str]) -> None:
        if self._process.hangs(self._closed_by_venue, end):
            return
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

    def __init__(self, process: Owner, core: str, venue: Venue) -> None:
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
        self._around.schedule(self._arrival(self._outbound), self._reach, data)

    def drop(self, reason: str, *, again: bool) -> None:
        """Nothing stays open."""

    def _reach(self, data: bytes) -> None:
        answer = self._venue.ask(self.peer, self._process.credentials, data)
        if answer is not None:
            self._around.schedule(self._arrival(self._inbound), self._deliver_in, answer)

    def _arrival(self, path: Path) -> Nanos:
        return self._process.weather.arrival(path, self._around.now, HTTP)

    def _deliver_in(self, data: bytes) -> None:
        if self._process.hangs(self._deliver_in, data):
            return
        self._process.tell(self._core, FrameIn(link=self.link, data=data))
