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


class Half:
    """One side: levels by rank, the ranks ascending, what touched levels held before, and the best rank
    that was told."""

    __slots__ = ("before", "levels", "ranks", "sign", "told")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.levels: dict[int, Level] = {}
        self.ranks: list[int] = []
        self.before: dict[int, int] = {}
        self.told: int | None = None

    def add(self, order: Order) -> None:
        """Let an order join the end of its level, which begins with it if there was none."""
        rank = self.sign * order.tick
        level = self.levels.get(rank)
        if level is None:
            level = self.levels[rank] = Level()
            insort(self.ranks, rank)
        if rank not in self.before:
            self.before[rank] = level.lots
        level.queue[order.number] = order
        level.lots += order.lots - order.filled - order.hidden

    def take(self, order: Order, lots: int) -> None:
        """Take lots of an order off its level; with its last it leaves, and the last order ends the level."""
        rank = self.sign * order.tick
        level = self.levels[rank]
        if rank not in self.before:
            self.before[rank] = level.lots
        level.lots -= lots
        if lots == order.lots - order.filled - order.hidden:
            del level.queue[order.number]
            if not level.queue:
                del self.levels[rank]
                del self.ranks[bisect_left(self.ranks, rank)]

    def take_best(self) -> bool:
        """Whether the best price is another than at the last call."""
        best = self.ranks[-1] if self.ranks else None
        if best == self.told:
            return False
        self.told = best
        return True

    def take_changes(self) -> list[tuple[int, int, int]]:
        """(tick, lots before, lots now) of every level changed since the last call, best first."""
        changes: list[tuple[int, int, int]] = []
        before = self.before
        if not before:
            return changes
        for rank in before if len(before) == 1 else sorted(before, reverse=True):
            level = self.levels.get(rank)
            lots = 0 if level is None else level.lots
            if lots != before[rank]:
                changes.append((self.sign * rank, before[rank], lots))
        before.clear()
        return changes


class Book:
    """Both halves of one instrument's book. Raises KeyError for an order that does not rest here."""

    __slots__ = ("_halves", "asks", "bids")

    def __init__(self) -> None:
        self.bids, self.asks = Half(BID), Half(ASK)
        self._halves = {BID: self.bids, ASK: self.asks}

    def best(self, half: int) -> int | None:
        """The best price of a half in ticks."""
        ranks = self._halves[half].ranks
        return half * ranks[-1] if ranks else None

    def lots_at(self, half: int, tick: int) -> int:
        """The size resting at a price, 0 if none."""
        level = self._halves[half].levels.get(half * tick)
        return level.lots if level else 0

    def meets(self, sign: int, tick: int) -> Order | None:
        """The resting order that one of this sign and limit would trade with next."""
        half = self.asks if sign > 0 else self.bids
        if not half.ranks or sign * tick + half.ranks[-1] < 0:
            return None
        for order in half.levels[half.ranks[-1]].queue.values():
            return order
        return None

    def crosses(self, sign: int, tick: int) -> bool:
        """Whether an order of this sign and limit would trade on arrival."""
        ranks = self.asks.ranks if sign > 0 else self.bids.ranks
        return sign * tick + ranks[-1] >= 0 if ranks else False

    def reach(self, sign: int, tick: int) -> Iterator[Order]:
        """The resting orders an incoming one could trade with, in the order in which it would."""
        opposite = self._halves[-sign]
        for rank in reversed(opposite.ranks):
            if sign * tick + rank < 0:
                return
            yield from opposite.levels[rank].queue.values()

    def queue(self, half: int, tick: int) -> tuple[Order, ...]:
        """The orders at a price, first in line first."""
        level = self._halves[half].levels.get(half * tick)
        return tuple(level.queue.values()) if level else ()

    def depth(self, half: int) -> Iterator[tuple[int, int]]:
        """(tick, lots) of every level, best first."""
        side = self._halves[half]
        for rank in reversed(side.ranks):
            yield half * rank, side.levels[rank].lots

    def orders(self) -> Iterator[Order]:
        """Every resting order: bids then asks, best price first, then time."""
        for side in self._halves.values():
            for rank in reversed(side.ranks):
                yield from side.levels[rank].queue.values()

    def add(self, order: Order) -> None:
        """Rest an order at the end of its level."""
        (self.bids if order.sign > 0 else self.asks).add(order)

    def remove(self, order: Order) -> None:
        """Take an order out, whatever is left of it; an iceberg stands here with its present slice."""
        half = self.bids if order.sign > 0 else self.asks
        half.take(order, order.lots - order.filled - order.hidden)

    def reduce(self, order: Order, lots: int) -> None:
        """Tell the book that `lots` are about to leave a resting order; its place is kept.

        An order that loses all it has left leaves the book. The caller then changes the order.
        """
        self._halves[order.sign].take(order, lots)
