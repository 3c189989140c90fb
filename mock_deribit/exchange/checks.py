"""What the exchange refuses, and with which code: a table of small checks on a request and a book.

Each check returns `Refused` or None and changes nothing. Prices and sizes arrive as the user wrote them
and leave as ticks and lots. Codes and messages: Deribit's error table; the limit stands in the message.
"""

import math
from collections.abc import Callable

from mock_deribit.exchange.account import Account
from mock_deribit.exchange.contract import Contract
from mock_deribit.exchange.messages import (
    OrderEdit,
    OrderRequest,
    OrderType,
    Refused,
    SelfMatch,
    TimeInForce,
)
from mock_deribit.exchange.order import Order
from mock_deribit.exchange.position import Position
from mock_deribit.exchange.protection import Shield
from shared.instruments import BookState
from shared.kernel import Nanos
from shared.units import is_multiple

Kin = Callable[[Account, str], bool]
"""Whether an account may not trade with the account of this name: itself, or a subaccount."""

NOT_FOUND = Refused(10004, "order_not_found")
NOT_OPEN = Refused(11044, "not_open_order")
NOT_UNIQUE = Refused(13032, "non_unique_order_label")
UNKNOWN_INSTRUMENTS = {
    -32602: Refused(
        -32602, "Invalid params", {"reason": "instrument not found", "param": "instrument_name"}
    ),
    13020: Refused(13020, "not_found"),
    10020: Refused(10020, "invalid_or_unsupported_instrument"),
}
OFF_LOT = {
    10021: Refused(10021, "invalid_amount"),
    10027: Refused(10027, "non_integer_contract_amount"),
}
NOT_ENOUGH_FUNDS = Refused(10009, "not_enough_funds")
OVERLAP = Refused(10003, "order_overlap")
NOT_REDUCING = Refused(11030, "other_reject invalid_reduce_only_order")
NOT_FILLABLE = Refused(11030, "other_reject fill_or_kill_not_fillable")
NO_LIQUIDITY = Refused(11030, "other_reject no_liquidity")
ALREADY_FILLED = Refused(11008, "already_filled")
ACCOUNT_LOCKED = Refused(11098, "account_locked")
WITHDRAWN = Refused(13666, "request_cancelled_by_user")
SUPERSEDED = Refused(13777, "replaced")
MMP_FROZEN = Refused(13030, "mmp_trigger")
MMP_REQUIRED = Refused(13040, "mmp_required")
DISPLAY_SHARE = 100
POST_ONLY_REJECT = Refused(11054, "post_only_reject")
SLIDE_IMPOSSIBLE = Refused(11021, "post_only_price_modification_not_possible")
SETTLING = Refused(10041, "settlement_in_progress")

LOCKED = Refused(10019, "locked_by_admin")

_LOTS_MAX = 10**9
_PRICE_MAX = 1e8

# A member looked up through its class costs 80 ns before Python 3.12.
_OPEN, _LOCKED, _HALTED = BookState.OPEN, BookState.LOCKED, BookState.HALTED
_LIMIT, _GTC, _GTD = OrderType.LIMIT, TimeInForce.GTC, TimeInForce.GTD
_CANCEL_MAKER = SelfMatch.CANCEL_MAKER

_BY_STATE = {
    BookState.SETTLEMENT: SETTLING,
    BookState.LOCKED: LOCKED,
    BookState.DELIVERED: Refused(13019, "orderbook_closed"),
    BookState.ARCHIVIZED: Refused(13019, "orderbook_closed"),
    BookState.INACTIVE: Refused(10012, "book_closed"),
    BookState.HALTED: Refused(10012, "book_closed"),
}


