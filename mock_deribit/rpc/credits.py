"""Owns the request credits: one continuously refilled bucket per class and account.

A bucket holds `burst` requests and refills at `rate` requests a second. Deribit states non-matching
requests in credits (500 of 50,000, refilled at 10,000 a second); that is the same bucket as 20 requests a
second with a burst of 100, and what costs more (subscribing, the catalogue, the transaction log) has a
bucket of its own. Whoever has not logged in draws on the pools of their address.

Source: Deribit's rate-limit articles (credit pools and matching-engine tiers).
"""

import msgspec

from shared.kernel import Nanos
from shared.units import to_seconds


class Limit(msgspec.Struct, frozen=True):
    """Requests a second sustained, and at once."""

    rate: float
    burst: float


class Bucket:
    """One pool of requests."""

    def __init__(self, limit: Limit, now: Nanos) -> None:
        self._limit = limit
        self._level = limit.burst
        self._seen = now

    def take(self, now: Nanos, count: int = 1) -> bool:
        """Spend so many requests, or say no and spend nothing."""
        gained = self._limit.rate * to_seconds(max(0, now - self._seen))
        self._level = min(self._limit.burst, self._level + gained)
        self._seen = max(self._seen, now)
        if self._level < count:
            return False
        self._level -= count
        return True

    def drain(self, now: Nanos) -> None:
        """Spend everything."""
        self._level, self._seen = 0.0, max(self._seen, now)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one account, by class; the summary's `limits` member prints them. `quotes` are sides
    of mass quotes."""

    trading: Limit
    cancel_all: Limit
    non_matching: Limit
    subscribe: Limit = Limit(3.3, 10)
    get_instruments: Limit = Limit(1, 50)
    transaction_log: Limit = Limit(1, 8)
    mass_quotes: Limit = Limit(10, 10)
    quotes: Limit = Limit(500, 500)

    def of(self, category: str) -> Limit:
        """The limit of one class; AttributeError for a class that does not exist."""
        limit: Limit = getattr(self, category)
        return limit


class Purse:
    """The buckets of one account, or of one address that has not logged in."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buckets: dict[str, Bucket] = {}

    def take(self, now: Nanos, category: str, count: int = 1) -> bool:
        """Spend one or more requests of a class."""
        return self._bucket(now, category).take(now, count)

    def drain(self, now: Nanos) -> None:
        """Spend everything of every class."""
        for category in Limits.__struct_fields__:
            self._bucket(now, category).drain(now)

    def _bucket(self, now: Nanos, category: str) -> Bucket:
        bucket = self._buckets.get(category)
        if bucket is None:
            bucket = self._buckets[category] = Bucket(self._limits.of(category), now)
        return bucket
