"""Takers: when they come, in which direction, how large.

The clock is a Hawkes process (arrivals excite arrivals) with two exponential kernels, 0.35 at 0.25 s and
0.45 at 40 s, so trades cluster as on the tape. Who comes is a metaorder: a hidden large order cut into
children of similar size and one sign, with a heavy-tailed number of children; that gives the long memory
of trade signs. Sizes are lognormal with a Pareto tail. A share of arrivals knows the drift (informed).

Source: Hawkes, "Spectra of some self-exciting and mutually exciting point processes" (1971), simulated
by thinning (Ogata 1981); parameters from the strategy reference.
"""

import math

import msgspec

from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import from_seconds

_KERNELS = ((0.35, 0.25), (0.45, 40.0))
_NEW = 0.15
_CONTINUE = 0.5
_CHILDREN_TAIL = 1.4
_CHILDREN_MAX = 2_000
_LIVE_MAX = 40
_LOG_MEDIAN_USD, _LOG_DEVIATION = 6.2, 2.4
_TAIL_SHARE, _TAIL_USD, _TAIL_INDEX = 0.015, 40_000.0, 1.5
_MOST_USD = 900_000.0


class HawkesClock:
    """Times of arrivals. `base` is the rate per second of arrivals that nothing excited."""

    def __init__(self, base: float, activity: float, stream: Stream) -> None:
        self._base = base
        self._activity = activity
        self._stream = stream
        self._excited = [0.0 for _ in _KERNELS]

    def next(self, now: Nanos) -> Nanos:
        """The arrival after the one at `now`."""
        waited = 0.0
        while True:
            bound = self._base + sum(self._excited)
            pause = self._stream.exponential(1.0 / bound)
            waited += pause
            for i, (_, seconds) in enumerate(_KERNELS):
                self._excited[i] *= math.exp(-pause / seconds)
            if self._stream.uniform() * bound <= self._base + sum(self._excited):
                break
        for i, (branching, seconds) in enumerate(_KERNELS):
            self._excited[i] += branching / seconds
        return Nanos(now + from_seconds(waited / self._activity))


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

    def arrival(self, drift: float, informed: float) -> tuple[int, float]:
        """(sign, USD) of the order that arrives. `drift` is where the efficient price is going,
        `informed` the share of takers who know it."""
        draw = self._stream
        fresh = draw.uniform()
        if not self._live or fresh < _NEW:
            self._start()
        elif fresh > _NEW + (1.0 - _NEW) * _CONTINUE:
            self._current = draw.below(len(self._live))
        order = self._live[self._current]
        sign = order.sign
        if draw.chance(informed) and drift:
            sign = 1 if drift > 0 else -1
        usd = order.usd * draw.uniform(0.7, 1.3)
        order.children -= 1
        if order.children <= 0:
            self._live.pop(self._current)
            self._current = 0
        return sign, usd

    def size(self) -> float:
        """The USD of an order that belongs to no metaorder."""
        return self._draw_size()

    def _start(self) -> None:
        draw = self._stream
        children = min(int(draw.pareto(_CHILDREN_TAIL)), _CHILDREN_MAX)
        if len(self._live) >= _LIVE_MAX:
            self._live.pop(0)
        self._live.append(_Metaorder(draw.sign(), self._draw_size(), children))
        self._current = len(self._live) - 1

    def _draw_size(self) -> float:
        draw = self._stream
        if draw.chance(_TAIL_SHARE):
            return min(_TAIL_USD * draw.pareto(_TAIL_INDEX), _MOST_USD)
        return min(draw.lognormal(math.exp(_LOG_MEDIAN_USD), _LOG_DEVIATION), _MOST_USD)
