"""The quoter: hears, decides when to think, and says a quote or a refusal when it differs.

It thinks about an instrument when its touch has moved by a share of the half-spread, when anything else
that enters the decision has changed, and on every beat of the timer.
"""

import msgspec

from services.quoter.decision import House, decide, floored_sigma
from services.quoter.desk import Desk
from services.quoter.gates import LISTING_AGE_MAX, Refusal
from services.quoter.saying import NO_QUOTE_EVERY, is_news, no_quote_of, quote_of
from shared.instruments import Instrument
from shared.kernel import (
    Effect,
    Event,
    Halt,
    Nanos,
    Publish,
    Restored,
    Started,
    Wake,
    WakeAt,
)
from shared.messages import (
    Account,
    Anomaly,
    Book,
    FeedStatus,
    Health,
    InstrumentListed,
    Lease,
    NoQuote,
    OrderChanged,
    ParamsApplied,
    ParamsChanged,
    Position,
    Quote,
    Severity,
    Ticker,
)
from shared.params import BadParams, Params
from shared.state import PARAMS, params_of, read_params
from shared.units import BPS, SECOND, from_ms, from_seconds

BEAT = "beat"
HEALTH = "health"
HEALTH_EVERY = SECOND
QUOTES_PER_INCARNATION = 1_000_000
"""An incarnation is a count or milliseconds since the epoch; times a million both fit 63 bits."""
FEE_CHANGE_MIN = 0.1 * BPS


