"""Owns candles: a tape of trades cut into open, high, low, close and volume, aligned to midnight UTC.

A candle in which nothing traded repeats the close before it with no volume, as the exchange's charts do.
"""

from collections.abc import Iterable

import msgspec

from mock_deribit.exchange.messages import PublicTrade
from shared.instruments import Instrument
from shared.kernel import Nanos
from shared.units import DAY, MINUTE

RESOLUTIONS = {
    **{str(m): m * MINUTE for m in (1, 3, 5, 10, 15, 30, 60, 120, 180, 360, 720)},
    "1D": DAY,
}
"""Names of the resolutions and their lengths."""


class Candle(msgspec.Struct, kw_only=True):
    """One interval. `volume` is in base coin, `cost` in USD."""

    start: Nanos
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0
    cost: float = 0.0

    def add(self, trade: PublicTrade, instrument: Instrument) -> None:
        """Count a trade."""
        size = abs(instrument.delta(trade.amount, trade.price))
        self.high, self.low = max(self.high, trade.price), min(self.low, trade.price)
        self.close = trade.price
        self.volume += size
        self.cost += size * trade.price


def opened(trade: PublicTrade, length: int) -> Candle:
    """The empty candle that a trade opens."""
    price, start = trade.price, Nanos(trade.ts // length * length)
    return Candle(start=start, open=price, high=price, low=price, close=price)


def candles(
    trades: Iterable[PublicTrade], instrument: Instrument, length: int, start: Nanos, end: Nanos
) -> list[Candle]:
    """Candles that begin within [start, end], oldest first; none before the first trade known."""
    rows: list[Candle] = []
    for trade in trades:
        if trade.ts >= end + length:
            break
        begin = trade.ts // length * length
        while rows and rows[-1].start + length < begin:
            rows.append(_flat(Nanos(rows[-1].start + length), rows[-1].close))
        if not rows or rows[-1].start != begin:
            rows.append(opened(trade, length))
        rows[-1].add(trade, instrument)
    while rows and rows[-1].start + length <= end:
        rows.append(_flat(Nanos(rows[-1].start + length), rows[-1].close))
    return [row for row in rows if start <= row.start <= end]


def _flat(start: Nanos, price: float) -> Candle:
    return Candle(start=start, open=price, high=price, low=price, close=price)
