"""Owns the methods that ask about an account: orders, trades, positions, money, limits."""

from mock_deribit.exchange.messages import OrderState, OrderView, SelfMatch, UserTrade
from mock_deribit.rpc import wire
from mock_deribit.rpc.credits import Limit
from mock_deribit.rpc.errors import order_not_found
from mock_deribit.rpc.paging import page
from mock_deribit.rpc.venue import Call, Method, taken
from shared.units import DAY, to_ms

TRADES_KEPT = DAY
"""Without `historical` a trade is answered for this long; with it, only afterwards."""

_ORDER_TYPES = (
    "all", "limit", "trigger_all", "stop_all", "stop_limit", "stop_market",
    "take_all", "take_limit", "take_market", "trailing_all", "trailing_stop",
)  # fmt: skip
_READ = "trade:read"


def _listed(call: Call, orders: tuple[OrderView, ...]) -> object:
    """Orders of the asked kind and type; only limit and market orders of futures exist here."""
    plain = call.params.choice("type", _ORDER_TYPES, "all") in ("all", "limit")
    if not plain or not call.futures_wanted():
        return []
    return [call.venue.order(view, call.account) for view in orders]


def _get_open_orders(call: Call) -> object:
    return _listed(call, call.venue.exchange.open_orders(call.account))


def _get_open_orders_by_instrument(call: Call) -> object:
    name = call.venue.listing(call).name
    return _listed(call, call.venue.exchange.open_orders(call.account, instrument=name))


def _get_open_orders_by_currency(call: Call) -> object:
    currency = call.currency()
    return _listed(call, call.venue.exchange.open_orders(call.account, currency=currency))


def _get_open_orders_by_label(call: Call) -> object:
    currency, label = call.currency(), call.params.text("label", "")
    orders = call.venue.exchange.open_orders(
        call.account, currency=currency, label=label if call.params.has("label") else None
    )
    return _listed(call, orders)


def _get_order_state(call: Call) -> object:
    view = taken(call.venue.exchange.order(call.account, call.params.text("order_id")))
    return call.venue.order(view, call.account)


def _get_order_state_by_label(call: Call) -> object:
    currency, label = call.currency(), call.params.text("label")
    exchange, account = call.venue.exchange, call.account
    views = (
        *exchange.closed_orders(account, currency=currency, label=label),
        *exchange.open_orders(account, currency=currency, label=label),
    )
    return [call.venue.order(view, account) for view in views]


def _get_order_history_by_instrument(call: Call) -> object:
    name = call.venue.listing(call).name
    return _history(call, call.venue.exchange.closed_orders(call.account, instrument=name))


def _get_order_history_by_currency(call: Call) -> object:
    currency = call.currency()
    return _history(call, call.venue.exchange.closed_orders(call.account, currency=currency))


def _history(call: Call, views: tuple[OrderView, ...]) -> object:
    """Newest first. Orders that never traded only on demand; nothing older than retention."""
    count = call.params.integer("count", 20, low=1, high=1000)
    offset = call.params.integer("offset", 0, low=0)
    if call.params.flag("historical"):
        return []
    unfilled = call.params.flag("include_unfilled")
    wanted = [
        view
        for view in reversed(views)
        if unfilled or view.filled_amount > 0 or view.state is OrderState.FILLED
    ]
    return [call.venue.order(view, call.account) for view in wanted[offset : offset + count]]


def _trades(call: Call, fills: tuple[UserTrade, ...]) -> object:
    recent = call.now - TRADES_KEPT
    historical = call.params.flag("historical")
    kept = [fill for fill in fills if (fill.trade.ts < recent) == historical]
    chosen, more = page(kept, call.params, _moment, _sequence)
    user_id = call.venue.user_ids[call.account]
    listed = call.venue.listed
    rows = [wire.user_trade(fill, listed(fill.trade.instrument), user_id) for fill in chosen]
    return {"trades": rows, "has_more": more}


def _moment(fill: UserTrade) -> int:
    return to_ms(fill.trade.ts)


def _sequence(fill: UserTrade) -> int:
    return fill.trade.trade_seq


def _get_trades_by_instrument(call: Call) -> object:
    name = call.venue.listing(call).name
    return _trades(call, call.venue.exchange.user_trades(call.account, instrument=name))


def _get_trades_by_instrument_and_time(call: Call) -> object:
    _require_window(call)
    return _get_trades_by_instrument(call)


def _get_trades_by_currency(call: Call) -> object:
    currency = call.currency()
    return _trades(call, call.venue.exchange.user_trades(call.account, currency=currency))


def _get_trades_by_currency_and_time(call: Call) -> object:
    _require_window(call)
    return _get_trades_by_currency(call)


def _require_window(call: Call) -> None:
    call.params.integer("start_timestamp")
    call.params.integer("end_timestamp")


def _get_trades_by_order(call: Call) -> object:
    order_id = call.params.text("order_id")
    fills = call.venue.exchange.user_trades(call.account, order_id=order_id)
    if not fills and order_id not in _known_ids(call):
        raise order_not_found()
    return _trades(call, fills)


