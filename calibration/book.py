"""A book rebuilt from level changes: its top and its depth, for records."""

from bisect import bisect_left, insort

from calibration.record import REACHES_BPS, Depth, Top
from shared.kernel import Nanos
from shared.units import BPS


class Levels:
    """One side. Ranks are sign * price, so that the best is the last."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._ranks: list[float] = []
        self._usd: dict[float, float] = {}

    def set(self, price: float, usd: float) -> None:
        """What rests at a price now; 0 for nothing."""
        rank = self._sign * price
        if usd <= 0.0:
            if self._usd.pop(rank, None) is not None:
                del self._ranks[bisect_left(self._ranks, rank)]
            return
        if rank not in self._usd:
            insort(self._ranks, rank)
        self._usd[rank] = usd

    def clear(self) -> None:
        """A snapshot follows."""
        self._ranks.clear()
        self._usd.clear()

    @property
    def best(self) -> tuple[float, float] | None:
        """(price, USD) of the best level."""
        if not self._ranks:
            return None
        return self._sign * self._ranks[-1], self._usd[self._ranks[-1]]

    def beside(self, price: float, usd: float) -> float | None:
        """The best price at which there is more than this much of one's own."""
        for rank in reversed(self._ranks):
            if self._sign * rank != price or self._usd[rank] > usd + 1.0:
                return self._sign * rank
        return None

    def within(self, mid: float) -> tuple[float, ...]:
        """USD within each of REACHES_BPS of a price."""
        total, place, sums = 0.0, len(self._ranks), []
        for reach in REACHES_BPS:
            limit = self._sign * mid - mid * reach * BPS
            while place and self._ranks[place - 1] >= limit:
                place -= 1
                total += self._usd[self._ranks[place]]
            sums.append(total)
        return tuple(sums)


class MirrorBook:
    """Both sides of one instrument."""

    def __init__(self) -> None:
        self.bids = Levels(1)
        self.asks = Levels(-1)

    def top(self, ts: Nanos) -> Top | None:
        """The best of both sides; None while one is empty."""
        bid, ask = self.bids.best, self.asks.best
        return Top(ts, *bid, *ask) if bid is not None and ask is not None else None

    def depth(self, top: Top) -> Depth:
        """What rests around a top."""
        return Depth(top.ts, self.bids.within(top.mid), self.asks.within(top.mid))
