"""Time at the exchange: marks, the settlement at 08:00 UTC, delivery of expired futures.

    07:30-08:00   the estimated delivery price of an expiring future is the average of its index so far,
                  weighted by time
    08:00         every trading book goes to `settlement` (requests answered 10041), good-til-day orders are
                  cancelled, each position's session profit and funding move to the balance, the mark
                  becomes the settlement price, interest restarts at 0; expired futures are delivered:
                  orders cancelled, positions closed at the average, delivery fee charged
    08:00:03      books trade again as before; delivered ones stay `delivered`

Source: Deribit's settlement, delivery and book-state articles. The three seconds are ours ("some seconds").
"""

from mock_deribit.exchange.account import Account
from mock_deribit.exchange.clearing import Clearing
from mock_deribit.exchange.contract import Contract
from mock_deribit.exchange.desk import Desk
from mock_deribit.exchange.events import (
    StateChanged,
    TickerChanged,
)
from mock_deribit.exchange.messages import TimeInForce
from mock_deribit.exchange.order import Order
from mock_deribit.exchange.outbox import Outbox
from shared.instruments import BookState
from shared.kernel import Nanos
from shared.units import DAY, HOUR, MILLISECOND, MINUTE, SECOND

MARK_INTERVAL = Nanos(200 * MILLISECOND)
SETTLEMENT_TIME = Nanos(3 * SECOND)
ORDER_MEMORY = Nanos(30 * MINUTE)
AVERAGING = Nanos(30 * MINUTE)


class Timetable:
    """Lets time pass for all contracts and accounts, boundary by boundary."""

    def __init__(
        self,
        now: Nanos,
        contracts: dict[str, Contract],
        accounts: dict[str, Account],
        desk: Desk,
        clearing: Clearing,
        outbox: Outbox,
    ) -> None:
        self._contracts = contracts
        self._accounts = accounts
        self._desk = desk
        self._clearing = clearing
        self._outbox = outbox
        self._next_sample = Nanos(now + MARK_INTERVAL)
        self._next_settlement = Nanos(((now - 8 * HOUR) // DAY + 1) * DAY + 8 * HOUR)
        self._reopening: Nanos | None = None
        self._states: dict[str, BookState] = {}
        self._averages: dict[str, tuple[float, Nanos]] = {}

    def next_wake(self) -> Nanos:
        """When something is due next."""
        due = min(self._next_sample, self._next_settlement)
        return due if self._reopening is None else min(due, self._reopening)

    def advance(self, now: Nanos) -> None:
        """Do all that is due up to `now`, in order of time."""
        while self._reopening is not None or self._next_settlement <= now:
            if self._reopening is not None:
                if self._reopening > now:
                    break
                self._reopen(self._reopening)
            else:
                self._settle(self._next_settlement)
        if now >= self._next_sample:
            self._sample(now)
            self._forget(now)
            self._next_sample = Nanos(now + MARK_INTERVAL)

    def change_state(self, now: Nanos, contract: Contract, state: BookState) -> None:
        """Move a book to a state and tell; inactive and delivered lose all their orders."""
        contract.state = state
        if state in (BookState.INACTIVE, BookState.DELIVERED):
            self._cancel(now, contract, list(contract.book.orders()), "settlement")
        self._outbox.tell(StateChanged(ts=now, instrument=contract.name, state=state))
        self._outbox.tell(TickerChanged(ts=now, instrument=contract.name))

    def _sample(self, now: Nanos) -> None:
        for contract in self._contracts.values():
            self._average(now, contract)
            if contract.valuation.sample(now, *contract.best()):
                self._outbox.tell(TickerChanged(ts=now, instrument=contract.name))

    def _average(self, now: Nanos, contract: Contract) -> None:
        """Weigh the index by time over the last half hour before expiry."""
        expiry = contract.instrument.expiry
        start = Nanos(expiry - AVERAGING)
        if not start <= now <= expiry:
            return
        index = contract.valuation.index
        integral, since = self._averages.get(contract.name, (0.0, start))
        integral += index * (now - since)
        self._averages[contract.name] = (integral, now)
        average = integral / (now - start) if now > start else index
        contract.estimated_delivery_price = round(average, 2)

    def _forget(self, now: Nanos) -> None:
        for account in self._accounts.values():
            closed = account.closed
            while closed:
                oldest = next(iter(closed))
                if closed[oldest].updated > now - ORDER_MEMORY:
                    break
                del closed[oldest]

    def _settle(self, now: Nanos) -> None:
        trading = (BookState.OPEN, BookState.LOCKED)
        settling = [c for c in self._contracts.values() if c.state in trading]
        for contract in settling:
            self._states[contract.name] = contract.state
            self._average(now, contract)
            contract.valuation.sample(now, *contract.best())
            self.change_state(now, contract, BookState.SETTLEMENT)
            day_orders = [
                order for order in contract.book.orders() if order.time_in_force is TimeInForce.GTD
            ]
            self._cancel(now, contract, day_orders, "settlement")
        for contract in settling:
            if contract.instrument.expiry <= now:
                self._deliver(now, contract)
            else:
                self._close_session(contract)
        self._outbox.commit(now)
        self._next_settlement = Nanos(self._next_settlement + DAY)
        self._reopening = Nanos(now + SETTLEMENT_TIME)

    def _close_session(self, contract: Contract) -> None:
        price, currency = contract.valuation.mark, contract.instrument.settlement
        for account in self._accounts.values():
            position = account.positions.get(contract.name)
            if position is not None:
                account.credit(currency, position.close_session(price))
                self._outbox.holding(account, contract)
        contract.valuation.interest = 0.0
        contract.settlement_price = price

    def _deliver(self, now: Nanos, contract: Contract) -> None:
        price = contract.estimated_delivery_price or contract.valuation.index
        contract.delivery_price = price
        self._cancel(now, contract, list(contract.book.orders()), "settlement")
        for account in self._accounts.values():
            if contract.name in account.positions:
                self._clearing.deliver(contract, account, price)
                self._outbox.holding(account, contract)

    def _reopen(self, now: Nanos) -> None:
        self._reopening = None
        for name, before in self._states.items():
            contract = self._contracts[name]
            delivered = contract.delivery_price is not None
            self.change_state(now, contract, BookState.DELIVERED if delivered else before)
        self._states.clear()

    def _cancel(self, now: Nanos, contract: Contract, orders: list[Order], reason: str) -> None:
        for order in orders:
            self._desk.cancel(now, self._accounts[order.account], contract, order, reason)
