"""Premiums: how far each future's fair price stands from the price it follows."""

import math

from shared.instruments import Instrument
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import BPS, DAY, HOUR, MINUTE

_YEAR = 365 * DAY
_CARRY, _CARRY_DEVIATION, _CARRY_HALF_LIFE = 0.04, 0.007, 10 * DAY
_PERPETUAL_FAST, _PERPETUAL_SLOW = (0.6, 4 * MINUTE), (2.2, 12 * HOUR)
_DATED_FAST = (1.0, 2 * MINUTE)
_FLOW_BPS, _FLOW_USD = 0.02, 1e6
_EIGHT_HOURS = 8 * HOUR
_FUNDING_PULL = 3.0


class Reversion:
    """An Ornstein-Uhlenbeck process around zero: a premium or a basis."""

    def __init__(self, deviation: float, half_life: int, stream: Stream) -> None:
        self._deviation = deviation
        self._rate = math.log(2.0) / half_life
        self._stream = stream
        self.value = stream.normal(0.0, deviation)

    def step(self, elapsed: int) -> None:
        """Let time pass."""
        keep = math.exp(-self._rate * elapsed)
        noise = self._deviation * math.sqrt(1.0 - keep**2)
        self.value = keep * self.value + self._stream.normal(0.0, noise)


class Premium:
    """How far an instrument's fair price stands from the efficient price.

    Perpetual: a reversion over minutes and one over half a day, so that funding is paid about a fifth of
    the time; taker flow adds 0.02 bp a million USD, and funding pulls it back. Dated: value * carry * years
    to expiry, the carry itself reverting over days, and a reversion of 1 bp over 2 min.
    """

    def __init__(self, instrument: Instrument, seed: str, start_bps: float = 0.0) -> None:
        self._instrument = instrument
        stream = Stream(f"{seed}|premium|{instrument.name}")
        self._carry: Reversion | None = None
        if instrument.perpetual:
            self._fast = Reversion(*_PERPETUAL_FAST, stream)
            self._slow: Reversion | None = Reversion(*_PERPETUAL_SLOW, stream)
            if start_bps:
                self._slow.value = start_bps
        else:
            self._carry = Reversion(_CARRY_DEVIATION, _CARRY_HALF_LIFE, stream)
            self._fast = Reversion(*_DATED_FAST, stream)
            self._slow = None

    def at(self, now: Nanos, price: float) -> float:
        """In USD, over an efficient price."""
        share = BPS * (self._fast.value + (self._slow.value if self._slow else 0.0))
        if self._carry is not None:
            years = max(0, self._instrument.expiry - now) / _YEAR
            share += (_CARRY + self._carry.value) * years
        return price * share

    def step(self, elapsed: int, rate_8h: float, taker_usd: float) -> None:
        """Let time pass; flow pushes a perpetual's premium, funding pulls it."""
        for part in (self._fast, self._slow, self._carry):
            if part is not None:
                part.step(elapsed)
        if self._slow is not None:
            self._slow.value += _FLOW_BPS * taker_usd / _FLOW_USD
            self._slow.value -= _FUNDING_PULL * rate_8h / BPS * elapsed / _EIGHT_HOURS
