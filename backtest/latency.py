"""How long things take on the way: models of delay, and paths on which nothing overtakes.

Owns: `Constant`, `Uniform`, `Lognormal` (with spikes), `Path` and the set of `Latencies` a World uses.
Draws come from named streams, so that one path's traffic cannot shift another's.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import MICROSECOND, MILLISECOND


class Latency(Protocol):
    """A model of delay in nanoseconds."""

    def draw(self, stream: Stream) -> int:
        """One delay, never negative."""
        ...


class Constant(msgspec.Struct, frozen=True):
    """Always the same delay."""

    delay: int

    def draw(self, stream: Stream) -> int:
        """The delay; draws nothing."""
        return self.delay


class Uniform(msgspec.Struct, frozen=True):
    """Anywhere between two delays: cheap to draw, for runs in which the tail is made by faults."""

    low: int
    high: int

    def draw(self, stream: Stream) -> int:
        """One delay in [low, high)."""
        return self.low + stream.below(self.high - self.low)


class Lognormal(msgspec.Struct, frozen=True, kw_only=True):
    """A lognormal delay on top of a floor, now and then with a spike.

    `deviation` is that of the logarithm; a spike of exponential length, `spike` on average, is added
    with probability `spike_chance`.
    """

    floor: int = 0
    median: int
    deviation: float = 0.3
    spike_chance: float = 0.0
    spike: int = 0

    def draw(self, stream: Stream) -> int:
        """Floor plus body plus, rarely, a spike."""
        delay = self.floor + stream.lognormal(self.median, self.deviation)
        if self.spike_chance and stream.chance(self.spike_chance):
            delay += stream.exponential(self.spike)
        return round(delay)


class Latencies(msgspec.Struct, frozen=True, kw_only=True):
    """What a World needs to know of the network. Defaults: a colocated host, quiet day."""

    bus: Latency = Lognormal(floor=50 * MICROSECOND, median=50 * MICROSECOND)
    feed: Latency = Lognormal(median=2 * MILLISECOND)
    order: Latency = Lognormal(median=3 * MILLISECOND)
    response: Latency = Lognormal(median=2 * MILLISECOND)
    reconnect: Latency = Lognormal(floor=500 * MILLISECOND, median=200 * MILLISECOND)
    state: Latency = Lognormal(floor=50 * MICROSECOND, median=150 * MICROSECOND)


class Path:
    """A connection's one direction: first in, first out, unless told to let something `stray`."""

    def __init__(self, model: Latency, key: str) -> None:
        self._draw: Callable[[Stream], int] = model.draw
        self._stream = Stream(key)
        self._latest = 0

    def arrival(self, now: Nanos, extra: int = 0, not_before: int = 0) -> Nanos:
        """When something sent at `now` arrives; never before what was sent earlier."""
        self._latest = max(self._latest, now + extra + self._draw(self._stream), not_before)
        return Nanos(self._latest)

    def stray(self, now: Nanos, extra: int) -> Nanos:
        """When something arrives that neither waits for what is ahead of it nor holds up what follows."""
        return Nanos(now + extra + self._draw(self._stream))
