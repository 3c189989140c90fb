"""Owns the questions about what was written down: settlements, deliveries, the transaction log, margins."""

from collections.abc import Sequence

from mock_deribit.exchange.messages import Refused
from mock_deribit.exchange.records import Settlement, SettlementType
from mock_deribit.rpc import wire_records
from mock_deribit.rpc.errors import invalid_params
from mock_deribit.rpc.paging import continued
from mock_deribit.rpc.venue import Call, Method
from shared.units import to_ms

_PAGE = "type count continuation search_start_timestamp"


def _get_delivery_prices(call: Call) -> object:
    """What an index settled at, day by day, newest first."""
    index = call.index("index_name")
    offset = call.params.integer("offset", 0, low=0)
    count = call.params.integer("count", 10, low=1, high=1000)
    rows = call.venue.exchange.delivery_prices(index)
    chosen = [wire_records.delivery_price(row) for row in rows[offset : offset + count]]
    return {"data": chosen, "records_total": len(rows)}


def _get_last_settlements_by_instrument(call: Call) -> object:
    """Settlements and deliveries of an instrument, newest first."""
    name = call.venue.listing(call).name
    return _settlements(call, call.venue.exchange.settlements(instrument=name))


def _get_last_settlements_by_currency(call: Call) -> object:
    """Settlements and deliveries of everything that settles in a currency, newest first."""
    return _settlements(call, call.venue.exchange.settlements(currency=call.currency()))


def _get_settlement_history_by_instrument(call: Call) -> object:
    """The account's settlements and deliveries of an instrument, newest first."""
    name, exchange = call.venue.listing(call).name, call.venue.exchange
    return _settlements(call, exchange.settlements(call.account, instrument=name))


def _get_settlement_history_by_currency(call: Call) -> object:
    """The account's settlements and deliveries that settle in a currency, newest first."""
    currency, exchange = call.currency(), call.venue.exchange
    return _settlements(call, exchange.settlements(call.account, currency=currency))


def _settlements(call: Call, rows: Sequence[Settlement]) -> object:
    params = call.params
    count = params.integer("count", 20, low=1, high=1000)
    kinds = [kind.value for kind in SettlementType]
    kind = params.choice("type", kinds) if params.has("type") else None
    until = params.optional_integer("search_start_timestamp")
    wanted = [
        row
        for row in rows
        if kind in (None, row.type.value) and (until is None or to_ms(row.ts) <= until)
    ]
    chosen, word = continued(wanted, params, count, lambda row: f"{row.ts}{row.instrument}")
    settlements = [wire_records.settlement(row) for row in chosen]
    return {"settlements": settlements, "continuation": "none" if word is None else word}


def _get_transaction_log(call: Call) -> object:
    """Every movement of the balance in a currency, newest first."""
    params, venue, account = call.params, call.venue, call.account
    currency = call.currency()
    if currency is None:
        raise invalid_params("currency", "invalid currency")
    start, end = call.window()
    count = params.integer("count", 100, low=1, high=1000)
    query = params.text("query") if params.has("query") else None
    entries = venue.exchange.transaction_log(account, currency, start=start, end=end, query=query)
    chosen, word = continued(entries, params, count, lambda entry: str(entry.id))
    user_id = venue.user_ids[account]
    rows = [wire_records.log_entry(entry, user_id, account) for entry in chosen]
    return {"logs": rows, "continuation": None if word is None else int(word)}


def _get_margins(call: Call) -> object:
    """Initial margin that an order would need on either side, the price band, and its fees."""
    listing = call.venue.listing(call)
    amount, price = _sane(call, "amount"), _sane(call, "price")
    view = call.venue.exchange.margins(call.account, listing.name, amount, price)
    return wire_records.margins(view)


def _sane(call: Call, name: str) -> float:
    """A number that margins can be computed of."""
    value = call.params.required_number(name)
    if not 1e-9 <= value <= 1e12:
        raise invalid_params(name, "invalid value")
    return value


def _get_order_margin_by_ids(call: Call) -> object:
    """Initial margin of open orders, each by itself."""
    ids = call.params.texts("ids")
    found = call.venue.exchange.order_margins(call.account, ids)
    return [wire_records.order_margin(one) for one in found if not isinstance(one, Refused)]


METHODS: dict[str, Method] = {
    "public/get_delivery_prices": Method(_get_delivery_prices, takes="index_name offset count"),
    "public/get_last_settlements_by_instrument": Method(
        _get_last_settlements_by_instrument, takes=f"instrument_name {_PAGE}"
    ),
    "public/get_last_settlements_by_currency": Method(
        _get_last_settlements_by_currency, takes=f"currency {_PAGE}"
    ),
    "private/get_settlement_history_by_instrument": Method(
        _get_settlement_history_by_instrument, "trade:read", takes=f"instrument_name {_PAGE}"
    ),
    "private/get_settlement_history_by_currency": Method(
        _get_settlement_history_by_currency, "trade:read", takes=f"currency {_PAGE}"
    ),
    "private/get_transaction_log": Method(
        _get_transaction_log,
        "account:read",
        "transaction_log",
        "currency start_timestamp end_timestamp query count continuation",
    ),
    "private/get_margins": Method(_get_margins, "trade:read", takes="instrument_name amount price"),
    "private/get_order_margin_by_ids": Method(_get_order_margin_by_ids, "trade:read", takes="ids"),
}
