"""Owns the methods about the catalogue and the platform: time, status, what is listed, indices, coins."""

from mock_deribit.rpc import wire, wire_records
from mock_deribit.rpc.estimate import delivery_price
from mock_deribit.rpc.venue import Call, Method
from shared.instruments import BookState
from shared.units import to_ms

_LONG_NAMES = {"BTC": "Bitcoin", "ETH": "Ethereum", "USDC": "USD Coin"}
_EXPIRED = (BookState.DELIVERED, BookState.ARCHIVIZED)


def _get_time(call: Call) -> object:
    """The exchange's clock in milliseconds."""
    return to_ms(call.now)


def _status(call: Call) -> object:
    """Which indices are locked."""
    indices = call.venue.indices()
    locked = [index for index in indices if call.venue.exchange.is_locked(index)]
    word = "false" if not locked else "true" if len(locked) == len(indices) else "partial"
    return {"locked": word, "locked_indices": locked}


def _get_announcements(call: Call) -> object:
    """Announcements of the operator, newest first."""
    start = call.params.integer("start_timestamp", to_ms(call.now))
    count = call.params.integer("count", 5, low=1, high=50)
    made = [a for a in reversed(call.venue.announcements) if a.timestamp_ms <= start]
    return [wire_records.announcement(a) for a in made[:count]]


def _get_currencies(call: Call) -> object:
    """Coins that something settles in."""
    settled = dict.fromkeys(one.instrument.settlement for one in call.venue.exchange.listings)
    return [wire_records.currency(name, _LONG_NAMES.get(name, name)) for name in settled]


def _get_instruments(call: Call) -> object:
    """Everything listed, by currency, kind and whether it has expired."""
    currency, expired = call.currency("any"), call.params.flag("expired")
    if not call.futures_wanted():
        return []
    listings = [
        listing
        for listing in call.venue.exchange.listings
        if currency in (None, listing.instrument.settlement)
        and (listing.instrument.state in _EXPIRED) == expired
    ]
    listings.sort(key=lambda listing: listing.instrument.expiry)
    return [wire.instrument(listing) for listing in listings]


def _get_instrument(call: Call) -> object:
    """One instrument."""
    return wire.instrument(call.venue.listing(call))


def _get_contract_size(call: Call) -> object:
    """The contract size of an instrument."""
    return {"contract_size": call.venue.listing(call).instrument.contract_size}


def _get_expirations(call: Call) -> object:
    """Expiry dates of what is listed."""
    currency, kind = call.currency(), call.params.choice("kind", ("future", "option", "any"), "any")
    dates = [
        listing.name.partition("-")[2]
        for listing in call.venue.exchange.listings
        if kind != "option"
        and listing.instrument.state not in _EXPIRED
        and currency in (None, listing.instrument.settlement)
    ]
    answer: dict[str, object] = {}
    if kind != "option":
        answer["future"] = list(dict.fromkeys(dates))
    if kind != "future":
        answer["option"] = []
    return answer


def _get_index_price(call: Call) -> object:
    """An index, and what a contract on it would be delivered at."""
    index, exchange = call.index("index_name"), call.venue.exchange
    return {
        "index_price": exchange.index_price(index),
        "estimated_delivery_price": delivery_price(exchange, index),
    }


def _get_index_price_names(call: Call) -> object:
    """Names of the indices."""
    indices = call.venue.indices()
    if not call.params.flag("extended"):
        return indices
    return [
        {"name": index, "future_combo_enabled": False, "option_combo_enabled": False}
        for index in indices
    ]


def _get_supported_index_names(call: Call) -> object:
    """Names of the indices, by what is listed on them."""
    kind = call.params.choice("type", ("all", "spot", "derivative"), "all")
    return [] if kind == "spot" else _get_index_price_names(call)


METHODS: dict[str, Method] = {
    "public/get_time": Method(_get_time),
    "public/status": Method(_status),
    "public/get_announcements": Method(_get_announcements, takes="start_timestamp count"),
    "public/get_currencies": Method(_get_currencies),
    "public/get_instruments": Method(
        _get_instruments, credits="get_instruments", takes="currency kind expired"
    ),
    "public/get_instrument": Method(_get_instrument, takes="instrument_name"),
    "public/get_contract_size": Method(_get_contract_size, takes="instrument_name"),
    "public/get_expirations": Method(_get_expirations, takes="currency kind currency_pair"),
    "public/get_index_price": Method(_get_index_price, takes="index_name"),
    "public/get_index_price_names": Method(_get_index_price_names, takes="extended"),
    "public/get_supported_index_names": Method(_get_supported_index_names, takes="type extended"),
}
