"""Signals: how fast the mid moves (volatility) and whether it is running away (momentum).

Volatility is the root of an exponentially weighted variance per second of the changes of the mid over
one second or more, at two speeds, 60 s and 900 s, averaged half and half:

    rate = (mid - previous mid)^2 / dt          USD^2 / s
    v   += (1 - exp(-dt / T)) * (rate - v)      for T = 60 s and T = 900 s
    sigma = sqrt(v60 / 2 + v900 / 2)            USD / sqrt(s)

One second, not every tick: below a second the mid is noise of the spread. An average that starts at
zero is too low by the weight that it has not given out yet, 1 - exp(-age / T); dividing by it makes
the young average the plain mean of what was seen.

Source: RiskMetrics (1996) for the exponential weights; sampling and speeds from the signature of
Deribit's recorded trades.
"""

import math
from collections import deque

from shared.kernel import Nanos
from shared.units import MILLISECOND, SECOND, Side, from_seconds, to_seconds

FAST_S = 60.0
SLOW_S = 900.0
SILENCE_S = 60.0
"""Longer without a mid than this, and what was learned before says nothing about now."""

MOMENTUM_WINDOW_S = 2.0
_WINDOW = from_seconds(MOMENTUM_WINDOW_S)
MOMENTUM_PULL_Z = 3.0
MOMENTUM_EXTEND_Z = 1.5
MOMENTUM_HOLD = from_seconds(3.0)
MOMENTUM_STEP = Nanos(50 * MILLISECOND)


class VarianceAverage:
    """An exponentially weighted mean of a variance rate (USD^2/s), unbiased while it is young."""

    def __init__(self, horizon_s: float) -> None:
        self._horizon_s = horizon_s
        self._sum = 0.0
        self._weight = 0.0

    def update(self, rate: float, dt_s: float) -> None:
        """Take a rate that held for dt_s seconds."""
        share = -math.expm1(-dt_s / self._horizon_s)
        self._sum += share * (rate - self._sum)
        self._weight += share * (1.0 - self._weight)

    @property
    def rate(self) -> float:
        """The mean so far; 0 before the first update."""
        return self._sum / self._weight if self._weight else 0.0


class Volatility:
    """Two-speed volatility of the mid, sampled once a second at most."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._fast = VarianceAverage(FAST_S)
        self._slow = VarianceAverage(SLOW_S)
        self._last: tuple[Nanos, float] | None = None
        self.observed_s = 0.0

    def observe(self, now: Nanos, mid: float) -> None:
        """Show the mid (USD) at `now`; calls within a second of the last sample change nothing."""
        if self._last is not None:
            at, before = self._last
            if now - at < SECOND:
                return
            dt_s = to_seconds(now - at)
            if dt_s > SILENCE_S:
                self._forget()
            else:
                rate = (mid - before) ** 2 / dt_s
                self._fast.update(rate, dt_s)
                self._slow.update(rate, dt_s)
                self.observed_s += dt_s
        self._last = (now, mid)

    @property
    def sigma(self) -> float:
        """USD per square root of a second, neither floored nor capped; 0 before two samples."""
        return math.sqrt(0.5 * self._fast.rate + 0.5 * self._slow.rate)


class Momentum:
    """Which sides to keep out of the way of a move that is large for the present volatility.

    z = (mid - mid 2 s ago) / (sigma * sqrt(2 s)). Beyond -3 the bids are pulled for 3 s, and for as
    long as z stays beyond -1.5; beyond +3 the asks.
    """

    def __init__(self) -> None:
        self._mids: deque[tuple[Nanos, float]] = deque()
        self._pulled_until: dict[Side, Nanos] = {}

    def observe(self, now: Nanos, mid: float, sigma: float) -> None:
        """Show the mid (USD) at `now` with the volatility in force (USD/sqrt(s), above 0)."""
        mids = self._mids
        if not mids or now - mids[-1][0] >= MOMENTUM_STEP:
            mids.append((now, mid))
        window_start = now - _WINDOW
        while len(mids) > 1 and mids[1][0] <= window_start:
            mids.popleft()
        z = (mid - mids[0][1]) / (sigma * math.sqrt(MOMENTUM_WINDOW_S))
        side = Side.BUY if z < 0 else Side.SELL
        if abs(z) > MOMENTUM_PULL_Z or (abs(z) > MOMENTUM_EXTEND_Z and side in self.pulled(now)):
            self._pulled_until[side] = Nanos(now + MOMENTUM_HOLD)

    def pulled(self, now: Nanos) -> tuple[Side, ...]:
        """The sides that must not be quoted at `now`."""
        until = self._pulled_until
        return tuple(side for side in Side if until.get(side, 0) > now) if until else ()
