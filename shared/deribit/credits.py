"""★ The request budget: what may be sent now so that the venue never has to refuse it.

Theory. Deribit refills credits continuously up to a burst (a token bucket), and going beyond costs more
than a refusal: the socket may be closed, and with it every order goes. The bucket is kept as a *virtual
schedule* (the generic cell rate algorithm, ITU-T I.371): one integer `tat`, the time at which all that
was spent will have been refilled. With the refill interval T = 1/rate and burst B at time t

    spent  = max(tat - t, 0) / T           credits not yet refilled
    left   = B - spent
    grant  <=>  left - 1 >= floor          then tat := max(tat, t) + T

All of it is integer nanoseconds, so that the same requests at the same times are granted in every run.

The floor is what makes a cancel never wait behind quotes: quotes must leave `reserve` credits, hedges
half of it, cancels nothing. The same holds for the slots in flight: the venue queues at most 8 requests
of one user and currency (10047 beyond), so at most `in_flight_max` matching requests are unanswered,
and quotes must leave the last two of those to hedges and cancels.

Pools: order requests draw on `trading`; cancelling everything, or by label without a currency, on
`cancel_all`; everything else on `queries`. Source: Deribit's rate-limit article (2026).
"""

from collections.abc import Mapping
from enum import IntEnum

import msgspec

from shared.kernel import Nanos
from shared.units import SECOND

_TRADING = frozenset(
    f"private/{name}"
    for name in (
        "buy",
        "sell",
        "edit",
        "edit_by_label",
        "cancel",
        "cancel_by_label",
        "cancel_all_by_instrument",
        "cancel_all_by_currency",
        "cancel_all_by_kind_or_type",
        "close_position",
    )
)
_CANCEL_ALL = "private/cancel_all"


def pool_name(method: str, params: Mapping[str, object]) -> str:
    """The method by which a request is counted: by label without a currency it is a mass cancel."""
    anywhere = method == "private/cancel_by_label" and "currency" not in params
    return _CANCEL_ALL if anywhere else method


class Priority(IntEnum):
    """Who goes first. Cancels may use the last credit, hedges half the reserve, quotes none of it.

    A rescue is a cancel by another way while the socket's requests wait unanswered: it uses what the venue's
    queue has left beside those, and takes none of their slots.
    """

    RESCUE = 0
    CANCEL = 1
    HEDGE = 2
    QUOTE = 3


_SLOTS_KEPT = {Priority.RESCUE: 0, Priority.CANCEL: 0, Priority.HEDGE: 1, Priority.QUOTE: 2}
_VENUE_SLOTS = 8


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
        return RateLimits(
            trading=_scaled(self.trading, share),
            cancel_all=_scaled(self.cancel_all, share),
            queries=_scaled(self.queries, share),
        )

    def capped(self, trading: Limit) -> "RateLimits":
        """With trading not above this one."""
        return msgspec.structs.replace(
            self,
            trading=Limit(
                min(self.trading.rate, trading.rate), min(self.trading.burst, trading.burst)
            ),
        )


