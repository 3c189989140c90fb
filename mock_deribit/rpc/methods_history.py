"""Owns the questions about orders and fills: what is open, what became of an order, what has traded."""

from mock_deribit.exchange.messages import OrderState, OrderView, UserTrade
from mock_deribit.rpc import wire
from mock_deribit.rpc.errors import order_not_found
from mock_deribit.rpc.paging import continued, page
from mock_deribit.rpc.venue import Call, Method, taken
from mock_deribit.rpc.wire_records import trade_number
from shared.units import DAY, to_ms

TRADES_KEPT = DAY
"""Without `historical` a trade is answered for this long; with it, only afterwards."""

_TYPES = (
    "all", "limit", "trigger_all", "stop_all", "stop_limit", "stop_market",
    "take_all", "take_limit", "take_market", "trailing_all", "trailing_stop",
)  # fmt: skip
_READ = "trade:read"
_HISTORY = (
    "kind count offset include_old include_unfilled historical with_continuation continuation"
)
_WINDOW = "start_timestamp end_timestamp count sorting historical include_old"


def _listed(call: Call, orders: tuple[OrderView, ...]) -> object:
    """Orders of the asked kind and type; only limit and market orders of futures exist here."""
    plain = call.params.choice("type", _TYPES, "all") in ("all", "limit")
    if not plain or not call.futures_wanted():
        return []
    return [call.venue.order(view, call.account) for view in orders]


def _get_open_orders(call: Call) -> object:
    """Every open order."""
    return _listed(call, call.venue.exchange.open_orders(call.account))


def _get_open_orders_by_instrument(call: Call) -> object:
    """Open orders of an instrument."""
    name = call.venue.listing(call).name
    return _listed(call, call.venue.exchange.open_orders(call.account, instrument=name))


def _get_open_orders_by_currency(call: Call) -> object:
    """Open orders that settle in a currency."""
    currency = call.currency()
    return _listed(call, call.venue.exchange.open_orders(call.account, currency=currency))


def _get_open_orders_by_label(call: Call) -> object:
    """Open orders with a label."""
    currency, label = call.currency(), call.params.text("label", "")
    orders = call.venue.exchange.open_orders(
        call.account, currency=currency, label=label if call.params.has("label") else None
    )
    return _listed(call, orders)


def _get_order_state(call: Call) -> object:
    """One order, open or closed lately."""
    view = taken(call.venue.exchange.order(call.account, call.params.text("order_id")))
    return call.venue.order(view, call.account)


def _get_order_state_by_label(call: Call) -> object:
    """Orders with a label, open or closed lately."""
    currency, label = call.currency(), call.params.word("label")
    exchange, account = call.venue.exchange, call.account
    views = (
        *exchange.closed_orders(account, currency=currency, label=label),
        *exchange.open_orders(account, currency=currency, label=label),
    )
    return [call.venue.order(view, account) for view in views]


def _get_order_history_by_instrument(call: Call) -> object:
    """Closed orders of an instrument, newest first."""
    return _history(call, instrument=call.venue.listing(call).name, currency=None)


def _get_order_history_by_currency(call: Call) -> object:
    """Closed orders that settle in a currency, newest first."""
    return _history(call, instrument=None, currency=call.currency())


def _history(call: Call, *, instrument: str | None, currency: str | None) -> object:
    """Newest first. Orders that never traded only on demand; `historical` asks for those that the
    exchange has put away."""
    params = call.params
    count = params.integer("count", 20, low=1, high=1000)
    offset = params.integer("offset", 0, low=0)
    unfilled, historical = params.flag("include_unfilled"), params.flag("historical")
    with_continuation = params.flag("with_continuation") or params.has("continuation")
    views = call.venue.exchange.closed_orders(
        call.account, instrument=instrument, currency=currency, historical=historical
    )
    wanted = [
        view
        for view in reversed(views)
        if unfilled or view.filled_amount > 0 or view.state is OrderState.FILLED
    ]
    if not call.futures_wanted():
        wanted = []
    if not with_continuation:
        return [call.venue.order(view, call.account) for view in wanted[offset : offset + count]]
    chosen, word = continued(wanted, params, count, lambda view: view.order_id)
    rows = [call.venue.order(view, call.account) for view in chosen]
    return {"orders": rows, "continuation": word}


