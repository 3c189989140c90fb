"""Every recording beside the project: which kind of message it holds, or why the mock has none such.

A file's rules are tried in order on each of its messages; the first that fits says what the message is. A
kind's name says in `answers.py` how the mock is asked for the same.
"""

import re
from collections.abc import Callable
from fnmatch import fnmatch
from typing import Any, NamedTuple

_OPTION = re.compile(r"[A-Z]+-\d{1,2}[A-Z]{3}\d\d-\d+-[CP]\b")


class NotHere(NamedTuple):
    """The mock has no such message."""

    reason: str


class Rule(NamedTuple):
    """Messages that fit are of this kind."""

    kind: str | NotHere
    fits: Callable[[Any], bool]


def on(channel: str, kind: str | NotHere) -> Rule:
    """Notifications of channels whose name fits the pattern."""
    return Rule(kind, lambda message: fnmatch(_channel(message), channel))


def all_are(kind: str | NotHere) -> Rule:
    """Whatever is left."""
    return Rule(kind, lambda message: True)


def _channel(message: Any) -> str:
    params = message.get("params", {}) if isinstance(message, dict) else {}
    return str(params.get("channel", ""))


def _about_options(message: Any) -> bool:
    return bool(_OPTION.search(str(message)[:2_000]))


def _is_change(message: Any) -> bool:
    return "prev_change_id" in message.get("params", {}).get("data", {})


OPTIONS = NotHere("options are not listed here")
COMBOS = NotHere("combos are not listed here")
FIRST_API = NotHere("version 1 of the API, switched off in 2021")
OTHER_VENUE = NotHere("another exchange")
TABLE = NotHere("a table made of the exchange's data, not a message of it")
ABOUT = NotHere("about the recordings")

books = (
    Rule("book change", _is_change),
    on("book.*.none.*", "grouped book"),
    on("book.*", "book snapshot"),
)
of_options = Rule(OPTIONS, _about_options)
replies = Rule("subscribed", lambda message: isinstance(message.get("result"), list))

