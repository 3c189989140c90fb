"""Channel names: built and read here and nowhere else."""

from enum import StrEnum
from functools import lru_cache

import msgspec

PLATFORM_STATE = "platform_state"
USER_LOCK = "user.lock"


class Interval(StrEnum):
    """How often a channel speaks. Public `raw` needs a login."""

    RAW = "raw"
    MS100 = "100ms"
    AGG2 = "agg2"


class Topic(StrEnum):
    """What a channel's payload is, and so which decoder reads it."""

    BOOK = "book"
    TRADES = "trades"
    TICKER = "ticker"
    INSTRUMENT_STATE = "instrument.state"
    PLATFORM_STATE = "platform_state"
    USER_ORDERS = "user.orders"
    USER_TRADES = "user.trades"
    USER_CHANGES = "user.changes"
    USER_PORTFOLIO = "user.portfolio"
    USER_LOCK = "user.lock"
    OTHER = "other"


_BY_CURRENCY = {
    topic.value: topic
    for topic in (
        Topic.INSTRUMENT_STATE,
        Topic.USER_ORDERS,
        Topic.USER_TRADES,
        Topic.USER_CHANGES,
        Topic.USER_PORTFOLIO,
    )
}


class Channel(msgspec.Struct, frozen=True):
    """A channel name taken apart. `instrument` is empty where the channel has none."""

    topic: Topic
    instrument: str = ""


def book_channel(instrument: str, interval: Interval) -> str:
    """Full depth: a snapshot, then changes."""
    return f"book.{instrument}.{interval}"


def trades_channel(instrument: str, interval: Interval) -> str:
    """Public trades of one instrument."""
    return f"trades.{instrument}.{interval}"


def ticker_channel(instrument: str, interval: Interval) -> str:
    """Mark, index, funding and price band of one instrument."""
    return f"ticker.{instrument}.{interval}"


def instrument_state_channel(kind: str, currency: str) -> str:
    """Changes of book states, e.g. `("future", "BTC")`."""
    return f"instrument.state.{kind}.{currency}"


def user_changes_channel(kind: str, currency: str) -> str:
    """Own orders, trades and positions together, each as it happens."""
    return f"user.changes.{kind}.{currency}.{Interval.RAW}"


def user_orders_channel(kind: str, currency: str) -> str:
    """Own orders, one per frame."""
    return f"user.orders.{kind}.{currency}.{Interval.RAW}"


def user_trades_channel(kind: str, currency: str) -> str:
    """Own trades."""
    return f"user.trades.{kind}.{currency}.{Interval.RAW}"


def user_portfolio_channel(currency: str) -> str:
    """The account in one currency; the venue names it in lower case."""
    return f"user.portfolio.{currency.lower()}"


def mmp_trigger_channel(index: str) -> str:
    """Market maker protection of an index has acted."""
    return f"user.mmp_trigger.{index}"


@lru_cache(maxsize=256)
def parse_channel(name: str) -> Channel:
    """Take a channel name apart; what this system never asks for is `Topic.OTHER`."""
    if name in (PLATFORM_STATE, USER_LOCK):
        return Channel(Topic(name))
    words = name.split(".")
    if words[0] in ("book", "trades", "ticker") and len(words) == 3:
        return Channel(Topic(words[0]), words[1])
    topic = _BY_CURRENCY.get(".".join(words[:2]), Topic.OTHER)
    return Channel(topic)
