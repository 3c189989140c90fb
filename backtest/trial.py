"""A trial: one simulated market for some hours, observed, with or without probes in it; pure.

The probes' orders go through the exchange like anybody's, from accounts of their own and late by their
latency. `validate` is a whole seed's work: the facts from an undisturbed run, then the same seed again
with each kind of probe.
"""

from collections.abc import Sequence

import msgspec

from backtest.observer import Observer
from backtest.stint import Stint
from calibration import facts, honesty
from calibration.probes import Clairvoyant, CoinFlipper, Maker, Probe
from calibration.record import Path
from calibration.tally import Tally
from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.events import UserTraded
from mock_deribit.exchange.listing import btc_listings
from mock_deribit.market.agenda import Agenda
from mock_deribit.market.regime import Regime, regime_of
from mock_deribit.market.simulated import SimulatedMarket
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import HOUR, MINUTE, SECOND

OPENING = Nanos(1_789_948_800 * SECOND)
"""Monday, 21 September 2026, 00:00 UTC."""
WARM_UP = Nanos(2 * MINUTE)
_PRICE = 85_000.0
_DEPOSIT = 100.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One seed's work, observed from `start` on."""

    seed: str
    start: Nanos
    hours: float
    regime: str
    probes: bool


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
        self._play(plan.start)
        self._exchange.drain()
        perpetual, dated = (listing.instrument for listing in self._exchange.listings)
        self.perpetual = Observer(self._exchange, perpetual, plan.start)
        self.dated = Observer(self._exchange, dated, plan.start)
        self.stints = {
            probe.name: Stint(probe, self._exchange, self.perpetual, self._agenda)
            for probe in probes
        }
        for name, stint in self.stints.items():
            self._exchange.open_account(name, {"BTC": _DEPOSIT})
            stint.begin(plan.start)
        self._agenda.at(plan.start, self._look)
        self._play(Nanos(plan.start + round(plan.hours * HOUR)))
        self.perpetual.record.end = self.dated.record.end = self._exchange.now

    def _look(self, now: Nanos) -> None:
        self.perpetual.look(now)
        self.dated.look(now)
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
        events = self._exchange.drain()
        if not hasattr(self, "stints"):
            return
        for event in events:
            self.perpetual.hear(event)
            self.dated.hear(event)
            if isinstance(event, UserTraded):
                self.stints[event.account].hear(event)


def validate(plan: Plan) -> Tally:
    """Everything one seed tells."""
    undisturbed = Trial(plan, regime_of(plan.regime))
    tally = facts.measure(undisturbed.perpetual.record)
    tally.merge(facts.measure_basis(undisturbed.dated.record))
    if not plan.probes:
        return tally
    path = undisturbed.perpetual.record.path()
    for name, regime, probes in _probings(plan, path):
        trial = Trial(plan, regime, probes)
        prices = trial.perpetual.record.path()
        for probe, stint in trial.stints.items():
            honesty.judge(f"{name}{probe}", stint.fills, prices, tally)
    return tally


def _probings(plan: Plan, path: Path) -> list[tuple[str, Regime, list[Probe]]]:
    regime = regime_of(plan.regime)
    benign = regime_of("BENIGN")
    still = msgspec.structs.replace(benign, sweeps_per_hour=0.0)
    coins = Stream(f"{plan.seed}|coins")
    fixed: list[Probe] = [Maker(name, half, 30.0) for half, name in honesty.FIXED.items()]
    return [
        ("", regime, [Maker(honesty.TOUCH, 0.0, 30.0)]),
        ("", regime, [Maker(honesty.TOUCH_FAST, 0.0, 1.0)]),
        ("", regime, [*fixed, CoinFlipper(coins), Clairvoyant(path, honesty.TAKER_FEE_BPS)]),
        (f"{honesty.BENIGN}/", benign, _skewed()),
        (f"{honesty.STILL}/", still, _skewed()),
    ]


def _skewed() -> list[Probe]:
    return [Maker(name, half, 30.0, skew=True) for half, name in honesty.SKEWED.items()]
