"""Owns the methods that place and change orders: buy, sell, edit, close a position.

Deribit's trigger, linked and option orders are not here; each is refused by name, never half understood.
An order that its book holds is answered when the hold ends; over HTTP, which does not wait here, none is
held.
"""

from mock_deribit.exchange.listing import Listing
from mock_deribit.exchange.messages import (
    Held,
    OrderEdit,
    OrderRequest,
    OrderType,
    Placed,
    Refused,
    TimeInForce,
)
from mock_deribit.rpc import wire
from mock_deribit.rpc.errors import invalid_params
from mock_deribit.rpc.venue import Call, Method, taken
from shared.kernel import Nanos
from shared.units import Side, from_ms

LABEL_LENGTH = 64

_TRADE = "trade:read_write"
_TRIGGER_TYPES = ("stop_limit", "stop_market", "take_limit", "take_market", "trailing_stop")
_ABSENT = {
    "trigger": "trigger orders",
    "trigger_price": "trigger orders",
    "trigger_offset": "trigger orders",
    "linked_order_type": "linked orders",
    "trigger_fill_condition": "linked orders",
    "otoco_config": "linked orders",
    "advanced": "option orders",
}
_FLAGS = "post_only reject_post_only reduce_only valid_until display_amount max_show mmp"
_ORDER = (
    f"instrument_name amount contracts type price label time_in_force {_FLAGS} {' '.join(_ABSENT)}"
)
_EDIT = f"amount contracts price {_FLAGS} trigger_price trigger_offset advanced"


def _buy(call: Call) -> object:
    """Place a buy order."""
    return _place(call, Side.BUY)


def _sell(call: Call) -> object:
    """Place a sell order."""
    return _place(call, Side.SELL)


def _place(call: Call, side: Side) -> object:
    _refuse_absent(call)
    params, listing = call.params, call.venue.traded(call)
    order_type = _type(call, "limit")
    price = params.required_number("price") if order_type is OrderType.LIMIT else None
    amount = _amount(call, listing)
    if amount is None:
        raise invalid_params("amount", "value required")
    if (
        order_type is not OrderType.LIMIT
        and params.has("time_in_force")
        and call.venue.rules.market_lifetime == "refused"
    ):
        raise invalid_params("time_in_force", "not allowed for market orders")
    lifetimes = [lifetime.value for lifetime in TimeInForce]
    request = OrderRequest(
        instrument=listing.name,
        side=side,
        amount=amount,
        price=price,
        order_type=order_type,
        time_in_force=TimeInForce(params.choice("time_in_force", lifetimes, TimeInForce.GTC)),
        post_only=params.flag("post_only"),
        reject_post_only=params.flag("reject_post_only"),
        reduce_only=params.flag("reduce_only"),
        label=params.text("label", "", longest=LABEL_LENGTH),
        valid_until=_valid_until(call),
        display_amount=_display(call),
        mmp=params.flag("mmp"),
    )
    exchange = call.venue.exchange
    return _placed(
        call, exchange.place(call.now, call.account, request, at_once=call.session is None)
    )


def _type(call: Call, default: str | None = None) -> OrderType:
    known = (*[one.value for one in OrderType], *_TRIGGER_TYPES)
    value = call.params.choice("type", known, default)
    if value in _TRIGGER_TYPES:
        raise invalid_params("type", "trigger orders are not implemented here")
    return OrderType(value)


def _refuse_absent(call: Call) -> None:
    for name, what in _ABSENT.items():
        if call.params.has(name):
            raise invalid_params(name, f"{what} are not implemented here")


def _amount(call: Call, listing: Listing) -> float | None:
    """`amount`, or `contracts` times the contract size; if both are sent they must agree."""
    amount, contracts = call.params.number("amount"), call.params.number("contracts")
    if contracts is None:
        return amount
    counted = round(contracts * listing.instrument.contract_size, 10)
    if amount is not None and abs(amount - counted) > 1e-9 * abs(counted):
        raise invalid_params("contracts", "contracts and amount do not match")
    return counted


def _display(call: Call) -> float | None:
    """`display_amount`, or `max_show` as it was called until 2025."""
    shown = call.params.number("display_amount")
    return call.params.number("max_show") if shown is None else shown


def _valid_until(call: Call) -> Nanos | None:
    ms = call.params.optional_integer("valid_until")
    return from_ms(ms) if ms is not None else None


def _placed(call: Call, answer: Placed | Refused | Held) -> object:
    """The reply; and the socket remembers what rests, for cancel on disconnect."""
    if isinstance(answer, Held):
        call.wait((answer.ticket,), lambda answers: _placed(call, answers[0]))
        return None
    placed = taken(answer)
    order = placed.order
    if call.session is not None:
        call.venue.adopt(call.session, order, call.account)
    listing = call.venue.listed(order.instrument)
    user_id = call.venue.user_ids[call.account]
    return {
        "order": wire.order(order, listing, user_id),
        "trades": [wire.user_trade(fill, listing, user_id) for fill in placed.trades],
    }


def _edit(call: Call) -> object:
    """Change an open order."""
    exchange, order_id = call.venue.exchange, call.params.text("order_id")
    view = taken(exchange.order(call.account, order_id))
    change = _change(call, call.venue.listed(view.instrument))
    at_once = call.session is None
    answer = exchange.edit(call.now, call.account, order_id, change, at_once=at_once)
    return _placed(call, answer)


def _edit_by_label(call: Call) -> object:
    """Change the one open order with a label."""
    listing, label = call.venue.traded(call), call.params.word("label")
    change = _change(call, listing)
    exchange = call.venue.exchange
    answer = exchange.edit_by_label(
        call.now, call.account, listing.name, label, change, at_once=call.session is None
    )
    return _placed(call, answer)


def _change(call: Call, listing: Listing) -> OrderEdit:
    _refuse_absent(call)
    params = call.params

    def flag(name: str) -> bool | None:
        return params.flag(name) if params.has(name) else None

    return OrderEdit(
        amount=_amount(call, listing),
        price=params.number("price"),
        post_only=flag("post_only"),
        reject_post_only=flag("reject_post_only"),
        reduce_only=flag("reduce_only"),
        valid_until=_valid_until(call),
        display_amount=_display(call),
        mmp=flag("mmp"),
    )


def _close_position(call: Call) -> object:
    """Place a reduce-only order of the position's full size."""
    listing, order_type = call.venue.traded(call), _type(call)
    price = call.params.required_number("price") if order_type is OrderType.LIMIT else None
    exchange = call.venue.exchange
    answer = exchange.close_position(
        call.now, call.account, listing.name, order_type, price, at_once=call.session is None
    )
    return _placed(call, answer)


METHODS: dict[str, Method] = {
    "private/buy": Method(_buy, _TRADE, "trading", _ORDER),
    "private/sell": Method(_sell, _TRADE, "trading", _ORDER),
    "private/edit": Method(_edit, _TRADE, "trading", f"order_id {_EDIT}"),
    "private/edit_by_label": Method(
        _edit_by_label, _TRADE, "trading", f"label instrument_name {_EDIT}"
    ),
    "private/close_position": Method(
        _close_position, _TRADE, "trading", "instrument_name type price"
    ),
}
