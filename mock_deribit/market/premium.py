"""Premiums: how far each future's fair price stands from the price it follows."""

import math

from shared.instruments import Instrument
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import BPS, DAY

_YEAR = 365 * DAY
_CARRY, _CARRY_DEVIATION = 0.04, 0.007


class Reversion:
    """An Ornstein-Uhlenbeck process around zero: a premium or a basis."""

    def __init__(self, deviation: float, half_life_seconds: float, stream: Stream) -> None:
        self._deviation = deviation
        self._rate = math.log(2.0) / half_life_seconds
        self._stream = stream
        self.value = stream.normal(0.0, deviation)

    def step(self, seconds: float) -> None:
        """Let time pass."""
        keep = math.exp(-self._rate * seconds)
        noise = self._deviation * math.sqrt(1.0 - keep**2)
        self.value = keep * self.value + self._stream.normal(0.0, noise)


class Premium:
    """How far an instrument's fair price stands from the efficient price.

    Perpetual: two reversions (4 min and 2 h, 0.45 bp each) and a pull by the funding rate.
    Dated: value * carry * years to expiry, and a reversion of 1 bp over 2 min.
    """

    def __init__(self, instrument: Instrument, seed: str) -> None:
        self._instrument = instrument
        stream = Stream(f"{seed}|premium|{instrument.name}")
        if instrument.perpetual:
            self._carry = 0.0
            self._parts = [Reversion(0.45, 240.0, stream), Reversion(0.45, 7_200.0, stream)]
        else:
            self._carry = stream.normal(_CARRY, _CARRY_DEVIATION)
            self._parts = [Reversion(1.0, 120.0, stream)]

    def at(self, now: Nanos, price: float) -> float:
        """In USD, over an efficient price."""
        years = max(0, self._instrument.expiry - now) / _YEAR if self._carry else 0.0
        return price * (self._carry * years + BPS * sum(part.value for part in self._parts))

    def step(self, seconds: float, rate_8h: float) -> None:
        """Let time pass; funding pulls the slow part towards zero."""
        for part in self._parts:
            part.step(seconds)
        self._parts[-1].value -= 3.0 * rate_8h / BPS * seconds / 28_800.0