def _known_ids(call: Call) -> list[str]:
    exchange, account = call.venue.exchange, call.account
    views = (*exchange.open_orders(account), *exchange.closed_orders(account))
    return [view.order_id for view in views]


def _get_position(call: Call) -> object:
    listing = call.venue.listing(call)
    view = call.venue.exchange.position(call.account, listing.name)
    return wire.asked_position(view, listing.instrument.perpetual)


def _get_positions(call: Call) -> object:
    currency = call.currency("any")
    if not call.futures_wanted():
        return []
    return [
        wire.asked_position(view, call.venue.listed(view.instrument).instrument.perpetual)
        for view in call.venue.exchange.positions(call.account, currency)
    ]


def _get_account_summary(call: Call) -> object:
    currency = call.currency()
    venue, account = call.venue, call.account
    summary = wire.portfolio(venue.exchange.portfolio(account, currency or "BTC"))
    summary["limits"] = _limits(call)
    summary["fees"] = _fees(call)
    if call.params.flag("extended"):
        mode = venue.self_match.get(account, SelfMatch.REJECT_TAKER.value)
        summary |= {
            "id": venue.user_ids[account],
            "username": account,
            "system_name": account,
            "email": f"{account}@example.com",
            "type": "main",
            "creation_timestamp": to_ms(venue.opened),
            "mmp_enabled": False,
            "login_enabled": True,
            "security_keys_enabled": False,
            "self_trading_reject_mode": mode,
            "self_trading_extended_to_subaccounts": False,
        }
    return summary


def _limits(call: Call) -> wire.Json:
    limits = call.venue.limits

    def rate(limit: Limit) -> wire.Json:
        return {"rate": limit.rate, "burst": limit.burst}

    return {
        "limits_per_currency": False,
        "non_matching_engine": rate(limits.non_matching),
        "matching_engine": {
            "trading": {"total": rate(limits.trading)},
            "spot": rate(limits.trading),
            "cancel_all": rate(limits.cancel_all),
            "maximum_quotes": {"rate": 500, "burst": 500},
            "maximum_mass_quotes": {"rate": 10, "burst": 10},
            "guaranteed_mass_quotes": {"rate": 2, "burst": 2},
            "block_rfq_maker": {"rate": 10, "burst": 20},
        },
    }


def _fees(call: Call) -> list[wire.Json]:
    """One row for each index and kind: the fees of its perpetual, or of its first future."""
    rows: dict[str, wire.Json] = {}
    for listing in call.venue.exchange.listings:
        future = listing.instrument
        fee = {"type": "relative", "maker": future.maker_fee, "taker": future.taker_fee}
        for kind in ("future", "perpetual") if future.perpetual else ("future",):
            rows.setdefault(
                f"{future.index}.{kind}",
                {"index_name": future.index, "kind": kind, "value": {"default": fee}},
            )
    return list(rows.values())


def _get_user_locks(call: Call) -> object:
    exchange = call.venue.exchange
    currencies = dict.fromkeys(listing.instrument.settlement for listing in exchange.listings)
    return [{"currency": currency, "locked": False} for currency in currencies]


def _set_self_trading_config(call: Call) -> object:
    mode = SelfMatch(call.params.choice("mode", [mode.value for mode in SelfMatch]))
    call.params.flag("extended_to_subaccounts")
    call.venue.exchange.set_self_match(call.account, mode)
    call.venue.self_match[call.account] = mode.value
    return "ok"


METHODS: dict[str, Method] = {
    "private/get_open_orders": Method(_get_open_orders, _READ),
    "private/get_open_orders_by_instrument": Method(_get_open_orders_by_instrument, _READ),
    "private/get_open_orders_by_currency": Method(_get_open_orders_by_currency, _READ),
    "private/get_open_orders_by_label": Method(_get_open_orders_by_label, _READ),
    "private/get_order_state": Method(_get_order_state, _READ),
    "private/get_order_state_by_label": Method(_get_order_state_by_label, _READ),
    "private/get_order_history_by_instrument": Method(_get_order_history_by_instrument, _READ),
    "private/get_order_history_by_currency": Method(_get_order_history_by_currency, _READ),
    "private/get_user_trades_by_instrument": Method(_get_trades_by_instrument, _READ),
    "private/get_user_trades_by_instrument_and_time": Method(
        _get_trades_by_instrument_and_time, _READ
    ),
    "private/get_user_trades_by_currency": Method(_get_trades_by_currency, _READ),
    "private/get_user_trades_by_currency_and_time": Method(_get_trades_by_currency_and_time, _READ),
    "private/get_user_trades_by_order": Method(_get_trades_by_order, _READ),
    "private/get_position": Method(_get_position, _READ),
    "private/get_positions": Method(_get_positions, _READ),
    "private/get_account_summary": Method(_get_account_summary, "account:read"),
    "private/get_user_locks": Method(_get_user_locks, "account:read"),
    "private/set_self_trading_config": Method(_set_self_trading_config, "account:read_write"),
}