def _get_trigger_order_history(call: Call) -> object:
    """Trigger orders that have ended: none, there are no trigger orders here."""
    call.currency()
    call.params.integer("count", 20, low=1, high=1000)
    return {"entries": []}


def _trades(call: Call, fills: tuple[UserTrade, ...]) -> wire.Json:
    recent = call.now - TRADES_KEPT
    historical = call.params.flag("historical")
    kept = [fill for fill in fills if (fill.trade.ts < recent) == historical]
    chosen, more = page(kept, call.params, _moment, _sequence, _number)
    user_id = call.venue.user_ids[call.account]
    listed = call.venue.listed
    rows = [wire.user_trade(fill, listed(fill.trade.instrument), user_id) for fill in chosen]
    return {"trades": rows, "has_more": more}


def _moment(fill: UserTrade) -> int:
    return to_ms(fill.trade.ts)


def _sequence(fill: UserTrade) -> int:
    return fill.trade.trade_seq


def _number(fill: UserTrade) -> int:
    return trade_number(fill.trade.trade_id)


def _get_trades_by_instrument(call: Call) -> object:
    """Fills of an instrument."""
    name = call.venue.listing(call).name
    return _trades(call, call.venue.exchange.user_trades(call.account, instrument=name))


def _get_trades_by_instrument_and_time(call: Call) -> object:
    """Fills of an instrument between two times."""
    call.window()
    return _get_trades_by_instrument(call)


def _get_trades_by_currency(call: Call) -> object:
    """Fills that settle in a currency."""
    currency = call.currency()
    fills = call.venue.exchange.user_trades(call.account, currency=currency)
    return _trades(call, fills if call.futures_wanted() else ())


def _get_trades_by_currency_and_time(call: Call) -> object:
    """Fills that settle in a currency between two times."""
    call.window()
    return _get_trades_by_currency(call)


def _get_trades_by_order(call: Call) -> object:
    """Fills of an order."""
    exchange, order_id = call.venue.exchange, call.params.text("order_id")
    fills = exchange.user_trades(call.account, order_id=order_id)
    if not fills and not isinstance(exchange.order(call.account, order_id), OrderView):
        raise order_not_found()
    answer = _trades(call, fills)
    return answer["trades"] if call.venue.rules.trades_by_order == "array" else answer


METHODS: dict[str, Method] = {
    "private/get_open_orders": Method(_get_open_orders, _READ, takes="kind type"),
    "private/get_open_orders_by_instrument": Method(
        _get_open_orders_by_instrument, _READ, takes="instrument_name type"
    ),
    "private/get_open_orders_by_currency": Method(
        _get_open_orders_by_currency, _READ, takes="currency kind type"
    ),
    "private/get_open_orders_by_label": Method(
        _get_open_orders_by_label, _READ, takes="currency label"
    ),
    "private/get_order_state": Method(_get_order_state, _READ, takes="order_id"),
    "private/get_order_state_by_label": Method(
        _get_order_state_by_label, _READ, takes="currency label"
    ),
    "private/get_order_history_by_instrument": Method(
        _get_order_history_by_instrument, _READ, takes=f"instrument_name {_HISTORY}"
    ),
    "private/get_order_history_by_currency": Method(
        _get_order_history_by_currency, _READ, takes=f"currency {_HISTORY}"
    ),
    "private/get_trigger_order_history": Method(
        _get_trigger_order_history, _READ, takes="currency instrument_name count continuation"
    ),
    "private/get_user_trades_by_instrument": Method(
        _get_trades_by_instrument, _READ, takes=f"instrument_name start_seq end_seq {_WINDOW}"
    ),
    "private/get_user_trades_by_instrument_and_time": Method(
        _get_trades_by_instrument_and_time,
        _READ,
        takes=f"instrument_name start_seq end_seq {_WINDOW}",
    ),
    "private/get_user_trades_by_currency": Method(
        _get_trades_by_currency, _READ, takes=f"currency kind start_id end_id {_WINDOW}"
    ),
    "private/get_user_trades_by_currency_and_time": Method(
        _get_trades_by_currency_and_time, _READ, takes=f"currency kind {_WINDOW}"
    ),
    "private/get_user_trades_by_order": Method(
        _get_trades_by_order, _READ, takes="order_id sorting historical count"
    ),
}
