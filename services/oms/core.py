"""The OMS as a core: every event to the part that owns it.

Owns nothing but the routing and the timers. Whether orders may rest is known to `permission`, which should
to `desk`, which may to `gate`; orders live in `orders`, positions in `inventory`, the socket in `session`;
what must be gone, and whether it is, to `sweep`, with the way to the exchange beside the socket in `second`;
the exchange's own brake in `protection`;
what the exchange says goes through `venue`, and its record is held against ours in `reconcile`.
"""

from services.oms.desk import Desk
from services.oms.inventory import Inventory
from services.oms.label import check_prefix
from services.oms.order import IllegalMove
from services.oms.orders import Orders, Superseded
from services.oms.outbox import Outbox
from services.oms.permission import Permission
from services.oms.protection import Protection
from services.oms.second import LINK as HTTP
from services.oms.session import LINK, Line
from services.oms.sweep import Sweep
from services.oms.venue import Venue
from shared.kernel import (
    Effects,
    Event,
    FrameIn,
    Halt,
    LinkDown,
    LinkUp,
    Nanos,
    Restored,
    Started,
    Store,
    Wake,
)
from shared.messages import (
    FeedStatus,
    Health,
    Hedge,
    InstrumentListed,
    Kill,
    Lease,
    NoQuote,
    ParamsApplied,
    ParamsChanged,
    Quote,
    Resume,
    Severity,
    Ticker,
)
from shared.params import BadParams, Params
from shared.state import (
    INVENTORY,
    KILL_LATCH,
    PARAMS,
    latch_of,
    params_of,
    read_latch,
    read_params,
    write_latch,
)
from shared.units import SECOND, from_ms, from_seconds

BEAT = SECOND


