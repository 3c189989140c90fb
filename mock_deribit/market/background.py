"""★ The book around a recorded tape, and the rule by which our orders are filled.

A tape holds trades, not the orders behind them. A background account therefore keeps a full book around
the last print: touch sizes drawn from those seen in recorded production frames, a sparse ladder behind,
births and cancels at random in between. Our orders rest in the same matching engine, so the rule is
price-time priority itself:

    1. Before a print the book is re-centred: background orders that would trade before the printed price
       are cancelled, so that the print's price is the touch. An order of ours that stands beyond it has
       been traded through: it is filled first, at its own price.
    2. The print is an order of the recorded side and size with the printed price as its limit. Orders of
       ours at a better price fill first at their own price; at the printed price we wait behind the
       background size displayed when we joined. What is missing to the recorded size is added behind us,
       so the whole print trades, and we get of it only what exceeds the queue ahead of us.
    3. Between prints the queue ahead shrinks by cancels, by the model of levels.py.
    4. A level that vanishes without trades fills nothing.

The tape cannot react to us: keep sizes small against the touch, and read results as "no impact".
"""

from mock_deribit.market.levels import Levels
from mock_deribit.market.trader import Trader
from shared.kernel import Nanos
from shared.randomness import Stream

_TOUCH_USD = (
    10.0,
    2_000.0,
    3_800.0,
    4_700.0,
    10_800.0,
    56_000.0,
    65_000.0,
    77_000.0,
    125_000.0,
    175_000.0,
    199_000.0,
    262_000.0,
)
_DEEP_USD, _DEEP_DEVIATION = 5_000.0, 1.3
_DEEPER_TICKS = 30.0
_DENSE_TICKS = 25
_FAR_TICKS = 3_000
_LEVELS_START, _LEVELS_MAX = 100, 160
_TOUCH_SHARE = 0.35


class Background:
    """The displayed book of everyone else on the tape's instrument. Sides are signs (+1 bids)."""

    def __init__(self, trader: Trader, stream: Stream, levels: Levels) -> None:
        self._trader = trader
        self._stream = stream
        self._levels = levels

    def open(self, now: Nanos, bid: int) -> None:
        """Put up a full book with this best bid and the ask one tick above."""
        for half, touch in ((1, bid), (-1, bid + 1)):
            self._levels.add(now, half, touch, self._touch_lots())
            for distance in range(1, _DENSE_TICKS):
                if self._stream.chance(0.7):
                    self._levels.add(now, half, touch - half * distance, self._deep_lots(distance))
            while len(self._levels.ticks(half)) < _LEVELS_START:
                distance = self._deep_distance()
                self._levels.add(now, half, touch - half * distance, self._deep_lots(distance))

    def close_gap(self, now: Nanos, half: int) -> None:
        """Join one tick inside the other half's best if this half has fallen back."""
        opposite = self._trader.best(-half)
        if opposite is not None and self._trader.best(half) != opposite - half:
            self._levels.add(now, half, opposite - half, self._touch_lots())

    def breathe(self, now: Nanos) -> None:
        """One random change: a level grows, shrinks or is born; the deepest go when there are many."""
        draw = self._stream
        half = draw.sign()
        best = self._trader.best(half)
        if best is None:
            self.close_gap(now, half)
            return
        self.close_gap(now, half)
        at_touch = draw.chance(_TOUCH_SHARE)
        distance = 0 if at_touch else self._deep_distance()
        tick = best - half * distance
        wanted = self._touch_lots() if at_touch else self._deep_lots(distance)
        self._levels.set(now, half, tick, wanted)
        ticks = self._levels.ticks(half)
        if len(ticks) > _LEVELS_MAX:
            self._levels.clear(now, half, min(ticks, key=lambda level: half * level))

    def _touch_lots(self) -> int:
        usd = self._stream.choice(_TOUCH_USD) * self._stream.uniform(0.8, 1.2)
        return max(1, round(usd / self._trader.instrument.amount_step))

    def _deep_lots(self, distance: int) -> int:
        larger = 1.0 + distance / _DEEPER_TICKS
        usd = self._stream.lognormal(_DEEP_USD * larger, _DEEP_DEVIATION)
        return max(1, round(usd / self._trader.instrument.amount_step))

    def _deep_distance(self) -> int:
        return min(int(2.0 * self._stream.pareto(0.7)), _FAR_TICKS)