class Bucket:
    """One virtual schedule. Whole credits, integer nanoseconds."""

    def __init__(self, limit: Limit) -> None:
        self._interval = round(SECOND / limit.rate)
        self._burst = limit.burst
        self._tat = 0

    def left(self, now: Nanos) -> int:
        """Whole credits that could be spent now."""
        owed = max(self._tat - now, 0)
        return (self._burst * self._interval - owed) // self._interval

    def spend(self, now: Nanos) -> None:
        """One credit is gone."""
        self._tat = max(self._tat, now) + self._interval

    def ready_at(self, now: Nanos, floor: int) -> Nanos:
        """When there will be a credit above the floor."""
        due = self._tat - (self._burst - floor - 1) * self._interval
        return Nanos(max(due, now))

    def owe(self, now: Nanos, credits: int) -> None:
        """So many were spent by somebody else just now."""
        self._tat = max(self._tat, now) + credits * self._interval

    def drain(self, now: Nanos) -> None:
        """Nothing is left."""
        self._tat = max(self._tat, now + self._burst * self._interval)

    def resize(self, now: Nanos, limit: Limit) -> None:
        """A new limit; the number of credits that are owed stays."""
        owed = -(-max(self._tat - now, 0) // self._interval)
        self._interval = round(SECOND / limit.rate)
        self._burst = limit.burst
        self._tat = now + owed * self._interval


class Budget:
    """Grants and counts requests. `reserve` credits and two slots are out of reach for quotes.

    An account whose burst is not above the reserve keeps one credit for quotes.
    """

    def __init__(self, limits: RateLimits, *, reserve: int, in_flight_max: int = 6) -> None:
        if in_flight_max <= _SLOTS_KEPT[Priority.QUOTE]:
            raise ValueError(
                f"in_flight_max: expected above 2 so that quotes can pass, came {in_flight_max}"
            )
        self._trading = Bucket(limits.trading)
        self._cancel_all = Bucket(limits.cancel_all)
        self._queries = Bucket(limits.queries)
        self._in_flight_max = in_flight_max
        self._in_flight = 0
        self._rescues = 0
        self._reserve = min(reserve, limits.trading.burst - 1)

    @property
    def in_flight(self) -> int:
        """Granted matching requests that are not settled."""
        return self._in_flight

    def left(self, now: Nanos) -> int:
        """Whole order credits that could be spent now by a cancel."""
        return self._trading.left(now)

    def begin(self, now: Nanos) -> None:
        """A process starts: half of the burst counts as spent by whoever traded before it."""
        self._trading.owe(now, self._trading.left(now) // 2)
        self._cancel_all.owe(now, self._cancel_all.left(now) // 2)

    def apply(self, now: Nanos, limits: RateLimits, *, reserve: int) -> None:
        """New limits; what has been spent stays spent."""
        self._reserve = min(reserve, limits.trading.burst - 1)
        self._trading.resize(now, limits.trading)
        self._cancel_all.resize(now, limits.cancel_all)
        self._queries.resize(now, limits.queries)

    def grant(self, now: Nanos, method: str, priority: Priority) -> bool:
        """Take a credit (and, for matching requests, a slot in flight) if this may be sent now."""
        at = self.ready_at(now, method, priority)
        if at is None or at > now:
            return False
        self._pool(method).spend(now)
        if _is_matching(method):
            if priority is Priority.RESCUE:
                self._rescues += 1
            else:
                self._in_flight += 1
        return True

    def settled(self, method: str) -> None:
        """A granted request was answered, timed out or lost: its slot is free."""
        if _is_matching(method):
            self._in_flight = max(self._in_flight - 1, 0)

    def rescued(self, method: str) -> None:
        """A granted rescue was answered or given up."""
        if _is_matching(method):
            self._rescues = max(self._rescues - 1, 0)

    def dropped(self) -> None:
        """The socket is gone: no request is in flight."""
        self._in_flight = 0

    def ready_at(self, now: Nanos, method: str, priority: Priority) -> Nanos | None:
        """When `grant` will say yes; None while every slot is taken and only an answer can help."""
        if _is_matching(method):
            most, taken = self._in_flight_max, self._in_flight
            if priority is Priority.RESCUE:
                most, taken = _VENUE_SLOTS, self._in_flight + self._rescues
            free = most - taken
            if free <= _SLOTS_KEPT[priority]:
                return None
        floor = self._floor(priority) if method in _TRADING else 0
        return self._pool(method).ready_at(now, floor)

    def drained(self, now: Nanos, method: str) -> None:
        """The venue said too many requests: its count is the truth, ours starts again from nothing."""
        self._pool(method).drain(now)

    def _pool(self, method: str) -> Bucket:
        if method == _CANCEL_ALL:
            return self._cancel_all
        return self._trading if method in _TRADING else self._queries

    def _floor(self, priority: Priority) -> int:
        return {
            Priority.RESCUE: 0,
            Priority.CANCEL: 0,
            Priority.HEDGE: self._reserve // 2,
            Priority.QUOTE: self._reserve,
        }[priority]


def _is_matching(method: str) -> bool:
    return method in _TRADING or method == _CANCEL_ALL


def _scaled(limit: Limit, share: float) -> Limit:
    return Limit(limit.rate * share, max(int(limit.burst * share), 1))
