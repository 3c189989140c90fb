"""Time at the exchange: marks, the settlement at 08:00 UTC, delivery of expired futures, liquidations.

    07:30-08:00   the estimated delivery price of an expiring future is the average of its index so far,
                  weighted by time, and its delta is only that of the part still to be averaged
    08:00         every trading book goes to `settlement` (requests answered 10041), good-til-day orders are
                  cancelled, each position's session profit and funding move to the balance, the mark
                  becomes the settlement price, interest restarts at 0; expired futures are delivered:
                  orders cancelled, positions closed at the average, delivery fee charged
    08:00:03      books trade again as before; delivered ones stay `delivered`, and are `archivized` later;
                  the futures that take their places in the calendar are listed

Source: Deribit's settlement, delivery and book-state articles; the durations are in `rules`.
"""

from collections.abc import Callable

from mock_deribit.exchange.account import Account
from mock_deribit.exchange.clearing import Clearing
from mock_deribit.exchange.contract import Contract
from mock_deribit.exchange.delivery import AVERAGING, Average
from mock_deribit.exchange.desk import Desk
from mock_deribit.exchange.events import StateChanged, TickerChanged
from mock_deribit.exchange.ledger import Ledger
from mock_deribit.exchange.liquidation import Liquidator
from mock_deribit.exchange.listing import Listing, successors
from mock_deribit.exchange.messages import TimeInForce
from mock_deribit.exchange.money import coin
from mock_deribit.exchange.order import Order
from mock_deribit.exchange.outbox import Outbox
from mock_deribit.exchange.records import Settlement, SettlementType
from mock_deribit.exchange.rules import Rules
from shared.instruments import BookState
from shared.kernel import Nanos
from shared.units import DAY, HOUR, MILLISECOND, from_seconds

MARK_INTERVAL = Nanos(200 * MILLISECOND)
_TRADING = (BookState.OPEN, BookState.LOCKED, BookState.HALTED)
_OVER = (BookState.DELIVERED, BookState.ARCHIVIZED)


