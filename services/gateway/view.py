"""The view: what an operator may ask of the whole system, as a pure projection of the bus.

Owns bounded state only: latest wins for what has a latest, the last few of what happens. It commands
nothing; commands enter through the API and pass the bus like every other message, so that this view shows
them because they were said and not because they were asked for.
"""

from collections import deque
from typing import Any

import msgspec

from shared.kernel import (
    Effect,
    Effects,
    Event,
    LinkDown,
    LinkUp,
    Message,
    Nanos,
    Publish,
    Restored,
    Started,
    Store,
    Wake,
    WakeAt,
)
from shared.messages import (
    Account,
    Anomaly,
    Book,
    FeedStatus,
    Filled,
    Health,
    InstrumentListed,
    Lease,
    ModeChanged,
    NoQuote,
    OrderChanged,
    ParamsApplied,
    ParamsChanged,
    Pnl,
    Position,
    Quote,
    Swept,
    Ticker,
)
from shared.messages.codec import encode
from shared.params import BadParams, Params
from shared.state import PARAMS, ParamsInForce, params_of, read_params
from shared.units import SECOND

FILLS_KEPT = 1_000
ORDERS_KEPT = 1_000
ANOMALIES_KEPT = 200
LATENCIES_KEPT = 10_000
RATE_SECONDS = 10
_SECOND = "second"


class Gateway:
    """Hears every message and remembers what is worth showing."""

    name = "gateway"
    links: tuple[str, ...] = ()
    remembers: tuple[str, ...] = (PARAMS,)

    def __init__(self, params: Params) -> None:
        self.params = ParamsInForce(params=params)
        self.applied: dict[str, ParamsApplied] = {}
        self.up: dict[str, bool] = {"bus": False, "state": False}
        self.instruments: dict[str, InstrumentListed] = {}
        self.books: dict[str, Book] = {}
        self.tickers: dict[str, Ticker] = {}
        self.feeds: dict[str, FeedStatus] = {}
        self.quotes: dict[str, Quote | NoQuote] = {}
        self.orders: dict[str, OrderChanged] = {}
        self.fills: dict[str, Filled] = {}
        self.positions: dict[str, Position] = {}
        self.account: Account | None = None
        self.pnl: Pnl | None = None
        self.lease: Lease | None = None
        self.mode: ModeChanged | None = None
        self.swept: Swept | None = None
        self.health: dict[str, tuple[Health, Nanos]] = {}
        self.anomalies: deque[Anomaly] = deque(maxlen=ANOMALIES_KEPT)
        self.latencies_us: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self.counts: dict[str, int] = {}
        self.started = Nanos(0)
        self.now = Nanos(0)
        self._history: deque[tuple[Nanos, dict[str, int]]] = deque(maxlen=RATE_SECONDS + 1)

    def handle(self, now: Nanos, event: Event) -> Effects:
        """Take note of one event."""
        self.now = now
        match event:
            case Message():
                kind = type(event).__name__
                self.counts[kind] = self.counts.get(kind, 0) + 1
                self._hear(now, event)
                if isinstance(event, ParamsChanged):
                    return self._params_changed(event)
            case LinkUp() | LinkDown():
                if event.link in self.up:
                    self.up[event.link] = isinstance(event, LinkUp)
            case Restored():
                self._restore(event)
            case Started():
                self.started = now
                return [WakeAt(_SECOND, now)]
            case Wake(timer="second"):
                return self._each_second(now)
            case _:
                pass
        return []

    def _hear(self, now: Nanos, message: Message) -> None:
        match message:
            case Book():
                self.books[message.instrument] = message
            case Ticker():
                self.tickers[message.instrument] = message
            case FeedStatus():
                self.feeds[message.instrument] = message
            case InstrumentListed():
                self.instruments[message.instrument] = message
            case Quote() | NoQuote():
                self.quotes[message.instrument] = message
            case OrderChanged():
                self._order(message)
            case Filled():
                self.fills[message.trade_id] = message
                _keep(self.fills, FILLS_KEPT)
            case Position():
                self.positions[message.instrument] = message
            case Account():
                self.account = message
            case Pnl():
                self.pnl = message
            case Lease():
                self.lease = message
            case ModeChanged():
                self.mode = message
            case Swept():
                self.swept = message
            case Health():
                self.health[message.source] = (message, now)
                if message.source == "oms":
                    self._forget_orders_before(message.started)
            case Anomaly():
                self.anomalies.append(message)
            case ParamsApplied():
                self.applied[message.source] = message
            case _:
                pass

    def _order(self, order: OrderChanged) -> None:
        if order.tick_to_order_us is not None:
            self.latencies_us.append(order.tick_to_order_us)
        if order.state.is_final:
            self.orders.pop(order.label, None)
        else:
            self.orders[order.label] = order
            _keep(self.orders, ORDERS_KEPT)

    def _forget_orders_before(self, started: Nanos) -> None:
        """An OMS that starts again speaks anew of every order that is still there, and of no other."""
        old = [label for label, order in self.orders.items() if order.ts < started]
        for label in old:
            del self.orders[label]

    def _params_changed(self, message: ParamsChanged) -> list[Effect]:
        """Only a newer set counts: history is told again after a restart.

        The API has stored it already; stored by the host it is also written again to a state store
        that comes back empty.
        """
        if message.version <= self.params.version:
            return []
        self.params = params_of(message)
        return [Store(PARAMS, encode(message).decode())]

    def _restore(self, event: Restored) -> None:
        """Stored parameters that are no longer valid are shown as not in force: services refuse them too."""
        if event.key != PARAMS or not event.value:
            return
        try:
            self.params = read_params(event.value)
        except BadParams as error:
            self.params = msgspec.structs.replace(
                self.params, by=f"configuration (stored parameters are unusable: {error})"
            )

    def _each_second(self, now: Nanos) -> list[Effect]:
        self._history.append((now, dict(self.counts)))
        down = [link for link, up in self.up.items() if not up]
        detail = f"{' and '.join(down)} down" if down else "serving"
        beat = Health(
            ts=now,
            source=self.name,
            ready=not down,
            detail=detail,
            started=self.started,
            counters={"messages": float(sum(self.counts.values()))},
        )
        self.health[self.name] = (beat, now)
        return [Publish(beat), WakeAt(_SECOND, Nanos(now + SECOND))]

    def rates_per_s(self) -> dict[str, float]:
        """Messages a second by type over the last ten seconds."""
        if len(self._history) < 2:
            return {}
        (began, before), (ended, after) = self._history[0], self._history[-1]
        seconds = (ended - began) / SECOND
        return {kind: round((n - before.get(kind, 0)) / seconds, 2) for kind, n in after.items()}


def _keep(kept: dict[str, Any], most: int) -> None:
    """Forget the oldest of a dict that grew beyond its bound."""
    while len(kept) > most:
        del kept[next(iter(kept))]
