"""Engine: order operations a second of the exchange's core, beside the same requests without matching.

A crowd of ordinary accounts with margin trades one perpetual (see `orders`). Every operation is one call and
one `drain`, and the listener looks at each event. The second row also asks for the numbers behind every
position and portfolio that was told to have changed, as if every account had subscribed to all of its raw
channels. The floor answers the same requests with orders in a dict and events of the same types: it checks,
matches and values nothing, and what should trade at once is filled on paper.
"""

import gc
import os
from statistics import median

import msgspec

from bench.machine import header, usage
from bench.orders import (
    ACCOUNTS,
    INDEX_NAME,
    INDEX_PRICE,
    INSTRUMENT,
    MIX,
    START,
    Crowd,
    Desk,
    Played,
    Script,
)
from bench.quantiles import NotMeasured, Quantiles, median_quantiles, ratio
from mock_deribit.exchange.account import TRADES_MAX
from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.events import (
    BookChanged,
    Event,
    LevelChange,
    OrderUpdated,
    PortfolioChanged,
    PositionChanged,
)
from mock_deribit.exchange.listing import btc_listings
from mock_deribit.exchange.messages import (
    OrderEdit,
    OrderRequest,
    OrderState,
    OrderView,
    Placed,
    Refused,
    TimeInForce,
)
from shared.kernel import Nanos
from shared.units import MILLISECOND

OPS_A_ROUND = 10_000
ENGINE, HEARD, FLOOR = "engine", "engine, every number asked for", "floor: dict and events"
_DEPOSIT_BTC = 50.0
_CURRENCY = "BTC"
_OLD_OPS = 50_000
_OLD_ACCOUNTS = 4
_OLD_PACE = Nanos(10 * MILLISECOND)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row: medians over rounds; `p50_us` by kind of operation; `ratio` is that of the processor's
    time to the floor's."""

    name: str
    ops_per_s: float
    cpu_us: float
    latency_us: Quantiles
    p50_us: dict[str, float]
    ratio: float


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Resident MB of a fresh exchange, of one whose memories are full, and `ops` operations later."""

    fresh_mb: float
    full_after_ops: int
    full_mb: float
    ops: int
    after_mb: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured; shares are of the engine's operations."""

    header: dict[str, str]
    rounds: int
    ops: int
    refused_share: float
    fills_per_op: float
    events_per_op: float
    rows: tuple[Row, ...]
    memory: Memory | None


class Ledger:
    """The floor: what any exchange in this language has to do for an order at least."""

    def __init__(self) -> None:
        self._orders: dict[str, tuple[str, OrderView]] = {}
        self._events: list[Event] = []
        self._count = 0

    def place(self, now: Nanos, account: str, request: OrderRequest) -> Placed | Refused:
        """Keep an order, or fill it on paper."""
        self._count += 1
        takes = request.time_in_force is TimeInForce.IOC
        order = OrderView(
            str(self._count),
            OrderState.FILLED if takes else OrderState.OPEN,
            request.order_type,
            request.instrument,
            request.side,
            request.price or 0.0,
            request.amount,
            request.amount if takes else 0.0,
            0.0,
            request.time_in_force,
            request.post_only,
            request.reject_post_only,
            request.reduce_only,
            False,
            request.label,
            now,
            now,
        )
        if not takes:
            self._orders[order.order_id] = (account, order)
        self._tell(now, account, order)
        return Placed(order, ())

    def edit(self, now: Nanos, account: str, order_id: str, edit: OrderEdit) -> Placed | Refused:
        """Keep it changed."""
        order = self._orders[order_id][1]
        price = order.price if edit.price is None else edit.price
        amount = order.amount if edit.amount is None else edit.amount
        order = msgspec.structs.replace(order, price=price, amount=amount, updated=now)
        self._orders[order_id] = (account, order)
        self._tell(now, account, order)
        return Placed(order, ())

    def cancel(self, now: Nanos, account: str, order_id: str) -> OrderView | Refused:
        """Keep it no more."""
        order = self._orders.pop(order_id)[1]
        order = msgspec.structs.replace(order, state=OrderState.CANCELLED, updated=now)
        self._tell(now, account, order)
        return order

    def set_index(self, now: Nanos, index: str, price: float) -> None:
        """Nothing here is valued."""

    def drain(self) -> list[Event]:
        """What was told."""
        events, self._events = self._events, []
        return events

    def _tell(self, now: Nanos, account: str, order: OrderView) -> None:
        self._count += 1
        count, level = self._count, LevelChange("change", order.price, order.amount)
        self._events += (
            OrderUpdated(now, account, order),
            BookChanged(now, INSTRUMENT, count - 1, count, (level,), ()),
            PositionChanged(now, account, INSTRUMENT),
            PortfolioChanged(now, account, _CURRENCY),
        )


