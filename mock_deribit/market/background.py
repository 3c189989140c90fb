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
    3. Between prints the queue ahead shrinks by cancels. Of a reduction of a level the share f(x) = x**3
       is taken from before our order, x = ahead / (ahead + behind): cancels come from the back of the
       queue (measured on order-level data: 64-87 % from its last fifth).
    4. A level that vanishes without trades fills nothing.

The tape cannot react to us: keep sizes small against the touch, and read results as "no impact".

Source: queue-position models of replay back-tests (risk-averse f = 0 and optimistic f = x are the bounds).
"""

import math

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

    def __init__(self, trader: Trader, stream: Stream) -> None:
        self._trader = trader
        self._stream = stream
        self._levels: dict[int, dict[int, list[str]]] = {1: {}, -1: {}}

    def open(self, now: Nanos, bid: int) -> None:
        """Put up a full book with this best bid and the ask one tick above."""
        for half, touch in ((1, bid), (-1, bid + 1)):
            self._add(now, half, touch, self._touch_lots())
            for distance in range(1, _DENSE_TICKS):
                if self._stream.chance(0.7):
                    self._add(now, half, touch - half * distance, self._deep_lots(distance))
            while len(self._levels[half]) < _LEVELS_START:
                distance = self._deep_distance()
                self._add(now, half, touch - half * distance, self._deep_lots(distance))

    def make_way(self, now: Nanos, taker_sign: int, tick: int) -> int:
        """Cancel what would trade before this price, or stand beyond it on the taker's own side.

        Returns the lots of others that still stand beyond it there: they are traded through.
        """
        for half, beyond in ((-taker_sign, tick - taker_sign), (taker_sign, tick)):
            for level in [t for t in self._levels[half] if half * (t - beyond) >= 0]:
                for order_id in self._levels[half].pop(level):
                    self._trader.cancel(now, order_id)
        return self._trader.lots_from(taker_sign, tick)

    def offer(self, now: Nanos, taker_sign: int, tick: int, lots: int) -> None:
        """Make the rest of a print available, behind everything already at its price."""
        missing = lots - self._trader.lots_from(-taker_sign, tick)
        if missing > 0:
            self._add(now, -taker_sign, tick, missing)

    def close_gap(self, now: Nanos, half: int) -> None:
        """Join one tick inside the other half's best if this half has fallen back."""
        opposite = self._trader.best(-half)
        if opposite is not None and self._trader.best(half) != opposite - half:
            self._add(now, half, opposite - half, self._touch_lots())

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
        held = self._held(half, tick)
        if wanted > held:
            self._add(now, half, tick, wanted - held)
        else:
            self._reduce(now, half, tick, held - wanted)
        levels = self._levels[half]
        if len(levels) > _LEVELS_MAX:
            deepest = min(levels, key=lambda level: half * level)
            for order_id in levels.pop(deepest):
                self._trader.cancel(now, order_id)

    def _add(self, now: Nanos, half: int, tick: int, lots: int) -> None:
        rested = self._trader.rest(now, half, tick, lots)
        if rested is not None:
            order_id, at = rested
            self._levels[half].setdefault(at, []).append(order_id)

    def _held(self, half: int, tick: int) -> int:
        return sum(lots for mine, _, lots in self._trader.queue(half, tick) if mine)

    def _reduce(self, now: Nanos, half: int, tick: int, lots: int) -> None:
        """Take lots off a level, from before and behind others' orders by the cube rule."""
        queue = self._trader.queue(half, tick)
        others = [place for place, (mine, _, _) in enumerate(queue) if not mine]
        split = others[0] if others else 0
        ahead = [entry for entry in queue[:split] if entry[0]]
        behind = [entry for entry in queue[split:] if entry[0]]
        from_ahead = cancels_ahead(
            sum(entry[2] for entry in ahead),
            sum(entry[2] for entry in behind),
            lots,
            self._stream.uniform(),
        )
        for part, wanted in ((ahead, from_ahead), (behind, lots - from_ahead)):
            left = wanted
            for _, order_id, size in reversed(part):
                taken = min(left, size)
                if taken and self._trader.reduce(now, order_id, taken) and taken == size:
                    self._levels[half][tick].remove(order_id)
                left -= taken

    def _touch_lots(self) -> int:
        usd = self._stream.choice(_TOUCH_USD) * self._stream.uniform(0.8, 1.2)
        return max(1, round(usd / self._trader.instrument.amount_step))

    def _deep_lots(self, distance: int) -> int:
        larger = 1.0 + distance / _DEEPER_TICKS
        usd = self._stream.lognormal(_DEEP_USD * larger, _DEEP_DEVIATION)
        return max(1, round(usd / self._trader.instrument.amount_step))

    def _deep_distance(self) -> int:
        return min(int(2.0 * self._stream.pareto(0.7)), _FAR_TICKS)


def cancels_ahead(ahead: int, behind: int, lots: int, draw: float) -> int:
    """How many of `lots` cancelled at a level leave from before us: x**3, rounded by a uniform draw.

    Never more than is there on either side. Raises ValueError when more is cancelled than displayed.
    """
    if lots > ahead + behind:
        raise ValueError(f"cannot cancel {lots} lots of {ahead} ahead and {behind} behind")
    share = (ahead / (ahead + behind)) ** 3 if ahead + behind else 0.0
    return min(max(math.floor(lots * share + draw), lots - behind), ahead, lots)
