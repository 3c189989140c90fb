"""Accounts: balances, positions and the arithmetic of profit, funding and margin.

A position is a signed number of lots with two averages: `average_price`, the entry as the owner sees it,
and `basis`, what profit of this session is counted from (the settlement price for what was carried over
the last settlement, trade prices for the rest). Trading profit and funding of the session stay with the
position until 08:00 UTC moves them to the balance; fees hit the balance at once:

    equity = balance + session_rpl + session_upl
    session_rpl = sum (realized + funding),  session_upl = sum pnl(lots, basis -> mark)

Margin (segregated, standard): initial margin on max(|lots + buys|, |lots - sells|) of each instrument,
maintenance margin on the position. How open orders add to margin is unpublished; this rule is ours.

Source: Deribit's contract specifications; shared/instruments.py holds the payoff arithmetic.
"""

from collections import deque

from mock_deribit.exchange.contract import Contract
from mock_deribit.exchange.messages import (
    OrderView,
    PortfolioView,
    PositionView,
    SelfMatch,
    UserTrade,
)
from mock_deribit.exchange.order import Order
from mock_deribit.exchange.valuation import EIGHT_HOURS_MS
from shared.instruments import Payoff

TRADES_MAX = 100_000
"""Fills remembered per account: a day of more than one a second."""


class Position:
    """One account's holding of one contract, with the lots it has resting on each side."""

    __slots__ = (
        "average_price",
        "basis",
        "contract",
        "funding",
        "interest_seen",
        "lots",
        "open_buys",
        "open_sells",
        "realized",
    )

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.lots = 0
        self.average_price = 0.0
        self.basis = 0.0
        self.realized = 0.0
        self.funding = 0.0
        self.interest_seen = contract.valuation.interest
        self.open_buys = 0
        self.open_sells = 0

    def trade(self, signed_lots: int, price: float) -> float:
        """Book a fill; returns the profit realised against the session basis, fees excluded."""
        contract, instrument, before = self.contract, self.contract.instrument, self.lots
        self.accrue()
        profit = 0.0
        if before and (before > 0) != (signed_lots > 0):
            closed = min(abs(before), abs(signed_lots)) * (1 if before > 0 else -1)
            profit = instrument.pnl(contract.amount(closed), self.basis, price)
            self.realized += profit
            if abs(signed_lots) > abs(before):
                self.average_price = self.basis = price
        else:
            held, added = contract.amount(before), contract.amount(signed_lots)
            self.average_price = instrument.average_entry(held, self.average_price, added, price)
            self.basis = instrument.average_entry(held, self.basis, added, price)
        self.lots = before + signed_lots
        if not self.lots:
            self.average_price = self.basis = 0.0
        return profit

    def accrue(self) -> None:
        """Take the funding that has run up since the last look."""
        interest = self.contract.valuation.interest
        if self.lots:
            grown = interest - self.interest_seen
            self.funding -= self.contract.amount(self.lots) * grown / EIGHT_HOURS_MS
        self.interest_seen = interest

    def unrealized(self) -> float:
        """This session's profit if closed at the mark, in the settlement coin."""
        return self._pnl(self.basis)

    def close_session(self, price: float) -> float:
        """Move the session's profit out at a settlement price; returns it."""
        self.accrue()
        profit = self.realized + self.funding
        if self.lots:
            amount = self.contract.amount(self.lots)
            profit += self.contract.instrument.pnl(amount, self.basis, price)
            self.basis = price
        self.realized = self.funding = self.interest_seen = 0.0
        return profit

    def exposure(self, extra_buys: int = 0, extra_sells: int = 0) -> int:
        """The largest position, in lots, that filling one side's orders could lead to."""
        return max(
            abs(self.lots),
            abs(self.lots + self.open_buys + extra_buys),
            abs(self.lots - self.open_sells - extra_sells),
        )

    def add_open(self, order: Order, lots: int) -> None:
        """Count lots as resting (negative: no longer)."""
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
        rate = listing.initial_margin_rate + listing.margin_slope * abs(delta)
        return PositionView(
            instrument=contract.name,
            size=contract.amount(self.lots),
            size_currency=_shown(delta, 9),
            average_price=_shown(self.average_price, 4),
            mark_price=valuation.mark,
            index_price=valuation.index,
            settlement_price=contract.settlement_price,
            delta=_shown(delta, 9),
            initial_margin=_shown(margin, 9),
            maintenance_margin=_shown(contract.maintenance_margin(self.lots), 9),
            open_orders_margin=_shown(contract.initial_margin(self.exposure()) - margin, 9),
            floating_profit_loss=_shown(self.unrealized(), 9),
            realized_profit_loss=_shown(self.realized + self.funding, 9),
            total_profit_loss=_shown(self._pnl(self.average_price), 9),
            leverage=min(round(1.0 / rate), listing.max_leverage),
            realized_funding=_shown(self.funding, 9) if perpetual else 0.0,
            interest_value=valuation.interest if perpetual else 0.0,
            estimated_liquidation_price=(
                _shown(liquidation_ratio * valuation.mark, 2)
                if self.lots and liquidation_ratio is not None
                else None
            ),
        )

    def _pnl(self, entry: float) -> float:
        if not self.lots:
            return 0.0
        amount = self.contract.amount(self.lots)
        return self.contract.instrument.pnl(amount, entry, self.contract.valuation.mark)


