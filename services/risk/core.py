"""The risk core: hears the market, the orders and the operator, and says mode, lease, PnL and hedges.

Owns the order of things: whatever an event changes, one review follows that moves the limits, the latch,
the mode, the lease and the hedge, in this order, so that a kill is stored before it is told and a lease is
withdrawn before anything else happens. It only routes; the rules are in the modules beside it.
"""

import msgspec

from services.risk.authority import Authority
from services.risk.day import TradingDay
from services.risk.exposure import Exposure
from services.risk.hedge import Hedger
from services.risk.limits import Limits, Measures, Verdict
from services.risk.picture import Picture
from services.risk.recollection import Recollection
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
    Kill,
    Lease,
    Mode,
    ModeChanged,
    OrderChanged,
    ParamsApplied,
    ParamsChanged,
    Pause,
    Position,
    Resume,
    Severity,
    Ticker,
)
from shared.params import BadParams, Params
from shared.state import (
    KILL_LATCH,
    MODE,
    PARAMS,
    PNL_DAY,
    Latch,
    ParamsInForce,
    latch_of,
    params_of,
    read_latch,
    read_params,
)
from shared.units import MILLISECOND, SECOND, from_ms

PNL_EVERY = Nanos(500 * MILLISECOND)
UNEXPLAINED_RUNNING = 3
"""Account reports in a row that must disagree before it is an anomaly."""


