"""Slow liquidity: a sparse ladder of orders far into the book, born and dying at random.

Orders arrive on both sides at a heavy-tailed distance from the fair price, live the longer the deeper they
stand, and are larger there. When the fair price passes one, its owner takes it back, but late: until then
it feeds whoever is faster. Births, distances and lifetimes follow the reduced birth-death form of the
strategy reference; the distance is measured in USD so that every tick size has the same depth.
"""

from functools import partial

from mock_deribit.market.agenda import Agenda
from mock_deribit.market.trader import Trader
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import MILLISECOND, from_seconds

_NEAREST_USD = 3.0
_SPREAD_USD = 15.0
_FARTHEST_USD = 1_500.0
_TAIL = 1.1
_LIFE_SECONDS = 8.0
_LIFE_SECONDS_PER_USD = 0.8
_SIZE_DEVIATION = 1.3


class Ladder:
    """The slow orders of one instrument. `rate` is births a second, `size` the median in lots."""

    def __init__(
        self,
        trader: Trader,
        agenda: Agenda,
        stream: Stream,
        *,
        rate: float,
        size: float,
        activity: float,
    ) -> None:
        self._trader = trader
        self._agenda = agenda
        self._stream = stream
        self._rate = rate * activity
        self._size = size
        self._activity = activity
        self._orders: dict[str, tuple[int, int]] = {}
        self._leaving: dict[str, bool] = {}

    def fill(self, now: Nanos, fair: float, orders: int) -> None:
        """Put up the ladder as if it had always been there."""
        longest = _life(_FARTHEST_USD)
        while len(self._orders) < orders:
            distance = self._distance()
            if self._stream.chance(_life(distance) / longest):
                self._rest(now, fair, distance)

    def next_birth(self, now: Nanos) -> Nanos:
        """When the next order arrives."""
        return Nanos(now + from_seconds(self._stream.exponential(1.0 / self._rate)))

    def birth(self, now: Nanos, fair: float) -> None:
        """An order arrives."""
        self._rest(now, fair, self._distance())

    def passed(self, now: Nanos, fair: float) -> None:
        """The fair price moved: owners of orders on its wrong side take them back, late."""
        level = fair / self._trader.instrument.tick
        for order_id, (sign, tick) in self._orders.items():
            if sign * (tick - level) >= 0 and order_id not in self._leaving:
                self._leaving[order_id] = True
                late = Nanos(now + int(self._stream.uniform(20.0, 170.0) * MILLISECOND))
                self._agenda.at(late, partial(self._death, order_id))

    def _distance(self) -> float:
        drawn = _NEAREST_USD + _SPREAD_USD * (self._stream.pareto(_TAIL) - 1.0)
        return min(drawn, _FARTHEST_USD * self._stream.uniform(0.5, 1.0))

    def _rest(self, now: Nanos, fair: float, distance: float) -> None:
        draw = self._stream
        sign = draw.sign()
        tick = round((fair - sign * distance) / self._trader.instrument.tick)
        deeper = 1.0 + distance / 50.0
        lots = max(1, round(draw.lognormal(self._size * deeper, _SIZE_DEVIATION)))
        life = draw.exponential(_life(distance)) / self._activity
        rested = self._trader.rest(now, sign, tick, lots)
        if rested is not None:
            order_id = rested[0]
            self._orders[order_id] = (sign, rested[1])
            self._agenda.at(Nanos(now + from_seconds(life)), partial(self._death, order_id))

    def _death(self, order_id: str, now: Nanos) -> None:
        if self._orders.pop(order_id, None) is not None:
            self._leaving.pop(order_id, None)
            self._trader.cancel(now, order_id)


def _life(distance: float) -> float:
    return _LIFE_SECONDS + _LIFE_SECONDS_PER_USD * distance
