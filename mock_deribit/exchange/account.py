"""Accounts: balances, the positions in them, and the arithmetic of equity and margin.

Trading profit and funding of the session stay with the position (see `position`) until 08:00 UTC moves them
to the balance; fees hit the balance at once:

    equity = balance + session_rpl + session_upl
    session_rpl = sum (realized + funding),  session_upl = sum (lots * worth(mark) - cost)

Margin (segregated, standard): initial margin on max(|lots + buys|, |lots - sells|) of each instrument,
maintenance margin on the position; orders under a protection count nothing, the protection reserves a share
of its `max_quote_quantity` instead. How open orders add to margin is unpublished: `rules`.

Source: Deribit's contract specifications; shared/instruments.py holds the payoff arithmetic.
"""

from collections import OrderedDict, deque

from mock_deribit.exchange.contract import Contract
from mock_deribit.exchange.messages import (
    OrderView,
    PortfolioView,
    SelfMatch,
    UserTrade,
)
from mock_deribit.exchange.money import QUANTA, coin, shown
from mock_deribit.exchange.order import Order
from mock_deribit.exchange.position import Position
from mock_deribit.exchange.protection import Shield
from mock_deribit.exchange.records import LogEntry, Noted, Settlement
from shared.instruments import Payoff
from shared.kernel import Nanos

TRADES_MAX = 100_000
"""Fills remembered per account: a day of more than one a second."""

CLOSED_MAX = 100_000
"""Orders closed within their half hour that are remembered, so that memory has an end."""
ORDERS_MAX = 10_000
"""Closed orders remembered beyond their half hour, for `historical`."""


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
        for position in self._by_currency.get(currency, ()):
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

    def covers(self, grown: Position, exposure: int) -> bool:
        """Whether equity covers initial margin with one position's exposure grown to this."""
        currency = grown.contract.instrument.settlement
        equity, needed = self.balances.get(currency, 0), 0.0
        for position in self._by_currency[currency]:
            equity += position.session()
            contract = position.contract
            margin = (
                contract.initial_margin(exposure)
                if position is grown
                else position.initial_margin()
            )
            needed += margin * contract.margin_unit()
        if self.shields:
            needed += self._protection_margin(currency)
        return needed * QUANTA <= equity

    def _protection_margin(self, currency: str) -> float:
        return sum(
            self.protection_margin * shield.config.max_quote_quantity * shield.unit()
            for shield in self.shields.values()
            if shield.currency == currency
        )

    def maintenance_margin(self, currency: str) -> float:
        """Margin below which equity must not fall, in the settlement coin."""
        total = 0.0
        for position in self._by_currency.get(currency, ()):
            if position.lots:
                contract = position.contract
                total += contract.maintenance_margin(position.lots) * contract.margin_unit()
        return total

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
            deltas[index] = shown(deltas.get(index, 0.0) + delta * contract.open_share, 9)
        total = coin(sum(position.total() for position in positions), 8)
        free, kept = equity / QUANTA - initial, min(balance, equity) / QUANTA - initial
        owned, delta = coin(equity, 8), shown(sum(deltas.values()), 9)
        initial, maintenance = shown(initial, 8), shown(maintenance, 8)
        return PortfolioView(
            currency=currency,
            balance=coin(balance, 8),
            equity=owned,
            margin_balance=owned,
            available_funds=shown(free, 8),
            available_withdrawal_funds=shown(max(0.0, kept), 8),
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
