"""Owns the grammar of channel names: which are known, and what each part means.

A name that does not parse is no error on Deribit: the subscription's answer simply lacks it. `FORMS` lists
every form of name for the documentation; a form without a reason in `absent` is served.
"""

from collections.abc import Callable

import msgspec

from mock_deribit.rpc.candles import RESOLUTIONS

BATCHED = ("100ms", "agg2")
INTERVALS = ("raw", *BATCHED)
DEPTHS = ("1", "10", "20")
GROUPS = {
    "BTC": {"none": 0.0, "1": 1.0, "2": 2.0, "5": 5.0, "10": 10.0},
    "ETH": {"none": 0.0, "5": 0.05, "10": 0.1, "25": 0.25, "100": 1.0, "250": 2.5},
}
"""Steps in USD of the groups of a grouped book, by base coin; ETH's are named in hundredths."""

KINDS = ("future", "option", "spot", "future_combo", "option_combo", "combo", "any")
CURRENCIES = ("BTC", "ETH", "USDC", "USDT", "EURR", "any")


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """One channel name taken apart. `instrument`, or `kind` and `currency`, or `index`, or none;
    `step` is the grid of a grouped book in USD, `detail` the last word of a form that has one more."""

    name: str
    topic: str
    instrument: str | None = None
    kind: str = "any"
    currency: str = "any"
    index: str | None = None
    interval: str = "raw"
    step: float = 0.0
    depth: int = 0
    detail: str = ""

    @property
    def private(self) -> bool:
        """Whether only its account may see it."""
        return self.topic.startswith("user.")

    @property
    def needs_login(self) -> bool:
        """Whether it is a public raw channel, which only those logged in may have."""
        return self.name.endswith(".raw") and not self.private

    def covers(self, instrument: str, currency: str) -> bool:
        """Whether an event about a future settled in `currency` belongs here."""
        if self.instrument is not None:
            return self.instrument == instrument
        return self.kind in ("future", "any") and self.currency in (currency, "any")


def _by_instrument(topic: str, name: str, parts: list[str]) -> Channel | None:
    match parts:
        case [instrument, interval] if instrument and interval in INTERVALS:
            return Channel(name=name, topic=topic, instrument=instrument, interval=interval)
        case _:
            return None


def _by_instrument_or_kind(topic: str, name: str, parts: list[str]) -> Channel | None:
    match parts:
        case [kind, currency, interval] if interval in INTERVALS:
            if kind in KINDS and currency in CURRENCIES:
                return Channel(
                    name=name, topic=topic, kind=kind, currency=currency, interval=interval
                )
            return None
        case _:
            return _by_instrument(topic, name, parts)


def _book(topic: str, name: str, parts: list[str]) -> Channel | None:
    match parts:
        case [instrument, group, depth, interval] if depth in DEPTHS and interval in BATCHED:
            base = instrument.partition("-")[0].partition("_")[0]
            step = GROUPS.get(base, {}).get(group)
            if step is None:
                return None
            return Channel(
                name=name,
                topic="grouped_book",
                instrument=instrument,
                step=step,
                depth=int(depth),
                interval=interval,
            )
        case _:
            return _by_instrument(topic, name, parts)


def _by_name(topic: str, name: str, parts: list[str]) -> Channel | None:
    if len(parts) != 1 or not parts[0]:
        return None
    interval = "1s" if topic == "incremental_ticker" else "raw"
    return Channel(name=name, topic=topic, instrument=parts[0], interval=interval)


def _by_index(topic: str, name: str, parts: list[str]) -> Channel | None:
    return Channel(name=name, topic=topic, index=parts[0]) if len(parts) == 1 else None


def _options_marks(topic: str, name: str, parts: list[str]) -> Channel | None:
    match parts:
        case ["options", index]:
            return Channel(name=name, topic="markprice.options", index=index)
        case _:
            return None


def _of_instruments(topic: str, name: str, parts: list[str]) -> Channel | None:
    match parts:
        case [("state" | "creation") as noun, kind, currency]:
            if kind not in KINDS or currency not in CURRENCIES:
                return None
            return Channel(name=name, topic=f"instrument.{noun}", kind=kind, currency=currency)
        case _:
            return None


def _chart(topic: str, name: str, parts: list[str]) -> Channel | None:
    match parts:
        case ["trades", instrument, resolution] if resolution in RESOLUTIONS:
            return Channel(
                name=name, topic="chart.trades", instrument=instrument, detail=resolution
            )
        case _:
            return None


def _platform(topic: str, name: str, parts: list[str]) -> Channel | None:
    match parts:
        case []:
            return Channel(name=name, topic=topic)
        case ["public_methods_state"]:
            return Channel(name=name, topic="platform_state.public_methods_state")
        case _:
            return None


def _bare(topic: str, name: str, parts: list[str]) -> Channel | None:
    return Channel(name=name, topic=topic) if not parts else None


def _user(topic: str, name: str, parts: list[str]) -> Channel | None:
    match parts:
        case ["portfolio", currency]:
            wanted = "any" if currency == "any" else currency.upper()
            if wanted not in CURRENCIES:
                return None
            return Channel(name=name, topic="user.portfolio", currency=wanted, interval="100ms")
        case ["mmp_trigger", "any"]:
            return Channel(name=name, topic="user.mmp_trigger")
        case ["mmp_trigger", index]:
            return Channel(name=name, topic="user.mmp_trigger", index=index)
        case [("lock" | "access_log") as noun]:
            return Channel(name=name, topic=f"user.{noun}")
        case [("orders" | "trades" | "changes") as noun, *rest]:
            return _by_instrument_or_kind(f"user.{noun}", name, rest)
        case _:
            return None


