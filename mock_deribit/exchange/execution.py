"""★ Execution: what happens in the book once an order has passed every check.

    match     with the front of the opposite half while prices meet, at the resting order's price; an own
              order in the way is cancelled (cancel_maker) or ends the matching (reject_taker)
    iceberg   shows one slice; when it is gone the next joins at the end of its price (priority is lost)
    rest      what is left of a GTC or GTD limit order joins the book, everything else is cancelled
    trim      resting reduce-only orders are kept within the position that is left to reduce
    protect   fills of protected orders are counted, and a limit exceeded takes all of them out

Both sides' positions, fees and log entries are booked by the clearing and the ledger; the outbox is told
what changed, and what of it is published in which order is its matter.

Source: Deribit's order-management and market maker protection articles.
"""

from collections.abc import Sequence

from mock_deribit.exchange import checks
from mock_deribit.exchange.account import Account
from mock_deribit.exchange.clearing import Clearing, Half
from mock_deribit.exchange.contract import Contract
from mock_deribit.exchange.events import MmpTriggered
from mock_deribit.exchange.ledger import Ledger
from mock_deribit.exchange.messages import (
    OrderState,
    OrderType,
    OrderView,
    Placed,
    SelfMatch,
    TimeInForce,
    UserTrade,
)
from mock_deribit.exchange.order import Order
from mock_deribit.exchange.outbox import Outbox
from mock_deribit.exchange.protection import Shield
from mock_deribit.exchange.rules import Rules
from shared.kernel import Nanos

# A member looked up through its class costs 80 ns before Python 3.12.
_GTC, _GTD, _FOK = TimeInForce.GTC, TimeInForce.GTD, TimeInForce.FOK
_OPEN, _FILLED, _CANCELLED = OrderState.OPEN, OrderState.FILLED, OrderState.CANCELLED
_LIMIT, _MARKET, _REJECT_TAKER = OrderType.LIMIT, OrderType.MARKET, SelfMatch.REJECT_TAKER


