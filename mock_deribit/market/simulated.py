"""The simulated market: one efficient price, an index, and a pit for every listed future.

Deterministic in its seed: every agent draws from streams of its own (seed|agent|instrument), agents that
react draw by the number of their wake, and the efficient price moves by an exogenous stream plus the
impact of whoever takes. The dated futures follow the perpetual with an annualised basis; the index
is the efficient price, published once a second and 200 ms late.
"""

from collections.abc import Mapping

from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.listing import leader
from mock_deribit.market.agenda import Agenda
from mock_deribit.market.pit import DATED, PERPETUAL, Pit
from mock_deribit.market.premium import Premium
from mock_deribit.market.regime import Regime, Weather, regime_of
from mock_deribit.market.value import EfficientPrice
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import BPS, MILLISECOND, SECOND, from_seconds

_MOVES_PER_SECOND = 1.6
_INDEX_INTERVAL = Nanos(SECOND)
_INDEX_DELAY = Nanos(200 * MILLISECOND)
_INDEX_NOISE_BPS = 0.1


class SimulatedMarket:
    """A whole market by a seed. `price` is where the coin opens, USD."""

    def __init__(self, seed: str, price: float, regime: Regime, index: str = "btc_usd") -> None:
        self._seed = seed
        self._weather = Weather(regime)
        self._index = index
        self._moves = Stream(f"{seed}|moves")
        self._noise = Stream(f"{seed}|index")
        self._value = EfficientPrice(price, regime.volatility, Stream(f"{seed}|value"))
        self._agenda = Agenda()
        self._pits: dict[str, tuple[Pit, Premium]] = {}
        self._flow_seen: dict[str, float] = {}
        self._moved = Nanos(0)

    @property
    def index_prices(self) -> Mapping[str, float]:
        """The opening index."""
        return {self._index: round(self._value.price, 2)}

    @property
    def ended(self) -> str | None:
        """A simulated market goes on for ever."""
        return None

    def start(self, now: Nanos, exchange: Exchange) -> Nanos:
        """Open a pit for every future on the index."""
        self._exchange = exchange
        self._moved = now
        for listing in exchange.listings:
            instrument = listing.instrument
            if leader(instrument.index) == self._index:
                profile = PERPETUAL if instrument.perpetual else DATED
                pit = Pit(
                    exchange,
                    self._agenda,
                    instrument,
                    self._value,
                    profile,
                    self._weather,
                    self._seed,
                )
                self._pits[instrument.name] = (pit, Premium(instrument, self._seed))
        self._step_premiums(now, 0.0)
        for pit, _ in self._pits.values():
            pit.start(now)
        self._agenda.at(self._next_move(now), self._move)
        self._agenda.at(Nanos(now + _INDEX_INTERVAL), self._observe_index)
        return self.wake(now)

    def wake(self, now: Nanos) -> Nanos:
        """Do everything due, each act at its own time."""
        return self._agenda.run(now, self._exchange.now)

    def put_off(self, by: Nanos) -> Nanos:
        """Nobody does anything for so long."""
        self._moved = Nanos(self._moved + by)
        return self._agenda.put_off(by)

    def shift(self, now: Nanos, bps: float) -> Nanos:
        """News that stays."""
        self._value.shift(bps, 1.0)
        for pit, _ in self._pits.values():
            pit.moved(now, bps)
        return self.wake(now)

    def sweep(self, now: Nanos, instrument: str, sign: int, bps: float) -> Nanos:
        """Raises ValueError for an instrument that is not traded here."""
        if instrument not in self._pits:
            raise ValueError(
                f"nobody trades {instrument!r} here; expected one of {', '.join(self._pits)}"
            )
        self._pits[instrument][0].sweep(now, sign, bps)
        return self.wake(now)

    def set_regime(self, now: Nanos, name: str) -> Nanos:
        """From now on; the pace of what is already on its way stays as it was."""
        self._weather.regime = regime_of(name)
        return self.wake(now)

    def _next_move(self, now: Nanos) -> Nanos:
        rate = _MOVES_PER_SECOND * self._weather.regime.activity
        return Nanos(now + from_seconds(self._moves.exponential(1.0 / rate)))

    def _move(self, now: Nanos) -> None:
        self._value.absorb(self._new_flow_usd())
        bps = self._value.step(max(1, now - self._moved) / SECOND)
        self._moved = now
        for pit, _ in self._pits.values():
            pit.moved(now, bps)
        self._agenda.at(self._next_move(now), self._move)

    def _new_flow_usd(self) -> float:
        total = 0.0
        for name in self._pits:
            flow = self._exchange.taker_flow(name)
            total += flow - self._flow_seen.get(name, 0.0)
            self._flow_seen[name] = flow
        return total * self._value.price

    def _observe_index(self, now: Nanos) -> None:
        noise = self._noise.normal(0.0, _INDEX_NOISE_BPS) * BPS
        price = round(self._value.price * (1.0 + noise), 2)
        self._agenda.at(
            Nanos(now + _INDEX_DELAY), lambda at: self._exchange.set_index(at, self._index, price)
        )
        self._step_premiums(now, _INDEX_INTERVAL / SECOND)
        self._agenda.at(Nanos(now + _INDEX_INTERVAL), self._observe_index)

    def _step_premiums(self, now: Nanos, seconds: float) -> None:
        for name, (pit, premium) in self._pits.items():
            if seconds:
                premium.step(seconds, self._exchange.ticker(name).current_funding or 0.0)
            pit.premium = premium.at(now, self._value.price)