class Account:
    """One user's money, positions and orders. Orders are kept in order of arrival."""

    def __init__(self, name: str, *, house: bool, self_match: SelfMatch) -> None:
        self.name = name
        self.house = house
        self.self_match = self_match
        self.balances: dict[str, float] = {}
        self.positions: dict[str, Position] = {}
        self.orders: dict[str, Order] = {}
        self.closed: dict[str, OrderView] = {}
        self.trades: deque[UserTrade] = deque(maxlen=TRADES_MAX)

    def credit(self, currency: str, amount: float) -> None:
        """Add coin to the balance (negative: take)."""
        self.balances[currency] = self.balances.get(currency, 0.0) + amount

    def position(self, contract: Contract) -> Position:
        """The account's holding of a contract, flat at first."""
        position = self.positions.get(contract.name)
        if position is None:
            position = self.positions[contract.name] = Position(contract)
        return position

    def in_currency(self, currency: str) -> list[Position]:
        """Positions that settle in a currency, in order of first use."""
        return [
            position
            for position in self.positions.values()
            if position.contract.instrument.settlement == currency
        ]

    def equity(self, currency: str) -> float:
        """Balance and the session's profit, realised or not."""
        total = self.balances.get(currency, 0.0)
        for position in self.in_currency(currency):
            position.accrue()
            total += position.realized + position.funding + position.unrealized()
        return total

    def initial_margin(self, currency: str) -> float:
        """Margin of positions and open orders, in the settlement coin."""
        return sum(
            _in_settlement(position, position.contract.initial_margin(position.exposure()))
            for position in self.in_currency(currency)
        )

    def liquidation_ratio(self, currency: str) -> float | None:
        """By what factor all marks must move for equity to meet maintenance margin; None: never.

        For inverse contracts, with D and A the net and gross position in coin, C the equity with
        positions valued at nothing (balance, realised, amount / basis) and m the margin rate:
        C - D / r = m * A / r. Slope of the margin rate and linear contracts are left out.
        """
        constant = self.balances.get(currency, 0.0)
        needed = 0.0
        for position in self.in_currency(currency):
            contract = position.contract
            constant += position.realized + position.funding
            if position.lots and contract.instrument.payoff is Payoff.INVERSE:
                delta = contract.amount(position.lots) / contract.valuation.mark
                constant += contract.amount(position.lots) / position.basis
                needed += delta + contract.listing.maintenance_margin_rate * abs(delta)
        ratio = needed / constant if constant else 0.0
        return ratio if ratio > 0.0 else None

    def portfolio(self, currency: str) -> PortfolioView:
        """The account in one currency."""
        positions = self.in_currency(currency)
        balance, equity = self.balances.get(currency, 0.0), self.equity(currency)
        upl = sum(position.unrealized() for position in positions)
        initial = self.initial_margin(currency)
        maintenance = sum(
            _in_settlement(position, position.contract.maintenance_margin(position.lots))
            for position in positions
        )
        deltas: dict[str, float] = {}
        total = 0.0
        for position in positions:
            contract = position.contract
            index = contract.instrument.index
            amount = contract.amount(position.lots)
            delta = contract.instrument.delta(amount, contract.valuation.mark)
            deltas[index] = _shown(deltas.get(index, 0.0) + delta, 9)
            entry = position.average_price or contract.valuation.mark
            total += contract.instrument.pnl(amount, entry, contract.valuation.mark)
        return PortfolioView(
            currency=currency,
            balance=_shown(balance, 8),
            equity=_shown(equity, 8),
            margin_balance=_shown(equity, 8),
            available_funds=_shown(equity - initial, 8),
            available_withdrawal_funds=_shown(max(0.0, min(balance, equity) - initial), 8),
            initial_margin=_shown(initial, 8),
            maintenance_margin=_shown(maintenance, 8),
            projected_initial_margin=_shown(initial, 8),
            projected_maintenance_margin=_shown(maintenance, 8),
            session_rpl=_shown(equity - balance - upl, 8),
            session_upl=_shown(upl, 8),
            total_pl=_shown(total, 8),
            futures_pl=_shown(total, 8),
            delta_total=_shown(sum(deltas.values()), 9),
            delta_total_map=deltas,
            projected_delta_total=_shown(sum(deltas.values()), 9),
        )


def margin_after(account: Account, position: Position, buys: int, sells: int) -> float:
    """Initial margin of the account if these lots also rested, in the settlement coin."""
    contract = position.contract
    now = contract.initial_margin(position.exposure())
    then = contract.initial_margin(position.exposure(buys, sells))
    total = account.initial_margin(contract.instrument.settlement)
    return total + _in_settlement(position, then - now)


def _in_settlement(position: Position, margin: float) -> float:
    instrument = position.contract.instrument
    inverse = instrument.settlement == instrument.base
    return margin if inverse else margin * position.contract.valuation.index


def _shown(value: float, digits: int) -> float:
    """Rounded as the venue prints it, and never a negative zero."""
    return round(value, digits) + 0.0
