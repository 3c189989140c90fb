"""A record: what one instrument's stream showed, in order of time, in the shape in which it is measured.

Four columns, each of which may be empty: prints (trades), tops (best prices and sizes), depths (what rests
within given distances) and marks (index, mark and funding rate). Sizes are USD, prices USD per coin.
"""

from bisect import bisect_left, bisect_right
from typing import NamedTuple

from shared.kernel import Nanos
from shared.units import MILLISECOND

REACHES_BPS = (0.6, 1.2, 3.0, 6.0, 12.0, 30.0)
"""Distances from the mid within which depth is summed."""


class Print(NamedTuple):
    """One trade; `sign` is the taker's."""

    ts: Nanos
    sign: int
    price: float
    usd: float


class Top(NamedTuple):
    """The best of both sides, from `ts` until the next one."""

    ts: Nanos
    bid: float
    bid_usd: float
    ask: float
    ask_usd: float

    @property
    def mid(self) -> float:
        """Half way between."""
        return (self.bid + self.ask) / 2.0

    @property
    def imbalance(self) -> float:
        """(bid - ask) / (bid + ask) of the sizes: +1 only bids."""
        total = self.bid_usd + self.ask_usd
        return (self.bid_usd - self.ask_usd) / total if total else 0.0


class Depth(NamedTuple):
    """What rests within each of REACHES_BPS of the mid, a side."""

    ts: Nanos
    bids: tuple[float, ...]
    asks: tuple[float, ...]


class Mark(NamedTuple):
    """A price beside its index; `rate` is the funding rate per eight hours, None where there is none."""

    ts: Nanos
    index_price: float
    mark: float
    rate: float | None = None


class MarketOrder(NamedTuple):
    """Prints of one side within one millisecond: what one taker took."""

    ts: Nanos
    sign: int
    usd: float
    prints: int
    first: float
    last: float


class Record:
    """One instrument's stream between two times. `tick` in USD; `expiry` None for a perpetual."""

    def __init__(
        self, instrument: str, tick: float, start: Nanos, expiry: Nanos | None = None
    ) -> None:
        self.instrument = instrument
        self.tick = tick
        self.start = start
        self.end = start
        self.expiry = expiry
        self.prints: list[Print] = []
        self.tops: list[Top] = []
        self.depths: list[Depth] = []
        self.marks: list[Mark] = []

    @property
    def seconds(self) -> float:
        """How long the record is."""
        return (self.end - self.start) / 1e9

    def orders(self) -> list[MarketOrder]:
        """Prints grouped by millisecond and side."""
        orders: list[MarketOrder] = []
        for each in self.prints:
            if orders:
                last = orders[-1]
                if last.sign == each.sign and last.ts // MILLISECOND == each.ts // MILLISECOND:
                    orders[-1] = MarketOrder(
                        last.ts, last.sign, last.usd + each.usd,
                        last.prints + 1, last.first, each.price,
                    )  # fmt: skip
                    continue
            orders.append(MarketOrder(each.ts, each.sign, each.usd, 1, each.price, each.price))
        return orders

    def path(self) -> "Path":
        """The price over time: the mid, or the last trade where no book was seen."""
        if self.tops:
            return Path([top.ts for top in self.tops], [top.mid for top in self.tops])
        return Path([each.ts for each in self.prints], [each.price for each in self.prints])


class Path:
    """A price that holds from its time until the next."""

    def __init__(self, times: list[Nanos], prices: list[float]) -> None:
        self.times = times
        self.prices = prices

    def at(self, ts: int) -> float | None:
        """The price at a time; None before the first and after the last."""
        if not self.times or ts > self.times[-1]:
            return None
        place = bisect_right(self.times, ts)
        return self.prices[place - 1] if place else None

    def before(self, ts: int) -> float | None:
        """The price just before a time; None before the first."""
        place = bisect_left(self.times, ts)
        return self.prices[place - 1] if place else None

    def grid(self, start: int, step: int) -> list[float]:
        """The price at every step from the first time on or after `start`, to the last."""
        if not self.times:
            return []
        at, place, prices = max(start, self.times[0]), 0, []
        while at <= self.times[-1]:
            while place + 1 < len(self.times) and self.times[place + 1] <= at:
                place += 1
            prices.append(self.prices[place])
            at += step
        return prices
