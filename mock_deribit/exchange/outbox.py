"""The order in which one request's events are told.

Collects what a request did and, at `commit`, queues it: order updates, user trades, public trades, book
changes, positions and portfolios, tickers. Only accounts that have a listener (not the house's) are told
private events, so the background market costs nothing here.
"""

from mock_deribit.exchange.account import Account
from mock_deribit.exchange.contract import Contract
from mock_deribit.exchange.events import (
    Event,
    OrderUpdated,
    PortfolioChanged,
    PositionChanged,
    TickerChanged,
    Traded,
    UserTraded,
)
from mock_deribit.exchange.messages import (
    OrderView,
    PublicTrade,
    UserTrade,
)
from mock_deribit.exchange.order import Order
from shared.kernel import Nanos


class Outbox:
    """Events waiting to be drained, and the pieces of the request being processed."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._orders: dict[str, tuple[Account, Order]] = {}
        self._fills: dict[tuple[str, str], list[UserTrade]] = {}
        self._public: dict[str, list[PublicTrade]] = {}
        self._contracts: dict[str, Contract] = {}
        self._holders: dict[tuple[str, str], str] = {}

    def touch(self, contract: Contract) -> None:
        """Announce that this request changes a book."""
        self._contracts[contract.name] = contract

    def order(self, account: Account, order: Order) -> None:
        """An order changed; told once per request, as it stands at the end."""
        order.latest = None
        if not account.house:
            self._orders[order.order_id] = (account, order)

    def holding(self, account: Account, contract: Contract) -> None:
        """A position or balance changed without an order."""
        if not account.house:
            self._holders[account.name, contract.name] = contract.instrument.settlement

    def fill(self, account: Account, trade: UserTrade) -> None:
        """A fill of an account with a listener."""
        key = (account.name, trade.trade.instrument)
        fills = self._fills.get(key)
        if fills is None:
            self._fills[key] = [trade]
        else:
            fills.append(trade)

    def public_trade(self, trade: PublicTrade) -> None:
        """A match everyone hears of."""
        trades = self._public.get(trade.instrument)
        if trades is None:
            self._public[trade.instrument] = [trade]
        else:
            trades.append(trade)

    def tell(self, event: Event) -> None:
        """Queue an event that is complete in itself."""
        self._events.append(event)

    def funds(self, now: Nanos, account: Account, currency: str) -> None:
        """A balance changed by itself."""
        if not account.house:
            self.tell(PortfolioChanged(now, account.name, currency))

    def commit(self, now: Nanos) -> None:
        """Queue everything the request did, in the documented order."""
        events, orders, public = self._events, self._orders, self._public
        for account, order in orders.values():
            events.append(OrderUpdated(now, account.name, order.view()))
        for (name, instrument), fills in self._fills.items():
            events.append(UserTraded(now, name, instrument, tuple(fills)))
        for instrument, trades in public.items():
            events.append(Traded(now, instrument, tuple(trades)))
        moved = []
        for contract in self._contracts.values():
            change = contract.take_book_change(now)
            if change is not None:
                events.append(change)
                bid, ask = contract.book.bids.take_best(), contract.book.asks.take_best()
                if bid or ask or contract.name in public:
                    moved.append(contract.name)
        if orders or self._holders:
            self._tell_holdings(now)
        for instrument in moved:
            events.append(TickerChanged(now, instrument))
        orders.clear()
        self._fills.clear()
        public.clear()
        self._contracts.clear()
        self._holders.clear()

    def commit_one(
        self, now: Nanos, account: Account, contract: Contract, order: Order, view: OrderView
    ) -> None:
        """The usual request, at once: it changed one order on one book, and nothing traded."""
        if self._orders or self._contracts or self._holders:
            self.touch(contract)
            self.order(account, order)
            self.commit(now)
            return
        tell, name, private = self._events.append, account.name, not account.house
        if private:
            tell(OrderUpdated(now, name, view))
        change = contract.take_book_change(now)
        if change is not None:
            tell(change)
        if private:
            tell(PositionChanged(now, name, contract.name))
            tell(PortfolioChanged(now, name, contract.instrument.settlement))
        if change is not None:
            book = contract.book
            if (book.bids if order.sign > 0 else book.asks).take_best():
                tell(TickerChanged(now, contract.name))

    def place(self) -> int:
        """Where the next event will stand, for `tell_at`."""
        return len(self._events)

    def tell_at(self, place: int, event: Event) -> None:
        """Queue an event before those told since."""
        self._events.insert(place, event)

    def drain(self) -> list[Event]:
        """Take what is queued, oldest first."""
        events, self._events = self._events, []
        return events

    def _tell_holdings(self, now: Nanos) -> None:
        """Every order event moves its account's position and portfolio; each is told once."""
        events, holders = self._events, self._holders
        for account, order in self._orders.values():
            holders[account.name, order.instrument.name] = order.instrument.settlement
        portfolios: dict[tuple[str, str], None] = {}
        for (name, instrument), currency in holders.items():
            events.append(PositionChanged(now, name, instrument))
            portfolios[name, currency] = None
        for name, currency in portfolios:
            events.append(PortfolioChanged(now, name, currency))
