"""Takers: when they come, in which direction, how large.

The clock is a Hawkes process (arrivals excite arrivals) with three exponential kernels: milliseconds (one
taker's burst), seconds and a minute, so trades cluster as on the tape. Who comes is a metaorder: a hidden
large order cut into children of similar size and one sign, with a heavy-tailed number of children; that
gives the long memory of trade signs. A burst stays with its metaorder. Sizes are drawn from the quantiles
of market orders on the production tape. A share of metaorders is begun by somebody who knows the drift.

Source: Hawkes, "Spectra of some self-exciting and mutually exciting point processes" (1971), simulated
by thinning (Ogata 1981); Lillo, Mike, Farmer, "Theory for long memory in supply and demand" (2005).
"""

import math
from itertools import pairwise

import msgspec

from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import from_seconds

_KERNELS = ((0.25, 0.012), (0.53, 4.0), (0.06, 60.0))
_BURST_SECONDS = 0.1
_STAYS = 0.5
_LIVE = 5
_CHILDREN_TAIL = 1.05
_CHILDREN_LEAST = 2.0
_CHILDREN_MAX = 400
_FOLLOWED = 0.3
_WOBBLE = (0.7, 1.3)
_SIZES_USD = (
    (0.00, 10.0), (0.10, 30.0), (0.25, 70.0), (0.50, 510.0), (0.75, 9_165.0), (0.90, 30_500.0),
    (0.95, 51_800.0), (0.99, 148_000.0), (1.00, 893_000.0),
)  # fmt: skip


class HawkesClock:
    """Times of arrivals. A `rate` is that of arrivals which nothing excited, a second."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._excited: list[float] = []

    def next(self, now: Nanos, rate: float, activity: float = 1.0) -> Nanos:
        """The arrival after the one at `now`, at the rate that holds now."""
        if not self._excited:
            mean = rate / (1.0 - sum(branching for branching, _ in _KERNELS))
            self._excited = [branching * mean for branching, _ in _KERNELS]
        waited = 0.0
        while True:
            bound = rate + sum(self._excited)
            pause = self._stream.exponential(1.0 / bound)
            waited += pause
            for i, (_, seconds) in enumerate(_KERNELS):
                self._excited[i] *= math.exp(-pause / seconds)
            if self._stream.uniform() * bound <= rate + sum(self._excited):
                break
        self.excite()
        return Nanos(now + from_seconds(waited / activity))

    def excite(self, share: float = 1.0) -> None:
        """Somebody traded: others follow."""
        for i, (branching, seconds) in enumerate(_KERNELS):
            self._excited[i] += share * branching / seconds


class _Metaorder(msgspec.Struct):
    sign: int
    usd: float
    children: int


class Takers:
    """Whose turn it is at each arrival."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._live: list[_Metaorder] = []
        self._current = 0
        self._last = Nanos(0)

    def arrival(self, now: Nanos, drift: float, informed: float) -> tuple[int, float]:
        """(sign, USD) of the order that arrives. `drift` is where the efficient price is going,
        `informed` the share of new metaorders whose owner knows it."""
        draw = self._stream
        burst = now - self._last < from_seconds(_BURST_SECONDS)
        self._last = now
        while len(self._live) < _LIVE:
            self._live.append(self._begun(drift, informed))
        if not burst and not draw.chance(_STAYS):
            self._current = self._chosen()
        order = self._live[self._current]
        order.children -= 1
        if order.children <= 0:
            self._live[self._current] = self._begun(drift, informed)
        return order.sign, order.usd * draw.uniform(*_WOBBLE)

    def follow(self, sign: int) -> None:
        """A move was raced: somebody begins a metaorder its way."""
        if len(self._live) == _LIVE and self._stream.chance(_FOLLOWED):
            self._current = 0
            self._live[0] = self._begun(float(sign), 1.0)

    def size(self) -> float:
        """The USD of an order that belongs to no metaorder."""
        return size_usd(self._stream.uniform())

    def _chosen(self) -> int:
        """A metaorder by what it has left: the longer, the more often its owner is at the market."""
        left = self._stream.uniform(0.0, float(sum(order.children for order in self._live)))
        for place, order in enumerate(self._live):
            left -= order.children
            if left < 0.0:
                return place
        return _LIVE - 1

    def _begun(self, drift: float, informed: float) -> _Metaorder:
        draw = self._stream
        children = min(int(_CHILDREN_LEAST * draw.pareto(_CHILDREN_TAIL)), _CHILDREN_MAX)
        sign, knows = draw.sign(), draw.chance(min(informed, 1.0))
        if knows and drift:
            sign = 1 if drift > 0.0 else -1
        return _Metaorder(sign, self.size(), children)


def size_usd(share: float) -> float:
    """The size below which this share of market orders lies; the logarithm is interpolated."""
    for (low, small), (high, large) in pairwise(_SIZES_USD):
        if share <= high:
            return small * math.exp(math.log(large / small) * (share - low) / (high - low))
    return _SIZES_USD[-1][1]