class Oms:
    """The order management service."""

    name = "oms"
    links: tuple[str, ...] = (LINK, HTTP)
    remembers: tuple[str, ...] = (PARAMS, KILL_LATCH, INVENTORY)

    def __init__(self, params: Params, prefix: str = "mm", currency: str = "BTC") -> None:
        self._params = params
        self._out = Outbox(self.name)
        self._orders = Orders(self._out, check_prefix(prefix))
        self._inventory = Inventory(self._out, self._orders)
        self._permission = Permission()
        self._line = Line(self._out, params.oms, currency)
        shared_parts = (self._out, self._orders, self._inventory, self._permission, self._line)
        self._protection = Protection(
            self._out, self._inventory, self._permission, self._line, params.oms
        )
        self._desk = Desk(*shared_parts, self._protection, params.oms)
        self._sweep = Sweep(self._out, self._orders, self._permission, self._line)
        self._venue = Venue(*shared_parts, self._desk, self._sweep, self._protection)
        self._started = Nanos(0)
        self._farewell_said = False

    @property
    def drained(self) -> bool:
        """No order of ours is alive, in flight or still to be counted: a stop may end the process."""
        return not self._orders.alive() and not self._inventory.unbooked()

    def handle(self, now: Nanos, event: Event) -> Effects:
        """Take one event. A broken invariant of ours halts; nothing the venue does can."""
        try:
            self._route(now, event)
            self._sweep.steer(now)
            if isinstance(event, FrameIn) or not self._out.empty:
                self._inventory.tell(now)
            self._farewell(now)
        except (IllegalMove, Superseded) as broken:
            self._out.do(Halt(str(broken)))
        return self._out.take()

    def _route(self, now: Nanos, event: Event) -> None:
        match event:
            case FrameIn(link="http"):
                self._sweep.received(now, event.data)
            case FrameIn():
                self._venue.hear(now, self._line.received(now, event.data))
            case Quote() | NoQuote():
                self._quoted(now, event)
            case Ticker():
                self._desk.tickers[event.instrument] = event
                self._desk.marks[event.instrument] = event.mark_price
            case Lease():
                self._leased(now, event)
            case FeedStatus():
                self._fed(now, event)
            case Hedge():
                self._desk.hedge(now, event)
            case Kill():
                self._killed(now, event)
            case Resume(instrument=None, confirm=True):
                self._venue.reconciliation.confirmed(now, event.ts)
            case InstrumentListed():
                self._inventory.specs[event.instrument] = event.spec
            case ParamsChanged():
                self._changed(now, event)
            case Wake():
                self._woke(now, event.timer)
            case LinkUp() | LinkDown():
                self._linked(now, event)
            case Restored():
                self._restored(now, event)
            case Started():
                self._orders.begin(now, event.incarnation)
                self._started = now
                self._line.begin(now)
                self._sweep.doubt(now)
                self._out.wake("beat", Nanos(now + BEAT))
                self._out.wake("health", Nanos(now + from_ms(self._params.risk.beat_ms)))
            case _:
                pass

    def _quoted(self, now: Nanos, quote: Quote | NoQuote) -> None:
        self._permission.wanted[quote.instrument] = quote
        by_book = isinstance(quote, Quote) and quote.trigger == "book"
        self._desk.steer(now, quote.instrument, quote.book_seen if by_book else None)
        if isinstance(quote, Quote):
            self._out.wake(f"quote:{quote.instrument}", quote.valid_until)

    def _leased(self, now: Nanos, lease: Lease) -> None:
        was_killed = self._permission.latch is not None
        if self._permission.leased(lease):
            # A host writes again what it ever stored when the state comes back: let that be the end.
            self._out.do(Store(KILL_LATCH, write_latch(None)))
        elif self._permission.latch is not None and not was_killed:
            self._sweep.doubt(now)
        if self._permission.lease is not None:
            self._out.wake("lease", self._permission.lease.until)
        self._desk.steer_all(now)

    def _fed(self, now: Nanos, status: FeedStatus) -> None:
        before = self._permission.feeds.get(status.instrument)
        self._permission.feeds[status.instrument] = status
        if before is None or before.state is not status.state:
            self._desk.steer(now, status.instrument)

    def _killed(self, now: Nanos, kill: Kill) -> None:
        latch = self._permission.latched(latch_of(kill))
        self._out.do(Store(KILL_LATCH, write_latch(latch)))
        self._desk.steer_all(now)
        self._sweep.doubt(now, kill.command_id)
        self._venue.reconciliation.begin(now)

    def _changed(self, now: Nanos, change: ParamsChanged) -> None:
        reason = ""
        try:
            self._apply(now, params_of(change).params)
            self._out.wake("health", now)
        except BadParams as error:
            reason = str(error)
        self._out.say(
            ParamsApplied(
                ts=now,
                source=self.name,
                version=change.version,
                reason=reason,
            )
        )

    def _apply(self, now: Nanos, params: Params) -> None:
        self._params = params
        self._desk.params = self._protection.params = params.oms
        self._line.apply(now, params.oms)

    def _restored(self, now: Nanos, restored: Restored) -> None:
        if not restored.value:
            return
        if restored.key == INVENTORY:
            self._inventory.restore(now, restored.value)
        elif restored.key == KILL_LATCH:
            self._latched(now, restored.value)
        elif restored.key == PARAMS:
            try:
                self._apply(now, read_params(restored.value).params)
            except BadParams as error:
                detail = f"stored parameters are left out: {error}"
                self._out.anomaly(now, "stored_params", Severity.WARNING, detail)

    def _latched(self, now: Nanos, stored: str) -> None:
        """The latch as shared state holds it: from before the start, or a kill that came by no bus."""
        latch = read_latch(stored)
        if latch is not None and self._permission.joins(latch):
            self._desk.steer_all(now)
            self._sweep.doubt(now)

    def _linked(self, now: Nanos, event: LinkUp | LinkDown) -> None:
        match event:
            case LinkUp(link="private"):
                self._venue.hear(now, self._line.opened(now))
            case LinkDown(link="private"):
                outputs = self._line.closed(now, event.reason)
                self._venue.lost(now, outputs, event.reason)
            case LinkUp():
                self._permission.down.pop(event.link, None)
            case LinkDown():
                self._permission.down[event.link] = event.reason
                self._desk.steer_all(now)

    def _woke(self, now: Nanos, timer: str) -> None:
        match timer:
            case "venue":
                self._venue.hear(now, self._line.woke(now))
            case "protection":
                self._protection.look(now)
                self._desk.steer_all(now)
            case "http":
                self._sweep.overdue(now)
            case "beat":
                self._beat(now)
            case "health":
                self._out.wake("health", Nanos(now + from_ms(self._params.risk.beat_ms)))
                self._out.say(self._health(now))
            case "reconcile":
                self._venue.reconciliation.begin(now)
            case "stop":
                self._permission.stopping = True
                self._desk.steer_all(now)
            case _:
                # The lease or a quote ran out, credits or patience came back: look at everything.
                self._desk.steer_all(now)

    def _beat(self, now: Nanos) -> None:
        self._out.wake("beat", Nanos(now + BEAT))
        self._protection.look(now)
        self._desk.steer_all(now)
        age = now - self._inventory.reconciled
        due = age >= from_seconds(self._params.oms.reconcile_s)
        if due or self._permission.starting or self._inventory.unbooked():
            self._venue.reconciliation.begin(now)
        self._orders.prune(now)
        self._inventory.tell(now, everything=True)

    def _health(self, now: Nanos) -> Health:
        refusal = self._permission.refusal_anywhere(now)
        alive = self._orders.alive()
        present = {
            "working": float(len(alive)),
            "in_flight": float(sum(order.request is not None for order in alive)),
            "credits": float(self._line.credits_left(now)),
            "foreign_orders": float(self._venue.reconciliation.foreign_orders),
            "clock_offset_ms": self._line.clock_offset / 1e6,
        }
        if self._inventory.reconciled:
            present["reconciled_age_s"] = (now - self._inventory.reconciled) / 1e9
        return Health(
            ts=now,
            source=self.name,
            ready=self._line.ready and not self._permission.starting,
            detail=refusal or "may rest orders",
            started=self._started,
            counters=self._out.counters | present,
        )

    def _farewell(self, now: Nanos) -> None:
        """After a stop, once nothing is left: the last word on every position."""
        if self._permission.stopping and self.drained and not self._farewell_said:
            self._farewell_said = True
            self._inventory.tell(now, everything=True)
