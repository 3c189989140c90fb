"""Slow liquidity: a ladder of orders behind the touch, born and dying at random.

Orders arrive on both sides in bands of distance from the fair price. Of each band is known how much rests
there (as in recorded frames), how large its orders are and how long they live; their birth rate follows,
rate = resting / (size * life). When the fair price passes an order, its owner takes it back, but late:
until then it feeds whoever is faster.

Source: the birth-death form of Cont, Stoikov, Talreja, "A stochastic model for order book dynamics" (2010).
"""

from bisect import bisect_left, insort
from functools import partial

import msgspec

from mock_deribit.market.agenda import Agenda
from mock_deribit.market.regime import Weather
from mock_deribit.market.trader import Trader
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import BPS, MILLISECOND, from_seconds

_DEVIATION = 1.2
_MEAN_TO_MEDIAN = 2.05
_LATE_MS = (20.0, 170.0)


class Band(msgspec.Struct, frozen=True):
    """Distances in bp, what rests there a side and the mean order in USD, the mean life in seconds."""

    near: float
    far: float
    usd: float
    order_usd: float
    seconds: float

    @property
    def births(self) -> float:
        """A second and side."""
        return self.usd / self.order_usd / self.seconds


class Ladder:
    """The slow orders of one instrument. `lot_usd` is the worth of one lot."""

    def __init__(
        self,
        trader: Trader,
        agenda: Agenda,
        stream: Stream,
        weather: Weather,
        bands: tuple[Band, ...],
        lot_usd: float,
    ) -> None:
        self._trader = trader
        self._agenda = agenda
        self._stream = stream
        self._weather = weather
        self._bands = bands
        self._lot_usd = lot_usd
        self._total = sum(band.births for band in bands)
        self._ranks: dict[int, list[tuple[int, str]]] = {1: [], -1: []}
        self._places: dict[str, tuple[int, int]] = {}

    def fill(self, now: Nanos, fair: float) -> None:
        """Put up the ladder as if it had always been there."""
        for band in self._bands:
            for sign in (1, -1):
                expected = band.usd / band.order_usd * self._weather.regime.depth
                for _ in range(int(expected + self._stream.uniform())):
                    self._rest(now, fair, sign, band)

    def next_birth(self, now: Nanos) -> Nanos:
        """When the next order arrives."""
        regime = self._weather.regime
        rate = 2.0 * self._total * regime.depth * regime.activity
        return Nanos(now + from_seconds(self._stream.exponential(1.0 / rate)))

    def birth(self, now: Nanos, fair: float) -> None:
        """An order arrives."""
        draw = self._stream
        sign, left = draw.sign(), draw.uniform(0.0, self._total)
        chosen = self._bands[-1]
        for band in self._bands:
            left -= band.births
            if left < 0.0:
                chosen = band
                break
        self._rest(now, fair, sign, chosen)

    def passed(self, now: Nanos, fair: float) -> None:
        """The fair price moved: owners of orders on its wrong side take them back, late."""
        level = fair / self._trader.instrument.tick
        for sign, ranks in self._ranks.items():
            while ranks and ranks[-1][0] >= sign * level:
                order_id = ranks.pop()[1]
                late = Nanos(now + int(self._stream.uniform(*_LATE_MS) * MILLISECOND))
                self._agenda.at(late, partial(self._death, order_id))

    def _rest(self, now: Nanos, fair: float, sign: int, band: Band) -> None:
        draw = self._stream
        distance = draw.uniform(band.near, band.far)
        tick = round(fair * (1.0 - sign * distance * BPS) / self._trader.instrument.tick)
        usd = draw.lognormal(band.order_usd / _MEAN_TO_MEDIAN, _DEVIATION)
        life = draw.exponential(band.seconds) / self._weather.regime.activity
        rested = self._trader.rest(now, sign, tick, max(1, round(usd / self._lot_usd)))
        if rested is not None:
            order_id, at = rested
            insort(self._ranks[sign], (sign * at, order_id))
            self._places[order_id] = (sign, at)
            self._agenda.at(Nanos(now + from_seconds(life)), partial(self._death, order_id))

    def _death(self, order_id: str, now: Nanos) -> None:
        place = self._places.pop(order_id, None)
        if place is None:
            return
        self._trader.cancel(now, order_id)
        sign, at = place
        entry = (sign * at, order_id)
        ranks = self._ranks[sign]
        found = bisect_left(ranks, entry)
        if found < len(ranks) and ranks[found] == entry:
            del ranks[found]