def open_exchange(accounts: tuple[str, ...] = ACCOUNTS) -> Exchange:
    """An exchange on which the crowd has its accounts."""
    exchange = Exchange(START, btc_listings(START), {INDEX_NAME: INDEX_PRICE}, "bench")
    for name in accounts:
        exchange.open_account(name, {_CURRENCY: _DEPOSIT_BTC})
    return exchange


def measure(rounds: int, million: int = 1_000_000, seed: str = "1") -> Report:
    """Run it; `million` operations for the look at memory, 0 for none.

    Raises `NotMeasured` when the crowd was refused more than it should be, or nothing traded.
    """
    heard = open_exchange()
    desks: dict[str, tuple[Desk, Exchange | None]] = {
        ENGINE: (open_exchange(), None),
        HEARD: (heard, heard),
        FLOOR: (Ledger(), None),
    }
    crowds = {name: Crowd(desk, asks) for name, (desk, asks) in desks.items()}
    script = Script(seed)
    played: dict[str, list[Played]] = {name: [] for name in crowds}
    for _ in range(rounds + 1):
        acts = script.take(OPS_A_ROUND)
        for name, crowd in crowds.items():
            gc.collect()
            played[name].append(crowd.play(acts))
    # The first round is the warm-up.
    counted = {name: rows[1:] for name, rows in played.items()}
    engine = counted[ENGINE]
    ops = OPS_A_ROUND * rounds
    refused = sum(one.refused for one in engine) / ops
    fills = sum(one.fills for one in engine) / ops
    if refused > 0.05 or not fills:
        raise NotMeasured(f"{refused:.0%} of the requests were refused, {fills:.2f} fills an order")
    return Report(
        header=header(),
        rounds=rounds,
        ops=OPS_A_ROUND,
        refused_share=refused,
        fills_per_op=fills,
        events_per_op=sum(one.events for one in engine) / ops,
        rows=tuple(_row(name, rows, counted[FLOOR]) for name, rows in counted.items()),
        memory=_memory(million) if million else None,
    )


def _row(name: str, rounds: list[Played], floor: list[Played]) -> Row:
    cpu_us = median(one.cpu_ns for one in rounds) / OPS_A_ROUND / 1e3
    latencies = [[ns / 1e3 for ns in one.latencies_ns] for one in rounds]
    return Row(
        name=name,
        ops_per_s=1e6 / cpu_us,
        cpu_us=cpu_us,
        latency_us=median_quantiles(latencies),
        p50_us={kind: _p50_us(rounds, kind) for kind in MIX},
        ratio=ratio([one.cpu_ns for one in rounds], [one.cpu_ns for one in floor]),
    )


def _p50_us(rounds: list[Played], kind: str) -> float:
    return median(
        ns / 1e3
        for one in rounds
        for ns, of in zip(one.latencies_ns, one.kinds, strict=True)
        if of == kind
    )


def _memory(ops: int) -> Memory:
    """What an exchange forgets and what it does not, with few accounts, so that their memories fill."""
    names = ACCOUNTS[:_OLD_ACCOUNTS]
    crowd, script = Crowd(open_exchange(names), pace=_OLD_PACE), Script("memory", names)
    acts = script.take(_OLD_OPS)
    fresh = _resident_mb()
    fills = full = done = 0
    while fills < TRADES_MAX * len(names) * 1.05:
        fills += crowd.play(acts).fills
        full += len(acts)
    full_mb = _resident_mb()
    while done < ops:
        crowd.play(acts)
        done += len(acts)
    return Memory(
        fresh_mb=fresh, full_after_ops=full, full_mb=full_mb, ops=done, after_mb=_resident_mb()
    )


def _resident_mb() -> float:
    gc.collect()
    used = usage(os.getpid())
    if used is None:
        raise NotMeasured("this system does not say how much memory a process has")
    return used.rss_mb
