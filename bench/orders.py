"""Orders: what a crowd of accounts does with an exchange, operation by operation.

The shares of the mix are in `MIX`. Time passes by `PACE` an operation and the index wanders, so that marks,
funding and the forgetting of closed orders take part. The same seed gives the same script to everybody who
plays it; which order a cancel or an edit concerns follows from what was told.
"""

import time
from collections import deque
from collections.abc import Iterable
from typing import Protocol

import msgspec

from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.events import (
    Event,
    OrderUpdated,
    PortfolioChanged,
    PositionChanged,
    UserTraded,
)
from mock_deribit.exchange.messages import (
    Held,
    OrderEdit,
    OrderRequest,
    OrderState,
    OrderView,
    Placed,
    Refused,
    TimeInForce,
)
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import MILLISECOND, Side

MIX = {"place": 35, "cancel": 30, "edit": 27, "take": 8}
"""In percent: orders that rest, cancels, edits (half move, half shrink), orders that trade."""

ACCOUNTS = tuple(f"trader-{number}" for number in range(16))
RESTING_MIN, RESTING_MAX = 200, 600
PACE = MILLISECOND
INDEX_NAME = "btc_usd"
INDEX_PRICE = 60_000.0
_INDEX_EVERY = 250
_TICK = 0.5
INSTRUMENT = "BTC-PERPETUAL"
START = Nanos(1_789_990_000_000_000_000)


class Desk(Protocol):
    """What a crowd trades on: the exchange, or the floor in its place."""

    def place(self, now: Nanos, account: str, request: OrderRequest) -> Placed | Refused | Held:
        """A new order."""
        ...

    def edit(
        self, now: Nanos, account: str, order_id: str, edit: OrderEdit
    ) -> Placed | Refused | Held:
        """A change."""
        ...

    def cancel(self, now: Nanos, account: str, order_id: str) -> OrderView | Refused:
        """An end."""
        ...

    def set_index(self, now: Nanos, index: str, price: float) -> None:
        """The index moved."""
        ...

    def drain(self) -> list[Event]:
        """What was told."""
        ...


class Act(msgspec.Struct, frozen=True, gc=False):
    """One thing the crowd means to do. Cancels and edits concern the order that has lived longest."""

    kind: str
    account: str
    request: OrderRequest
    depth: float
    moves: bool


class Script:
    """An endless tape of acts, the same for everybody who plays it."""

    def __init__(self, seed: str, accounts: tuple[str, ...] = ACCOUNTS) -> None:
        self._accounts = accounts
        self._draws = Stream(f"{seed}|bench|engine")
        self._kinds = [kind for kind, share in MIX.items() for _ in range(share)]

    def take(self, count: int) -> list[Act]:
        """The next acts."""
        return [self._act() for _ in range(count)]

    def _act(self) -> Act:
        draws = self._draws
        kind, side = draws.choice(self._kinds), draws.choice((Side.BUY, Side.SELL))
        depth = _TICK * (1 + draws.below(60))
        towards = depth if kind == "take" else -depth
        request = OrderRequest(
            instrument=INSTRUMENT,
            side=side,
            amount=10.0 * (2 + draws.below(20)),
            price=INDEX_PRICE + towards * side.sign,
            time_in_force=TimeInForce.IOC if kind == "take" else TimeInForce.GTC,
            post_only=kind == "place",
            label="bench",
        )
        return Act(kind, draws.choice(self._accounts), request, depth, draws.chance(0.5))


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What one round came to. Latencies are of the wall, `cpu_ns` of the processor."""

    cpu_ns: int
    kinds: list[str]
    latencies_ns: list[int]
    refused: int
    fills: int
    events: int


class Crowd:
    """Plays acts on a desk and keeps in mind which orders live; `asks` for numbers when given."""

    def __init__(self, desk: Desk, asks: Exchange | None = None, pace: Nanos = PACE) -> None:
        self._desk = desk
        self._asks = asks
        self._alive: dict[str, tuple[str, OrderView]] = {}
        self._eldest: deque[str] = deque()
        self._now = START
        self._pace = pace
        self._kind = ""
        self._fills = self._events = 0

    def play(self, acts: Iterable[Act]) -> Played:
        """One round."""
        latencies: list[int] = []
        kinds: list[str] = []
        refused, fills, events = 0, self._fills, self._events
        clock = time.perf_counter_ns
        cpu = time.process_time_ns()
        drain = self._desk.drain
        for number, act in enumerate(acts):
            self._now = Nanos(self._now + self._pace)
            if not number % _INDEX_EVERY:
                self._desk.set_index(self._now, INDEX_NAME, INDEX_PRICE + act.depth - 15.0)
            begun = clock()
            answer = self._act(act)
            told = drain()
            self._hear(told)
            latencies.append(clock() - begun)
            kinds.append(self._kind)
            refused += type(answer) is Refused
            self._events += len(told)
        return Played(
            cpu_ns=time.process_time_ns() - cpu,
            kinds=kinds,
            latencies_ns=latencies,
            refused=refused,
            fills=self._fills - fills,
            events=self._events - events,
        )

    def _act(self, act: Act) -> Placed | OrderView | Refused | Held:
        desk, now, living = self._desk, self._now, len(self._alive)
        kind = act.kind
        if living > RESTING_MAX:
            kind = "cancel"
        elif living < RESTING_MIN:
            kind = "place"
        self._kind = kind
        if kind in ("place", "take"):
            return desk.place(now, act.account, act.request)
        account, order = self._oldest()
        if kind == "cancel":
            return desk.cancel(now, account, order.order_id)
        self._eldest.append(order.order_id)
        if act.moves:
            edit = OrderEdit(price=INDEX_PRICE - act.depth * order.side.sign)
        else:
            edit = OrderEdit(amount=order.filled_amount + 10.0)
        return desk.edit(now, account, order.order_id, edit)

    def _oldest(self) -> tuple[str, OrderView]:
        while True:
            found = self._alive.get(self._eldest.popleft())
            if found is not None:
                return found

    def _hear(self, told: list[Event]) -> None:
        asks = self._asks
        for event in told:
            if type(event) is OrderUpdated:
                self._follow(event)
            elif type(event) is UserTraded:
                self._fills += len(event.trades)
            elif asks is not None and type(event) is PositionChanged:
                asks.position(event.account, event.instrument)
            elif asks is not None and type(event) is PortfolioChanged:
                asks.portfolio(event.account, event.currency)

    def _follow(self, event: OrderUpdated) -> None:
        order = event.order
        if order.state is not OrderState.OPEN:
            self._alive.pop(order.order_id, None)
            return
        if order.order_id not in self._alive:
            self._eldest.append(order.order_id)
        self._alive[order.order_id] = (event.account, order)
