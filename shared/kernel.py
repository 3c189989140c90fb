"""The kernel: what a core is, what it can hear and what it can say.

A core is told the time and an event and answers with effects. It opens nothing, sleeps never, reads no
clock, draws no random number and sends nothing by itself; a host does all of that. So the same core runs
over NATS, inside one process, and in simulated time, and a journal of what it heard, pushed through it
again, must give the same effects byte for byte.

Owns: `Nanos`, `Message`, the host's own events and the effects.
"""

from collections.abc import Sequence
from typing import NewType, Protocol

import msgspec

Nanos = NewType("Nanos", int)
"""Nanoseconds since the epoch, UTC. The only unit of time inside the system."""


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Anything that travels on the bus. `ts` is when it was true at its source."""

    ts: Nanos


class Started(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The host runs this core from now on; every `Restored` has been delivered before.

    `incarnation` grows with every start of the core, so that ids built on it never repeat.
    """

    incarnation: int


class Restored(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What the shared state held under a key the core `remembers` when it started; None: nothing.

    A kill latch that another process writes is told in the same way later on.
    """

    key: str
    value: str | None


class Wake(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The answer to `WakeAt`."""

    timer: str


class LinkUp(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A connection is open: `public` or `private` (the venue's sockets), `bus`, `state`."""

    link: str


class LinkDown(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A connection is gone. The host keeps trying; `LinkUp` follows when it succeeds."""

    link: str
    reason: str


class FrameIn(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One text frame from the venue, as it came (secrets replaced by their names).

    On the link `http` it is the answer to a request; such a link has no ups and downs.
    """

    link: str
    data: bytes


HostEvent = Started | Restored | Wake | LinkUp | LinkDown | FrameIn
Event = HostEvent | Message


class Publish(msgspec.Struct, frozen=True, tag=True):
    """Say a message on the bus; its type and fields decide the subject."""

    message: Message


class Send(msgspec.Struct, frozen=True, tag=True):
    """Put one frame on a venue socket this core owns, or ask over HTTP when the link is `http`."""

    link: str
    data: bytes


class Cut(msgspec.Struct, frozen=True, tag=True):
    """Close a venue socket this core no longer trusts; the host opens a new one."""

    link: str
    reason: str


class WakeAt(msgspec.Struct, frozen=True, tag=True):
    """Ask for `Wake(timer)` at a time. Asking again for the same timer moves it."""

    timer: str
    at: Nanos


class Store(msgspec.Struct, frozen=True, tag=True):
    """Write shared state that must survive every process. The last value of a key wins."""

    key: str
    value: str


class Halt(msgspec.Struct, frozen=True, tag=True):
    """An invariant of ours broke: the host stops this process with a non-zero exit."""

    reason: str


Effect = Publish | Send | Cut | WakeAt | Store | Halt
Effects = Sequence[Effect]


class Core(Protocol):
    """What a host can drive. The class is named after its service."""

    @property
    def name(self) -> str:
        """The service's name: the owner in its subjects, the name of its journal."""
        ...

    @property
    def links(self) -> tuple[str, ...]:
        """The ways to the venue this core owns, e.g. `("private", "http")`."""
        ...

    @property
    def remembers(self) -> tuple[str, ...]:
        """Keys of shared state to be told of, as `Restored`, before `Started`."""
        ...

    def handle(self, now: Nanos, event: Event) -> Effects:
        """Take one event at `now` and answer with effects, in the order they must happen."""
        ...