def request(
    now: Nanos, contract: Contract, wanted: OrderRequest, off_lot_code: int
) -> int | Refused:
    """Everything that can be said of a new order before its price is looked at; its size in lots."""
    lots = wanted.amount / contract.step
    if (
        contract.state is _OPEN
        and not contract.locked
        and 1.0 <= lots <= _LOTS_MAX
        and lots.is_integer()
        and wanted.valid_until is None
        and not wanted.mmp
        and wanted.display_amount is None
        and (not wanted.post_only or (wanted.order_type is _LIMIT and wanted.time_in_force is _GTC))
    ):
        return int(lots)
    refused = (
        state_for_orders(contract)
        or (deadline(now, wanted.valid_until) if wanted.valid_until is not None else None)
        or (kind(wanted) if wanted.mmp or wanted.display_amount is not None else None)
        or (post_only_allowed(wanted) if wanted.post_only else None)
        or size(contract, wanted.amount, off_lot_code)
        or (
            None
            if wanted.display_amount is None
            else display(contract, wanted.amount, wanted.display_amount)
        )
    )
    return round(lots) if refused is None else refused


def edit(
    now: Nanos,
    contract: Contract,
    order: Order,
    wanted: OrderEdit,
    shown: float | None,
    off_lot_code: int,
) -> Refused | None:
    """Everything that can be said of a change before its price is looked at."""
    refused = None
    if contract.locked or contract.state is not _OPEN:
        refused = state_for_orders(contract)
    if refused is None and wanted.valid_until is not None:
        refused = deadline(now, wanted.valid_until)
    if refused is None and wanted.mmp is not None:
        refused = mmp_unchanged(wanted.mmp, protected=order.group is not None)
    if refused is None and wanted.amount is not None:
        refused = size(contract, wanted.amount, off_lot_code)
    if refused is None and shown is not None:
        amount = contract.amount(order.lots) if wanted.amount is None else wanted.amount
        refused = display(contract, amount, shown)
    return refused


def lock(account: Account) -> Refused | None:
    """An account under liquidation can neither trade nor cancel."""
    return ACCOUNT_LOCKED if account.liquidating else None


def state_for_orders(contract: Contract) -> Refused | None:
    """New orders and edits are taken only by an open book."""
    if contract.locked:
        return LOCKED
    return None if contract.state is _OPEN else _BY_STATE.get(contract.state)


def state_for_cancel(contract: Contract, *, halted_too: bool) -> Refused | None:
    """Cancels are taken by open and locked books, and perhaps by halted ones."""
    state = contract.state
    if state is _OPEN or state is _LOCKED or (halted_too and state is _HALTED):
        return None
    return _BY_STATE.get(contract.state)


def deadline(now: Nanos, valid_until: Nanos | None) -> Refused | None:
    """`valid_until` must lie ahead when the request is processed."""
    if valid_until is not None and now >= valid_until:
        return Refused(13888, "timed_out")
    return None


def size(contract: Contract, amount: float, off_lot_code: int) -> Refused | None:
    """At least the smallest amount, and a whole number of lots."""
    lots = amount / contract.step
    if 1.0 <= lots <= _LOTS_MAX and lots.is_integer():
        return None
    if not math.isfinite(amount) or amount < contract.step * (1.0 - 1e-9):
        return Refused(10002, "qty_too_low")
    if amount > contract.step * _LOTS_MAX:
        return OFF_LOT[10021]
    if not is_multiple(amount, contract.step):
        return OFF_LOT[off_lot_code]
    return None


def tick(account: Account, contract: Contract, sign: int, price: float | None) -> int | Refused:
    """A limit price is there, positive, of this world, on the tick and (but for the house) no buy above
    or sell below the band around the mark: in ticks."""
    if price is None:
        return invalid("price", "value required")
    known = contract.ticks.get(price)
    if known is None:
        if not 0.0 < price <= _PRICE_MAX:
            return Refused(10023, "invalid_price")
        if not contract.instrument.is_on_tick(price):
            return Refused(10043, "price_wrong_tick")
        known = contract.admit(price)
    if not account.house:
        low, high = contract.marked.band
        if sign > 0 and price > high:
            return Refused(10007, f"price_too_high {high:.4f}")
        if sign < 0 and price < low:
            return Refused(10005, f"price_too_low {low:.4f}")
    return known


def post_only_allowed(wanted: OrderRequest) -> Refused | None:
    """Post-only goes with good-til-cancelled limit orders only."""
    rests = wanted.order_type is _LIMIT and wanted.time_in_force is _GTC
    return None if rests else Refused(11055, "post_only_not_allowed")


