"""★ The levels of everyone else in a recording, and the queue rule by which our orders wait among them.

One background account rests what a recording displays; our orders rest in the same matching engine. So at
rest we wait behind what was displayed when we joined, trades shrink the queue from its front, and what
joins later stands behind us. Of a reduction without a trade the share f(x) leaves from before us, with
x = ahead / (ahead + behind), by one of three models:

    cube        x**3: cancels come from the back of a queue (measured on order-level data: 64-87 % of them
                from its last fifth). The base case
    averse      0: only trades advance us
    optimistic  x: as if cancels were spread evenly

averse and optimistic are bounds: a result that changes its sign between them is no result. Our own size is
not in a recording and moves nobody in it: keep it small against the touch, and read results as "no impact".

Source: queue-position models of replay back-tests.
"""

import math
from enum import StrEnum

from mock_deribit.market.trader import Trader
from shared.kernel import Nanos
from shared.randomness import Stream


class QueueModel(StrEnum):
    """Whose cancels they are."""

    CUBE = "cube"
    AVERSE = "averse"
    OPTIMISTIC = "optimistic"


class Levels:
    """The background account's orders by side (+1 bids) and tick."""

    def __init__(self, trader: Trader, stream: Stream, model: QueueModel) -> None:
        self._trader = trader
        self._stream = stream
        self._model = model
        self._levels: dict[int, dict[int, list[str]]] = {1: {}, -1: {}}

    def ticks(self, half: int) -> list[int]:
        """Where there are orders on a side, in no order."""
        return list(self._levels[half])

    def held(self, half: int, tick: int) -> int:
        """The background's lots at a price."""
        if tick not in self._levels[half]:
            return 0
        return sum(lots for mine, _, lots in self._trader.queue(half, tick) if mine)

    def set(self, now: Nanos, half: int, tick: int, lots: int) -> None:
        """Make the background's size at a price this; what is added joins the end."""
        held = self.held(half, tick)
        if lots > held:
            self.add(now, half, tick, lots - held)
        elif lots < held:
            self._reduce(now, half, tick, held - lots)
        if not lots:
            self._levels[half].pop(tick, None)

    def add(self, now: Nanos, half: int, tick: int, lots: int) -> None:
        """Join the end of a level, one tick inside where it would cross."""
        rested = self._trader.rest(now, half, tick, lots)
        if rested is not None:
            order_id, at = rested
            self._levels[half].setdefault(at, []).append(order_id)

    def clear(self, now: Nanos, half: int, tick: int) -> None:
        """Take a whole level back."""
        for order_id in self._levels[half].pop(tick, []):
            self._trader.cancel(now, order_id)

    def make_way(self, now: Nanos, taker_sign: int, tick: int) -> int:
        """Cancel what would trade before this price, or stand beyond it on the taker's own side.

        Returns the lots of others that still stand beyond it there: they are traded through.
        """
        for half, beyond in ((-taker_sign, tick - taker_sign), (taker_sign, tick)):
            for level in [t for t in self._levels[half] if half * (t - beyond) >= 0]:
                self.clear(now, half, level)
        return self._trader.lots_from(taker_sign, tick)

    def offer(self, now: Nanos, taker_sign: int, tick: int, lots: int) -> None:
        """Make the rest of a print available, behind everything already at its price."""
        missing = lots - self._trader.lots_from(-taker_sign, tick)
        if missing > 0:
            self.add(now, -taker_sign, tick, missing)

    def _reduce(self, now: Nanos, half: int, tick: int, lots: int) -> None:
        """Take lots off a level, from before and behind others' orders by the model."""
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
            self._model,
        )
        for part, wanted in ((ahead, from_ahead), (behind, lots - from_ahead)):
            left = wanted
            for _, order_id, size in reversed(part):
                taken = min(left, size)
                if taken and self._trader.reduce(now, order_id, taken) and taken == size:
                    self._levels[half][tick].remove(order_id)
                left -= taken


def cancels_ahead(
    ahead: int, behind: int, lots: int, draw: float, model: QueueModel = QueueModel.CUBE
) -> int:
    """How many of `lots` cancelled at a level leave from before us, rounded by a uniform draw.

    Never more than is there on either side. Raises ValueError when more is cancelled than displayed.
    """
    if lots > ahead + behind:
        raise ValueError(f"cannot cancel {lots} lots of {ahead} ahead and {behind} behind")
    x = ahead / (ahead + behind) if ahead + behind else 0.0
    share = {QueueModel.CUBE: x**3, QueueModel.AVERSE: 0.0, QueueModel.OPTIMISTIC: x}[model]
    return min(max(math.floor(lots * share + draw), lots - behind), ahead, lots)