class Timetable:
    """Lets time pass for all contracts and accounts, boundary by boundary; something is `due` next."""

    def __init__(
        self,
        now: Nanos,
        contracts: dict[str, Contract],
        accounts: dict[str, Account],
        averages: dict[str, Average],
        desk: Desk,
        clearing: Clearing,
        ledger: Ledger,
        liquidator: Liquidator,
        outbox: Outbox,
        rules: Rules,
        enlist: Callable[[Nanos, Listing], None],
    ) -> None:
        self._contracts = contracts
        self._accounts = accounts
        self._averages = averages
        self._desk = desk
        self._clearing = clearing
        self._ledger = ledger
        self._liquidator = liquidator
        self._outbox = outbox
        self._enlist = enlist
        self._settling_for = from_seconds(rules.settlement_seconds)
        self._archived_after = from_seconds(60.0 * rules.archive_minutes)
        self._order_memory = from_seconds(60.0 * rules.order_memory_minutes)
        self._marks_average = rules.expiring_mark == "average"
        self._next_sample = Nanos(now + MARK_INTERVAL)
        self._next_settlement = Nanos(((now - 8 * HOUR) // DAY + 1) * DAY + 8 * HOUR)
        self._reopening: Nanos | None = None
        self._states: dict[str, BookState] = {}
        self.due = self._planned()

    def advance(self, now: Nanos) -> None:
        """Do all that is due up to `now`, in order of time."""
        while self._reopening is not None or self._next_settlement <= now:
            if self._reopening is not None:
                if self._reopening > now:
                    break
                self._reopen(self._reopening)
            else:
                self._settle(self._next_settlement)
                self._next_settlement = Nanos(self._next_settlement + DAY)
        if now >= self._next_sample:
            self._sample(now)
            self._liquidator.watch(now)
            self._forget(now)
            self._next_sample = Nanos(now + MARK_INTERVAL)
        self.due = self._planned()

    def settle_now(self, now: Nanos) -> None:
        """A settlement out of turn. Raises ValueError while one is under way or imminent."""
        self._require_calm(now)
        self._settle(now)
        self.due = self._planned()

    def expire_now(self, now: Nanos, contract: Contract) -> None:
        """Deliver a future before its time, at the average of the half hour or else the index.

        Raises ValueError for a perpetual, for what has been delivered, and during a settlement.
        """
        self._require_calm(now)
        if contract.instrument.perpetual or contract.delivery_price is not None:
            raise ValueError(
                f"{contract.name} cannot expire: only a dated future that still trades can"
            )
        average = self._averages[contract.instrument.index].estimate(now)
        self._enter(now, contract)
        self._deliver(now, contract, contract.valuation.index if average is None else average)
        self._outbox.commit(now)
        self._reopening = Nanos(now + self._settling_for)
        self.due = self._planned()

    def change_state(self, now: Nanos, contract: Contract, state: BookState) -> None:
        """Move a book to a state and tell; inactive and delivered lose all their orders."""
        contract.state = state
        if state in (BookState.INACTIVE, *_OVER):
            self._cancel(now, contract, list(contract.book.orders()), "settlement")
        self._outbox.tell(StateChanged(ts=now, instrument=contract.name, state=state))
        self._outbox.tell(TickerChanged(ts=now, instrument=contract.name))

    def _require_calm(self, now: Nanos) -> None:
        if self._reopening is not None:
            raise ValueError("a settlement is under way; wait until the books trade again")
        if now + self._settling_for >= self._next_settlement:
            raise ValueError("the settlement of 08:00 UTC is a moment away; wait until it is over")

    def _sample(self, now: Nanos) -> None:
        for contract in self._contracts.values():
            if contract.state in _OVER:
                self._archive(now, contract)
                continue
            if contract.instrument.expiry - now <= AVERAGING and contract.delivery_price is None:
                average = self._averages[contract.instrument.index].estimate(now)
                self._near_delivery(now, contract, average)
            if contract.sample(now):
                self._outbox.tell(TickerChanged(ts=now, instrument=contract.name))

    def _near_delivery(self, now: Nanos, contract: Contract, average: float | None) -> None:
        """What has been averaged is no longer open to the index."""
        contract.estimated_delivery_price = average
        if average is not None:
            contract.open_share = max(0.0, (contract.instrument.expiry - now) / AVERAGING)
            if self._marks_average:
                contract.valuation.average = average
                contract.valuation.averaged_share = 1.0 - contract.open_share

    def _planned(self) -> Nanos:
        times = (self._next_sample, self._next_settlement)
        return min(times if self._reopening is None else (*times, self._reopening))

    def _archive(self, now: Nanos, contract: Contract) -> None:
        if contract.archive_at is not None and now >= contract.archive_at:
            contract.archive_at = None
            self.change_state(now, contract, BookState.ARCHIVIZED)

    def _forget(self, now: Nanos) -> None:
        for account in self._accounts.values():
            closed, before = account.closed, now - self._order_memory
            while closed and closed[next(iter(closed))].updated <= before:
                account.forget()

    def _settle(self, now: Nanos) -> None:
        settling = [c for c in self._contracts.values() if c.state in _TRADING]
        prices = {index: average.close(now) for index, average in self._averages.items()}
        for contract in settling:
            if contract.instrument.expiry <= now:
                self._near_delivery(now, contract, prices[contract.instrument.index])
            contract.sample(now)
            self._enter(now, contract)
            day_orders = [
                order for order in contract.book.orders() if order.time_in_force is TimeInForce.GTD
            ]
            self._cancel(now, contract, day_orders, "settlement")
        for contract in settling:
            if contract.instrument.expiry <= now:
                self._deliver(now, contract, prices[contract.instrument.index])
            else:
                self._close_session(now, contract)
        self._outbox.commit(now)
        self._reopening = Nanos(now + self._settling_for)

    def _enter(self, now: Nanos, contract: Contract) -> None:
        self._states[contract.name] = contract.state
        self.change_state(now, contract, BookState.SETTLEMENT)

    def _close_session(self, now: Nanos, contract: Contract) -> None:
        price = contract.valuation.mark
        self._write(now, contract, price, SettlementType.SETTLEMENT)
        for account in self._accounts.values():
            position = account.positions.get(contract.name)
            if position is not None:
                self._ledger.settle(now, account, position, price, SettlementType.SETTLEMENT)
                self._outbox.holding(account, contract)
        contract.valuation.restart_interest()
        contract.settlement_price = price

    def _deliver(self, now: Nanos, contract: Contract, price: float) -> None:
        self._write(now, contract, price, SettlementType.DELIVERY)
        contract.delivery_price = contract.estimated_delivery_price = price
        contract.archive_at = Nanos(now + self._archived_after)
        self._cancel(now, contract, list(contract.book.orders()), "settlement")
        for account in self._accounts.values():
            if contract.name in account.positions:
                self._clearing.deliver(now, contract, account, price)
                self._outbox.holding(account, contract)

    def _write(self, now: Nanos, contract: Contract, price: float, kind: SettlementType) -> None:
        """The venue's own record: the open interest, and what one side of it made of the other."""
        moved = contract.worth(price) - contract.worth(contract.settlement_price)
        lots = contract.gross_lots // 2
        contract.settlements.append(
            Settlement(
                ts=now,
                type=kind,
                instrument=contract.name,
                position=contract.amount(lots),
                mark_price=price,
                index_price=contract.valuation.index,
                session_profit_loss=coin(lots * moved, 8),
                profit_loss=coin(lots * moved, 8),
                funding=coin(lots * contract.valuation.funding_quanta, 8),
            )
        )

    def _reopen(self, now: Nanos) -> None:
        self._reopening = None
        expired = False
        for name, before in self._states.items():
            contract = self._contracts[name]
            delivered = contract.delivery_price is not None
            expired = expired or delivered
            self.change_state(now, contract, BookState.DELIVERED if delivered else before)
        self._states.clear()
        if expired:
            for listing in successors(now, [each.listing for each in self._contracts.values()]):
                self._enlist(now, listing)

    def _cancel(self, now: Nanos, contract: Contract, orders: list[Order], reason: str) -> None:
        for order in orders:
            self._desk.cancel(now, self._accounts[order.account], contract, order, reason)
