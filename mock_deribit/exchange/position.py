"""Positions: what an account holds of one contract, and the arithmetic of its profit and funding.

Money is counted in quanta (see `money`): one lot is *worth* an integer number of them at a price
(`Contract.worth`, the same for everybody), and a position is a signed number of lots with what they cost,
so that profit at a price is `lots * worth - cost` and the profits of all accounts sum to zero exactly.

Two costs are kept: `entry_cost`, behind the average entry the owner sees, and `cost`, from which this
session's profit is counted (the settlement price for what was carried over the last settlement, trade
prices for the rest).

Source: Deribit's contract specifications; shared/instruments.py holds the payoff arithmetic.
"""

from mock_deribit.exchange.contract import Contract
from mock_deribit.exchange.messages import PositionView
from mock_deribit.exchange.money import coin, shown
from mock_deribit.exchange.order import Order


class Position:
    """One account's holding of one contract, with the lots it has resting on each side."""

    __slots__ = (
        "_margin",
        "_margin_for",
        "contract",
        "cost",
        "entry_cost",
        "ever_held",
        "funding",
        "funding_seen",
        "lots",
        "open_buys",
        "open_sells",
        "realized",
    )

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.lots = 0
        self.ever_held = False
        self.entry_cost = 0
        self.cost = 0
        self.realized = 0
        self.funding = 0
        self.funding_seen = contract.valuation.funding_quanta
        self.open_buys = 0
        self.open_sells = 0
        self._margin = 0.0
        self._margin_for = (0, 0.0)

    def trade(self, signed_lots: int, worth: int) -> int:
        """Book a fill of lots worth so much each; the profit it realised, fees excluded."""
        before = self.lots
        if self.contract.valuation.funding_quanta != self.funding_seen:
            self.accrue()
        self.lots = before + signed_lots
        self.ever_held = True
        if not before or (before > 0) == (signed_lots > 0):
            self.entry_cost += signed_lots * worth
            self.cost += signed_lots * worth
            return 0
        if abs(signed_lots) >= abs(before):
            profit = before * worth - self.cost
            self.cost = self.entry_cost = self.lots * worth
        else:
            released = self.cost * -signed_lots // before
            profit = -signed_lots * worth - released
            self.cost -= released
            self.entry_cost -= self.entry_cost * -signed_lots // before
        self.realized += profit
        return profit

    def accrue(self) -> None:
        """Take the funding that has run up since the last look."""
        run_up = self.contract.valuation.funding_quanta
        if run_up != self.funding_seen:
            self.funding -= self.lots * (run_up - self.funding_seen)
            self.funding_seen = run_up

    def unrealized(self) -> int:
        """This session's profit if closed at the mark."""
        return self.lots * self.contract.marked.worth - self.cost if self.lots else 0

    def session(self) -> int:
        """This session's profit, realised or not, with funding."""
        contract = self.contract
        if contract.valuation.funding_quanta != self.funding_seen:
            self.accrue()
        profit = self.realized + self.funding
        if self.lots:
            profit += self.lots * contract.marked.worth - self.cost
        return profit

    def total(self) -> int:
        """The profit since entry if closed at the mark."""
        return self.lots * self.contract.marked.worth - self.entry_cost if self.lots else 0

    def close_session(self, price: float) -> int:
        """Move the session's profit out at a settlement price; returns it."""
        self.accrue()
        cost = self.lots * self.contract.worth(price)
        profit = self.realized + self.funding + cost - self.cost
        self.cost = cost
        self.realized = self.funding = self.funding_seen = 0
        return profit

    @property
    def average_price(self) -> float:
        """The average entry; 0 when flat."""
        return self.contract.price_of(self.lots, self.entry_cost) if self.lots else 0.0

    def exposure(self, extra_buys: int = 0, extra_sells: int = 0) -> int:
        """The largest position, in lots, that filling one side's orders could lead to (or, by the rules,
        the position and what the orders of both sides could add to it).

        Open lots are never negative, so the present position is never the largest alone.
        """
        if self.contract.counts_both_sides:
            buys = self.open_buys + extra_buys + min(0, self.lots)
            sells = self.open_sells + extra_sells - max(0, self.lots)
            return abs(self.lots) + max(0, buys) + max(0, sells)
        long = self.lots + self.open_buys + extra_buys
        short = self.open_sells + extra_sells - self.lots
        return long if long > short else short

    def grown(self, sign: int, lots: int) -> int:
        """The exposure with more lots resting on one side; 0 if it would be no greater than now."""
        if self.contract.counts_both_sides:
            after = self.exposure(lots, 0) if sign > 0 else self.exposure(0, lots)
            return after if after > self.exposure() else 0
        long, short = self.lots + self.open_buys, self.open_sells - self.lots
        after = lots + (long if sign > 0 else short)
        return after if after > long and after > short else 0

    def initial_margin(self) -> float:
        """Margin of the position and its open orders, in base coin; computed when one of them or the
        mark has moved."""
        wanted = (self.exposure(), self.contract.valuation.mark)
        if wanted != self._margin_for:
            self._margin, self._margin_for = self.contract.initial_margin(wanted[0]), wanted
        return self._margin

    def add_open(self, order: Order, lots: int) -> None:
        """Count lots as resting (negative: no longer)."""
        if order.group is not None:
            return
        if order.sign > 0:
            self.open_buys += lots
        else:
            self.open_sells += lots

    def view(self, liquidation_ratio: float | None) -> PositionView:
        """The position with every number the venue shows."""
        self.accrue()
        contract, valuation = self.contract, self.contract.valuation
        delta = contract.instrument.delta(contract.amount(self.lots), valuation.mark)
        margin = contract.initial_margin(self.lots)
        listing, perpetual = contract.listing, contract.instrument.perpetual
        rate = contract.initial_margin_rate + listing.margin_slope * abs(delta)
        unit, size = contract.margin_unit(), shown(delta, 9)
        return PositionView(
            instrument=contract.name,
            size=contract.amount(self.lots),
            size_currency=size,
            average_price=shown(self.average_price, 4),
            mark_price=valuation.mark,
            index_price=valuation.index,
            settlement_price=contract.settlement_price,
            delta=shown(delta * contract.open_share, 9),
            initial_margin=shown(margin * unit, 9),
            maintenance_margin=shown(contract.maintenance_margin(self.lots) * unit, 9),
            open_orders_margin=shown((self.initial_margin() - margin) * unit, 9),
            floating_profit_loss=coin(self.unrealized(), 9),
            realized_profit_loss=coin(self.realized + self.funding, 9),
            total_profit_loss=coin(self.total(), 9),
            leverage=min(round(1.0 / rate), listing.max_leverage),
            realized_funding=coin(self.funding, 9) if perpetual else 0.0,
            interest_value=valuation.interest if perpetual else 0.0,
            estimated_liquidation_price=(
                shown(liquidation_ratio * valuation.mark, 2)
                if self.lots and liquidation_ratio is not None
                else None
            ),
        )
