"""★ The order desk: what happens to an order between its arrival and its end.

    limit, market    accepted -> open -> open (partly filled)* -> filled | cancelled
    IOC, FOK, market      -> filled | cancelled          never rests, told once, no `open` first
    post-only        never takes: slides to one tick inside the opposite best, or 11054 in reject mode
    reduce-only      trimmed to the position at entry, and again whenever the position shrinks
    edit             keeps its place only when the size shrinks at the same price; else it leaves, is
                     checked and matched like a new order, and joins at the end; a post-only reject
                     at an edit cancels the order

A request is checked completely before anything changes, so a refusal changes nothing. A trade happens at
the resting order's price; each side pays its own fee (maker or taker rate of the listing, rounded to
eight decimals) and the exchange collects it, so that money is conserved.

Source: Deribit's order-management article and changelogs. Decided here, because undocumented: an unfilled
IOC or a failed FOK is a cancelled order, not an error; an edit to no more than what is filled is 11008;
an edit that changes nothing keeps its place.
"""

from mock_deribit.exchange import checks
from mock_deribit.exchange.account import Account
from mock_deribit.exchange.clearing import Clearing, Half
from mock_deribit.exchange.contract import Contract
from mock_deribit.exchange.messages import (
    OrderEdit,
    OrderRequest,
    OrderState,
    OrderType,
    OrderView,
    Placed,
    Refused,
    TimeInForce,
)
from mock_deribit.exchange.numbering import Numbering
from mock_deribit.exchange.order import Order
from mock_deribit.exchange.outbox import Outbox
from shared.kernel import Nanos

_FAR_TICKS = 2**40


