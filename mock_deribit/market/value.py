"""★ The efficient price: what other venues make of the coin, moving whether or not anyone trades here.

Between moves the log price gathers variance; moves come at random times, so that the price jumps by
several ticks as it does on the venue, where makers price off the same outside reference:

    x      log variance multiplier, AR(1) of about 250 s, clipped to [ln 0.15, ln 12]
    move   sqrt(v) * z, half of z Gaussian and half Student-like with 2.6 degrees of freedom (clipped)
    drift  a move goes on: a tenth of it within seconds and a third within a minute, so that realised
           volatility rises from 1 s to 5 min as on the tape; `drift` is what is still to come, a second
    flow   0.26 bp * (net taker USD / 10,000)^0.4 follows taker flow; 25 % of it decays in 20 s
    news   rarely 20 to 80 bp, a twentieth at once and the rest as drift, with a minute of excitement

The next move's shape is drawn one move ahead: `lean` is what well-connected makers sense of it and of the
drift, and show by leaning their sizes. The exogenous part draws from streams that no trade can touch.

Volatility is that of returns over half a minute. With kicks k_i and memories t_i a move's response is
G(u) = A - sum k_i e^(-u/t_i), A = 1 + sum k_i, and the variance over T per second and unit of move

    S(T) = (int_0^T G(u)^2 du + int_0^inf (G(u+T) - G(u))^2 du) / T

Source: the targets are in calibration/facts.py; regimes and jumps follow the strategy reference.
"""

import math
from typing import Protocol

from mock_deribit.market.hours import busyness
from mock_deribit.market.regime import Weather
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import BPS, MINUTE, SECOND

_YEAR_SECONDS = 365.0 * 86_400.0
_CALM_SECONDS, _RESTLESS = 250.0, 0.09
_LOG_VARIANCE = (math.log(0.15), math.log(12.0))
_FREEDOM = 2.6
_STUDENT_DEVIATION = 1.76
_STUDENT_MAX = 11.0
OTHER_VARIANCE = 0.53
"""Of the variance over half a minute: what impact, sweeps, news and the book itself add, as calibrated."""
_MEAN_MULTIPLIER = 1.52
_KICKS = ((0.12, 2.0), (0.22, 20.0), (0.0, 60.0))
"""What follows a move: share and memory in seconds. The last is for news, which moves do not feed."""
_HORIZON_SECONDS = 30.0
_LEAN_NEXT, _LEAN_DRIFT, _LEAN_MOST = 0.45, 0.8, 2.0
_FLOW_BPS, _FLOW_POWER = 0.26, 0.4
_FLOW_USD = 10_000.0
_FLOW_CAP = 10.0
_FLOW_TRANSIENT = 0.25
_TRANSIENT_SECONDS = 20.0
_NEWS_BPS, _NEWS_AT_ONCE = (20.0, 80.0), 0.05
_EXCITED = 4.0


class Outside(Protocol):
    """What a pit needs to know of the world."""

    @property
    def price(self) -> float:
        """USD."""
        ...

    @property
    def drift(self) -> float:
        """What moves are still to come, as a fraction a second."""
        ...

    @property
    def lean(self) -> float:
        """What the well connected sense of the next move, about -2 to 2."""
        ...

    @property
    def heat(self) -> float:
        """The variance multiplier now."""
        ...

    def shift(self, bps: float) -> None:
        """Move for good."""
        ...