INVENTORY: dict[str, tuple[Rule, ...]] = {
    "README.md": (all_are(ABOUT),),
    "TTienomy-PINN/*": (all_are(TABLE),),
    "codler-bitmex-data/*": (all_are(OTHER_VENUE),),
    "coinrust-crex/*": (all_are(TABLE),),
    "cryptarbitrage/*": (all_are(TABLE),),
    "crypto-msg-parser/deribit_messages.jsonl": (
        *books,
        of_options,
        on("trades.*", "trades"),
        on("quote.*", "quote"),
        on("chart.trades.*", "candle"),
        on("ticker.*-PERPETUAL.*", "ticker of the perpetual"),
        on("ticker.*", "ticker of a dated future"),
        Rule("asked book of the perpetual", lambda message: "funding_8h" in message["result"]),
        Rule("asked book of a dated future", lambda message: "bids" in message["result"]),
        Rule("book summary of the perpetual", lambda message: "funding_8h" in message["result"][0]),
        all_are("book summary of a dated future"),
    ),
    "cryptofeed/BITMEX.ws.1.0.gz": (all_are(OTHER_VENUE),),
    "cryptofeed/KRAKEN_FUTURES.ws.1.0.gz": (all_are(OTHER_VENUE),),
    "cryptofeed/DERIBIT.0.gz": (all_are("instruments of 2021"),),
    "cryptofeed/DERIBIT*.gz": (replies, *books, of_options),
    "cyri113/*": (all_are(TABLE),),
    "ex_deribit/auth_request_error_auth_required.json": (all_are(FIRST_API),),
    "ex_deribit/get_account_summary_ok.json": (all_are("account summary"),),
    "ex_deribit/get_currencies_ok.json": (all_are("currencies"),),
    "ex_deribit/get_instruments.json.gz": (all_are(FIRST_API),),
    "ex_deribit/get_position_ok.json": (all_are("position"),),
    "ex_deribit/get_positions_ok.json": (all_are("positions"),),
    "fastmm-engine/book_*": books,
    "fastmm-engine/fixtures.meta.json": (all_are(ABOUT),),
    "fastmm-engine/get_instruments_future.json": (all_are("instruments"),),
    "fastmm-engine/get_instruments_option.json": (all_are(OPTIONS),),
    "fastmm-engine/get_time.json": (all_are("time"),),
    "fastmm-engine/heartbeat_interval_too_small.json": (all_are("error: heartbeat too often"),),
    "fastmm-engine/heartbeat_test_request.json": (all_are("test request"),),
    "fastmm-engine/raw_*_stream.jsonl": (
        *books,
        of_options,
        on("ticker.*-PERPETUAL.*", "ticker of the perpetual"),
        on("ticker.*", "ticker of a dated future"),
    ),
    "fastmm-engine/rpc_invalid_credentials.json": (all_are("error: wrong secret"),),
    "fastmm-engine/rpc_invalid_params.json": (all_are("error: wrong kind"),),
    "fastmm-engine/rpc_unauthorized.json": (all_are("error: not logged in"),),
    "fastmm-engine/set_heartbeat_ok.json": (all_are("heartbeat set"),),
    "fastmm-engine/string_id_echo.json": (all_are("tested by name"),),
    "fastmm-engine/subscribe_ok.json": (all_are("subscribed"),),
    "fastmm-engine/subscribe_partial.json": (all_are("subscribed in part"),),
    "fastmm-engine/test_ok.json": (all_are("tested"),),
    "fastmm-engine/ticker_*": (
        of_options,
        on("ticker.*-PERPETUAL.*", "ticker of the perpetual"),
        on("ticker.*", "ticker of a dated future"),
    ),
    "fastmm-engine/trades_perp.json": (all_are("trades"),),
    "gocryptotrader/wsAllTrades.json": (all_are("trades"),),
    "idrach55/*": (all_are(TABLE),),
    "nautilus_trader/*.csv": (all_are(TABLE),),
    "nautilus_trader/tardis_binance-futures_*": (all_are(OTHER_VENUE),),
    "nautilus_trader/http_get_combos.json": (all_are(COMBOS),),
    "nautilus_trader/http_get_instrument.json": (all_are("instrument"),),
    "nautilus_trader/http_get_instruments.json": (all_are("instruments"),),
    "nautilus_trader/http_get_instruments_future_combo.json": (all_are(COMBOS),),
    "nautilus_trader/http_get_last_trades.json": (all_are("last trades"),),
    "nautilus_trader/http_get_last_trades_future_combo.json": (all_are(COMBOS),),
    "nautilus_trader/http_get_last_trades_perpetual_with_combo_tags.json": (all_are("last trades"),),
    "nautilus_trader/http_get_order_book.json": (all_are("asked book of the perpetual"),),
    "nautilus_trader/http_get_tradingview_chart_data.json": (all_are("chart"),),
    "nautilus_trader/ws_order_buy_response.json": (all_are("bought"),),
    "nautilus_trader/ws_order_cancel_response.json": (all_are("cancelled"),),
    "nautilus_trader/ws_order_edit_response.json": (all_are("edited"),),
    "nautilus_trader/ws_order_sell_response.json": (all_are("sold"),),
    "nautilus_trader/ws_portfolio.json": (all_are("portfolio"),),
    "nautilus_trader/ws_quote.json": (all_are("quote"),),
    "nautilus_trader/ws_ticker.json": (all_are("ticker of the perpetual"),),
    "nautilus_trader/ws_trades.json": (all_are("trades"),),
    "ob-analytics/*": (all_are(OTHER_VENUE),),
    "openbb/funding_rate_history.json": (all_are("funding history, bare"),),
    "openbb/order_book.json": (all_are("asked book, bare"),),
    "openbb/trades_instrument.json": (all_are("last trades, bare"),),
    "ssc2ce-python/deribit_dump.jsonl": (replies, *books),
    "tardis-node/*": (all_are(TABLE),),
    "znmahbub/*": (all_are(TABLE),),
}  # fmt: skip


def rules_for(path: str) -> tuple[Rule, ...]:
    """The rules of a file; the longest pattern that fits speaks. Empty: nobody has thought of it."""
    fitting = [pattern for pattern in INVENTORY if fnmatch(path, pattern)]
    return INVENTORY[max(fitting, key=len)] if fitting else ()


def kind_of(path: str, message: Any) -> str | NotHere:
    """What a message of a file is. Raises LookupError where no rule fits."""
    for rule in rules_for(path):
        if rule.fits(message):
            return rule.kind
    raise LookupError(f"{path}: no rule says what this is: {str(message)[:200]}")
