"""★ The order desk: what an order must be before it may act, and what a change makes of it.

    limit, market    accepted -> open -> open (partly filled)* -> filled | cancelled
    IOC, FOK, market      -> filled | cancelled          never rests, told once, no `open` first
    market_limit     takes what stands at the opposite best, and rests there as a limit order
    post-only        never takes: slides to one tick inside the opposite best, or 11054 in reject mode
    reduce-only      trimmed to the position at entry, and again whenever the position shrinks
    edit             keeps its place only when the size shrinks at the same price; else it leaves, is
                     checked and matched like a new order, and joins at the end; a post-only reject
                     at an edit cancels the order

A request is checked completely before anything changes (`Draft`, `Change`), so a refusal changes nothing,
and whether it would take is known before it does.

Source: Deribit's order-management article and changelogs; what they leave open is in `rules`.
"""

from typing import NamedTuple

import msgspec

from mock_deribit.exchange import checks
from mock_deribit.exchange.account import Account
from mock_deribit.exchange.contract import Contract
from mock_deribit.exchange.execution import Execution
from mock_deribit.exchange.messages import (
    OrderEdit,
    OrderRequest,
    OrderType,
    OrderView,
    Placed,
    Refused,
    TimeInForce,
)
from mock_deribit.exchange.numbering import Numbering
from mock_deribit.exchange.order import Order
from mock_deribit.exchange.outbox import Outbox
from mock_deribit.exchange.rules import Rules
from shared.kernel import Nanos
from shared.units import Side

_FAR_TICKS = 2**60
_BUY, _FOK = Side.BUY, TimeInForce.FOK
_AT_ONCE = (TimeInForce.IOC, _FOK)
_LIMIT, _MARKET = OrderType.LIMIT, OrderType.MARKET


class Tag(NamedTuple):
    """What an order is beside the request: under which protection, which quote, a liquidation's."""

    group: str | None = None
    quote_id: str | None = None
    quote_set_id: str | None = None
    liquidation: bool = False
    held: float = 0.0


PLAIN = Tag()
UNDER_PLAIN_PROTECTION = Tag(group="")


class Draft(msgspec.Struct, frozen=True, gc=False):
    """A request that has passed every check; `overlap`: why it is to be answered with a cancelled
    order, "" if it is not."""

    sign: int
    tick: int
    lots: int
    overlap: str
    takes: bool


class Change(msgspec.Struct, frozen=True, gc=False):
    """An edit that has passed every check; `rejected`: it would have taken, which costs the order."""

    tick: int
    lots: int
    post_only: bool
    reject_post_only: bool
    reduce_only: bool
    display: int
    rejected: bool
    takes: bool


