"""A trial: one simulated market for some hours, observed, with or without probes in it; pure.

The probes' orders go through the exchange like anybody's, from accounts of their own and late by their
latency. A seed's work has parts that may run apart: the facts from an undisturbed run, then the same seed
again with each kind of probe. All of them meet the same flow from outside.
"""

from collections.abc import Sequence

import msgspec

from backtest.observer import Observer
from backtest.stint import Stint
from calibration import facts, honesty
from calibration.probes import Clairvoyant, CoinFlipper, Maker, Probe
from calibration.tally import Tally
from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.events import UserTraded
from mock_deribit.exchange.listing import btc_listings
from mock_deribit.market.agenda import Agenda
from mock_deribit.market.regime import Regime, regime_of
from mock_deribit.market.simulated import SimulatedMarket
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import DAY, HOUR, MINUTE, SECOND

OPENING = Nanos(1_789_948_800 * SECOND)
"""Monday, 21 September 2026, 00:00 UTC."""
WARM_UP = Nanos(2 * MINUTE)
_PRICE = 85_000.0
_DEPOSIT = 100.0


FACTS, DISTANT = "facts", "distant probes"
PARTS = (FACTS, DISTANT, "touch", "fast touch", "benign", "benign without sweeps")
"""A seed's work, by part."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One part of one seed's work, observed from `start` on."""

    seed: str
    start: Nanos
    hours: float
    regime: str
    part: str = FACTS


def plans(
    seeds: Sequence[str], hours: float, regime: str, parts: Sequence[str] = PARTS
) -> list[Plan]:
    """Everything there is to do; seeds begin at hours of their own, so that the day is covered."""
    return [
        Plan(
            seed=seed,
            start=Nanos(OPENING + number * DAY // len(seeds) + HOUR // 2),
            hours=hours,
            regime=regime,
            part=part,
        )
        for part in parts
        for number, seed in enumerate(seeds)
    ]


class Trial:
    """A perpetual and its nearest dated future on an exchange of their own, with observers."""

    def __init__(self, plan: Plan, regime: Regime, probes: Sequence[Probe] = ()) -> None:
        opening = Nanos(plan.start - WARM_UP)
        self._market = SimulatedMarket(plan.seed, _PRICE, regime)
        self._exchange = Exchange(
            opening, btc_listings(opening)[:2], self._market.index_prices, plan.seed
        )
        self._due = self._market.start(opening, self._exchange)
        self._agenda = Agenda()
        self.stints: dict[str, Stint] = {}
        self._observers: tuple[Observer, ...] = ()
        self._play(plan.start)
        perpetual, dated = (listing.instrument for listing in self._exchange.listings)
        self.perpetual = Observer(self._exchange, perpetual, plan.start)
        self.dated = Observer(self._exchange, dated, plan.start)
        self._observers = (self.perpetual, self.dated)
        for probe in probes:
            self._exchange.open_account(probe.name, {"BTC": _DEPOSIT})
            stint = Stint(probe, self._exchange, self.perpetual, self._agenda)
            self.stints[probe.name] = stint
            stint.begin(plan.start)
        self._agenda.at(plan.start, self._look)
        self._play(Nanos(plan.start + round(plan.hours * HOUR)))
        self.perpetual.record.end = self.dated.record.end = self._exchange.now

    def _look(self, now: Nanos) -> None:
        for observer in self._observers:
            observer.look(now)
        self._agenda.at(Nanos(now + SECOND), self._look)

    def _play(self, end: Nanos) -> None:
        exchange, market, agenda = self._exchange, self._market, self._agenda
        ours = agenda.run(exchange.now, exchange.now)
        while True:
            now = min(self._due, exchange.next_wake(), ours)
            if now > end:
                break
            exchange.advance(now)
            if self._due <= now:
                self._due = market.wake(now)
                self._hear()
            if ours <= now:
                ours = agenda.run(now, now)
                self._hear()
        exchange.advance(end)

    def _hear(self) -> None:
        for event in self._exchange.drain():
            for observer in self._observers:
                observer.hear(event)
            if isinstance(event, UserTraded):
                self.stints[event.account].hear(event)


def perform(plan: Plan) -> Tally:
    """What one part tells."""
    regime = regime_of(plan.regime)
    match plan.part:
        case "touch":
            return _probed(plan, regime, [Maker(honesty.TOUCH, 0.0, 30.0)])
        case "fast touch":
            return _probed(plan, regime, [Maker(honesty.TOUCH_FAST, 0.0, 1.0)])
        case "benign":
            return _probed(plan, regime_of("BENIGN"), _skewed(), f"{honesty.BENIGN}/")
        case "benign without sweeps":
            still = msgspec.structs.replace(regime_of("BENIGN"), sweeps_per_hour=0.0)
            return _probed(plan, still, _skewed(), f"{honesty.STILL}/")
    undisturbed = Trial(plan, regime)
    if plan.part == DISTANT:
        path = undisturbed.perpetual.record.path()
        fixed: list[Probe] = [Maker(name, half, 30.0) for half, name in honesty.FIXED.items()]
        coins = CoinFlipper(Stream(f"{plan.seed}|coins"))
        seer = Clairvoyant(path, honesty.TAKER_FEE_BPS)
        return _probed(plan, regime, [*fixed, coins, seer])
    tally = facts.measure(undisturbed.perpetual.record)
    tally.merge(facts.measure_basis(undisturbed.dated.record))
    return tally


def _probed(plan: Plan, regime: Regime, probes: Sequence[Probe], prefix: str = "") -> Tally:
    trial, tally = Trial(plan, regime, probes), Tally()
    path = trial.perpetual.record.path()
    for name, stint in trial.stints.items():
        honesty.judge(f"{prefix}{name}", stint.fills, path, tally)
    return tally


def _skewed() -> list[Probe]:
    return [Maker(name, half, 30.0, skew=True) for half, name in honesty.SKEWED.items()]
