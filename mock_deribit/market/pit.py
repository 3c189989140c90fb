"""A pit: the agents that make up one instrument's market, around a fair price told from outside.

Fast makers at the touch, a slow ladder behind them, noise takers on a Hawkes clock, lead-lag takers that
race the makers after a move, and sweeps. What reacts acts later than it sees, through the agenda.
"""

import math
from functools import partial

import msgspec

from mock_deribit.exchange.engine import Exchange
from mock_deribit.market.agenda import Agenda
from mock_deribit.market.ladder import Ladder
from mock_deribit.market.makers import FastMaker
from mock_deribit.market.regime import Weather
from mock_deribit.market.takers import HawkesClock, Takers
from mock_deribit.market.trader import Trader
from mock_deribit.market.value import Outside
from shared.instruments import Instrument, Payoff
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import BPS, MILLISECOND, from_seconds

_TAKER_LIMIT_BPS = 2.5
_INFORMED = 0.30
_LEAD_LAG_PER_BP = 0.10
_LEAD_LAG_MOST = 0.9
_RETRIES = 5
_SWEEP_USD = 3_000_000.0
_RAREST_PER_HOUR = 0.01


class MakerProfile(msgspec.Struct, frozen=True):
    """One fast maker: latency, and tolerance and error in ticks."""

    latency_ms: float
    tolerance: float
    noise: float


class PitProfile(msgspec.Struct, frozen=True, kw_only=True):
    """How busy an instrument is. Rates per second, sizes in USD (medians)."""

    makers: tuple[MakerProfile, ...]
    maker_usd: float
    ladder_rate: float
    ladder_orders: int
    ladder_usd: float
    taker_rate: float
    sweep_share: float
    lead_lag: bool


PERPETUAL = PitProfile(
    makers=(
        MakerProfile(0.6, 0.8, 0.4),
        MakerProfile(1.2, 1.2, 0.5),
        MakerProfile(2.5, 1.8, 0.6),
        MakerProfile(8.0, 2.6, 0.8),
    ),
    maker_usd=11_000.0,
    ladder_rate=4.0,
    ladder_orders=260,
    ladder_usd=20_000.0,
    taker_rate=0.06,
    sweep_share=1.0,
    lead_lag=True,
)

DATED = PitProfile(
    makers=(MakerProfile(2.0, 0.9, 0.2), MakerProfile(7.0, 1.5, 0.3)),
    maker_usd=12_000.0,
    ladder_rate=0.8,
    ladder_orders=80,
    ladder_usd=20_000.0,
    taker_rate=0.006,
    sweep_share=0.1,
    lead_lag=False,
)


