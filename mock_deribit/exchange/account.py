"""Accounts: balances, positions and the arithmetic of profit, funding and margin.

Money is counted in quanta of 1e-18 coin, integers, so that nothing is lost or made by rounding: one lot is
*worth* an integer number of quanta at a price (`Contract.worth`, the same for everybody), and a position is
a signed number of lots with what they cost, so that profit at a price is `lots * worth - cost` and the
profits of all accounts sum to zero exactly.

Two costs are kept: `entry_cost`, behind the average entry the owner sees, and `cost`, from which this
session's profit is counted (the settlement price for what was carried over the last settlement, trade
prices for the rest). Trading profit and funding of the session stay with the position until 08:00 UTC
moves them to the balance; fees hit the balance at once:

    equity = balance + session_rpl + session_upl
    session_rpl = sum (realized + funding),  session_upl = sum (lots * worth(mark) - cost)

Margin (segregated, standard): initial margin on max(|lots + buys|, |lots - sells|) of each instrument,
maintenance margin on the position; orders under a protection count nothing, the protection reserves a share
of its `max_quote_quantity` instead. How open orders add to margin is unpublished: `rules`.

Source: Deribit's contract specifications; shared/instruments.py holds the payoff arithmetic.
"""

from collections import OrderedDict, deque

from mock_deribit.exchange.contract import QUANTA, Contract
from mock_deribit.exchange.messages import (
    OrderView,
    PortfolioView,
    PositionView,
    SelfMatch,
    UserTrade,
)
from mock_deribit.exchange.order import Order
from mock_deribit.exchange.protection import Shield
from mock_deribit.exchange.records import LogEntry, Noted, Settlement
from shared.instruments import Payoff
from shared.kernel import Nanos

TRADES_MAX = 100_000
"""Fills remembered per account: a day of more than one a second."""

SATOSHI_QUANTA = QUANTA // 10**8
CLOSED_MAX = 100_000
"""Orders closed within their half hour that are remembered, so that memory has an end."""
ORDERS_MAX = 10_000
"""Closed orders remembered beyond their half hour, for `historical`."""


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
        return self.lots * self.contract.at_mark().worth - self.cost if self.lots else 0

    def session(self) -> int:
        """This session's profit, realised or not, with funding."""
        contract = self.contract
        if contract.valuation.funding_quanta != self.funding_seen:
            self.accrue()
        profit = self.realized + self.funding
        if self.lots:
            profit += self.lots * contract.at_mark().worth - self.cost
        return profit

    def total(self) -> int:
        """The profit since entry if closed at the mark."""
        return self.lots * self.contract.at_mark().worth - self.entry_cost if self.lots else 0

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
        unit, size = contract.margin_unit(), _shown(delta, 9)
        return PositionView(
            instrument=contract.name,
            size=contract.amount(self.lots),
            size_currency=size,
            average_price=_shown(self.average_price, 4),
            mark_price=valuation.mark,
            index_price=valuation.index,
            settlement_price=contract.settlement_price,
            delta=_shown(delta * contract.open_share, 9),
            initial_margin=_shown(margin * unit, 9),
            maintenance_margin=_shown(contract.maintenance_margin(self.lots) * unit, 9),
            open_orders_margin=_shown((self.initial_margin() - margin) * unit, 9),
            floating_profit_loss=coin(self.unrealized(), 9),
            realized_profit_loss=coin(self.realized + self.funding, 9),
            total_profit_loss=coin(self.total(), 9),
            leverage=min(round(1.0 / rate), listing.max_leverage),
            realized_funding=coin(self.funding, 9) if perpetual else 0.0,
            interest_value=valuation.interest if perpetual else 0.0,
            estimated_liquidation_price=(
                _shown(liquidation_ratio * valuation.mark, 2)
                if self.lots and liquidation_ratio is not None
                else None
            ),
        )


