"""The exchange: one object that owns books, accounts, orders, prices and the events they cause.

Owns: the public face of the engine. Every method that acts takes `now` (which never runs back), returns
a value or `Refused`, and leaves events to be `drain`ed in the order in which they happened. Within one
request: order updates, user trades, public trades, book changes, position and portfolio changes, ticker
changes. An unknown account is a programmer's error (KeyError); an unknown instrument is `Refused`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from mock_deribit.exchange import checks
from mock_deribit.exchange.account import Account
from mock_deribit.exchange.clearing import Clearing
from mock_deribit.exchange.contract import Contract
from mock_deribit.exchange.desk import Desk
from mock_deribit.exchange.events import (
    Event,
    IndexChanged,
    LockChanged,
)
from mock_deribit.exchange.listing import Listing
from mock_deribit.exchange.messages import (
    BookView,
    FundingHour,
    OrderEdit,
    OrderRequest,
    OrderType,
    OrderView,
    Placed,
    PortfolioView,
    PositionView,
    PublicTrade,
    Refused,
    SelfMatch,
    TickerView,
    UserTrade,
)
from mock_deribit.exchange.numbering import Numbering
from mock_deribit.exchange.order import Order
from mock_deribit.exchange.outbox import Outbox
from mock_deribit.exchange.settlement import Timetable
from shared.instruments import BookState, Instrument
from shared.kernel import Nanos
from shared.units import Side


class Exchange:
    """Deribit's engine, told the time. `index_prices` must name every index listed (KeyError)."""

    def __init__(
        self, now: Nanos, listings: Sequence[Listing], index_prices: Mapping[str, float], seed: str
    ) -> None:
        numbering = Numbering(seed)
        self._now = now
        self._indices = dict(index_prices)
        self._contracts = {
            listing.name: Contract(now, listing, self._indices[listing.instrument.index], numbering)
            for listing in listings
        }
        self._accounts: dict[str, Account] = {}
        self._locked: dict[str, bool] = {}
        self._outbox = Outbox()
        self._clearing = Clearing(numbering, self._outbox)
        self._desk = Desk(self._accounts, self._clearing, numbering, self._outbox)
        self._timetable = Timetable(
            now, self._contracts, self._accounts, self._desk, self._clearing, self._outbox
        )

    @property
    def now(self) -> Nanos:
        """The latest time the exchange was told."""
        return self._now

    def open_account(
        self,
        name: str,
        deposits: Mapping[str, float],
        *,
        house: bool = False,
        self_match: SelfMatch = SelfMatch.REJECT_TAKER,
    ) -> None:
        """Open an account. A `house` account stands for the rest of the world: no margin, no price
        band, no private events, no order history. Raises ValueError if the name is taken."""
        if name in self._accounts:
            raise ValueError(f"account {name!r} is already open; choose another name")
        account = self._accounts[name] = Account(name, house=house, self_match=self_match)
        for currency, amount in deposits.items():
            account.credit(currency, amount)

    def deposit(self, now: Nanos, account: str, currency: str, amount: float) -> None:
        """Add coin to an account's balance (negative withdraws)."""
        self.advance(now)
        owner = self._accounts[account]
        owner.credit(currency, amount)
        self._outbox.funds(now, owner, currency)

    def set_self_match(self, account: str, mode: SelfMatch) -> None:
        """How the account wants its own crossings handled."""
        self._accounts[account].self_match = mode

    def place(self, now: Nanos, account: str, request: OrderRequest) -> Placed | Refused:
        """Take a new order: check, match, rest."""
        self.advance(now)
        contract = self._contracts.get(request.instrument)
        if contract is None:
            return checks.UNKNOWN_INSTRUMENT
        return self._desk.place(now, self._accounts[account], contract, request)

    def edit(self, now: Nanos, account: str, order_id: str, edit: OrderEdit) -> Placed | Refused:
        """Change a resting order. A post-only reject cancels it and comes back as a cancelled order
        with `cancel_reason` edit_post_only_reject."""
        self.advance(now)
        owner = self._accounts[account]
        order = _resting(owner, order_id)
        if isinstance(order, Refused):
            return order
        return self._desk.edit(now, owner, self._contract(order), order, edit)

    def edit_by_label(
        self, now: Nanos, account: str, instrument: str, label: str, edit: OrderEdit
    ) -> Placed | Refused:
        """Change the one open order with this label (10004 none, 13032 several)."""
        found = [*_fitting(self._accounts[account].orders.values(), instrument, None, label)]
        if not found:
            return checks.NOT_FOUND
        if len(found) > 1:
            return checks.NOT_UNIQUE
        return self.edit(now, account, found[0].order_id, edit)

    def cancel(
        self, now: Nanos, account: str, order_id: str, reason: str = "user_request"
    ) -> OrderView | Refused:
        """Cancel one order (10004 unknown, 11044 already closed)."""
        self.advance(now)
        owner = self._accounts[account]
        order = _resting(owner, order_id)
        if isinstance(order, Refused):
            return order
        contract = self._contract(order)
        refused = checks.state_for_cancel(contract)
        return refused or self._desk.cancel(now, owner, contract, order, reason)

    def cancel_all(
        self,
        now: Nanos,
        account: str,
        *,
        instrument: str | None = None,
        currency: str | None = None,
        label: str | None = None,
        reason: str = "user_request",
    ) -> tuple[OrderView, ...]:
        """Cancel every open order that fits the filters; books that allow no cancel are left out."""
        orders = [*_fitting(self._accounts[account].orders.values(), instrument, currency, label)]
        answers = [self.cancel(now, account, order.order_id, reason) for order in orders]
        return tuple([answer for answer in answers if isinstance(answer, OrderView)])

    def close_position(
        self, now: Nanos, account: str, instrument: str, order_type: OrderType, price: float | None
    ) -> Placed | Refused:
        """A reduce-only order of the position's full size."""
        contract = self._contracts.get(instrument)
        if contract is None:
            return checks.UNKNOWN_INSTRUMENT
        lots = self._accounts[account].position(contract).lots
        request = OrderRequest(
            instrument=instrument,
            side=Side.SELL if lots > 0 else Side.BUY,
            amount=contract.amount(max(1, abs(lots))),
            price=price,
            order_type=order_type,
            reduce_only=True,
        )
        return self.place(now, account, request)

    def open_orders(
        self,
        account: str,
        *,
        instrument: str | None = None,
        currency: str | None = None,
        label: str | None = None,
    ) -> tuple[OrderView, ...]:
        """Resting orders, oldest first."""
        orders = sorted(self._accounts[account].orders.values(), key=lambda order: order.created)
        return tuple(order.view() for order in _fitting(orders, instrument, currency, label))

    def closed_orders(
        self,
        account: str,
        *,
        instrument: str | None = None,
        currency: str | None = None,
        label: str | None = None,
    ) -> tuple[OrderView, ...]:
        """Orders closed within the last 30 minutes, in order of their end."""
        closed = self._accounts[account].closed.values()
        return tuple(
            view
            for view in closed
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

    def user_trades(
        self,
        account: str,
        *,
        instrument: str | None = None,
        currency: str | None = None,
        order_id: str | None = None,
    ) -> tuple[UserTrade, ...]:
        """The last 100,000 fills of the account, oldest first."""
        return tuple(
            fill
            for fill in self._accounts[account].trades
            if instrument in (None, fill.trade.instrument)
            and currency in (None, fill.fee_currency)
            and order_id in (None, fill.order_id)
        )

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
            and contract.delivery_price is None
            and currency in (None, contract.instrument.settlement)
        )

    def portfolio(self, account: str, currency: str) -> PortfolioView:
        """Balance, equity, margin and profit in one settlement currency."""
        for contract in self._contracts.values():
            contract.valuation.accrue(self._now)
        return self._accounts[account].portfolio(currency)

    def fees_paid(self, currency: str) -> float:
        """Net trading and delivery fees the exchange has taken since it opened."""
        return self._clearing.fees.get(currency, 0.0)

    @property
    def accounts(self) -> tuple[str, ...]:
        """Names of all accounts in order of opening."""
        return tuple(self._accounts)

    @property
    def listings(self) -> tuple[Listing, ...]:
        """Everything listed, with its current state in `instrument.state`."""
        return tuple(_current(contract) for contract in self._contracts.values())

    def listing(self, instrument: str) -> Listing | None:
        """One listing with its current state."""
        contract = self._contracts.get(instrument)
        return None if contract is None else _current(contract)

    def book(self, instrument: str) -> BookView:
        """The full book. Raises KeyError for an unknown instrument."""
        return self._contracts[instrument].book_view()

    def best(self, instrument: str) -> tuple[float | None, float | None]:
        """Best bid and ask, None where a side is empty."""
        return self._contracts[instrument].best()

    def queue(
        self, instrument: str, side: Side, price: float
    ) -> tuple[tuple[str, str, float], ...]:
        """(account, order id, amount) at a price in order of priority; for markets and tests."""
        contract = self._contracts[instrument]
        orders = contract.book.queue(side.sign, round(price / contract.tick))
        return tuple((o.account, o.order_id, contract.amount(o.remaining)) for o in orders)

    def amount_from(self, instrument: str, side: Side, price: float) -> float:
        """What rests on a side at this price or better; for markets and tests."""
        contract = self._contracts[instrument]
        reached = contract.book.reach(-side.sign, round(price / contract.tick))
        return contract.amount(sum(order.remaining for order in reached))

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

    def is_locked(self, index: str) -> bool:
        """Whether books on this index are locked."""
        return self._locked.get(index, False)

    def funding_value(self, instrument: str, start: Nanos, end: Nanos) -> float:
        """Funding rate summed over a window, fraction of position value; minute resolution."""
        return self._contracts[instrument].valuation.funded_between(start, end)

    def funding_history(self, instrument: str, start: Nanos, end: Nanos) -> tuple[FundingHour, ...]:
        """Hourly rows that end within the window, oldest first."""
        return self._contracts[instrument].valuation.hours(start, end)

    def set_index(self, now: Nanos, index: str, price: float) -> None:
        """Publish an index price. Raises KeyError for an unknown index."""
        self.advance(now)
        if index not in self._indices:
            raise KeyError(f"no index {index!r}; known: {', '.join(self._indices)}")
        self._indices[index] = price
        for contract in self._on_index(index):
            contract.valuation.accrue(now)
            contract.valuation.index = price
        self._outbox.tell(IndexChanged(ts=now, index=index, price=price))

    def set_state(self, now: Nanos, instrument: str, state: BookState) -> None:
        """Move a book to a state; inactive and delivered cancel all its orders."""
        self.advance(now)
        self._timetable.change_state(now, self._contracts[instrument], state)

    def set_locked(self, now: Nanos, index: str, locked: bool) -> None:
        """Lock or release every book on an index (cancels stay possible)."""
        self.advance(now)
        self._locked[index] = locked
        for contract in self._on_index(index):
            contract.locked = locked
        self._outbox.tell(LockChanged(ts=now, index=index, locked=locked))

    def advance(self, now: Nanos) -> None:
        """Let time pass: mark, funding, settlement at 08:00 UTC, expiry, forgetting of orders.

        Raises ValueError when time runs back.
        """
        if now < self._now:
            raise ValueError(f"time runs back: the exchange was at {self._now}, now told {now}")
        self._now = now
        if now >= self._timetable.next_wake():
            self._timetable.advance(now)

    def next_wake(self) -> Nanos:
        """When `advance` is due next if nothing else happens."""
        return self._timetable.next_wake()

    def drain(self) -> list[Event]:
        """Take the events since the last drain, oldest first."""
        return self._outbox.drain()

    def _contract(self, order: Order) -> Contract:
        return self._contracts[order.instrument.name]

    def _on_index(self, index: str) -> list[Contract]:
        return [c for c in self._contracts.values() if c.instrument.index == index]


def _current(contract: Contract) -> Listing:
    instrument: Instrument = msgspec.structs.replace(contract.instrument, state=contract.state)
    return msgspec.structs.replace(contract.listing, instrument=instrument)


def _resting(account: Account, order_id: str) -> Order | Refused:
    order = account.orders.get(order_id)
    if order is not None:
        return order
    return checks.NOT_OPEN if order_id in account.closed else checks.NOT_FOUND


def _fitting(
    orders: Iterable[Order], instrument: str | None, currency: str | None, label: str | None
) -> Iterator[Order]:
    for order in orders:
        if (
            instrument in (None, order.instrument.name)
            and currency in (None, order.instrument.settlement)
            and label in (None, order.label)
        ):
            yield order
