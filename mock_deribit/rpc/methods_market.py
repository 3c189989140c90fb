"""Owns the methods about prices: tickers, books, summaries, trades, candles, funding, volumes."""

from collections.abc import Iterable

from mock_deribit.exchange.messages import PublicTrade
from mock_deribit.rpc import wire, wire_records
from mock_deribit.rpc.candles import RESOLUTIONS, candles
from mock_deribit.rpc.errors import invalid_params
from mock_deribit.rpc.paging import page
from mock_deribit.rpc.venue import Call, Method
from shared.instruments import BookState
from shared.kernel import Nanos
from shared.units import DAY, HOUR, to_ms

DEPTHS = (1, 5, 10, 20, 50, 100, 1000, 10_000)
CANDLES_MAX = 5_000
LIQUIDATIONS_AFTER = HOUR

_CHART_LENGTHS = {"8h": 8 * HOUR, "24h": DAY, "1m": 30 * DAY}
_SEQUENCES = "instrument_name start_seq end_seq start_timestamp end_timestamp count sorting"
_IDS = "currency kind start_id end_id start_timestamp end_timestamp count sorting"


def _ticker(call: Call) -> object:
    """Prices, band, funding and statistics of an instrument."""
    return wire.ticker(call.venue.exchange.ticker(call.venue.listing(call).name))


def _get_order_book(call: Call) -> object:
    """The book of an instrument with its ticker."""
    return _order_book(call, call.venue.listing(call).name)


def _get_order_book_by_id(call: Call) -> object:
    """The book of an instrument named by its number."""
    number = call.params.integer("instrument_id")
    for listing in call.venue.exchange.listings:
        if listing.instrument_id == number:
            return _order_book(call, listing.name)
    raise invalid_params("instrument_id", "instrument not found")


def _order_book(call: Call, name: str) -> object:
    depth = call.params.integer("depth", 5)
    if depth not in DEPTHS:
        raise invalid_params("depth", "invalid value")
    exchange = call.venue.exchange
    return wire.order_book(exchange.book(name), exchange.ticker(name), depth)


def _get_book_summary_by_instrument(call: Call) -> object:
    """Volume, open interest and best prices of an instrument, in a list of one."""
    listing = call.venue.listing(call)
    return [wire_records.book_summary(listing, call.venue.exchange.ticker(listing.name))]


def _get_book_summary_by_currency(call: Call) -> object:
    """The same for everything that settles in a currency."""
    currency = call.currency()
    if not call.futures_wanted():
        return []
    return [
        wire_records.book_summary(listing, call.venue.exchange.ticker(listing.name))
        for listing in call.venue.exchange.listings
        if currency in (None, listing.instrument.settlement)
        and listing.instrument.state is not BookState.ARCHIVIZED
    ]


def _get_last_trades(call: Call) -> object:
    """Matches of an instrument, by sequence number or time."""
    return _trades(call, call.venue.exchange.trades(call.venue.listing(call).name))


def _get_last_trades_in_window(call: Call) -> object:
    """Matches of an instrument between two times."""
    call.window()
    return _get_last_trades(call)


def _get_last_trades_by_currency(call: Call) -> object:
    """Matches of everything that settles in a currency, by trade id or time."""
    currency = call.currency()
    exchange = call.venue.exchange
    found: list[PublicTrade] = []
    if call.futures_wanted():
        for listing in exchange.listings:
            if currency in (None, listing.instrument.settlement):
                found += exchange.trades(listing.name)
    found.sort(key=_order)
    return _trades(call, found)


def _get_last_trades_by_currency_in_window(call: Call) -> object:
    """Matches of everything that settles in a currency between two times."""
    call.window()
    return _get_last_trades_by_currency(call)


def _trades(call: Call, trades: Iterable[PublicTrade]) -> object:
    chosen, more = page(list(trades), call.params, _moment, _sequence, _number)
    rows = [_row(call, trade) for trade in chosen]
    return {"trades": rows, "has_more": more}


def _row(call: Call, trade: PublicTrade) -> wire.Json:
    """A match; that it was a liquidation is published an hour later."""
    row = wire.public_trade(trade, call.venue.listed(trade.instrument))
    if trade.liquidation is not None and call.now >= trade.ts + LIQUIDATIONS_AFTER:
        row["liquidation"] = trade.liquidation
    return row


def _moment(trade: PublicTrade) -> int:
    return to_ms(trade.ts)