class Quoter:
    """The strategy service as a core: no venue socket, all of its inputs come over the bus."""

    name = "quoter"
    links: tuple[str, ...] = ()
    remembers: tuple[str, ...] = (PARAMS,)

    def __init__(self, params: Params) -> None:
        self._params = params
        self._params_version = 0
        self._desks: dict[str, Desk] = {}
        self._positions: dict[str, Position] = {}
        self._lease: Lease | None = None
        self._maker_fee: float | None = None
        self._incarnation = 0
        self._said = 0
        self._started = Nanos(0)
        self._counters = {"evaluations": 0.0, "quotes": 0.0, "refusals": 0.0}

    def handle(self, now: Nanos, event: Event) -> list[Effect]:
        """Take one event; see the module for when that leads to a decision."""
        match event:
            case Book():
                return self._hear_book(now, event)
            case Ticker():
                self._desk(event.instrument).ticker = event
                return []
            case InstrumentListed():
                return self._hear_listing(now, event)
            case FeedStatus():
                desk = self._desk(event.instrument)
                return self._evaluate(now, desk, "status") if desk.hear_status(event) else []
            case Position():
                return self._hear_position(now, event)
            case Lease():
                return self._hear_lease(now, event)
            case OrderChanged():
                self._desk(event.instrument).hear_order(event)
                return []
            case Account():
                return self._hear_account(now, event)
            case ParamsChanged():
                return self._hear_params(now, event)
            case Wake():
                return self._wake(now, event.timer)
            case Restored():
                return self._restore(event)
            case Started():
                self._incarnation = event.incarnation
                self._started = now
                return [self._next_beat(now), WakeAt(HEALTH, Nanos(now + HEALTH_EVERY))]
            case _:
                return []

    def _desk(self, instrument: str) -> Desk:
        if instrument not in self._desks:
            self._desks[instrument] = Desk(instrument)
        return self._desks[instrument]

    def _hear_book(self, now: Nanos, book: Book) -> list[Effect]:
        desk = self._desk(book.instrument)
        desk.hear_book(book)
        mid = desk.mid
        if mid is None:
            return self._evaluate(now, desk, "book")
        self._observe(now, desk, mid)
        if isinstance(desk.said, Quote):
            trigger = self._params.quoter.move_trigger * desk.said.half_spread
            if desk.moved_by() <= trigger and desk.momentum.pulled(now) == desk.evaluated_pulls:
                return []
        return self._evaluate(now, desk, "book")

    def _observe(self, now: Nanos, desk: Desk, mid: float) -> None:
        # Momentum first: a jump must not be measured against the volatility that it causes.
        desk.momentum.observe(now, mid, floored_sigma(desk, self._params))
        desk.volatility.observe(now, mid)

    def _hear_listing(self, now: Nanos, message: InstrumentListed) -> list[Effect]:
        desk = self._desk(message.instrument)
        before = desk.spec
        desk.hear_listing(message)
        if before is None or before == message.spec:
            return []
        effects: list[Effect] = []
        if self._maker_fee is None:
            effects += self._fee_anomaly(
                now, before.maker_fee, message.spec.maker_fee, message.instrument
            )
        return effects + self._evaluate(now, desk, "listing")

    def _hear_position(self, now: Nanos, message: Position) -> list[Effect]:
        before = self._positions.get(message.instrument)
        self._positions[message.instrument] = message
        if before is not None and before.amount == message.amount:
            return []
        return self._evaluate_all(now, "position")

    def _hear_lease(self, now: Nanos, lease: Lease) -> list[Effect]:
        before, self._lease = self._lease, lease
        if before is not None and _allows(before) == _allows(lease) and before.until > now:
            return []
        return self._evaluate_all(now, "lease")

    def _hear_account(self, now: Nanos, account: Account) -> list[Effect]:
        before, self._maker_fee = self._maker_fee, account.maker_fee
        if before == account.maker_fee:
            return []
        effects: list[Effect] = []
        if before is not None and account.maker_fee is not None:
            effects += self._fee_anomaly(now, before, account.maker_fee, None)
        return effects + self._evaluate_all(now, "account")

    def _fee_anomaly(
        self, now: Nanos, before: float, after: float, instrument: str | None
    ) -> list[Effect]:
        if abs(after - before) <= FEE_CHANGE_MIN:
            return []
        anomaly = Anomaly(
            ts=now,
            source=self.name,
            kind="fee_changed",
            severity=Severity.WARNING,
            detail=f"maker fee was {before / BPS:.3f} bp, is {after / BPS:.3f} bp",
            instrument=instrument,
        )
        return [Publish(anomaly)]

    def _hear_params(self, now: Nanos, message: ParamsChanged) -> list[Effect]:
        answer = ParamsApplied(ts=now, source=self.name, version=message.version)
        try:
            self._params = params_of(message).params
        except BadParams as error:
            return [Publish(msgspec.structs.replace(answer, reason=str(error)))]
        self._params_version = message.version
        return [Publish(answer), self._next_beat(now), *self._evaluate_all(now, "params")]

    def _restore(self, event: Restored) -> list[Effect]:
        """Take the parameters that were in force; not to guess others is why a bad set halts us."""
        if event.value is None:
            return []
        try:
            stored = read_params(event.value)
        except BadParams as error:
            return [Halt(f"stored parameters are unusable, set them again: {error}")]
        self._params, self._params_version = stored.params, stored.version
        return []

    def _wake(self, now: Nanos, timer: str) -> list[Effect]:
        match timer:
            case "beat":
                for desk in self._desks.values():
                    if (mid := desk.mid) is not None:
                        self._observe(now, desk, mid)
                return [*self._evaluate_all(now, "beat"), self._next_beat(now)]
            case "health":
                return [Publish(self._health(now)), WakeAt(HEALTH, Nanos(now + HEALTH_EVERY))]
            case _:
                return []

    def _next_beat(self, now: Nanos) -> Effect:
        """Often enough to renew a quote well before its end and to repeat a refusal every second."""
        often = from_ms(self._params.risk.beat_ms)
        beat = min(from_seconds(self._params.quoter.requote_s), often, NO_QUOTE_EVERY)
        return WakeAt(BEAT, Nanos(now + beat))

    def _evaluate_all(self, now: Nanos, trigger: str) -> list[Effect]:
        return [
            effect for desk in self._desks.values() for effect in self._evaluate(now, desk, trigger)
        ]

    def _evaluate(self, now: Nanos, desk: Desk, trigger: str) -> list[Effect]:
        self._counters["evaluations"] += 1
        desk.evaluated_touch = (desk.best_bid, desk.best_ask)
        desk.evaluated_pulls = desk.momentum.pulled(now)
        decision = decide(now, desk, self._house(now))
        quote_id = self._incarnation * QUOTES_PER_INCARNATION + self._said
        message: Quote | NoQuote
        if isinstance(decision, Refusal):
            message = no_quote_of(now, desk, decision, quote_id)
        else:
            message = quote_of(
                now, desk, decision, quote_id, trigger, self._params, self._params_version
            )
        if not is_news(message, desk.said, now):
            return []
        self._said += 1
        self._counters["quotes" if isinstance(message, Quote) else "refusals"] += 1
        desk.said = message
        return [Publish(message)]

    def _house(self, now: Nanos) -> House:
        specs: dict[str, Instrument] = {}
        marks: dict[str, float] = {}
        for name, desk in self._desks.items():
            held = name in self._positions and self._positions[name].amount != 0.0
            if desk.spec is not None and (held or now - desk.listed <= LISTING_AGE_MAX):
                specs[name] = desk.spec
            if desk.ticker is not None:
                marks[name] = desk.ticker.mark_price
        return House(
            params=self._params,
            lease=self._lease,
            positions=self._positions,
            specs=specs,
            marks=marks,
            maker_fee=self._maker_fee,
        )

    def _health(self, now: Nanos) -> Health:
        quoted = [name for name, desk in self._desks.items() if isinstance(desk.said, Quote)]
        refused = [
            f"{name}: {desk.said.reason}"
            for name, desk in self._desks.items()
            if isinstance(desk.said, NoQuote)
        ]
        counters = dict(self._counters)
        for name, desk in self._desks.items():
            counters[f"sigma_usd.{name}"] = desk.volatility.sigma
        return Health(
            ts=now,
            source=self.name,
            ready=bool(self._desks),
            detail=f"quoting {', '.join(quoted) or 'nothing'}; refusing {', '.join(refused) or '-'}",
            started=self._started,
            counters=counters,
        )


def _allows(lease: Lease) -> tuple[object, ...]:
    """What of a lease changes a decision, beside the time at which it runs out."""
    return (lease.mode, lease.granted, lease.paused)