class Risk:
    """Decides what may rest. No venue link: it commands the OMS and nobody else."""

    name = "risk"
    links: tuple[str, ...] = ()
    remembers: tuple[str, ...] = (PARAMS, KILL_LATCH, MODE, PNL_DAY)

    def __init__(self, params: Params) -> None:
        self.params = params
        self.version = 0
        self.picture = Picture()
        self.authority = Authority()
        self.limits = Limits()
        self.day = TradingDay()
        self.hedger = Hedger()
        self._started: Nanos | None = None
        self._stopping = False
        self._mode = Mode.PAUSED
        self._lease: Lease | None = None
        self._disagreed = 0
        self.recollection = Recollection()
        self._counts = {"leases": 0.0, "withdrawals": 0.0, "hedges": 0.0, "anomalies_heard": 0.0}

    def handle(self, now: Nanos, event: Event) -> Effects:
        """One event, then one review of everything it may have moved."""
        if isinstance(event, Message):
            self.picture.evidence.hear(now, event)
        match event:
            case Book():
                self.picture.books[event.instrument] = event
                return []
            case Health():
                return []
            case Restored():
                return self._restored(now, event)
            case Started():
                self._started = now
                timers: list[Effect] = [WakeAt("health", now), WakeAt("pnl", now)]
                return [*timers, WakeAt("lease", now), *self._review(now)]
            case Wake():
                return self._woke(now, event.timer)
            case LinkUp():
                self._linked(event.link, True)
                return self._review(now)
            case LinkDown():
                self._linked(event.link, False)
                return self._review(now)
            case Lease():
                reason = self.recollection.recalled(event)
                return self._latched_again(now, reason) if reason else []
            case Kill() if self.recollection.knows(event):
                return []
            case Pause() | Resume() | Kill():
                return self._commanded(now, event)
            case ParamsChanged():
                return [self._changed(now, event), *self._review(now)]
            case Message():
                return [*self._heard(now, event), *self._review(now)]
            case _:
                return []

    def _heard(self, now: Nanos, message: Message) -> list[Effect]:
        match message:
            case InstrumentListed():
                self.picture.listed(now, message)
            case Ticker():
                self.picture.tickers[message.instrument] = message
                spec = self.picture.specs.get(message.instrument)
                if spec is not None:
                    self.day.attribution.marked(message, spec)
            case FeedStatus():
                self.picture.evidence.feeds[message.instrument] = message
            case Filled():
                spec = self.picture.specs.get(message.instrument)
                if spec is not None:
                    mid = self.picture.mid_at(message)
                    self.day.attribution.filled(message, spec, mid)
            case OrderChanged():
                self.hedger.answered(now, message)
            case Position():
                self.picture.evidence.positions[message.instrument] = message
                ticker = self.picture.tickers.get(message.instrument)
                mark = None if ticker is None else ticker.mark_price
                missing = self.day.attribution.reported(message, mark)
                if missing is not None:
                    detail = (
                        f"{message.instrument}: {missing:+g} came without a fill, taken at mark"
                    )
                    return [self._anomaly(now, "fill_not_heard", Severity.INFO, detail)]
            case Account():
                self.picture.evidence.account = message
                self.day.reported(now, message.equity)
            case Anomaly():
                self._counts["anomalies_heard"] += 1
                self.authority.alarmed(now, message)
            case _:
                pass
        return []

    def _restored(self, now: Nanos, event: Restored) -> list[Effect]:
        reason = self.recollection.restored(event)
        if reason:
            return self._latched_again(now, reason)
        if not event.value:
            return []
        try:
            if event.key == PARAMS:
                return [self._in_force(now, read_params(event.value))]
            if event.key == KILL_LATCH:
                return self._latched(now, read_latch(event.value))
            elif event.key == MODE:
                self.authority.restore_pauses(event.value)
            elif event.key == PNL_DAY:
                self.day.restore(now, event.value)
        except (msgspec.DecodeError, BadParams) as error:
            detail = f"stored {event.key} cannot be read and is left out: {error}"
            return [self._anomaly(now, "stored_state", Severity.WARNING, detail)]
        return []

    def _latched(self, now: Nanos, latch: Latch | None) -> list[Effect]:
        """As shared state holds it: from before the start, or a kill that came by no bus."""
        if latch is None:
            return []
        before = self.authority.latch
        self.authority.latch = latch if before is None else before.joined(latch)
        return self._review(now, by=latch.by)

    def _latched_again(self, now: Nanos, reason: str) -> list[Effect]:
        if self.authority.latch is not None:
            return []
        latch = Latch(reason=reason, by="event stream", ts=now)
        told = self._anomaly(now, "latch_recalled", Severity.WARNING, reason)
        return [self.authority.kill(latch), told, *self._review(now, by=latch.by)]

    def _woke(self, now: Nanos, timer: str) -> list[Effect]:
        match timer:
            case "lease":
                again = Nanos(now + from_ms(self.params.risk.lease_renewal_ms))
                return [*self._review(now, renew=True), WakeAt("lease", again)]
            case "pnl":
                return [*self._review(now), *self._pnl(), WakeAt("pnl", Nanos(now + PNL_EVERY))]
            case "health":
                stored = self.day.stored()
                beat: list[Effect] = [Publish(self._health(now))]
                if stored is not None:
                    beat.append(Store(PNL_DAY, stored))
                return [*beat, WakeAt("health", Nanos(now + SECOND))]
            case "stop":
                self._stopping = True
                return self._review(now)
            case _:
                return self._review(now)

    def _linked(self, link: str, up: bool) -> None:
        if link in self.picture.evidence.links:
            self.picture.evidence.links[link] = up

    def _commanded(self, now: Nanos, command: Pause | Resume | Kill) -> list[Effect]:
        effects: list[Effect] = []
        match command:
            case Kill():
                effects.append(self.authority.kill(latch_of(command)))
            case Pause():
                effects.append(self.authority.pause(command))
            case Resume():
                effects += self._resume(now, command)
        return [*effects, *self._review(now, by=command.by)]

    def _resume(self, now: Nanos, command: Resume) -> list[Effect]:
        refusal = ""
        if self.authority.latch is not None and command.instrument is None:
            if not command.confirm:
                refusal = "killed: a resume must be confirmed (confirm: true)"
            elif not self.picture.positions_known(now, self.params):
                refusal = "killed: positions are not reconciled with the exchange yet"
            elif not self.picture.settled_since(self.authority.latch.ts):
                refusal = "killed: orders are not gone, or nothing was reconciled since the kill"
        if refusal:
            return [self._anomaly(now, "resume_refused", Severity.WARNING, refusal)]
        effects: list[Effect] = [self.authority.unpause(command.instrument)]
        if command.confirm and command.instrument is None:
            self.limits.forgive()
            self.day.forgive()
            if self.authority.latch is not None:
                effects.append(self.authority.unlatch())
        return effects

    def _changed(self, now: Nanos, message: ParamsChanged) -> Effect:
        try:
            return self._in_force(now, params_of(message))
        except BadParams as error:
            return self._applied(now, message.version, str(error))

    def _in_force(self, now: Nanos, wanted: ParamsInForce) -> Effect:
        self.params, self.version = wanted.params, wanted.version
        return self._applied(now, wanted.version, "")

    def _applied(self, now: Nanos, version: int, reason: str) -> Effect:
        return Publish(ParamsApplied(ts=now, source=self.name, version=version, reason=reason))

    def _review(self, now: Nanos, by: str = "", renew: bool = False) -> list[Effect]:
        if self._started is None:
            return []
        effects = self._compared(now)
        exposure = self.picture.exposure()
        verdict = self.limits.judge(self._measures(exposure), self.params.risk)
        if verdict.mode is Mode.KILLED and self.authority.latch is None:
            latch = Latch(reason=verdict.reason, by=self.name, ts=now, flatten=True)
            effects.append(self.authority.kill(latch))
        effects += self._decided(now, verdict, exposure, by, renew)
        effects += self._hedged(now, exposure)
        return effects

    def _decided(
        self, now: Nanos, verdict: Verdict, exposure: Exposure, by: str, renew: bool
    ) -> list[Effect]:
        effects: list[Effect] = []
        standing = self.authority.standing(now, verdict)
        if standing.mode is not self._mode:
            change = ModeChanged(
                ts=now,
                mode=standing.mode,
                previous=self._mode,
                reason=standing.reason,
                by=by or standing.by,
            )
            effects.append(Publish(change))
            self._mode = standing.mode
        objection = self._objection(now, exposure)
        allowed = standing.mode in (Mode.ACTIVE, Mode.REDUCING)
        granted = allowed and not objection
        lease = Lease(
            ts=now,
            number=now,
            mode=standing.mode,
            granted=granted,
            reason=objection if allowed and objection else standing.reason,
            until=Nanos(now + from_ms(self.params.risk.word_ms)) if granted else now,
            hard_limit=self.params.risk.hard_limit_btc,
            paused=tuple(self.authority.pauses.instruments),
        )
        if renew or self._lease is None or _terms(lease) != _terms(self._lease):
            self._counts["leases"] += granted
            self._counts["withdrawals"] += bool(self._lease and self._lease.granted and not granted)
            self._lease = lease
            effects.append(Publish(lease))
        if granted and (due := self.picture.evidence.watch(now, self.params)) is not None:
            effects.append(WakeAt("evidence", due))
        return effects

    def _objection(self, now: Nanos, exposure: Exposure) -> str:
        if self._stopping:
            return "risk is stopping"
        objection = self.picture.evidence.objection(now, self.params)
        if not objection and exposure.unmarked:
            return f"no mark for {', '.join(exposure.unmarked)}"
        return objection

    def _measures(self, exposure: Exposure) -> Measures:
        return Measures(
            net_delta=exposure.net,
            worst_delta=exposure.worst,
            day_loss=self.day.loss,
            drawdown=self.day.drawdown,
            open_loss=exposure.open_loss,
            margin_pct=self.picture.margin_pct(),
        )

    def _hedged(self, now: Nanos, exposure: Exposure) -> list[Effect]:
        latch = self.authority.latch
        if self._stopping or exposure.unmarked or (latch is not None and not latch.flatten):
            return []
        venues = self.picture.venues(now, self.params)
        hedge = self.hedger.step(now, exposure.net, venues, self.params.risk, latch is not None)
        effects: list[Effect] = []
        if hedge is not None:
            self._counts["hedges"] += 1
            effects.append(Publish(hedge))
        if self.hedger.busy:
            due = Nanos(now + from_ms(self.params.risk.hedge_interval_ms))
            effects.append(WakeAt("hedge", due))
        return effects

    def _compared(self, now: Nanos) -> list[Effect]:
        before = self.day.number
        compared = self.day.watch(now)
        if self.day.number != before:
            self.limits.roll(self.params.risk)
        if not compared:
            return []
        gap, limit = self.day.unexplained, self.params.risk.unexplained_max_btc
        self._disagreed = self._disagreed + 1 if abs(gap) > limit else 0
        if self._disagreed != UNEXPLAINED_RUNNING:
            return []
        detail = f"the exchange's equity moved {gap:+.8f} BTC more than our PnL says"
        return [self._anomaly(now, "unexplained_equity", Severity.WARNING, detail)]

    def _pnl(self) -> list[Effect]:
        ticker = self.picture.perpetual()
        if not self.day.begun or ticker is None:
            return []
        statement = self.day.statement(ticker.ts, self.picture.exposure(), ticker.mark_price)
        return [Publish(statement)]

    def _health(self, now: Nanos) -> Health:
        lease = self._lease
        granted = lease is not None and lease.granted
        detail = f"{self._mode}: {lease.reason}" if lease and lease.reason else str(self._mode)
        return Health(
            ts=now,
            source=self.name,
            ready=granted,
            detail=detail,
            started=self._started or now,
            counters=dict(self._counts) | {"params_version": float(self.version)},
        )

    def _anomaly(self, now: Nanos, kind: str, severity: Severity, detail: str) -> Effect:
        return Publish(
            Anomaly(ts=now, source=self.name, kind=kind, severity=severity, detail=detail)
        )


def _terms(lease: Lease) -> tuple[object, ...]:
    """What a lease allows, times aside."""
    return (lease.mode, lease.granted, lease.reason, lease.hard_limit, lease.paused)