class Pit:
    """The background market of one instrument. `premium` is fair price minus efficient price, USD."""

    def __init__(
        self,
        exchange: Exchange,
        agenda: Agenda,
        instrument: Instrument,
        value: Outside,
        profile: PitProfile,
        weather: Weather,
        seed: str,
    ) -> None:
        name = instrument.name
        self._agenda = agenda
        self._value = value
        self._profile = profile
        self._weather = weather
        self._instrument = instrument
        self._taker = Trader(exchange, "house-takers", instrument)
        self._makers = [
            FastMaker(
                Trader(exchange, f"house-maker-{k}", instrument),
                Stream(f"{seed}|maker-{k}|{name}"),
                latency_ms=maker.latency_ms,
                tolerance=maker.tolerance,
                noise=maker.noise,
                size=self._lots(profile.maker_usd),
            )
            for k, maker in enumerate(profile.makers)
        ]
        self._ladder = Ladder(
            Trader(exchange, "house-ladder", instrument),
            agenda,
            Stream(f"{seed}|ladder|{name}"),
            rate=profile.ladder_rate,
            size=self._lots(profile.ladder_usd),
            activity=weather.regime.activity,
        )
        self._clock = HawkesClock(
            profile.taker_rate, weather.regime.activity, Stream(f"{seed}|clock|{name}")
        )
        self._takers = Takers(Stream(f"{seed}|takers|{name}"))
        self._race = Stream(f"{seed}|lead-lag|{name}")
        self._sweeps = Stream(f"{seed}|sweeps|{name}")
        self.premium = 0.0

    @property
    def fair(self) -> float:
        """What this instrument is worth now, USD."""
        return self._value.price + self.premium

    def start(self, now: Nanos) -> None:
        """Fill the book and set the clocks."""
        self._ladder.fill(now, self.fair, self._profile.ladder_orders)
        for maker in self._makers:
            maker.quote(now, self._fair_ticks())
        self._agenda.at(self._ladder.next_birth(now), self._birth)
        self._agenda.at(self._clock.next(now), self._arrival)
        self._agenda.at(self._next_sweep(now), self._sweep)

    def moved(self, now: Nanos, bps: float) -> None:
        """The efficient price moved: makers see it, slow owners see it late, racers take."""
        self._ladder.passed(now, self.fair)
        self.alert(now)
        regime = self._weather.regime
        hot = _LEAD_LAG_PER_BP * regime.toxicity * regime.lead_lag
        eager = min(_LEAD_LAG_MOST, hot * abs(bps))
        if self._profile.lead_lag and self._race.chance(eager):
            after = Nanos(now + int(self._race.uniform(0.3, 4.3) * MILLISECOND))
            sign, usd = (1 if bps > 0 else -1), self._takers.size()
            self._agenda.at(after, partial(self._snipe, sign, usd))

    def alert(self, now: Nanos) -> None:
        """Every maker looks again, after its own latency."""
        for maker in self._makers:
            if not maker.pending:
                maker.pending = True
                when = Nanos(now + maker.delay())
                self._agenda.at(when, partial(self._quote, maker, 0))

    def _quote(self, maker: FastMaker, tries: int, now: Nanos) -> None:
        maker.pending = False
        if not maker.quote(now, self._fair_ticks()) and tries < _RETRIES:
            maker.pending = True
            when = Nanos(now + 2 * maker.delay())
            self._agenda.at(when, partial(self._quote, maker, tries + 1))

    def _birth(self, now: Nanos) -> None:
        self._ladder.birth(now, self.fair)
        self._agenda.at(self._ladder.next_birth(now), self._birth)

    def _arrival(self, now: Nanos) -> None:
        sign, usd = self._takers.arrival(
            self._value.momentum, _INFORMED * self._weather.regime.toxicity
        )
        self._take(now, sign, _TAKER_LIMIT_BPS, usd)
        self._agenda.at(self._clock.next(now), self._arrival)

    def _next_sweep(self, now: Nanos) -> Nanos:
        regime = self._weather.regime
        share = self._profile.sweep_share * regime.activity
        rate = share * max(regime.sweeps_per_hour, _RAREST_PER_HOUR) / 3_600.0
        return Nanos(now + from_seconds(self._sweeps.exponential(1.0 / rate)))

    def _sweep(self, now: Nanos) -> None:
        draw = self._sweeps
        depth, with_drift = 1.0 + draw.exponential(3.0), draw.chance(0.65)
        up = (self._value.momentum > 0) == with_drift
        self.sweep(now, 1 if up else -1, depth)
        self._agenda.at(self._next_sweep(now), self._sweep)

    def sweep(self, now: Nanos, sign: int, bps: float) -> None:
        """Somebody takes everything within this distance; what stays of it is the regime's dial."""
        self._take(now, sign, bps, _SWEEP_USD)
        self._value.shift(sign * bps, self._weather.regime.sweep_permanence)

    def _take(self, now: Nanos, sign: int, limit_bps: float, usd: float) -> None:
        best = self._taker.best(-sign)
        if best is not None:
            limit = round(best * (1.0 + sign * limit_bps * BPS))
            self._taker.take(now, sign, limit, max(1, round(self._lots(usd))))
            self.alert(now)

    def _snipe(self, sign: int, usd: float, now: Nanos) -> None:
        """Take everything on the wrong side of the fair price, up to a size."""
        fair = self._fair_ticks()
        limit = math.floor(fair) if sign > 0 else math.ceil(fair)
        self._taker.take(now, sign, limit, max(1, round(self._lots(usd))))

    def _lots(self, usd: float) -> float:
        inverse = self._instrument.payoff is Payoff.INVERSE
        return (usd if inverse else usd / self._value.price) / self._instrument.amount_step

    def _fair_ticks(self) -> float:
        return self.fair / self._instrument.tick
