"""One simulated process: the dispatcher's outside when time is only counted.

Owns: a process' lines to the mock exchange, its bus and state connections, its clock, and what is missed
while one of them is down. It behaves as the production host does: every `LinkUp` is followed by one
`LinkDown` before the next, data said during an outage is lost, events and commands are caught up with, state
is written behind and written again to a store that comes back. A process that hangs notices nothing, and
all of it in order when it goes on.
"""

from collections.abc import Callable, Sequence
from typing import Any

from backtest.lines import HTTP, Around, Credentials, Errands, Socket, Venue
from backtest.weather import Weather
from shared.dispatch import Dispatcher, outlives_outage
from shared.kernel import (
    Core,
    FrameIn,
    LinkDown,
    LinkUp,
    Message,
    Nanos,
)
from shared.subjects import RECALLS, TOPICS, is_heard

CLOCK_SLEW = 100
"""A clock that is fast is drawn back by one part in this many of the time passed."""


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
        self.weather = Weather(f"{around.seed}|weather|{name}")
        self.dispatcher: Dispatcher
        self._armed = Nanos(0)
        self._down: dict[str, bool] = {"bus": True, "state": True}
        self._joined = False
        self._unsaid: list[Message] = []
        self._unheard: list[Message] = []
        self._unstored: dict[str, str] = {}
        self._stored: dict[str, str] = {}
        self._writes = around.path(f"{name}|state", "state")
        self._postponed: list[tuple[Callable[[Any], None], Any]] | None = None
        self._fast = 0
        self._stepped = Nanos(0)
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
        self._postponed = None
        for socket in self._sockets.values():
            socket.drop("process ended", again=False)

    def clock(self) -> Nanos:
        """The time this process believes: drawn back to the true one as `shared/shell/clock.py` does."""
        now = self.around.now
        if not self._fast:
            return now
        self._fast = max(0, self._fast - (now - self._stepped) // CLOCK_SLEW)
        self._stepped = now
        return Nanos(now + self._fast)

    def step_clock(self, by: int) -> None:
        """The machine's clock is set forward."""
        self._fast, self._stepped = self.clock() - self.around.now + by, self.around.now
        self.dispatcher.wake()

    def hang(self) -> None:
        """Stop noticing anything, as a stopped process does; its sockets stay open."""
        if self.alive and self._postponed is None:
            self._postponed = []

    def go_on(self, _: None = None) -> None:
        """Notice everything that came meanwhile, in order."""
        postponed, self._postponed = self._postponed or [], None
        for notice, event in postponed:
            notice(event)

    def hangs(self, notice: Callable[[Any], None], event: Any) -> bool:
        """Whether the process hangs; then `notice(event)` is for later."""
        if self._postponed is None:
            return False
        self._postponed.append((notice, event))
        return True

    @property
    def is_hanging(self) -> bool:
        """Whether it notices nothing."""
        return self._postponed is not None

    def is_down(self, link: str) -> bool:
        """Whether the bus or the state store is away."""
        return self._down[link]

    def tell(self, core: str, event: FrameIn | LinkUp | LinkDown) -> None:
        """One host event for one core."""
        if self.alive:
            self.dispatcher.deliver(core, event)

    def sever(self, link: str, reason: str) -> None:
        """Lose the bus, the state store or a venue socket."""
        if link in self._down:
            if not self._down[link]:
                self._down[link] = True
                self._lost((link, reason))
            return
        for (_, name), socket in self._sockets.items():
            if name == link:
                socket.drop(reason, again=True)

    def mend(self, link: str, caught_up: bool = True) -> None:
        """The bus or the state store is back: catch up first, then say so. Without `caught_up` the event
        stream has lost what was missed."""
        if not self.alive or not self._down[link]:
            return
        if self.hangs(self.mend, link):
            return
        self._down[link] = False
        if link == "bus" and not self._joined:
            self._joined = True
            self._recall()
        if link == "state":
            self._stored |= self._unstored
            self.around.state.update(self._stored)
            self._unstored.clear()
        else:
            missed, self._unheard = self._unheard, []
            for message in missed if caught_up else ():
                self.dispatcher.hear(message)
            late, self._unsaid = self._unsaid, []
            for message in late:
                self.around.carry(self, message)
        self.dispatcher.deliver_all(LinkUp(link=link))

    def _recall(self) -> None:
        """Before the bus is up for the first time: the last words that the event stream holds."""
        for core in self.dispatcher.cores:
            for kind in RECALLS.get(core.name, ()):
                message = self.around.recalled(kind)
                if message is not None:
                    self.dispatcher.deliver(core.name, message)

    def hears(self, message: Message) -> bool:
        """Whether any core here takes this type of message."""
        return any(is_heard(core.name, message) for core in self.dispatcher.cores)

    def hear(self, message: Message) -> None:
        """A message arrives by the bus."""
        if not self.alive or self.hangs(self.hear, message):
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
        """To the shared state a moment later, or when it is back; lost if the process ends before."""
        if self._down["state"]:
            self._unstored[key] = value
            return
        self.around.schedule(self._writes.arrival(self.around.now), self._write, (key, value))

    def wake_at(self, at: Nanos) -> None:
        """Arm the one alarm of this process."""
        self._armed = at
        due = at - (self.clock() - self.around.now)
        self.around.schedule(Nanos(max(due, self.around.now)), self._ring, at)

    def halt(self, core: str, reason: str) -> None:
        """Told to the World, which ends the process."""
        self.around.note_halt(self, core, reason)

    def _lost(self, loss: tuple[str, str]) -> None:
        link, reason = loss
        if self.alive and not self.hangs(self._lost, loss):
            self.dispatcher.deliver_all(LinkDown(link=link, reason=reason))

    def _write(self, pair: tuple[str, str]) -> None:
        if not self.alive:
            return
        key, value = pair
        if self._down["state"]:
            self._unstored.setdefault(key, value)
        else:
            self._stored[key] = self.around.state[key] = value

    def _ring(self, at: Nanos) -> None:
        if not self.alive or at != self._armed or self.hangs(self._ring, at):
            return
        self.dispatcher.wake()
