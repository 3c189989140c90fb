"""The request budget: what may be sent now so that the venue never has to refuse it."""

from enum import IntEnum

import msgspec

from shared.kernel import Nanos


class Priority(IntEnum):
    """Who goes first. Cancels may use the last credit, hedges half the reserve, quotes none of it."""

    CANCEL = 0
    HEDGE = 1
    QUOTE = 2


class Limit(msgspec.Struct, frozen=True):
    """Requests per second sustained, and in one burst."""

    rate: float
    burst: int


class RateLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The account's limits by pool; the defaults are the lowest tier's."""

    trading: Limit = Limit(5.0, 20)
    cancel_all: Limit = Limit(5.0, 20)
    queries: Limit = Limit(20.0, 100)

    def scaled(self, share: float) -> "RateLimits":
        """A share of every limit, so that we run dry before the venue's count does."""
        raise NotImplementedError

    def capped(self, trading: Limit) -> "RateLimits":
        """With trading not above this one."""
        raise NotImplementedError


class Budget:
    """Grants and counts requests. `reserve` credits and slots are out of reach for quotes."""

    def __init__(self, limits: RateLimits, *, reserve: int, in_flight_max: int = 6) -> None:
        raise NotImplementedError

    def apply(self, now: Nanos, limits: RateLimits, *, reserve: int) -> None:
        """New limits; what has been spent stays spent."""
        raise NotImplementedError

    def grant(self, now: Nanos, method: str, priority: Priority) -> bool:
        """Take a credit (and, for matching requests, a slot in flight) if this may be sent now."""
        raise NotImplementedError

    def settled(self, method: str) -> None:
        """A granted request was answered, timed out or lost: its slot is free."""
        raise NotImplementedError

    def dropped(self) -> None:
        """The socket is gone: no request is in flight."""
        raise NotImplementedError

    def ready_at(self, now: Nanos, method: str, priority: Priority) -> Nanos | None:
        """When `grant` will say yes; None while every slot is taken and only an answer can help."""
        raise NotImplementedError

    def drained(self, now: Nanos, method: str) -> None:
        """The venue said too many requests: its count is the truth, ours starts again from nothing."""
        raise NotImplementedError
