"""Owns the methods about the market: instruments, books, prices, trades, funding, and the platform."""

from mock_deribit.exchange.messages import PublicTrade
from mock_deribit.rpc import wire
from mock_deribit.rpc.errors import invalid_params
from mock_deribit.rpc.paging import page
from mock_deribit.rpc.venue import Call, Method
from shared.instruments import BookState
from shared.kernel import Nanos
from shared.units import from_ms, to_ms

DEPTHS = (1, 5, 10, 20, 50, 100, 1000, 10_000)


def _get_time(call: Call) -> object:
    return to_ms(call.now)


def _status(call: Call) -> object:
    exchange = call.venue.exchange
    indices = dict.fromkeys(listing.instrument.index for listing in exchange.listings)
    locked = [index for index in indices if exchange.is_locked(index)]
    word = "false" if not locked else "true" if len(locked) == len(indices) else "partial"
    return {"locked": word, "locked_indices": locked}


def _get_instruments(call: Call) -> object:
    currency = call.currency()
    expired = call.params.flag("expired")
    if not call.futures_wanted():
        return []
    listings = [
        listing
        for listing in call.venue.exchange.listings
        if currency in (None, listing.instrument.settlement)
        and (listing.instrument.state is BookState.ARCHIVIZED) == expired
    ]
    listings.sort(key=lambda listing: listing.instrument.expiry)
    return [wire.instrument(listing) for listing in listings]


def _get_instrument(call: Call) -> object:
    return wire.instrument(call.venue.listing(call))


def _ticker(call: Call) -> object:
    return wire.ticker(call.venue.exchange.ticker(call.venue.listing(call).name))


def _get_order_book(call: Call) -> object:
    name = call.venue.listing(call).name
    depth = call.params.integer("depth", 5)
    if depth not in DEPTHS:
        raise invalid_params("depth", "invalid value")
    exchange = call.venue.exchange
    return wire.order_book(exchange.book(name), exchange.ticker(name), depth)


def _get_index_price(call: Call) -> object:
    index = call.params.text("index_name")
    if index not in [listing.instrument.index for listing in call.venue.exchange.listings]:
        raise invalid_params("index_name", "invalid value")
    price = call.venue.exchange.index_price(index)
    return {"index_price": price, "estimated_delivery_price": price}


def _get_last_trades(call: Call) -> object:
    listing = call.venue.listing(call)
    trades = call.venue.exchange.trades(listing.name)
    chosen, more = page(trades, call.params, _moment, _sequence)
    return {"trades": [wire.public_trade(t, listing) for t in chosen], "has_more": more}


def _get_last_trades_in_window(call: Call) -> object:
    call.params.integer("start_timestamp")
    call.params.integer("end_timestamp")
    return _get_last_trades(call)


def _moment(trade: PublicTrade) -> int:
    return to_ms(trade.ts)


def _sequence(trade: PublicTrade) -> int:
    return trade.trade_seq


def _window(call: Call) -> tuple[Nanos, Nanos]:
    start = call.params.integer("start_timestamp")
    end = call.params.integer("end_timestamp")
    if end < start:
        raise invalid_params("end_timestamp", "value must be >= start_timestamp")
    return from_ms(start), from_ms(end)


def _get_funding_rate_value(call: Call) -> object:
    name = _perpetual(call)
    start, end = _window(call)
    return call.venue.exchange.funding_value(name, start, end)


def _get_funding_rate_history(call: Call) -> object:
    name = _perpetual(call)
    start, end = _window(call)
    rows = call.venue.exchange.funding_history(name, start, end)
    return [wire.funding_hour(row) for row in rows]


def _perpetual(call: Call) -> str:
    listing = call.venue.listing(call)
    if not listing.instrument.perpetual:
        raise invalid_params("instrument_name", "invalid value")
    return listing.name


METHODS: dict[str, Method] = {
    "public/get_time": Method(_get_time),
    "public/status": Method(_status),
    "public/get_instruments": Method(_get_instruments, credits="get_instruments"),
    "public/get_instrument": Method(_get_instrument),
    "public/ticker": Method(_ticker),
    "public/get_order_book": Method(_get_order_book),
    "public/get_index_price": Method(_get_index_price),
    "public/get_last_trades_by_instrument": Method(_get_last_trades),
    "public/get_last_trades_by_instrument_and_time": Method(_get_last_trades_in_window),
    "public/get_funding_rate_value": Method(_get_funding_rate_value),
    "public/get_funding_rate_history": Method(_get_funding_rate_history),
}
