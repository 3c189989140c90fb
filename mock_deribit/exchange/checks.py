"""What the exchange refuses, and with which code: a table of small checks on a request and a book.

Each check returns `Refused` or None and changes nothing. Prices and sizes arrive as the user wrote them
and leave as ticks and lots. Codes and messages: Deribit's error table; the limit stands in the message.
"""

import math

from mock_deribit.exchange.account import Account, Position, margin_after
from mock_deribit.exchange.contract import Contract
from mock_deribit.exchange.messages import OrderType, Refused, SelfMatch, TimeInForce
from shared.instruments import BookState
from shared.kernel import Nanos
from shared.units import is_multiple

NOT_FOUND = Refused(10004, "order_not_found")
NOT_OPEN = Refused(11044, "not_open_order")
NOT_UNIQUE = Refused(13032, "non_unique_order_label")
UNKNOWN_INSTRUMENT = Refused(
    -32602, "Invalid params", {"reason": "instrument not found", "param": "instrument_name"}
)
POST_ONLY_REJECT = Refused(11054, "post_only_reject")
SLIDE_IMPOSSIBLE = Refused(11021, "post_only_price_modification_not_possible")
SETTLING = Refused(10041, "settlement_in_progress")

LOCKED = Refused(10019, "locked_by_admin")

_BY_STATE = {
    BookState.SETTLEMENT: SETTLING,
    BookState.LOCKED: LOCKED,
    BookState.DELIVERED: Refused(13019, "orderbook_closed"),
    BookState.ARCHIVIZED: Refused(13019, "orderbook_closed"),
    BookState.INACTIVE: Refused(10012, "book_closed"),
    BookState.HALTED: Refused(10012, "book_closed"),
}


def state_for_orders(contract: Contract) -> Refused | None:
    """New orders and edits are taken only by an open book."""
    return LOCKED if contract.locked else _BY_STATE.get(contract.state)


def state_for_cancel(contract: Contract) -> Refused | None:
    """Cancels are taken by open and locked books."""
    if contract.state is BookState.LOCKED:
        return None
    return _BY_STATE.get(contract.state)


def deadline(now: Nanos, valid_until: Nanos | None) -> Refused | None:
    """`valid_until` must lie ahead when the request is processed."""
    if valid_until is not None and now >= valid_until:
        return Refused(13888, "timed_out")
    return None


def size(contract: Contract, amount: float) -> Refused | None:
    """At least one lot, and a whole number of lots."""
    if not math.isfinite(amount) or amount < contract.step * (1.0 - 1e-9):
        return Refused(10002, "qty_too_low")
    if not is_multiple(amount, contract.step):
        return Refused(10021, "invalid_amount")
    return None


def price(contract: Contract, value: float | None) -> Refused | None:
    """A limit price is there, positive and on the tick."""
    if value is None:
        return Refused(-32602, "Invalid params", {"reason": "value required", "param": "price"})
    if not math.isfinite(value) or value <= 0.0:
        return Refused(10023, "invalid_price")
    if not contract.instrument.is_on_tick(value):
        return Refused(10043, "price_wrong_tick")
    return None


def band(contract: Contract, sign: int, value: float) -> Refused | None:
    """A buy above, or a sell below, the band around the mark."""
    low, high = contract.band()
    if sign > 0 and value > high:
        return Refused(10007, f"price_too_high {high:.4f}")
    if sign < 0 and value < low:
        return Refused(10005, f"price_too_low {low:.4f}")
    return None


def post_only_allowed(
    order_type: OrderType, time_in_force: TimeInForce, *, post_only: bool
) -> Refused | None:
    """Post-only goes with resting limit orders only."""
    rests = order_type is OrderType.LIMIT and time_in_force is TimeInForce.GTC
    return Refused(11055, "post_only_not_allowed") if post_only and not rests else None


def reducible(account: Account, position: Position, sign: int, but: str = "") -> int:
    """Lots a reduce-only order of this sign may still take off, beside those already resting."""
    if position.lots * sign >= 0:
        return 0
    resting = sum(
        order.remaining
        for order in account.orders.values()
        if order.reduce_only
        and order.sign == sign
        and order.instrument.name == position.contract.name
        and order.order_id != but
    )
    return max(0, abs(position.lots) - resting)


def self_match(
    account: Account, contract: Contract, sign: int, tick: int, lots: int
) -> Refused | None:
    """In reject mode an order that would reach one of its owner's is refused."""
    if account.self_match is SelfMatch.CANCEL_MAKER:
        return None
    left = lots
    for maker in contract.book.reach(sign, tick):
        if left <= 0:
            break
        if maker.account == account.name:
            return Refused(10003, "order_overlap")
        left -= maker.remaining
    return None


def fillable(account: Account, contract: Contract, sign: int, tick: int, lots: int) -> bool:
    """Whether the whole order can trade at once with others."""
    left = lots
    for maker in contract.book.reach(sign, tick):
        if maker.account != account.name:
            left -= maker.remaining
        if left <= 0:
            return True
    return False


def margin(account: Account, contract: Contract, sign: int, lots: int) -> Refused | None:
    """Funds must cover initial margin with these lots added; what adds no exposure passes."""
    position = account.position(contract)
    buys, sells = (lots, 0) if sign > 0 else (0, lots)
    if account.house or position.exposure(buys, sells) <= position.exposure():
        return None
    available = account.equity(contract.instrument.settlement)
    if margin_after(account, position, buys, sells) > available:
        return Refused(10009, "not_enough_funds")
    return None
