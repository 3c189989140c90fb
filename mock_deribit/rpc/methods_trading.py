"""Owns the methods that use the matching engine: buy, sell, edit, cancel and their families."""

from mock_deribit.exchange.listing import Listing
from mock_deribit.exchange.messages import (
    OrderEdit,
    OrderRequest,
    OrderState,
    OrderType,
    OrderView,
    Placed,
    TimeInForce,
)
from mock_deribit.rpc import wire
from mock_deribit.rpc.errors import invalid_params
from mock_deribit.rpc.venue import Call, Method, taken
from shared.kernel import Nanos
from shared.units import Side, from_ms

LABEL_LENGTH = 64

_CANCEL_TYPES = ("all", "limit", "trigger_all", "stop", "take", "trailing_stop")
_TRADE = "trade:read_write"


def _buy(call: Call) -> object:
    return _place(call, Side.BUY)


def _sell(call: Call) -> object:
    return _place(call, Side.SELL)


def _place(call: Call, side: Side) -> object:
    params, listing = call.params, call.venue.listing(call)
    order_type = OrderType(params.choice("type", [t.value for t in OrderType], "limit"))
    price = params.required_number("price") if order_type is OrderType.LIMIT else None
    amount = _amount(call, listing)
    if amount is None:
        raise invalid_params("amount", "value required")
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
    )
    return _placed(call, taken(call.venue.exchange.place(call.now, call.account, request)))


def _amount(call: Call, listing: Listing) -> float | None:
    """`amount`, or `contracts` times the contract size; if both are sent they must agree."""
    amount, contracts = call.params.number("amount"), call.params.number("contracts")
    if contracts is None:
        return amount
    counted = contracts * listing.instrument.contract_size
    if amount is not None and abs(amount - counted) > 1e-9 * counted:
        raise invalid_params("contracts", "contracts and amount do not match")
    return counted


def _valid_until(call: Call) -> Nanos | None:
    ms = call.params.optional_integer("valid_until")
    return from_ms(ms) if ms is not None else None


def _placed(call: Call, placed: Placed) -> object:
    """The reply; and the socket remembers what rests, for cancel on disconnect."""
    order = placed.order
    if call.session is not None and order.state is OrderState.OPEN and not order.replaced:
        call.session.orders[order.order_id] = call.account
    listing = call.venue.listed(order.instrument)
    user_id = call.venue.user_ids[call.account]
    return {
        "order": wire.order(order, listing, user_id),
        "trades": [wire.user_trade(fill, listing, user_id) for fill in placed.trades],
    }


def _edit(call: Call) -> object:
    exchange, order_id = call.venue.exchange, call.params.text("order_id")
    view = taken(exchange.order(call.account, order_id))
    change = _change(call, call.venue.listed(view.instrument))
    return _placed(call, taken(exchange.edit(call.now, call.account, order_id, change)))


def _edit_by_label(call: Call) -> object:
    listing, label = call.venue.listing(call), call.params.text("label")
    change = _change(call, listing)
    exchange = call.venue.exchange
    answer = exchange.edit_by_label(call.now, call.account, listing.name, label, change)
    return _placed(call, taken(answer))


def _change(call: Call, listing: Listing) -> OrderEdit:
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
    )


def _cancel(call: Call) -> object:
    """The order itself, not wrapped."""
    order_id = call.params.text("order_id")
    view = taken(call.venue.exchange.cancel(call.now, call.account, order_id))
    return call.venue.order(view, call.account)


def _cancel_by_label(call: Call) -> object:
    label = call.params.text("label")
    currency = call.currency() if call.params.has("currency") else None
    exchange = call.venue.exchange
    return len(exchange.cancel_all(call.now, call.account, label=label, currency=currency))


def _cancel_all(call: Call) -> object:
    return _cancelled(call, instrument=None, currency=None)


def _cancel_all_by_instrument(call: Call) -> object:
    return _cancelled(call, instrument=call.venue.listing(call).name, currency=None)


def _cancel_all_by_currency(call: Call) -> object:
    return _cancelled(call, instrument=None, currency=call.currency())


def _cancelled(call: Call, *, instrument: str | None, currency: str | None) -> object:
    """A count, or with `detailed` a list with one entry for each book."""
    kind = call.params.choice("type", _CANCEL_TYPES, "all")
    orders: tuple[OrderView, ...] = ()
    if kind in ("all", "limit") and call.futures_wanted():
        orders = call.venue.exchange.cancel_all(
            call.now, call.account, instrument=instrument, currency=currency
        )
    if not call.params.flag("detailed"):
        return len(orders)
    books: dict[str, list[wire.Json]] = {}
    for order in orders:
        books.setdefault(order.instrument, []).append(call.venue.order(order, call.account))
    return [
        {
            "currency": call.venue.listed(name).instrument.settlement,
            "type": "limit",
            "instrument_name": name,
            "result": cancelled,
        }
        for name, cancelled in books.items()
    ]


def _close_position(call: Call) -> object:
    listing = call.venue.listing(call)
    order_type = OrderType(call.params.choice("type", [t.value for t in OrderType]))
    price = call.params.required_number("price") if order_type is OrderType.LIMIT else None
    exchange = call.venue.exchange
    answer = exchange.close_position(call.now, call.account, listing.name, order_type, price)
    return _placed(call, taken(answer))


METHODS: dict[str, Method] = {
    "private/buy": Method(_buy, _TRADE, "trading"),
    "private/sell": Method(_sell, _TRADE, "trading"),
    "private/edit": Method(_edit, _TRADE, "trading"),
    "private/edit_by_label": Method(_edit_by_label, _TRADE, "trading"),
    "private/cancel": Method(_cancel, _TRADE, "trading"),
    "private/cancel_by_label": Method(_cancel_by_label, _TRADE, "cancel_all"),
    "private/cancel_all": Method(_cancel_all, _TRADE, "cancel_all"),
    "private/cancel_all_by_instrument": Method(_cancel_all_by_instrument, _TRADE, "trading"),
    "private/cancel_all_by_currency": Method(_cancel_all_by_currency, _TRADE, "trading"),
    "private/close_position": Method(_close_position, _TRADE, "trading"),
}
