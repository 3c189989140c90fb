"""Profit and loss by part, exact for inverse contracts.

Owns the attribution. A fill of signed amount Q at price p, while the mid was c, in an instrument whose
mark is m now and was m0 before, splits into differences of reciprocals and not into `quantity * dS`:

    spread or hedge    Q * (1/p - 1/c)     captured by a maker, or paid by a taker, against the mid
    inventory          Q * (1/c - 1/m)     from the mid at the fill to the mark
                     + N * (1/m0 - 1/m)    and of everything held, from mark to mark
    fees               as the exchange charged them
    funding            -N / m * rate * dt / 8 h, accrued from the ticker's rate between tickers

The sum is the mark-to-market profit exactly, since the reciprocals telescope, and it is the exchange's
change of equity because the exchange also values positions at mark. What the exchange has and this does
not is left in `unexplained`: funding between two tickers at a rate that moved, transfers, delivery fees,
and fills whose message was lost (their amount is adopted from the position report, at mark).

Source: Deribit's inverse contract arithmetic; the split follows the mark-out definition (mid at the fill).
"""

import msgspec

from shared.instruments import Instrument
from shared.kernel import Nanos
from shared.messages import Filled, Liquidity, Position, Ticker
from shared.units import HOUR

FUNDING_PERIOD = Nanos(8 * HOUR)
_TOLD_KEPT = 10_000
_SAME_AMOUNT = 1e-9


class Parts(msgspec.Struct, kw_only=True):
    """Sums since the day began, settlement coin. Fees positive are paid; the rest positive is earned."""

    spread: float = 0.0
    inventory: float = 0.0
    hedge: float = 0.0
    fees: float = 0.0
    funding: float = 0.0

    @property
    def total(self) -> float:
        """The mark-to-market profit."""
        return self.spread + self.inventory + self.hedge - self.fees + self.funding


class Holding(msgspec.Struct, kw_only=True):
    """What is held of one instrument, and the mark up to which it has been valued."""

    amount: float
    mark: float | None = None
    rate: float = 0.0
    """Funding per 8 h in force since `accrued`."""
    accrued: Nanos = Nanos(0)
    doubted: float | None = None
    """An amount that a position report gave against ours."""


class Attribution:
    """Sorts every change of value into its part."""

    def __init__(self) -> None:
        self.parts = Parts()
        self.holdings: dict[str, Holding] = {}
        self._told: dict[str, None] = {}

    def filled(self, fill: Filled, spec: Instrument, mid: float) -> None:
        """One trade of ours. Before the first position report nothing is known to add it to.

        An OMS that died between telling a fill and storing it leaves its successor to find it anew.
        """
        if fill.recovered and fill.trade_id in self._told:
            return
        self._told[fill.trade_id] = None
        if len(self._told) > _TOLD_KEPT:
            del self._told[next(iter(self._told))]
        holding = self.holdings.get(fill.instrument)
        if holding is None:
            return
        mark = fill.mark_price if holding.mark is None else holding.mark
        amount = fill.side.sign * fill.amount
        captured = spec.pnl(amount, fill.price, mid)
        if fill.liquidity is Liquidity.TAKER:
            self.parts.hedge += captured
        else:
            self.parts.spread += captured
        self.parts.inventory += spec.pnl(amount, mid, mark)
        self.parts.fees += fill.fee
        holding.mark = mark
        holding.amount += amount
        holding.doubted = None

    def marked(self, ticker: Ticker, spec: Instrument) -> None:
        """A new mark: value what is held, and accrue funding at the rate that was in force."""
        holding = self.holdings.get(ticker.instrument)
        if holding is None:
            return
        if holding.mark is not None:
            self.parts.inventory += spec.pnl(holding.amount, holding.mark, ticker.mark_price)
        if holding.accrued and holding.rate:
            value = spec.delta(holding.amount, ticker.mark_price)
            passed = max(0, ticker.ts - holding.accrued)
            self.parts.funding -= value * holding.rate * passed / FUNDING_PERIOD
        holding.mark = ticker.mark_price
        holding.rate = ticker.current_funding or 0.0
        holding.accrued = ticker.ts

    def reported(self, position: Position, mark: float | None) -> float | None:
        """Take the OMS's amount at the present mark as the base, and later as the check.

        A difference that stands in two reports running means that a fill's message was lost: the amount
        is adopted, from here on at mark, and returned. One report alone may only have overtaken a fill.
        """
        holding = self.holdings.get(position.instrument)
        if holding is None:
            self.holdings[position.instrument] = Holding(amount=position.amount, mark=mark)
            return None
        missing = position.amount - holding.amount
        if abs(missing) <= _SAME_AMOUNT:
            holding.doubted = None
            return None
        if holding.doubted != position.amount:
            holding.doubted = position.amount
            return None
        holding.amount = position.amount
        holding.doubted = None
        return missing