class Execution:
    """Matches, rests, shrinks and closes orders of accounts on contracts."""

    def __init__(
        self,
        accounts: dict[str, Account],
        contracts: dict[str, Contract],
        clearing: Clearing,
        ledger: Ledger,
        outbox: Outbox,
        rules: Rules,
    ) -> None:
        self._accounts = accounts
        self._contracts = contracts
        self._clearing = clearing
        self._ledger = ledger
        self._outbox = outbox
        self._rules = rules
        self._arrivals = 0
        self._tripped: dict[tuple[str, str, str], tuple[Account, Shield]] = {}

    def arrival(self) -> int:
        """The number of the next order to join a queue."""
        self._arrivals += 1
        return self._arrivals

    def kin(self, account: Account, name: str) -> bool:
        """Whether trading with the account of this name would be trading with oneself."""
        if account.name == name:
            return True
        return account.self_match_extended and self._accounts[name].owner == account.owner

    def execute(
        self, now: Nanos, account: Account, contract: Contract, order: Order, *, takes: bool
    ) -> Placed:
        """Match an order that has passed every check and would take or not, and rest or cancel what
        is left."""
        if not takes and order.time_in_force is _GTC and order.order_type is _LIMIT:
            self._rest(account, contract, order)
            view = order.redraw()
            self._outbox.commit_one(now, account, contract, order, view)
            return Placed(view, ())
        self._outbox.touch(contract)
        kills = order.time_in_force is _FOK and not checks.fillable(
            account, contract, order.sign, order.tick, order.remaining, self.kin
        )
        halves = self._match(now, account, contract, order) if takes and not kills else ()
        if order.state is _OPEN:
            self._rest_or_kill(account, contract, order)
        self._outbox.order(account, order)
        trades = self._tell_taker(now, account, contract, order, halves) if halves else ()
        if self._tripped:
            self.protect(now)
        view = order.view()
        if order.state is not _OPEN and not account.house:
            account.remember(view)
        self.commit(now)
        return Placed(view, trades)

    def overlapped(
        self, now: Nanos, account: Account, contract: Contract, order: Order, reason: str
    ) -> Placed:
        """Answer an order that would meet its owner's with a cancelled one."""
        order.state, order.cancel_reason = _CANCELLED, reason
        self._outbox.touch(contract)
        self._outbox.order(account, order)
        view = order.view()
        account.remember(view)
        self.commit(now)
        return Placed(view, ())

    def shrink(self, account: Account, contract: Contract, order: Order, lots: int) -> None:
        """Take lots off a resting order, hidden ones first; it keeps its place."""
        unseen = min(order.hidden, lots)
        order.hidden -= unseen
        order.lots -= unseen
        contract.book.reduce(order, lots - unseen)
        account.position(contract).add_open(order, -lots)
        order.lots -= lots - unseen

    def unrest(self, account: Account, contract: Contract, order: Order) -> None:
        """Take an order out of the book."""
        contract.book.remove(order)
        account.positions[contract.name].add_open(order, order.filled - order.lots)
        self._leave(account, order)

    def cancel(
        self, now: Nanos, account: Account, contract: Contract, order: Order, reason: str
    ) -> OrderView:
        """Take a resting order out of the book for good, and tell: a request of its own."""
        self.unrest(account, contract, order)
        view = order.close(reason, now)
        self._outbox.commit_one(now, account, contract, order, view)
        if not account.house:
            account.remember(view)
        return view

    def close(
        self, now: Nanos, account: Account, contract: Contract, order: Order, reason: str
    ) -> None:
        """Take an order out of the book for good."""
        self._outbox.touch(contract)
        self.unrest(account, contract, order)
        order.state, order.cancel_reason, order.updated = _CANCELLED, reason, now
        self._outbox.order(account, order)
        if not account.house:
            account.remember(order.view())

    def commit(self, now: Nanos) -> None:
        """Queue what the request did, and the protections it triggered before or after it."""
        if not self._tripped:
            self._outbox.commit(now)
            return
        first = self._rules.protection_told_first
        if not first:
            self._outbox.commit(now)
        for account, shield in self._tripped.values():
            frozen = shield.frozen(now)
            if frozen is not None:
                self._outbox.tell(
                    MmpTriggered(
                        ts=now,
                        account=account.name,
                        index=frozen.index,
                        group=frozen.group,
                        frozen_until=frozen.frozen_until,
                    )
                )
        self._tripped.clear()
        if first:
            self._outbox.commit(now)

    def protect(self, now: Nanos) -> None:
        """Take out every order under a protection that has triggered."""
        for account, shield in self._tripped.values():
            if not shield.is_frozen(now):
                shield.freeze(now)
            for order in shield.orders():
                order.mmp_cancelled = True
                self.close(
                    now, account, self._contracts[order.instrument.name], order, "mmp_trigger"
                )

    def _match(self, now: Nanos, account: Account, contract: Contract, order: Order) -> list[Half]:
        """Trade with the front of the other half while prices meet: the taker's halves, unless it is
        the house."""
        halves: list[Half] = []
        book = contract.book
        while order.state is _OPEN:
            maker = book.meets(order.sign, order.tick)
            if maker is None:
                break
            owner = self._accounts[maker.account]
            if owner is account or (
                account.self_match_extended and self.kin(account, maker.account)
            ):
                reason = checks.overlap(account.name, maker.account)
                if account.self_match is _REJECT_TAKER:
                    order.state, order.cancel_reason = _CANCELLED, reason
                    break
                self.close(now, owner, contract, maker, reason)
                continue
            lots, offered = order.lots - order.filled, maker.lots - maker.filled - maker.hidden
            if offered < lots:
                lots = offered
            taken, made = self._clearing.trade(
                now, contract, (account, order), (owner, maker), lots
            )
            if not account.house:
                halves.append(taken)
            if maker.state is _FILLED:
                self._leave(owner, maker)
            elif not maker.visible:
                maker.refilled, maker.number = True, self.arrival()
                maker.hide()
                book.add(maker)
            if not owner.house:
                self._tell_maker(now, owner, contract, made)
        return halves

    def _tell_taker(
        self,
        now: Nanos,
        account: Account,
        contract: Contract,
        order: Order,
        halves: Sequence[Half],
    ) -> tuple[UserTrade, ...]:
        trades = []
        for half in halves:
            trade = half.told()
            trades.append(trade)
            self._ledger.note_trade(account, trade, half.balance, half.equity, half.position)
            self._outbox.fill(account, trade)
            if order.group is not None:
                self._count(now, account, contract, order, trade, order.group)
        if account.reducing:
            self._trim_reduce_only(now, account, contract)
        return tuple(trades)

    def _tell_maker(self, now: Nanos, owner: Account, contract: Contract, half: Half) -> None:
        maker, trade = half.order, half.told()
        self._outbox.order(owner, maker)
        if maker.state is _FILLED:
            owner.remember(maker.view())
        self._ledger.note_trade(owner, trade, half.balance, half.equity, half.position)
        self._outbox.fill(owner, trade)
        if owner.reducing:
            self._trim_reduce_only(now, owner, contract)
        if maker.group is not None:
            self._count(now, owner, contract, maker, trade, maker.group)
        if self._tripped and self._rules.protection_acts == "after_match":
            self.protect(now)

    def _count(
        self,
        now: Nanos,
        account: Account,
        contract: Contract,
        order: Order,
        trade: UserTrade,
        group: str,
    ) -> None:
        """Count a fill with the protection the order stands under."""
        key = (contract.instrument.index, group)
        shield = account.shields.get(key)
        match = trade.trade
        size = contract.instrument.delta(match.amount, match.price)
        if shield is not None and shield.count(now, order.sign * size):
            self._tripped[account.name, *key] = (account, shield)

    def rank_reducing(self, account: Account, order: Order) -> None:
        """Count a resting order among those that only reduce, or no longer."""
        account.reducing.pop(order.order_id, None)
        if order.reduce_only:
            account.reducing[order.order_id] = order

    def _rest_or_kill(self, account: Account, contract: Contract, order: Order) -> None:
        rests = order.time_in_force is _GTC or order.time_in_force is _GTD
        if order.order_type is _MARKET:
            rests = rests and self._rules.market_remainder == "rests"
        if not rests:
            order.state = _CANCELLED
            return
        if order.order_type is not _LIMIT:
            order.original_order_type, order.order_type = order.order_type, _LIMIT
        self._rest(account, contract, order)

    def _rest(self, account: Account, contract: Contract, order: Order) -> None:
        """Let what is left of an order join the book."""
        if order.display:
            order.hide()
        contract.book.add(order)
        account.orders[order.order_id] = order
        account.position(contract).add_open(order, order.lots - order.filled)
        if order.reduce_only:
            account.reducing[order.order_id] = order
        if order.group is not None:
            index = contract.instrument.index
            account.shields[index, order.group].cover(order)
            if order.quote_id is not None:
                account.quotes[order.group, contract.name, order.sign] = order

    def _leave(self, account: Account, order: Order) -> None:
        """Forget an order that has left the book."""
        del account.orders[order.order_id]
        if account.reducing:
            account.reducing.pop(order.order_id, None)
        if order.group is not None:
            instrument = order.instrument
            account.shields[instrument.index, order.group].release(order)
            if order.quote_id is not None:
                account.quotes.pop((order.group, instrument.name, order.sign), None)

    def _trim_reduce_only(self, now: Nanos, account: Account, contract: Contract) -> None:
        """Keep resting reduce-only orders within what is left to reduce, oldest first."""
        lots = account.position(contract).lots
        left = abs(lots)
        for order in list(account.reducing.values()):
            if order.instrument.name != contract.name:
                continue
            allowed = min(left, order.remaining) if order.sign * lots < 0 else 0
            left -= allowed
            if not allowed:
                self.close(now, account, contract, order, "risk_mitigation")
            elif allowed < order.remaining:
                self.shrink(account, contract, order, order.remaining - allowed)
                self._outbox.order(account, order)