class Account:
    """One user's money, positions and orders. Orders are kept in order of arrival.

    `owner` is the main account: accounts of one owner are each other's subaccounts. Balances are
    in quanta.
    """

    def __init__(self, name: str, *, owner: str, house: bool, self_match: SelfMatch) -> None:
        self.name = name
        self.owner = owner
        self.house = house
        self.self_match = self_match
        self.self_match_extended = False
        self.mmp_enabled = True
        self.mass_quotes_enabled = True
        self.liquidating = False
        self.quotes_frozen_until = Nanos(0)
        self.protection_margin = 0.0
        self.balances: dict[str, int] = {}
        self.fee_remainders: dict[str, int] = {}
        self.positions: dict[str, Position] = {}
        self._by_currency: dict[str, list[Position]] = {}
        self.orders: dict[str, Order] = {}
        self.reducing: dict[str, Order] = {}
        self.quotes: dict[tuple[str, str, int], Order] = {}
        self.shields: dict[tuple[str, str], Shield] = {}
        self.closed: OrderedDict[str, OrderView] = OrderedDict()
        self.archive: deque[OrderView] = deque(maxlen=ORDERS_MAX)
        self.trades: deque[UserTrade] = deque(maxlen=TRADES_MAX)
        self.log: deque[LogEntry | Noted] = deque(maxlen=TRADES_MAX)
        self.settlements: deque[Settlement] = deque(maxlen=ORDERS_MAX)

    def credit(self, currency: str, quanta: int) -> None:
        """Add coin to the balance (negative: take)."""
        self.balances[currency] = self.balances.get(currency, 0) + quanta

    def remember(self, view: OrderView) -> None:
        """Keep an order that is closed; beyond `CLOSED_MAX` the oldest are history at once."""
        self.closed[view.order_id] = view
        if len(self.closed) > CLOSED_MAX:
            self.forget()

    def forget(self) -> None:
        """Move the oldest closed order to history."""
        self.archive.append(self.closed.popitem(last=False)[1])

    def balance(self, currency: str) -> float:
        """The balance as it is shown."""
        return coin(self.balances.get(currency, 0), 8)

    def position(self, contract: Contract) -> Position:
        """The account's holding of a contract, flat at first."""
        position = self.positions.get(contract.name)
        if position is None:
            position = self.positions[contract.name] = Position(contract)
            self._by_currency.setdefault(contract.instrument.settlement, []).append(position)
        return position

    def in_currency(self, currency: str) -> list[Position]:
        """Positions that settle in a currency, in order of first use."""
        return self._by_currency.get(currency, [])

    def equity(self, currency: str) -> int:
        """Balance and the session's profit, realised or not, in quanta."""
        total = self.balances.get(currency, 0)
        for position in self.in_currency(currency):
            total += position.session()
        return total

    def initial_margin(
        self, currency: str, grown: Position | None = None, exposure: int = 0
    ) -> float:
        """Margin of positions, open orders and protections, in the settlement coin; or what it would be
        if one position's exposure had grown to this."""
        total = 0.0
        for position in self.in_currency(currency):
            contract = position.contract
            margin = (
                contract.initial_margin(exposure)
                if position is grown
                else position.initial_margin()
            )
            total += margin * contract.margin_unit()
        if self.shields:
            total += self._protection_margin(currency)
        return total

    def _protection_margin(self, currency: str) -> float:
        return sum(
            self.protection_margin * shield.config.max_quote_quantity * shield.unit()
            for shield in self.shields.values()
            if shield.currency == currency
        )

    def maintenance_margin(self, currency: str) -> float:
        """Margin below which equity must not fall, in the settlement coin."""
        return sum(
            position.contract.maintenance_margin(position.lots) * position.contract.margin_unit()
            for position in self.in_currency(currency)
        )

    def liquidation_ratio(self, currency: str) -> float | None:
        """By what factor all marks must move for equity to meet maintenance margin; None: never.

        With D and A the net and gross position in base coin at the mark, C the equity with positions
        valued at nothing (balance, realised, minus cost) and m the margin rate at the present size: inverse
        contracts have C - D / r = m * A / r, linear ones C + r * D = r * m * A in value.
        """
        constant = self.balances.get(currency, 0)
        inverse = linear = 0.0
        for position in self.in_currency(currency):
            contract = position.contract
            constant += position.realized + position.funding
            if position.lots:
                constant -= position.cost
                mark, listing = contract.valuation.mark, contract.listing
                delta = contract.instrument.delta(contract.amount(position.lots), mark)
                rate = contract.maintenance_margin_rate + listing.margin_slope * abs(delta)
                if contract.instrument.payoff is Payoff.INVERSE:
                    inverse += delta + rate * abs(delta)
                else:
                    linear += (rate * abs(delta) - delta) * mark
        needed, held = (inverse, constant / QUANTA) if inverse else (constant / QUANTA, linear)
        ratio = needed / held if held else 0.0
        return ratio if ratio > 0.0 and (inverse or linear) else None

    def portfolio(self, currency: str) -> PortfolioView:
        """The account in one currency."""
        positions = self.in_currency(currency)
        balance, equity = self.balances.get(currency, 0), self.equity(currency)
        upl = sum(position.unrealized() for position in positions)
        initial, maintenance = self.initial_margin(currency), self.maintenance_margin(currency)
        deltas: dict[str, float] = {}
        for position in [position for position in positions if position.ever_held]:
            contract = position.contract
            index, amount = contract.instrument.index, contract.amount(position.lots)
            delta = contract.instrument.delta(amount, contract.valuation.mark)
            deltas[index] = _shown(deltas.get(index, 0.0) + delta * contract.open_share, 9)
        total = coin(sum(position.total() for position in positions), 8)
        free, kept = equity / QUANTA - initial, min(balance, equity) / QUANTA - initial
        owned, delta = coin(equity, 8), _shown(sum(deltas.values()), 9)
        initial, maintenance = _shown(initial, 8), _shown(maintenance, 8)
        return PortfolioView(
            currency=currency,
            balance=coin(balance, 8),
            equity=owned,
            margin_balance=owned,
            available_funds=_shown(free, 8),
            available_withdrawal_funds=_shown(max(0.0, kept), 8),
            initial_margin=initial,
            maintenance_margin=maintenance,
            projected_initial_margin=initial,
            projected_maintenance_margin=maintenance,
            session_rpl=coin(equity - balance - upl, 8),
            session_upl=coin(upl, 8),
            total_pl=total,
            futures_pl=total,
            delta_total=delta,
            delta_total_map=deltas,
            projected_delta_total=delta,
        )


def margin_after(account: Account, position: Position, buys: int, sells: int) -> float:
    """Initial margin of the account if these lots also rested, in the settlement coin."""
    currency = position.contract.instrument.settlement
    return account.initial_margin(currency, position, position.exposure(buys, sells))


def coin(quanta: int, digits: int) -> float:
    """Quanta as coin, rounded as the venue prints it, and never a negative zero."""
    return round(quanta / QUANTA, digits) + 0.0


def quanta(amount: float) -> int:
    """An amount of coin to the nearest satoshi, in quanta."""
    return round(amount * 1e8) * SATOSHI_QUANTA


def _shown(value: float, digits: int) -> float:
    return round(value, digits) + 0.0