_GRAMMAR: dict[str, Callable[[str, str, list[str]], Channel | None]] = {
    "announcements": _bare,
    "book": _book,
    "chart": _chart,
    "deribit_price_index": _by_index,
    "deribit_price_ranking": _by_index,
    "estimated_expiration_price": _by_index,
    "incremental_ticker": _by_name,
    "instrument": _of_instruments,
    "markprice": _options_marks,
    "perpetual": _by_instrument,
    "platform_state": _platform,
    "quote": _by_name,
    "ticker": _by_instrument,
    "trades": _by_instrument_or_kind,
    "user": _user,
}


def parse(name: str) -> Channel | None:
    """The channel of this name, or None if there is none such."""
    topic, *parts = name.split(".")
    rule = _GRAMMAR.get(topic)
    return rule(topic, name, parts) if rule is not None else None


class Form(msgspec.Struct, frozen=True):
    """One form of channel name: an example of it, what it carries, and why it is absent if it is."""

    form: str
    example: str
    carries: str
    absent: str = ""


_NO_OPTIONS = "no options"
_NO_COMBOS = "no combos"
_NO_RFQ = "no block trades"

FORMS = (
    Form("book.{instrument}.{raw|100ms|agg2}", "book.BTC-PERPETUAL.100ms",
         "full depth: a snapshot, then changes chained by change_id"),
    Form("book.{instrument}.{group}.{1|10|20}.{100ms|agg2}", "book.BTC-PERPETUAL.none.10.100ms",
         "the best levels, whole each time"),
    Form("trades.{instrument}.{raw|100ms|agg2}", "trades.BTC-PERPETUAL.100ms", "matches"),
    Form("trades.{kind}.{currency}.{raw|100ms|agg2}", "trades.future.BTC.100ms", "matches"),
    Form("ticker.{instrument}.{raw|100ms|agg2}", "ticker.BTC-PERPETUAL.100ms",
         "the whole ticker when it changed"),
    Form("incremental_ticker.{instrument}", "incremental_ticker.BTC-PERPETUAL",
         "a whole ticker, then changed members, at most one a second"),
    Form("quote.{instrument}", "quote.BTC-PERPETUAL", "best prices and amounts"),
    Form("perpetual.{instrument}.{raw|100ms|agg2}", "perpetual.BTC-PERPETUAL.100ms",
         "index and unrounded funding; silent for dated futures"),
    Form("deribit_price_index.{index}", "deribit_price_index.btc_usd", "the index as published"),
    Form("deribit_price_ranking.{index}", "deribit_price_ranking.btc_usd",
         "invented constituents around the index"),
    Form("estimated_expiration_price.{index}", "estimated_expiration_price.btc_usd",
         "the price the nearest expiry would settle at"),
    Form("markprice.options.{index}", "markprice.options.btc_usd", "granted and silent: no options"),
    Form("instrument.state.{kind}.{currency}", "instrument.state.future.BTC", "book states"),
    Form("instrument.creation.{kind}.{currency}", "instrument.creation.future.any",
         "a new listing, once, as a whole instrument"),
    Form("chart.trades.{instrument}.{resolution}", "chart.trades.BTC-PERPETUAL.1",
         "the candle that the last trade is in"),
    Form("platform_state", "platform_state", "locks of indices, one frame an index at first; maintenance"),
    Form("platform_state.public_methods_state", "platform_state.public_methods_state",
         "whether public methods need a login"),
    Form("announcements", "announcements", "announcements of the operator"),
    Form("user.orders.{instrument}.{raw|100ms|agg2}", "user.orders.BTC-PERPETUAL.raw",
         "orders: one a frame when raw, else a list"),
    Form("user.orders.{kind}.{currency}.{raw|100ms|agg2}", "user.orders.any.any.100ms", "orders"),
    Form("user.trades.{instrument}.{raw|100ms|agg2}", "user.trades.BTC-PERPETUAL.raw", "fills"),
    Form("user.trades.{kind}.{currency}.{raw|100ms|agg2}", "user.trades.future.BTC.agg2", "fills"),
    Form("user.changes.{instrument}.{raw|100ms|agg2}", "user.changes.BTC-PERPETUAL.raw",
         "orders, fills and position of one instrument together"),
    Form("user.changes.{kind}.{currency}.{raw|100ms|agg2}", "user.changes.any.any.raw", "the same"),
    Form("user.portfolio.{currency}", "user.portfolio.btc", "balance, equity, margin"),
    Form("user.mmp_trigger.{index|any}", "user.mmp_trigger.btc_usd", "market maker protection acted"),
    Form("user.lock", "user.lock", "the account was locked or released"),
    Form("user.access_log", "user.access_log", "logins with the account's keys"),
    Form("deribit_volatility_index.{index}", "", "the volatility index", _NO_OPTIONS),
    Form("deribit_price_statistics.{index}", "", "high and low of an index", "no client was seen using it"),
    Form("rfq.{currency}", "", "requests for quote", _NO_OPTIONS),
    Form("user.combo_trades.{…}", "", "fills of combos", _NO_COMBOS),
    Form("block_rfq.{…}, block_trade_confirmations.{…}", "", "block trades", _NO_RFQ),
)  # fmt: skip
