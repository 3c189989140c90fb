"""Owns the translation of lists and records into Deribit's objects: summaries, candles, settlements, the
transaction log, notices.

Source: Deribit's object schemas. `wire` does the same for orders, trades, positions and prices.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from mock_deribit.exchange.listing import Listing
from mock_deribit.exchange.messages import TickerView
from mock_deribit.exchange.records import (
    DeliveryPrice,
    LogEntry,
    Margins,
    OrderMargin,
    Settlement,
)
from mock_deribit.rpc.candles import Candle
from mock_deribit.rpc.notices import Access, Announcement
from mock_deribit.rpc.wire import Json
from shared.instruments import Payoff
from shared.units import SECOND, to_ms


def trade_number(trade_id: str) -> int:
    """The number in a trade id, without the currency before it."""
    return int(trade_id.rpartition("-")[2])


def currency(name: str, long_name: str) -> Json:
    """One coin of `public/get_currencies`; nothing can be withdrawn here, so the fees are zero."""
    return {
        "currency": name,
        "currency_long": long_name,
        "coin_type": {"BTC": "BITCOIN", "ETH": "ETHER"}.get(name, name),
        "fee_precision": 4,
        "min_confirmations": 1,
        "min_withdrawal_fee": 0.0,
        "withdrawal_fee": 0.0,
        "withdrawal_priorities": [],
        "in_cross_collateral_pool": False,
    }


def book_summary(listing: Listing, view: TickerView) -> Json:
    """One row of `public/get_book_summary_by_…`."""
    bid, ask = view.best_bid_price, view.best_ask_price
    instrument = listing.instrument
    inverse = instrument.payoff is Payoff.INVERSE
    body: Json = {
        "instrument_name": view.instrument,
        "base_currency": instrument.base,
        "quote_currency": "USD" if inverse else instrument.settlement,
        "bid_price": bid,
        "ask_price": ask,
        "mid_price": None if bid is None or ask is None else (bid + ask) / 2,
        "mark_price": view.mark_price,
        "last": view.last_price,
        "high": view.stats.high,
        "low": view.stats.low,
        "price_change": view.stats.price_change,
        "volume": view.stats.volume,
        "volume_usd": view.stats.volume_usd,
        "volume_notional": view.stats.volume_usd,
        "open_interest": view.open_interest,
        "estimated_delivery_price": view.estimated_delivery_price,
        "creation_timestamp": to_ms(view.ts),
    }
    if view.current_funding is not None:
        body["current_funding"] = round(view.current_funding, 8)
        body["funding_8h"] = round(view.funding_8h or 0.0, 8)
    return body


def chart(rows: Sequence[Candle]) -> Json:
    """The columns of `public/get_tradingview_chart_data`."""
    return {
        "status": "ok" if rows else "no_data",
        "ticks": [to_ms(row.start) for row in rows],
        "open": [row.open for row in rows],
        "high": [row.high for row in rows],
        "low": [row.low for row in rows],
        "close": [row.close for row in rows],
        "volume": [round(row.volume, 8) for row in rows],
        "cost": [round(row.cost, 2) for row in rows],
    }


def candle(row: Candle) -> Json:
    """One frame of `chart.trades`."""
    return {
        "volume": round(row.volume, 8),
        "tick": to_ms(row.start),
        "open": row.open,
        "low": row.low,
        "high": row.high,
        "cost": round(row.cost, 2),
        "close": row.close,
    }


def volumes(name: str, total: float, extended: bool) -> Json:
    """One row of `public/get_trade_volumes`; the mock remembers a day, and answers it for longer ones."""
    body: Json = {"currency": name}
    for window in ("", "_7d", "_30d") if extended else ("",):
        for kind in ("calls", "puts", "spot"):
            body[f"{kind}_volume{window}"] = 0.0
        body[f"futures_volume{window}"] = round(total, 8)
    return body


def settlement(row: Settlement) -> Json:
    """One settlement, an account's or the venue's."""
    return {
        "type": row.type.value,
        "timestamp": to_ms(row.ts),
        "instrument_name": row.instrument,
        "position": row.position,
        "mark_price": row.mark_price,
        "index_price": row.index_price,
        "session_profit_loss": row.session_profit_loss,
        "profit_loss": row.profit_loss,
        "funding": row.funding,
    }


def delivery_price(row: DeliveryPrice) -> Json:
    """One day of `public/get_delivery_prices`."""
    day = datetime.fromtimestamp(row.ts // SECOND, tz=UTC).date()
    return {"date": day.isoformat(), "delivery_price": row.price}


def announcement(made: Announcement) -> Json:
    """One announcement."""
    return {
        "id": made.id,
        "title": made.title,
        "body": made.body,
        "important": False,
        "publication_timestamp": made.timestamp_ms,
        "confirmation": False,
    }


def access(entry: Access) -> Json:
    """One line of the access log."""
    return {
        "id": entry.id,
        "timestamp": entry.timestamp_ms,
        "log": entry.log,
        "ip": entry.ip,
        "country": "",
        "city": "",
    }


def margins(view: Margins) -> Json:
    """The answer of `private/get_margins`."""
    return {
        "buy": view.buy,
        "sell": view.sell,
        "min_price": view.min_price,
        "max_price": view.max_price,
        "buy_maker_fee": view.maker_fee,
        "buy_taker_fee": view.taker_fee,
        "sell_maker_fee": view.maker_fee,
        "sell_taker_fee": view.taker_fee,
    }


def order_margin(view: OrderMargin) -> Json:
    """One row of `private/get_order_margin_by_ids`."""
    return {
        "order_id": view.order_id,
        "initial_margin": view.initial_margin,
        "initial_margin_currency": view.currency,
    }


def log_entry(entry: LogEntry, user_id: int, username: str) -> Json:
    """One row of the transaction log; members that do not apply to its type are left out."""
    side = None if entry.side is None else f"{_opening(entry)} {entry.side.value}"
    role = None if entry.maker is None else "maker" if entry.maker else "taker"
    body: Json = {
        "id": entry.id,
        "timestamp": to_ms(entry.ts),
        "type": entry.type.value,
        "currency": entry.currency,
        "change": entry.change,
        "balance": entry.balance,
        "equity": entry.equity,
        "cashflow": entry.cash_flow,
        "commission": entry.commission,
        "user_id": user_id,
        "username": username,
        "user_seq": entry.id,
        "info": {},
    }
    optional: Json = {
        "instrument_name": entry.instrument,
        "side": side,
        "amount": entry.amount,
        "price": entry.price,
        "position": entry.position,
        "mark_price": entry.mark_price,
        "index_price": entry.index_price,
        "order_id": entry.order_id,
        "trade_id": entry.trade_id,
        "user_role": role,
        "session_rpl": entry.session_rpl,
        "session_upl": entry.session_upl,
        "interest_pl": entry.interest,
        "total_interest_pl": entry.interest,
    }
    return body | {name: value for name, value in optional.items() if value is not None}


def _opening(entry: LogEntry) -> str:
    """Whether a trade opened or closed: `open buy`, `close sell`, as the log's `side` says."""
    after, change = entry.position or 0.0, entry.amount or 0.0
    return "open" if abs(after) > abs(after - change) else "close"