def _sequence(trade: PublicTrade) -> int:
    return trade.trade_seq


def _number(trade: PublicTrade) -> int:
    return wire_records.trade_number(trade.trade_id)


def _order(trade: PublicTrade) -> tuple[Nanos, int]:
    return trade.ts, _number(trade)


def _get_tradingview_chart_data(call: Call) -> object:
    """Candles of an instrument."""
    listing = call.venue.listing(call)
    start, end = call.window()
    length = RESOLUTIONS[call.params.choice("resolution", tuple(RESOLUTIONS))]
    trades = call.venue.exchange.trades(listing.name)
    end = min(end, call.now)
    start = max(start, Nanos(end - CANDLES_MAX * length))
    return wire_records.chart(candles(trades, listing.instrument, length, start, end))


def _get_funding_rate_value(call: Call) -> object:
    """The funding rate summed over a window."""
    name = _perpetual(call)
    return call.venue.exchange.funding_value(name, *call.window())


def _get_funding_rate_history(call: Call) -> object:
    """Hourly funding of a window."""
    name = _perpetual(call)
    rows = call.venue.exchange.funding_history(name, *call.window())
    return [wire.funding_hour(row) for row in rows]


def _get_funding_chart_data(call: Call) -> object:
    """Hourly funding of the last 8 or 24 hours or month, and the present rate."""
    name = _perpetual(call)
    length = _CHART_LENGTHS[call.params.choice("length", tuple(_CHART_LENGTHS), "8h")]
    exchange = call.venue.exchange
    ticker = exchange.ticker(name)
    rows = exchange.funding_history(name, Nanos(call.now - length), call.now)
    return {
        "current_interest": ticker.current_funding,
        "interest_8h": ticker.funding_8h,
        "data": [
            {
                "index_price": row.index_price,
                "interest_8h": row.interest_8h,
                "timestamp": to_ms(row.ts),
            }
            for row in rows
        ],
    }


def _perpetual(call: Call) -> str:
    listing = call.venue.listing(call)
    if not listing.instrument.perpetual:
        raise invalid_params("instrument_name", "invalid value")
    return listing.name


def _get_trade_volumes(call: Call) -> object:
    """What traded in the last 24 hours, by currency."""
    extended = call.params.flag("extended")
    volumes: dict[str, float] = {}
    for listing in call.venue.exchange.listings:
        stats = call.venue.exchange.ticker(listing.name).stats
        currency = listing.instrument.settlement
        volumes[currency] = volumes.get(currency, 0.0) + stats.volume
    return [wire_records.volumes(name, total, extended) for name, total in volumes.items()]


METHODS: dict[str, Method] = {
    "public/ticker": Method(_ticker, takes="instrument_name"),
    "public/get_order_book": Method(_get_order_book, takes="instrument_name depth"),
    "public/get_order_book_by_instrument_id": Method(
        _get_order_book_by_id, takes="instrument_id depth"
    ),
    "public/get_book_summary_by_instrument": Method(
        _get_book_summary_by_instrument, takes="instrument_name"
    ),
    "public/get_book_summary_by_currency": Method(
        _get_book_summary_by_currency, takes="currency kind"
    ),
    "public/get_last_trades_by_instrument": Method(_get_last_trades, takes=_SEQUENCES),
    "public/get_last_trades_by_instrument_and_time": Method(
        _get_last_trades_in_window,
        takes="instrument_name start_timestamp end_timestamp count sorting",
    ),
    "public/get_last_trades_by_currency": Method(_get_last_trades_by_currency, takes=_IDS),
    "public/get_last_trades_by_currency_and_time": Method(
        _get_last_trades_by_currency_in_window,
        takes="currency kind start_timestamp end_timestamp count sorting",
    ),
    "public/get_tradingview_chart_data": Method(
        _get_tradingview_chart_data,
        takes="instrument_name start_timestamp end_timestamp resolution",
    ),
    "public/get_funding_rate_value": Method(
        _get_funding_rate_value, takes="instrument_name start_timestamp end_timestamp"
    ),
    "public/get_funding_rate_history": Method(
        _get_funding_rate_history, takes="instrument_name start_timestamp end_timestamp"
    ),
    "public/get_funding_chart_data": Method(
        _get_funding_chart_data, takes="instrument_name length"
    ),
    "public/get_trade_volumes": Method(_get_trade_volumes, takes="extended"),
}