class EfficientPrice:
    """The price all agents look at, USD."""

    def __init__(self, now: Nanos, price: float, weather: Weather, stream: Stream) -> None:
        self._weather = weather
        self._stream = stream
        self._permanent = price
        self._transient = 0.0
        self._log_variance = stream.normal(0.0, 0.9)
        self._kicks = [0.0 for _ in _KICKS]
        self._stepped = now
        self._excited_until = Nanos(0)
        self._next = self._shape()
        self._typical = 1.0

    @property
    def price(self) -> float:
        """Now, rounded to what anyone may see."""
        return round(self._permanent * (1.0 + self._transient), 4)

    @property
    def drift(self) -> float:
        """What moves are still to come, as a fraction a second."""
        return sum(kick / memory for kick, (_, memory) in zip(self._kicks, _KICKS, strict=True))

    @property
    def lean(self) -> float:
        """What the well connected sense of the next move, about -2 to 2."""
        drift = sum(self._kicks) / self._typical if self._typical else 0.0
        lean = _LEAN_NEXT * self._next + _LEAN_DRIFT * drift
        return min(max(lean, -_LEAN_MOST), _LEAN_MOST)

    @property
    def heat(self) -> float:
        """The variance multiplier now."""
        excited = _EXCITED if self._stepped < self._excited_until else 1.0
        return math.exp(self._log_variance) / _MEAN_MULTIPLIER * excited

    def step(self, now: Nanos) -> float:
        """Let time pass and move; returns the move in basis points."""
        seconds = max(1, now - self._stepped) / SECOND
        before, draw, regime = self.price, self._stream, self._weather.regime
        self._stepped = now
        keep = math.exp(-seconds / _CALM_SECONDS)
        wander = self._log_variance * keep + draw.normal(0.0, _RESTLESS * math.sqrt(seconds))
        self._log_variance = min(max(wander, _LOG_VARIANCE[0]), _LOG_VARIANCE[1])
        drifted = 0.0
        for place, (_, memory) in enumerate(_KICKS):
            kept = self._kicks[place] * math.exp(-seconds / memory)
            drifted += self._kicks[place] - kept
            self._kicks[place] = kept
        variance = regime.volatility**2 / _YEAR_SECONDS * (1.0 - OTHER_VARIANCE)
        variance *= self.heat * busyness(now) / stretched(regime.drift, _HORIZON_SECONDS)
        self._typical = math.sqrt(variance)
        shock = math.sqrt(variance * seconds) * self._next
        self._next = self._shape()
        for place, (kick, _) in enumerate(_KICKS):
            self._kicks[place] += kick * regime.drift * shock
        self._permanent *= math.exp(shock + drifted)
        self._transient *= math.exp(-seconds / _TRANSIENT_SECONDS)
        return (self.price / before - 1.0) / BPS

    def absorb(self, taker_usd: float) -> None:
        """Follow net taker flow (signed USD since the last call)."""
        impact = self._weather.regime.impact
        if taker_usd and impact:
            strength = min((abs(taker_usd) / _FLOW_USD) ** _FLOW_POWER, _FLOW_CAP)
            bps = math.copysign(_FLOW_BPS * strength * impact, taker_usd)
            self._permanent *= 1.0 + bps * (1.0 - _FLOW_TRANSIENT) * BPS
            self._transient += bps * _FLOW_TRANSIENT * BPS

    def put_off(self, by: Nanos) -> None:
        """Time passes in which nothing happens."""
        self._stepped = Nanos(self._stepped + by)
        self._excited_until = Nanos(self._excited_until + by)

    def shift(self, bps: float) -> None:
        """Move for good."""
        self._permanent *= 1.0 + bps * BPS

    def news(self, now: Nanos, draw: Stream) -> None:
        """Out of the blue: a jump, most of the way still to go, and a minute of excitement."""
        bps = draw.sign() * draw.uniform(*_NEWS_BPS)
        self.shift(bps * _NEWS_AT_ONCE)
        self._kicks[-1] += bps * (1.0 - _NEWS_AT_ONCE) * BPS
        self._excited_until = Nanos(now + MINUTE)

    def _shape(self) -> float:
        draw = self._stream
        tail = min(max(draw.student(_FREEDOM), -_STUDENT_MAX), _STUDENT_MAX)
        return (draw.normal() + tail / _STUDENT_DEVIATION) * math.sqrt(0.5)


def stretched(drift: float, horizon: float) -> float:
    """S(T): by how much what goes on after moves stretches the variance over a horizon, seconds."""
    kicks = [(drift * kick, memory) for kick, memory in _KICKS]
    whole = 1.0 + sum(kick for kick, _ in kicks)
    total = whole * whole * horizon
    for kick, memory in kicks:
        gone = 1.0 - math.exp(-horizon / memory)
        total -= 2.0 * whole * kick * memory * gone
        for other, other_memory in kicks:
            both = memory * other_memory / (memory + other_memory)
            other_gone = 1.0 - math.exp(-horizon / other_memory)
            total += kick * other * both * (1.0 - math.exp(-horizon / both) + gone * other_gone)
    return total / horizon