class Desk:
    """Takes, changes and cancels orders of accounts on contracts."""

    def __init__(
        self, execution: Execution, numbering: Numbering, outbox: Outbox, rules: Rules
    ) -> None:
        self._execution = execution
        self._numbering = numbering
        self._outbox = outbox
        self._rules = rules

    def place(
        self,
        now: Nanos,
        account: Account,
        contract: Contract,
        request: OrderRequest,
        tag: Tag = PLAIN,
    ) -> Placed | Refused:
        """Check, match and rest a new order."""
        if request.mmp:
            tag = UNDER_PLAIN_PROTECTION
        draft = self.draft(now, account, contract, request, tag)
        if not isinstance(draft, Draft):
            return draft
        instrument = contract.instrument
        order = Order(
            self._execution.arrival(),
            self._numbering.order_id(instrument.settlement),
            account.name,
            instrument,
            draft.sign,
            draft.tick,
            contract.price(draft.tick),
            draft.lots,
            request.order_type,
            request.time_in_force,
            request.post_only,
            request.reject_post_only,
            request.reduce_only,
            request.label,
            now,
            now,
        )
        if request.display_amount is not None:
            order.display = _slice(contract, request.display_amount, draft.lots)
        if tag is not PLAIN:
            order.group, order.is_liquidation = tag.group, tag.liquidation
            order.quote_id, order.quote_set_id = tag.quote_id, tag.quote_set_id
        if draft.overlap:
            return self._execution.overlapped(now, account, contract, order, draft.overlap)
        return self._execution.execute(now, account, contract, order, takes=draft.takes)

    def draft(
        self, now: Nanos, account: Account, contract: Contract, request: OrderRequest, tag: Tag
    ) -> Draft | Refused:
        """Check a new order and find its limit and size."""
        lots = checks.request(now, contract, request, self._rules.off_lot_code)
        if not isinstance(lots, int):
            return lots
        sign = 1 if request.side is _BUY else -1
        if request.order_type is _LIMIT:
            tick = checks.tick(account, contract, sign, request.price)
        else:
            tick = self._edge(account, contract, sign, request)
        if not isinstance(tick, int):
            return tick
        takes = contract.book.crosses(sign, tick)
        if request.post_only and takes:
            tick, takes = _inside(contract, sign, reject=request.reject_post_only), False
            if not isinstance(tick, int):
                return tick
        if request.reduce_only:
            rests = request.order_type is not _MARKET and request.time_in_force not in _AT_ONCE
            room = checks.reducible(account, account.position(contract), sign, rests=rests)
            if not room or (lots > room and self._rules.reduce_only_excess == "reject"):
                return checks.NOT_REDUCING
            lots = min(lots, room)
        refused = None
        if tag.group is not None:
            refused = self._covered(now, account, contract, tag, (sign, lots, tick))
        elif not tag.liquidation:
            refused = checks.margin(account, contract, sign, lots)
        if refused is not None:
            return refused
        overlap = self._overlap(account, contract, sign, tick, lots) if takes else ""
        if overlap and self._rules.overlap_answer == "error":
            return checks.OVERLAP
        if (
            request.time_in_force is _FOK
            and self._rules.fok_failure == "error"
            and not checks.fillable(account, contract, sign, tick, lots, self._execution.kin)
        ):
            return checks.NOT_FILLABLE
        return Draft(sign, tick, lots, overlap, takes)

    def edit(
        self,
        now: Nanos,
        account: Account,
        contract: Contract,
        order: Order,
        edit: OrderEdit,
        *,
        idle_keeps_place: bool | None = None,
    ) -> Placed | Refused:
        """Change a resting order. `idle_keeps_place`: another rule than the venue's for this one."""
        change = self.change(now, account, contract, order, edit)
        if not isinstance(change, Change):
            return change
        if change.rejected:
            view = self.cancel(now, account, contract, order, "edit_post_only_reject")
            return Placed(view, ())
        if change.lots <= order.filled:
            return Placed(self.cancel(now, account, contract, order, "user_request"), ())
        order.replaced, order.updated = True, now
        order.post_only, order.reject_post_only = change.post_only, change.reject_post_only
        idle = self._rules.idle_edit_keeps_place if idle_keeps_place is None else idle_keeps_place
        if (
            change.tick == order.tick
            and change.display == order.display
            and (change.lots < order.lots or (change.lots == order.lots and idle))
        ):
            order.reduce_only = change.reduce_only
            if order.reduce_only or account.reducing:
                self._execution.rank_reducing(account, order)
            self._execution.shrink(account, contract, order, order.lots - change.lots)
            view = order.redraw()
            self._outbox.commit_one(now, account, contract, order, view)
            return Placed(view, ())
        self._execution.unrest(account, contract, order)
        order.reduce_only, order.display = change.reduce_only, change.display
        order.number, order.hidden, order.refilled = self._execution.arrival(), 0, False
        order.tick, order.lots, order.price = change.tick, change.lots, contract.price(change.tick)
        return self._execution.execute(now, account, contract, order, takes=change.takes)

    def change(
        self, now: Nanos, account: Account, contract: Contract, order: Order, edit: OrderEdit
    ) -> Change | Refused:
        """Check an edit and find what it makes of the order."""
        rules, lots, tick = self._rules, order.lots, order.tick
        shown = contract.amount(order.display) if order.display else None
        shown = shown if edit.display_amount is None else edit.display_amount
        refused = checks.edit(now, contract, order, edit, shown, rules.off_lot_code)
        if refused is not None:
            return refused
        if edit.price is not None and edit.price != order.price:
            found = checks.tick(account, contract, order.sign, edit.price)
            if not isinstance(found, int):
                return found
            tick = found
        if edit.amount is not None:
            lots = round(edit.amount / contract.step)
        if lots <= order.filled and rules.edit_to_filled == "refuse":
            return checks.ALREADY_FILLED
        kept = rules.edit_keeps_flags
        post_only = order.post_only and kept if edit.post_only is None else edit.post_only
        reject = edit.reject_post_only
        reject = order.reject_post_only and kept if reject is None else reject
        reduce_only = order.reduce_only and kept if edit.reduce_only is None else edit.reduce_only
        if reduce_only:
            position = account.position(contract)
            most = checks.reducible(account, position, order.sign, but=order.order_id)
            lots = min(lots, order.filled + most)
            if not most:
                return checks.NOT_REDUCING
        # What rests does not cross, and only what grows needs funds.
        takes = tick != order.tick and contract.book.crosses(order.sign, tick)
        if post_only and takes:
            if reject:
                return Change(tick, lots, post_only, reject, reduce_only, 0, True, False)
            inside = _inside(contract, order.sign, reject=False)
            if not isinstance(inside, int):
                return inside
            tick, takes = inside, False
        left = lots - order.filled
        if order.group is not None:
            place = (order.sign, left, tick)
            tag = Tag(group=order.group)
            refused = self._covered(now, account, contract, tag, place, but=order.order_id)
        elif lots > order.lots:
            refused = checks.margin(account, contract, order.sign, lots - order.lots)
        if refused is None and takes and self._overlap(account, contract, order.sign, tick, left):
            refused = checks.OVERLAP
        if refused is not None:
            return refused
        display = 0 if shown is None else _slice(contract, shown, lots)
        return Change(tick, lots, post_only, reject, reduce_only, display, False, takes)

    def cancel(
        self, now: Nanos, account: Account, contract: Contract, order: Order, reason: str
    ) -> OrderView:
        """Take a resting order out of the book for good."""
        return self._execution.cancel(now, account, contract, order, reason)

    def _overlap(
        self, account: Account, contract: Contract, sign: int, tick: int, lots: int
    ) -> str:
        return checks.self_match(account, contract, sign, tick, lots, self._execution.kin)

    def _covered(
        self,
        now: Nanos,
        account: Account,
        contract: Contract,
        tag: Tag,
        place: tuple[int, int, int],
        but: str = "",
    ) -> Refused | None:
        """A protected order is covered by a protection with room for it, which reserves its funds."""
        sign, lots, tick = place
        shield = account.shields.get((contract.instrument.index, tag.group or ""))
        price = contract.price(tick)
        fits = shield is None or shield.fits(contract, sign, lots, price, but, tag.held)
        code = self._rules.quote_quantity_code
        return checks.protection(account, shield, now, quantity_fits=fits, code=code)

    def _edge(
        self, account: Account, contract: Contract, sign: int, request: OrderRequest
    ) -> int | Refused:
        """The limit of an order without one: the edge of the band, of a market limit order the opposite
        best within it."""
        if account.house:
            return sign * _FAR_TICKS
        low, high = contract.band()
        edge = contract.tick(high if sign > 0 else low)
        if request.order_type is _MARKET:
            return edge
        opposite = contract.book.best(-sign)
        if opposite is None:
            return checks.NO_LIQUIDITY
        return min(edge, opposite) if sign > 0 else max(edge, opposite)


def _slice(contract: Contract, shown: float, lots: int) -> int:
    """Lots of an iceberg's slice, 0 for an order that shows whole."""
    display = round(shown / contract.step)
    return display if display < lots else 0


def _inside(contract: Contract, sign: int, *, reject: bool) -> int | Refused:
    """Where a post-only order that would take may rest: one tick inside the opposite best."""
    if reject:
        return checks.POST_ONLY_REJECT
    inside = contract.inside(sign)
    return inside if inside > 0 else checks.SLIDE_IMPOSSIBLE