def kind(wanted: OrderRequest) -> Refused | None:
    """What does not go together: only limit orders are hidden or protected, only orders that may
    rest are hidden."""
    limit = wanted.order_type is _LIMIT
    rests = wanted.time_in_force is _GTC or wanted.time_in_force is _GTD
    if wanted.mmp and not limit:
        return invalid("mmp", "only limit orders can be under market maker protection")
    if wanted.display_amount is not None and not (limit and rests):
        return invalid("display_amount", "only resting limit orders can be hidden")
    return None


def display(contract: Contract, amount: float, shown: float | None) -> Refused | None:
    """A slice is a whole number of lots, at least a hundred of them and a hundredth of the order."""
    if shown is None or shown == amount:
        return None
    if not math.isfinite(shown) or not is_multiple(shown, contract.step):
        return invalid("display_amount", "must be a multiple of the minimum amount")
    least = max(DISPLAY_SHARE * contract.step, amount / DISPLAY_SHARE)
    if not least <= shown < amount:
        return invalid("display_amount", f"must be at least {least:g} and less than the amount")
    return None


def protection(
    account: Account, shield: Shield | None, now: Nanos, *, quantity_fits: bool, code: int
) -> Refused | None:
    """A protected order needs the feature, a configuration, no freeze, and room under it."""
    if not account.mmp_enabled or shield is None:
        return MMP_REQUIRED
    if shield.is_frozen(now):
        return MMP_FROZEN
    if not quantity_fits:
        return Refused(code, "other_reject max_quote_quantity_exceeded")
    return None


def mmp_unchanged(wanted: bool | None, *, protected: bool) -> Refused | None:
    """An edit can neither put an order under protection nor take it out."""
    if wanted is not None and wanted is not protected:
        return invalid("mmp", "cannot be changed by an edit")
    return None


def reducible(
    account: Account, position: Position, sign: int, but: str = "", *, rests: bool = True
) -> int:
    """Lots a reduce-only order of this sign may still take off; one that may rest, beside those
    already resting, which are trimmed when the other has traded."""
    if position.lots * sign >= 0:
        return 0
    if not rests:
        return abs(position.lots)
    resting = sum(
        order.remaining
        for order in account.reducing.values()
        if order.sign == sign
        and order.instrument.name == position.contract.name
        and order.order_id != but
    )
    return max(0, abs(position.lots) - resting)


def self_match(
    account: Account, contract: Contract, sign: int, tick: int, lots: int, kin: Kin
) -> str:
    """Why, in reject mode, an order must not go on: it would reach one of its owner's. "" if not."""
    if account.self_match is _CANCEL_MAKER:
        return ""
    left, name, extended = lots, account.name, account.self_match_extended
    level, hidden = 0, 0
    for maker in contract.book.reach(sign, tick):
        # What a level hides trades after all that it shows, and before the next level.
        if maker.tick != level:
            level, left, hidden = maker.tick, left - hidden, 0
        if left <= 0:
            break
        if maker.account == name or (extended and kin(account, maker.account)):
            return overlap(account.name, maker.account)
        left -= maker.visible
        hidden += maker.hidden
    return ""


def overlap(name: str, other: str) -> str:
    """The cancel reason of an order that met one of the same owner's."""
    return "order_overlap" if name == other else "order_overlap_another_sub"


def fillable(
    account: Account, contract: Contract, sign: int, tick: int, lots: int, kin: Kin
) -> bool:
    """Whether the whole order can trade at once with others."""
    left = lots
    for maker in contract.book.reach(sign, tick):
        if not kin(account, maker.account):
            left -= maker.remaining
        if left <= 0:
            return True
    return False


def margin(account: Account, contract: Contract, sign: int, lots: int) -> Refused | None:
    """Funds must cover initial margin with these lots added; what adds no exposure passes."""
    if account.house:
        return None
    position = account.positions.get(contract.name) or account.position(contract)
    grown = position.grown(sign, lots)
    return None if not grown or account.covers(position, grown) else NOT_ENOUGH_FUNDS


def invalid(param: str, reason: str) -> Refused:
    """The usual answer to a parameter that cannot be."""
    return Refused(-32602, "Invalid params", {"reason": reason, "param": param})
