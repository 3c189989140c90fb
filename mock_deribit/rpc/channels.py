"""Owns the grammar of channel names: which are known, and what each part means.

A name that does not parse is no error on Deribit: the subscription's answer simply lacks it.
"""

from collections.abc import Callable

import msgspec

BATCHED = ("100ms", "agg2")
INTERVALS = ("raw", *BATCHED)
DEPTHS = ("1", "10", "20")
GROUPS = ("none", "1", "2", "5", "10")
KINDS = ("future", "option", "spot", "future_combo", "option_combo", "combo", "any")
CURRENCIES = ("BTC", "ETH", "USDC", "USDT", "EURR", "any")


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """One channel name taken apart. `instrument`, or `kind` and `currency`, or `index`, or none."""

    name: str
    topic: str
    instrument: str | None = None
    kind: str = "any"
    currency: str = "any"
    index: str | None = None
    interval: str = "raw"
    group: str | None = None
    depth: int = 0

    @property
    def private(self) -> bool:
        """Whether only its account may see it."""
        return self.topic.startswith("user.")

    def covers(self, instrument: str, currency: str) -> bool:
        """Whether an event about a future settled in `currency` belongs here."""
        if self.instrument is not None:
            return self.instrument == instrument
        return self.kind in ("future", "any") and self.currency in (currency, "any")


def _by_instrument(topic: str, name: str, parts: list[str]) -> Channel | None:
    match parts:
        case [instrument, interval] if interval in INTERVALS:
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
        case [instrument, group, depth, interval] if group in GROUPS and depth in DEPTHS:
            if interval not in BATCHED:
                return None
            return Channel(
                name=name,
                topic="grouped_book",
                instrument=instrument,
                group=group,
                depth=int(depth),
                interval=interval,
            )
        case _:
            return _by_instrument(topic, name, parts)


def _by_name(topic: str, name: str, parts: list[str]) -> Channel | None:
    return Channel(name=name, topic=topic, instrument=parts[0]) if len(parts) == 1 else None


def _by_index(topic: str, name: str, parts: list[str]) -> Channel | None:
    return Channel(name=name, topic=topic, index=parts[0]) if len(parts) == 1 else None


def _state(topic: str, name: str, parts: list[str]) -> Channel | None:
    match parts:
        case ["state", kind, currency] if kind in KINDS and currency in CURRENCIES:
            return Channel(name=name, topic="instrument.state", kind=kind, currency=currency)
        case _:
            return None


def _platform(topic: str, name: str, parts: list[str]) -> Channel | None:
    return Channel(name=name, topic=topic) if not parts else None


def _user(topic: str, name: str, parts: list[str]) -> Channel | None:
    match parts:
        case ["portfolio", currency]:
            wanted = "any" if currency == "any" else currency.upper()
            if wanted not in CURRENCIES:
                return None
            return Channel(name=name, topic="user.portfolio", currency=wanted, interval="100ms")
        case [("orders" | "trades" | "changes") as noun, *rest]:
            return _by_instrument_or_kind(f"user.{noun}", name, rest)
        case _:
            return None


_GRAMMAR: dict[str, Callable[[str, str, list[str]], Channel | None]] = {
    "book": _book,
    "trades": _by_instrument_or_kind,
    "ticker": _by_instrument,
    "quote": _by_name,
    "perpetual": _by_instrument,
    "deribit_price_index": _by_index,
    "instrument": _state,
    "platform_state": _platform,
    "user": _user,
}


def parse(name: str) -> Channel | None:
    """The channel of this name, or None if there is none such."""
    topic, *parts = name.split(".")
    rule = _GRAMMAR.get(topic)
    return rule(topic, name, parts) if rule is not None else None
