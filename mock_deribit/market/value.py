"""The efficient price: what other venues make of the coin, moving whether or not anyone trades here.

Between moves the log price gathers variance; moves come at random times, so that the price jumps by
several ticks as it does on the venue, where makers price off the same outside reference:

    x     log variance multiplier, AR(1) of about 200 s, clipped to [ln 0.2, ln 8]
    m     momentum, an Ornstein-Uhlenbeck drift of 20 s; it carries about half of long-run variance, so
          realised volatility rises from 1 s to 5 min as on the tape
    move  sqrt(v) * (N / sqrt 2 + T / sqrt 2) + m dt, T Student-like with 2.6 degrees of freedom
    flow  0.06 bp * sqrt(net taker USD / 10,000) follows taker flow; 35 % of it decays in 20 s

Source: empirical targets measured on the production tape and described in the strategy reference; the
parameters are a first reduced form, calibrated later.
"""

import math
from typing import Protocol

from shared.randomness import Stream
from shared.units import BPS

_YEAR_SECONDS = 365.0 * 86_400.0
_FREEDOM = 2.6
_STUDENT_DEVIATION = math.sqrt(_FREEDOM / (_FREEDOM - 2.0))
_STUDENT_MAX = 20.0
_MEAN_MULTIPLIER = 1.5
_MOMENTUM_SECONDS = 20.0
_MOMENTUM_SHARE = 1.15 / 2.15
_FLOW_BPS = 0.06
_FLOW_USD = 10_000.0
_FLOW_CAP = 50.0
_FLOW_TRANSIENT = 0.35


class Outside(Protocol):
    """What a pit needs to know of the world: a price, its drift, and that it may be pushed."""

    momentum: float

    @property
    def price(self) -> float:
        """USD."""
        ...

    def shift(self, bps: float, permanent: float) -> None:
        """Move by news or flow; what is not permanent decays."""
        ...


class EfficientPrice:
    """The price all agents look at. `volatility` is annualised over minutes; price in USD."""

    def __init__(self, price: float, volatility: float, stream: Stream) -> None:
        self._stream = stream
        self._permanent = price
        self._transient = 0.0
        self._log_variance = 0.0
        variance = volatility**2 / _YEAR_SECONDS
        self._base_variance = variance * (1.0 - _MOMENTUM_SHARE) / _MEAN_MULTIPLIER
        self._momentum_deviation = math.sqrt(variance * _MOMENTUM_SHARE / (2.0 * _MOMENTUM_SECONDS))
        self.momentum = 0.0

    @property
    def price(self) -> float:
        """Now, rounded to what anyone may see."""
        return round(self._permanent * (1.0 + self._transient), 4)

    def step(self, seconds: float) -> float:
        """Let time pass and move; returns the move in basis points."""
        before, draw = self.price, self._stream
        self._log_variance = min(
            max(
                self._log_variance * math.exp(-0.005 * seconds)
                + draw.normal(0.0, 0.09 * math.sqrt(seconds)),
                math.log(0.2),
            ),
            math.log(8.0),
        )
        keep = math.exp(-seconds / _MOMENTUM_SECONDS)
        self.momentum = keep * self.momentum + draw.normal(
            0.0, self._momentum_deviation * math.sqrt(1.0 - keep**2)
        )
        jump = min(max(draw.student(_FREEDOM) / _STUDENT_DEVIATION, -_STUDENT_MAX), _STUDENT_MAX)
        deviation = math.sqrt(self._base_variance * math.exp(self._log_variance) * seconds)
        shock = deviation * (draw.normal() + jump) * math.sqrt(0.5)
        self._permanent *= math.exp(shock + self.momentum * seconds)
        self._transient *= keep
        return (self.price / before - 1.0) / BPS

    def absorb(self, taker_usd: float) -> None:
        """Follow net taker flow (signed USD since the last call)."""
        if taker_usd:
            strength = min(math.sqrt(abs(taker_usd) / _FLOW_USD), _FLOW_CAP)
            self.shift(math.copysign(_FLOW_BPS * strength, taker_usd), 1.0 - _FLOW_TRANSIENT)

    def shift(self, bps: float, permanent: float) -> None:
        """Move by news or flow; the rest of `permanent` decays in 20 s."""
        self._permanent *= 1.0 + bps * permanent * BPS
        self._transient += bps * (1.0 - permanent) * BPS
