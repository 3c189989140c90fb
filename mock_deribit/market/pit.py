"""A pit: the agents that make up one instrument's market, around a fair price told from outside.

Fast makers at the touch, a slow ladder behind them, noise takers on a Hawkes clock, racers and snipers after
a move, and sweeps. What reacts acts later than it sees, through the agenda, with one pending act an agent.
"""

import math
from functools import partial

from mock_deribit.exchange.engine import Exchange
from mock_deribit.market.agenda import Agenda
from mock_deribit.market.hours import busyness
from mock_deribit.market.ladder import Ladder
from mock_deribit.market.makers import FastMaker
from mock_deribit.market.profiles import PitProfile
from mock_deribit.market.racers import SNIPE_LEAST_BPS, Racer, Racers
from mock_deribit.market.regime import Weather
from mock_deribit.market.takers import HawkesClock, Takers
from mock_deribit.market.trader import Trader
from mock_deribit.market.value import Outside
from shared.instruments import Instrument, Payoff
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import BPS, SECOND, from_seconds

_TAKER_LIMIT_BPS = 1.5
_SWEEP_USD = 6_000_000.0
_SWEEP_BPS, _SWEEP_MEAN_BPS = 1.0, 1.6
_WITH_DRIFT = 0.65
_RAREST_PER_HOUR = 0.01
_CHILD_SECONDS = 20.0
_CHILD_MOVE_BPS, _CHILD_MEMORY = 30.0, 60 * SECOND


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
        self.instrument = instrument
        self._taker = Trader(exchange, "house-takers", instrument)
        lot_usd = self._lot_usd()
        self._makers = [
            FastMaker(
                Trader(exchange, f"house-maker-{k}", instrument),
                Stream(f"{seed}|maker-{k}|{name}"),
                maker,
                profile.maker_usd * weather.regime.depth / lot_usd,
                profile.maker_deviation,
            )
            for k, maker in enumerate(profile.makers)
        ]
        self._ladder = Ladder(
            Trader(exchange, "house-ladder", instrument),
            agenda,
            Stream(f"{seed}|ladder|{name}"),
            weather,
            profile.bands,
            lot_usd,
        )
        self._clock = HawkesClock(Stream(f"{seed}|clock|{name}"))
        self._takers = Takers(Stream(f"{seed}|takers|{name}"))
        self._racers = Racers(
            Stream(f"{seed}|racers|{name}"),
            profile.race_per_bp,
            profile.race_power,
            profile.race_more,
        )
        self._fidgets = Stream(f"{seed}|fidgets|{name}")
        self._sweeps = Stream(f"{seed}|sweeps|{name}")
        self._before = (Nanos(0), 0.0)
        self.premium = 0.0

    @property
    def fair(self) -> float:
        """What this instrument is worth now, USD."""
        return self._value.price + self.premium

    def start(self, now: Nanos) -> None:
        """Fill the book and set the clocks."""
        self._before = (now, self.fair)
        self._ladder.fill(now, self.fair)
        for maker in self._makers:
            maker.improve(now, self._fair_ticks(), 0.0)
        self._agenda.at(self._ladder.next_birth(now), self._birth)
        self._agenda.at(self._next_arrival(now), self._arrival)
        self._agenda.at(self._next_fidget(now), self._fidget)
        self._agenda.at(self._next_sweep(now), self._sweep)

    def moved(self, now: Nanos, bps: float) -> None:
        """The efficient price moved: makers see it, slow owners see it late, racers take."""
        self._ladder.passed(now, self.fair)
        self.alert(now)
        regime = self._weather.regime
        # At a faster pace moves are smaller; who races them looks at how unusual they are.
        unusual = bps * math.sqrt(regime.activity)
        for racer in self._racers.after(now, unusual, regime.toxicity * regime.lead_lag):
            self._agenda.at(racer.at, partial(self._race, racer))
        # A sniper knows where the price is going to stand, so it is gone with all who know anything.
        if regime.toxicity and self._beyond(SNIPE_LEAST_BPS):
            at, threshold = self._racers.sniper(now)
            self._agenda.at(at, partial(self._snipe, threshold))

    def alert(self, now: Nanos) -> None:
        """Every maker looks again, after its own latency."""
        for maker in self._makers:
            if not maker.pending:
                maker.pending = True
                self._agenda.at(Nanos(now + maker.delay()), partial(self._defend, maker))

    def sweep(self, now: Nanos, sign: int, bps: float) -> None:
        """Somebody takes everything within this distance; what stays of it is the regime's dial."""
        self._take(now, sign, bps, _SWEEP_USD)
        self._value.shift(sign * bps * self._weather.regime.sweep_permanence)
        self._ladder.passed(now, self.fair)

    def gap_bps(self) -> float:
        """How far the mid stands over the fair price; 0 while a side is empty."""
        bid, ask = self._taker.best(1), self._taker.best(-1)
        if bid is None or ask is None:
            return 0.0
        return ((bid + ask) / 2.0 / self._fair_ticks() - 1.0) / BPS

    def take(self, now: Nanos, sign: int, usd: float) -> None:
        """A market order from elsewhere."""
        self._take(now, sign, _TAKER_LIMIT_BPS, usd)

    # -- makers ----------------------------------------------------------------------------------

    def _defend(self, maker: FastMaker, now: Nanos) -> None:
        if maker.defend(now, self._fair_ticks(), self._value.lean):
            self._agenda.at(Nanos(now + 2 * maker.delay()), partial(self._improve, maker))
        else:
            maker.pending = False

    def _improve(self, maker: FastMaker, now: Nanos) -> None:
        maker.pending = False
        maker.improve(now, self._fair_ticks(), self._value.lean)

    def _next_fidget(self, now: Nanos) -> Nanos:
        rate = self._profile.fidgets * self._weather.regime.activity
        return Nanos(now + from_seconds(self._fidgets.exponential(1.0 / rate)))

    def _fidget(self, now: Nanos) -> None:
        maker = self._fidgets.choice(self._makers)
        maker.fidget(now, self._fair_ticks(), self._value.lean)
        self._close_if_open(now)
        self._agenda.at(self._next_fidget(now), self._fidget)

    def _close_if_open(self, now: Nanos) -> None:
        bid, ask = self._taker.best(1), self._taker.best(-1)
        if bid is None or ask is None or ask - bid > 1:
            self.alert(now)

    def _birth(self, now: Nanos) -> None:
        self._ladder.birth(now, self.fair)
        self._agenda.at(self._ladder.next_birth(now), self._birth)

    # -- takers ----------------------------------------------------------------------------------

    def _next_arrival(self, now: Nanos) -> Nanos:
        regime = self._weather.regime
        busy = busyness(now) * math.sqrt(self._value.heat)
        rate = self._profile.taker_rate * regime.flow * max(busy, 0.05)
        return self._clock.next(now, rate, regime.activity)

    def _arrival(self, now: Nanos) -> None:
        informed = self._profile.informed * self._weather.regime.toxicity
        sign, usd = self._takers.arrival(now, self._value.drift, informed)
        self._take(now, sign, _TAKER_LIMIT_BPS, usd)
        self._agenda.at(self._next_arrival(now), self._arrival)

    def _race(self, racer: Racer, now: Nanos) -> None:
        self._clock.excite(0.2)
        self._takers.follow(racer.sign)
        self._take(now, racer.sign, _TAKER_LIMIT_BPS, racer.usd)

    def _take(self, now: Nanos, sign: int, limit_bps: float, usd: float) -> None:
        best = self._taker.best(-sign)
        if best is not None:
            limit = round(best * (1.0 + sign * limit_bps * BPS))
            self._taker.take(now, sign, limit, max(1, round(usd / self._lot_usd())))
            self._close_if_open(now)

    def _beyond(self, bps: float) -> int:
        """+1 when an ask stands this far below the fair price, -1 when a bid does above it."""
        fair = self._fair_ticks()
        bid, ask = self._taker.best(1), self._taker.best(-1)
        if ask is not None and ask < fair * (1.0 - bps * BPS):
            return 1
        return -1 if bid is not None and bid > fair * (1.0 + bps * BPS) else 0

    def _snipe(self, threshold: float, now: Nanos) -> None:
        """Take everything that stands beyond the fair price by more than a fee."""
        sign = self._beyond(threshold)
        if sign:
            limit = round(self._fair_ticks() * (1.0 - sign * threshold * BPS))
            self._taker.take(now, sign, limit, max(1, round(_SWEEP_USD / self._lot_usd())))
            self._close_if_open(now)

    # -- sweeps ----------------------------------------------------------------------------------

    def _next_sweep(self, now: Nanos) -> Nanos:
        regime = self._weather.regime
        rate = (
            self._profile.sweep_share
            * regime.activity
            * max(regime.sweeps_per_hour * math.sqrt(self._value.heat), _RAREST_PER_HOUR)
        )
        return Nanos(now + from_seconds(self._sweeps.exponential(3_600.0 / rate)))

    def _sweep(self, now: Nanos) -> None:
        self._liquidate(now)
        self._agenda.at(self._next_sweep(now), self._sweep)

    def _liquidate(self, now: Nanos) -> None:
        """One sweep; in a crash, when the minute's move is large, it may set off another."""
        draw, regime = self._sweeps, self._weather.regime
        depth = _SWEEP_BPS + draw.exponential(_SWEEP_MEAN_BPS)
        up = (self._value.drift > 0.0) == draw.chance(_WITH_DRIFT)
        since, before = self._before
        moved = (self.fair / before - 1.0) / BPS
        if now - since > _CHILD_MEMORY:
            self._before = (now, self.fair)
        self.sweep(now, 1 if up else -1, depth)
        self.alert(now)
        if abs(moved) > _CHILD_MOVE_BPS and draw.chance(regime.sweep_children):
            later = Nanos(now + from_seconds(draw.uniform(0.0, _CHILD_SECONDS)))
            self._agenda.at(later, self._liquidate)

    def _lot_usd(self) -> float:
        inverse = self.instrument.payoff is Payoff.INVERSE
        step = self.instrument.amount_step
        return step if inverse else step * self._value.price

    def _fair_ticks(self) -> float:
        return self.fair / self.instrument.tick
