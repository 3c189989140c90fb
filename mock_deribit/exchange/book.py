"""★ The matching engine's book: price-time priority in integer ticks and lots.

Theory. A book is two halves. Orders of one half stand in levels, one per price; the better price goes
first, and within a price the earlier order goes first (price-time priority, as Deribit documents it). An
incoming order trades with the front of the opposite half while that front's price is at its limit or
better, always at the resting order's price; what is left may then rest at the end of its own level.
Therefore after every request best bid < best ask: an order that could trade has traded.

Priority is the place in the level's queue. It is kept by a reduction of size at the same price and lost
by everything else that a new price or a larger size does (the order leaves and joins at the end).

Prices are integers: multiples of the tick, so that equality of prices is equality of integers and a level
never splits over a floating-point hair. Both halves are kept in one form by a sign: the rank of a price
is `sign * tick` (+1 bids, -1 asks), so the best price of either half is its greatest rank. Ranks stand in
a sorted list with the best last: changes near the touch, the usual ones, move little memory.

Every mutation remembers a level's size before the first change since the last `take_changes`; that
difference is what the venue publishes (new, change, delete with the new total), and a level that came and
went within one request is not told at all.

Source: Deribit's order-book channel and order-management article, `book.{instrument}.{interval}`.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator

from mock_deribit.exchange.order import Order

BID = 1
ASK = -1


class Level:
    """The orders at one price, first come first; and their total."""

    __slots__ = ("lots", "queue")

    def __init__(self) -> None:
        self.queue: dict[int, Order] = {}
        self.lots = 0


class Book:
    """Both halves of one instrument's book. Raises KeyError for an order that does not rest here."""

    def __init__(self) -> None:
        self._levels: dict[int, dict[int, Level]] = {BID: {}, ASK: {}}
        self._ranks: dict[int, list[int]] = {BID: [], ASK: []}
        self._before: dict[int, dict[int, int]] = {BID: {}, ASK: {}}

    def best(self, half: int) -> int | None:
        """The best price of a half in ticks."""
        ranks = self._ranks[half]
        return half * ranks[-1] if ranks else None

    def lots_at(self, half: int, tick: int) -> int:
        """The size resting at a price, 0 if none."""
        level = self._levels[half].get(half * tick)
        return level.lots if level else 0

    def front(self, half: int) -> Order:
        """The order that trades next. Raises IndexError when the half is empty."""
        return next(iter(self._levels[half][self._ranks[half][-1]].queue.values()))

    def crosses(self, sign: int, tick: int) -> bool:
        """Whether an order of this sign and limit would trade on arrival."""
        ranks = self._ranks[-sign]
        return bool(ranks) and sign * tick + ranks[-1] >= 0

    def reach(self, sign: int, tick: int) -> Iterator[Order]:
        """The resting orders an incoming one could trade with, in the order in which it would."""
        levels = self._levels[-sign]
        for rank in reversed(self._ranks[-sign]):
            if sign * tick + rank < 0:
                return
            yield from levels[rank].queue.values()

    def queue(self, half: int, tick: int) -> tuple[Order, ...]:
        """The orders at a price, first in line first."""
        level = self._levels[half].get(half * tick)
        return tuple(level.queue.values()) if level else ()

    def depth(self, half: int) -> Iterator[tuple[int, int]]:
        """(tick, lots) of every level, best first."""
        levels = self._levels[half]
        for rank in reversed(self._ranks[half]):
            yield half * rank, levels[rank].lots

    def orders(self) -> Iterator[Order]:
        """Every resting order: bids then asks, best price first, then time."""
        for half in (BID, ASK):
            for rank in reversed(self._ranks[half]):
                yield from self._levels[half][rank].queue.values()

    def add(self, order: Order) -> None:
        """Rest an order at the end of its level."""
        half, rank = order.sign, order.sign * order.tick
        levels = self._levels[half]
        level = levels.get(rank)
        if level is None:
            level = levels[rank] = Level()
            insort(self._ranks[half], rank)
        self._before[half].setdefault(rank, level.lots)
        level.queue[order.number] = order
        level.lots += order.visible

    def remove(self, order: Order) -> None:
        """Take an order out, whatever is left of it; an iceberg stands here with its present slice."""
        self._shrink(order, order.visible, leaves=True)

    def reduce(self, order: Order, lots: int) -> None:
        """Tell the book that `lots` are about to leave a resting order; its place is kept.

        An order that loses all it has left leaves the book. The caller then changes the order.
        """
        self._shrink(order, lots, leaves=lots == order.visible)

    def take_changes(self, half: int) -> list[tuple[int, int, int]]:
        """(tick, lots before, lots now) of every level changed since the last call, best first."""
        before = self._before[half]
        if not before:
            return []
        levels = self._levels[half]
        changes = []
        for rank in sorted(before, reverse=True) if len(before) > 1 else before:
            level = levels.get(rank)
            lots = level.lots if level is not None else 0
            if lots != before[rank]:
                changes.append((half * rank, before[rank], lots))
        before.clear()
        return changes

    def _shrink(self, order: Order, lots: int, *, leaves: bool) -> None:
        half, rank = order.sign, order.sign * order.tick
        level = self._levels[half][rank]
        self._before[half].setdefault(rank, level.lots)
        level.lots -= lots
        if leaves:
            del level.queue[order.number]
            if not level.queue:
                del self._levels[half][rank]
                ranks = self._ranks[half]
                del ranks[bisect_left(ranks, rank)]