class Desk:
    """Takes, changes and cancels orders of accounts on contracts."""

    def __init__(
        self,
        accounts: dict[str, Account],
        clearing: Clearing,
        numbering: Numbering,
        outbox: Outbox,
    ) -> None:
        self._accounts = accounts
        self._numbering = numbering
        self._outbox = outbox
        self._clearing = clearing
        self._arrivals = 0

    def place(
        self, now: Nanos, account: Account, contract: Contract, request: OrderRequest
    ) -> Placed | Refused:
        """Check, match and rest a new order."""
        refused = (
            checks.state_for_orders(contract)
            or checks.deadline(now, request.valid_until)
            or checks.post_only_allowed(
                request.order_type, request.time_in_force, post_only=request.post_only
            )
            or checks.size(contract, request.amount)
        )
        if refused is not None:
            return refused
        sign, lots = request.side.sign, round(request.amount / contract.step)
        tick = self._limit(account, contract, sign, request)
        if isinstance(tick, Refused):
            return tick
        if request.post_only:
            tick = _stay_inside(contract, sign, tick, reject=request.reject_post_only)
            if isinstance(tick, Refused):
                return tick
        if request.reduce_only:
            lots = min(lots, checks.reducible(account, account.position(contract), sign))
            if not lots:
                return Refused(11030, "other_reject invalid_reduce_only_order")
        refused = checks.self_match(account, contract, sign, tick, lots) or checks.margin(
            account, contract, sign, lots
        )
        if refused is not None:
            return refused
        self._arrivals += 1
        order = Order(
            number=self._arrivals,
            order_id=self._numbering.order_id(contract.instrument.settlement),
            account=account.name,
            instrument=contract.instrument,
            sign=sign,
            tick=tick,
            lots=lots,
            order_type=request.order_type,
            time_in_force=request.time_in_force,
            post_only=request.post_only,
            reject_post_only=request.reject_post_only,
            reduce_only=request.reduce_only,
            label=request.label,
            created=now,
            updated=now,
        )
        return self._execute(now, account, contract, order)

    def edit(
        self, now: Nanos, account: Account, contract: Contract, order: Order, edit: OrderEdit
    ) -> Placed | Refused:
        """Change a resting order."""
        amount = contract.amount(order.lots) if edit.amount is None else edit.amount
        limit = order.price if edit.price is None else edit.price
        refused = (
            checks.state_for_orders(contract)
            or checks.deadline(now, edit.valid_until)
            or checks.size(contract, amount)
            or checks.price(contract, limit)
        )
        if refused is None and limit != order.price and not account.house:
            refused = checks.band(contract, order.sign, limit)
        if refused is not None:
            return refused
        lots, tick = round(amount / contract.step), round(limit / contract.tick)
        if lots <= order.filled:
            return Refused(11008, "already_filled")
        post_only = _or(edit.post_only, order.post_only)
        reject = _or(edit.reject_post_only, order.reject_post_only)
        reduce_only = _or(edit.reduce_only, order.reduce_only)
        if reduce_only:
            position = account.position(contract)
            most = checks.reducible(account, position, order.sign, but=order.order_id)
            lots = min(lots, order.filled + most)
            if lots <= order.filled:
                return Refused(11030, "other_reject invalid_reduce_only_order")
        if post_only:
            inside = _stay_inside(contract, order.sign, tick, reject=reject)
            if inside is checks.POST_ONLY_REJECT:
                view = self.cancel(now, account, contract, order, "edit_post_only_reject")
                return Placed(view, ())
            if isinstance(inside, Refused):
                return inside
            tick = inside
        refused = checks.self_match(
            account, contract, order.sign, tick, lots - order.filled
        ) or checks.margin(account, contract, order.sign, lots - order.lots)
        if refused is not None:
            return refused
        self._outbox.touch(contract)
        order.replaced, order.updated = True, now
        order.post_only, order.reject_post_only = post_only, reject
        order.reduce_only = reduce_only
        if tick == order.tick and lots <= order.lots:
            self._shrink(account, contract, order, order.lots - lots)
            self._outbox.order(account, contract, order)
            self._outbox.commit(now)
            return Placed(order.view(), ())
        self._unrest(account, contract, order)
        self._arrivals += 1
        order.number, order.tick, order.lots = self._arrivals, tick, lots
        return self._execute(now, account, contract, order)

    def cancel(
        self, now: Nanos, account: Account, contract: Contract, order: Order, reason: str
    ) -> OrderView:
        """Take a resting order out of the book for good."""
        self._outbox.touch(contract)
        self._close(now, account, contract, order, reason)
        self._outbox.commit(now)
        return order.view()

    def _limit(
        self, account: Account, contract: Contract, sign: int, request: OrderRequest
    ) -> int | Refused:
        """The limit in ticks; a market order's is the edge of the band."""
        if request.order_type is OrderType.MARKET:
            if account.house:
                return sign * _FAR_TICKS
            low, high = contract.band()
            return round((high if sign > 0 else low) / contract.tick)
        refused = checks.price(contract, request.price)
        if refused is None and request.price is not None and not account.house:
            refused = checks.band(contract, sign, request.price)
        if refused is not None:
            return refused
        return round((request.price or 0.0) / contract.tick)

    def _execute(self, now: Nanos, account: Account, contract: Contract, order: Order) -> Placed:
        """Match an order that has passed every check, and rest or cancel what is left."""
        self._outbox.touch(contract)
        kills = order.time_in_force is TimeInForce.FOK and not checks.fillable(
            account, contract, order.sign, order.tick, order.remaining
        )
        halves = [] if kills else self._match(now, account, contract, order)
        if order.remaining:
            self._rest_or_kill(account, contract, order)
        self._outbox.order(account, contract, order)
        trades = () if account.house else tuple([half.told() for half in halves])
        for trade in trades:
            account.trades.append(trade)
            self._outbox.fill(account, trade)
        if trades:
            self._trim_reduce_only(now, account, contract)
        view = order.view()
        if order.state is not OrderState.OPEN and not account.house:
            account.closed[order.order_id] = view
        self._outbox.commit(now)
        return Placed(view, trades)

    def _match(self, now: Nanos, account: Account, contract: Contract, order: Order) -> list[Half]:
        """Trade with the front of the other half while prices meet; the taker's halves."""
        halves = []
        book = contract.book
        while order.remaining and book.crosses(order.sign, order.tick):
            maker = book.front(-order.sign)
            owner = self._accounts[maker.account]
            if owner is account:
                self._close(now, account, contract, maker, "order_overlap")
                continue
            lots = min(order.remaining, maker.remaining)
            taken, made = self._clearing.trade(
                now, contract, (account, order), (owner, maker), lots
            )
            halves.append(taken)
            if maker.state is OrderState.FILLED:
                del owner.orders[maker.order_id]
            if not owner.house:
                self._tell_maker(now, owner, contract, made)
        return halves

    def _tell_maker(self, now: Nanos, owner: Account, contract: Contract, half: Half) -> None:
        maker, trade = half.order, half.told()
        if maker.state is OrderState.FILLED:
            owner.closed[maker.order_id] = maker.view()
        owner.trades.append(trade)
        self._outbox.order(owner, contract, maker)
        self._outbox.fill(owner, trade)
        self._trim_reduce_only(now, owner, contract)

    def _rest_or_kill(self, account: Account, contract: Contract, order: Order) -> None:
        rests = order.time_in_force in (TimeInForce.GTC, TimeInForce.GTD)
        if rests and order.order_type is OrderType.LIMIT:
            contract.book.add(order)
            account.orders[order.order_id] = order
            account.position(contract).add_open(order, order.remaining)
        else:
            order.state = OrderState.CANCELLED

    def _trim_reduce_only(self, now: Nanos, account: Account, contract: Contract) -> None:
        """Keep resting reduce-only orders within what is left to reduce, oldest first."""
        lots = account.position(contract).lots
        left = abs(lots)
        for order in list(account.orders.values()):
            if not order.reduce_only or order.instrument.name != contract.name:
                continue
            allowed = min(left, order.remaining) if order.sign * lots < 0 else 0
            left -= allowed
            if not allowed:
                self._close(now, account, contract, order, "risk_mitigation")
            elif allowed < order.remaining:
                self._shrink(account, contract, order, order.remaining - allowed)
                self._outbox.order(account, contract, order)

    def _shrink(self, account: Account, contract: Contract, order: Order, lots: int) -> None:
        """Take lots off a resting order; it keeps its place."""
        contract.book.reduce(order, lots)
        account.position(contract).add_open(order, -lots)
        order.lots -= lots

    def _unrest(self, account: Account, contract: Contract, order: Order) -> None:
        contract.book.remove(order)
        account.position(contract).add_open(order, -order.remaining)
        del account.orders[order.order_id]

    def _close(
        self, now: Nanos, account: Account, contract: Contract, order: Order, reason: str
    ) -> None:
        self._unrest(account, contract, order)
        order.state, order.cancel_reason, order.updated = OrderState.CANCELLED, reason, now
        if not account.house:
            account.closed[order.order_id] = order.view()
        self._outbox.order(account, contract, order)


def _or(wanted: bool | None, present: bool) -> bool:
    return present if wanted is None else wanted


def _stay_inside(contract: Contract, sign: int, tick: int, *, reject: bool) -> int | Refused:
    """Where a post-only order may rest: its own price, or one tick inside the opposite best."""
    if not contract.book.crosses(sign, tick):
        return tick
    if reject:
        return checks.POST_ONLY_REJECT
    inside = contract.inside(sign)
    return inside if inside > 0 else checks.SLIDE_IMPOSSIBLE
