"""What can be asked of the exchange, without changing anything.

An unknown account is a programmer's error (KeyError), and so is an unknown instrument where no refusal is
promised.
"""

from collections.abc import Iterable, Iterator, Sequence

from mock_deribit.exchange import checks
from mock_deribit.exchange.account import margin_after
from mock_deribit.exchange.assembly import Assembly
from mock_deribit.exchange.ledger import row_of
from mock_deribit.exchange.listing import Listing
from mock_deribit.exchange.maker_messages import Frozen, Protection
from mock_deribit.exchange.messages import (
    BookView,
    FundingHour,
    OrderView,
    PortfolioView,
    PositionView,
    PublicTrade,
    Refused,
    SelfMatch,
    TickerView,
    UserTrade,
)
from mock_deribit.exchange.money import coin
from mock_deribit.exchange.order import Order
from mock_deribit.exchange.records import (
    DeliveryPrice,
    LogEntry,
    Margins,
    Noted,
    OrderMargin,
    Settlement,
)
from shared.kernel import Nanos
from shared.units import Side


class Inquiry(Assembly):
    """The exchange as far as it can be asked."""

    @property
    def now(self) -> Nanos:
        """The latest time the exchange was told."""
        return self._now

    # -- orders and trades of an account ---------------------------------------------------------

    def open_orders(
        self,
        account: str,
        *,
        instrument: str | None = None,
        currency: str | None = None,
        label: str | None = None,
    ) -> tuple[OrderView, ...]:
        """Resting orders, quotes included, oldest first."""
        orders = sorted(self._accounts[account].orders.values(), key=lambda order: order.created)
        return tuple(order.view() for order in fitting(orders, instrument, currency, label))

    def closed_orders(
        self,
        account: str,
        *,
        instrument: str | None = None,
        currency: str | None = None,
        label: str | None = None,
        historical: bool = False,
    ) -> tuple[OrderView, ...]:
        """Orders closed within the last 30 minutes, in order of their end; with `historical` the
        10,000 before those."""
        owner = self._accounts[account]
        return tuple(
            view
            for view in (owner.archive if historical else owner.closed.values())
            if instrument in (None, view.instrument)
            and currency in (None, self._contracts[view.instrument].instrument.settlement)
            and label in (None, view.label)
        )

    def order(self, account: str, order_id: str) -> OrderView | Refused:
        """One order, open or closed within the last 30 minutes (10004 otherwise)."""
        owner = self._accounts[account]
        order = owner.orders.get(order_id)
        if order is not None:
            return order.view()
        return owner.closed.get(order_id, checks.NOT_FOUND)

    def is_resting(self, account: str, order_id: str) -> bool:
        """Whether an order of this account stands in a book."""
        return order_id in self._accounts[account].orders

    def user_trades(
        self,
        account: str,
        *,
        instrument: str | None = None,
        currency: str | None = None,
        order_id: str | None = None,
        start_seq: int | None = None,
        end_seq: int | None = None,
        start: Nanos | None = None,
        end: Nanos | None = None,
    ) -> tuple[UserTrade, ...]:
        """The last 100,000 fills of the account that fit, oldest first; bounds are inclusive."""
        return tuple(
            fill
            for fill in self._accounts[account].trades
            if instrument in (None, fill.trade.instrument)
            and currency in (None, fill.fee_currency)
            and order_id in (None, fill.order_id)
            and _within(fill.trade.trade_seq, start_seq, end_seq)
            and _within(fill.trade.ts, start, end)
        )

    # -- money of an account ---------------------------------------------------------------------

    def position(self, account: str, instrument: str) -> PositionView:
        """One position, flat if never traded. Raises KeyError for an unknown instrument."""
        contract = self._contracts[instrument]
        contract.valuation.accrue(self._now)
        owner = self._accounts[account]
        ratio = owner.liquidation_ratio(contract.instrument.settlement)
        return owner.position(contract).view(ratio)

    def positions(self, account: str, currency: str | None = None) -> tuple[PositionView, ...]:
        """Positions ever held and not yet expired, flat ones included, in listing order."""
        held = self._accounts[account].positions
        return tuple(
            self.position(account, name)
            for name, contract in self._contracts.items()
            if name in held
            and held[name].ever_held
            and contract.delivery_price is None
            and currency in (None, contract.instrument.settlement)
        )

    def portfolio(self, account: str, currency: str) -> PortfolioView:
        """Balance, equity, margin and profit in one settlement currency."""
        owner = self._accounts[account]
        for position in owner.in_currency(currency):
            position.contract.valuation.accrue(self._now)
        return owner.portfolio(currency)

    def margins(self, account: str, instrument: str, amount: float, price: float) -> Margins:
        """What an order would need beside what the account has. Raises KeyError when unknown."""
        contract = self._contracts[instrument]
        currency = contract.instrument.settlement
        owner = self._accounts[account]
        position, lots = owner.position(contract), round(amount / contract.step)
        held = owner.initial_margin(currency)
        low, high = contract.band()
        return Margins(
            instrument=instrument,
            currency=currency,
            buy=round(margin_after(owner, position, lots, 0) - held, 9),
            sell=round(margin_after(owner, position, 0, lots) - held, 9),
            min_price=low,
            max_price=high,
            maker_fee=round(
                contract.instrument.fee(amount, price, contract.instrument.maker_fee), 9
            ),
            taker_fee=round(
                contract.instrument.fee(amount, price, contract.instrument.taker_fee), 9
            ),
        )

    def order_margins(
        self, account: str, order_ids: Sequence[str]
    ) -> tuple[OrderMargin | Refused, ...]:
        """What each open order would need by itself (10004 for the others)."""
        orders = self._accounts[account].orders
        return tuple(self._order_margin(orders.get(order_id)) for order_id in order_ids)

    def transaction_log(
        self,
        account: str,
        currency: str,
        *,
        start: Nanos | None = None,
        end: Nanos | None = None,
        query: str | None = None,
    ) -> tuple[LogEntry, ...]:
        """Movements of the balance, newest first; `query` a type or part of an instrument's name."""
        rows = (
            row_of(entry) if isinstance(entry, Noted) else entry
            for entry in reversed(self._accounts[account].log)
            if entry.currency == currency and _within(entry.ts, start, end)
        )
        return tuple(
            row
            for row in rows
            if query is None or query == row.type.value or query in (row.instrument or "")
        )

    def settlements(
        self,
        account: str | None = None,
        *,
        instrument: str | None = None,
        currency: str | None = None,
    ) -> tuple[Settlement, ...]:
        """Settlements and deliveries of an account, or without one of the venue, newest first."""
        if account is None:
            rows = [row for contract in self._contracts.values() for row in contract.settlements]
            rows.sort(key=lambda row: row.ts)
        else:
            rows = list(self._accounts[account].settlements)
        return tuple(
            row
            for row in reversed(rows)
            if instrument in (None, row.instrument)
            and currency in (None, self._contracts[row.instrument].instrument.settlement)
        )

    def delivery_prices(self, index: str) -> tuple[DeliveryPrice, ...]:
        """The index's average at each settlement, newest first. Raises KeyError if unknown."""
        return tuple(reversed(self._averages[index].past))

    def fees_paid(self, currency: str) -> float:
        """Net trading, liquidation and delivery fees the exchange has taken since it opened."""
        return coin(self._ledger.fees.get(currency, 0), 8)

    def money(self, currency: str) -> int:
        """All there is in a currency, in quanta of 1e-18: accounts, fees, insurance, rounding. Only
        deposits change it."""
        for contract in self._contracts.values():
            contract.valuation.accrue(self._now)
        held = sum(account.equity(currency) for account in self._accounts.values())
        return held + self._ledger.purse(currency)

    # -- accounts and protections ----------------------------------------------------------------

    @property
    def accounts(self) -> tuple[str, ...]:
        """Names of all accounts in order of opening."""
        return tuple(self._accounts)

    def self_match(self, account: str) -> tuple[SelfMatch, bool]:
        """How the account wants its own crossings handled, and whether its subaccounts count."""
        owner = self._accounts[account]
        return owner.self_match, owner.self_match_extended

    def features(self, account: str) -> tuple[bool, bool]:
        """Whether the account may use protection, and mass quotes."""
        owner = self._accounts[account]
        return owner.mmp_enabled, owner.mass_quotes_enabled

    def is_liquidating(self, account: str) -> bool:
        """Whether the account is locked because it is being liquidated."""
        return self._accounts[account].liquidating

    def protections(
        self, account: str, index: str | None = None, group: str | None = None
    ) -> tuple[Protection, ...]:
        """The account's protections that fit, in order of their setting."""
        return tuple(
            shield.config
            for shield in self._accounts[account].shields.values()
            if index in (None, shield.config.index) and group in (None, shield.config.group)
        )

    def frozen(
        self, account: str, index: str | None = None, group: str | None = None
    ) -> tuple[Frozen, ...]:
        """The account's protections that are frozen now."""
        shields = self._accounts[account].shields.values()
        states = [shield.frozen(self._now) for shield in shields]
        return tuple(
            state
            for state in states
            if state is not None and index in (None, state.index) and group in (None, state.group)
        )

    # -- markets ---------------------------------------------------------------------------------

    @property
    def listings(self) -> tuple[Listing, ...]:
        """Everything listed, with its current state in `instrument.state`."""
        return tuple(contract.current() for contract in self._contracts.values())

    def listing(self, instrument: str) -> Listing | None:
        """One listing with its current state."""
        contract = self._contracts.get(instrument)
        return None if contract is None else contract.current()

    def book(self, instrument: str) -> BookView:
        """The full book. Raises KeyError for an unknown instrument."""
        return self._contracts[instrument].book_view()

    def best(self, instrument: str) -> tuple[float | None, float | None]:
        """Best bid and ask, None where a side is empty."""
        return self._contracts[instrument].best()

    def queue(
        self, instrument: str, side: Side, price: float
    ) -> tuple[tuple[str, str, float], ...]:
        """(account, order id, visible amount) at a price in order of priority; for markets and tests."""
        contract = self._contracts[instrument]
        orders = contract.book.queue(side.sign, contract.tick(price))
        return tuple((o.account, o.order_id, contract.amount(o.visible)) for o in orders)

    def amount_from(self, instrument: str, side: Side, price: float) -> float:
        """What rests on a side at this price or better; for markets and tests."""
        contract = self._contracts[instrument]
        reached = contract.book.reach(-side.sign, contract.tick(price))
        return contract.amount(sum(order.visible for order in reached))

    def taker_flow(self, instrument: str) -> float:
        """Running sum of signed taker volume since the exchange opened, in base coin."""
        return self._contracts[instrument].tape.taker_flow

    def ticker(self, instrument: str) -> TickerView:
        """Prices, band, funding and statistics. Raises KeyError for an unknown instrument."""
        return self._contracts[instrument].ticker(self._now)

    def trades(self, instrument: str) -> Sequence[PublicTrade]:
        """The last 10,000 matches, oldest first."""
        return self._contracts[instrument].tape.recent

    def index_price(self, index: str) -> float:
        """The last published index. Raises KeyError for an unknown one."""
        return self._indices[index]

    @property
    def indices(self) -> tuple[str, ...]:
        """The names of all indices."""
        return tuple(self._indices)

    def is_locked(self, index: str) -> bool:
        """Whether books on this index are locked."""
        return self._locked.get(index, False)

    def funding_value(self, instrument: str, start: Nanos, end: Nanos) -> float:
        """Funding rate summed over a window, fraction of position value; minute resolution."""
        return self._contracts[instrument].valuation.funded_between(start, end)

    def funding_history(self, instrument: str, start: Nanos, end: Nanos) -> tuple[FundingHour, ...]:
        """Hourly rows that end within the window, oldest first."""
        return self._contracts[instrument].valuation.hours(start, end)

    def _order_margin(self, order: Order | None) -> OrderMargin | Refused:
        if order is None:
            return checks.NOT_FOUND
        contract = self._contracts[order.instrument.name]
        margin = contract.initial_margin(order.remaining) * contract.margin_unit()
        return OrderMargin(
            order_id=order.order_id,
            currency=order.instrument.settlement,
            initial_margin=round(margin, 9),
        )


def fitting(
    orders: Iterable[Order], instrument: str | None, currency: str | None, label: str | None
) -> Iterator[Order]:
    """The orders that fit all filters given."""
    for order in orders:
        if (
            instrument in (None, order.instrument.name)
            and currency in (None, order.instrument.settlement)
            and label in (None, order.label)
        ):
            yield order


def _within(value: int, low: int | None, high: int | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)
