"""★ The simulated market: one coin, its efficient price, its index, and a pit for every future on it.

Deterministic in its seed: every agent draws from streams of its own (seed|agent|instrument), agents that
react draw by the number of their wake, and the efficient price moves by an exogenous stream plus the
impact of whoever takes: two users meet the same flow, and differ by what they do. News, sweeps and the
impact of takers in any of the futures move the one price that all of them follow. The index is that price
with a tenth of a basis point of noise, published once a second and one to three tenths late.
"""

from collections.abc import Mapping

from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.listing import leader
from mock_deribit.market.agenda import Agenda
from mock_deribit.market.carry import Arbitrageur, FundingTrader
from mock_deribit.market.pit import Pit
from mock_deribit.market.premium import Premium
from mock_deribit.market.profiles import profile_of
from mock_deribit.market.regime import Regime, Weather, regime_of
from mock_deribit.market.value import EfficientPrice
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import BPS, DAY, MILLISECOND, SECOND, from_seconds

_LOOK = Nanos(SECOND)
_MOVES_PER_SECOND = 2.0
_INDEX_DELAY_MS = (100.0, 300.0)
_INDEX_NOISE_BPS = 0.1
_RAREST_A_DAY = 1e-3


class SimulatedMarket:
    """A whole market by a seed. `price` is where the coin opens, USD."""

    def __init__(self, seed: str, price: float, regime: Regime, index: str = "btc_usd") -> None:
        self._seed = seed
        self._price = price
        self._weather = Weather(regime)
        self._index = index
        self._moves = Stream(f"{seed}|moves")
        self._news = Stream(f"{seed}|news")
        self._noise = Stream(f"{seed}|index")
        self._agenda = Agenda()
        self._pits: dict[str, Pit] = {}
        self._premiums: dict[str, Premium] = {}
        self._flow_seen: dict[str, float] = {}
        self._flow_stepped: dict[str, float] = {}

    @property
    def index_prices(self) -> Mapping[str, float]:
        """The opening index."""
        return {self._index: round(self._price, 2)}

    @property
    def ended(self) -> str | None:
        """A simulated market goes on for ever."""
        return None

    def start(self, now: Nanos, exchange: Exchange) -> Nanos:
        """Open a pit for every future on the index, or on one pegged to it."""
        self._exchange = exchange
        self._value = EfficientPrice(now, self._price, self._weather, Stream(f"{self._seed}|value"))
        for pit in self._open_pits(now):
            pit.start(now)
        self._start_carry(now)
        self._agenda.at(self._next_move(now), self._move)
        self._agenda.at(self._next_news(now), self._break_news)
        self._agenda.at(Nanos(now + _LOOK), self._look)
        return self.wake(now)

    def _open_pits(self, now: Nanos) -> list[Pit]:
        """A pit for everything on the index that has none yet."""
        opened = []
        for listing in self._exchange.listings:
            future = listing.instrument
            if leader(future.index) == self._index and future.name not in self._pits:
                pit = Pit(
                    self._exchange, self._agenda, future, self._value, profile_of(future),
                    self._weather, self._seed,
                )  # fmt: skip
                premium = Premium(future, self._seed, self._weather.regime.premium_bps)
                pit.premium = premium.at(now, self._value.price)
                self._pits[future.name], self._premiums[future.name] = pit, premium
                opened.append(pit)
        return opened

    def wake(self, now: Nanos) -> Nanos:
        """Do everything due, each act at its own time."""
        return self._agenda.run(now, self._exchange.now)

    def put_off(self, by: Nanos) -> Nanos:
        """Nobody does anything for so long."""
        self._value.put_off(by)
        return self._agenda.put_off(by)

    def shift(self, now: Nanos, bps: float) -> Nanos:
        """News that stays."""
        self._value.shift(bps)
        self._tell(now, bps)
        return self.wake(now)

    def sweep(self, now: Nanos, instrument: str, sign: int, bps: float) -> Nanos:
        """Raises ValueError for an instrument that is not traded here."""
        if instrument not in self._pits:
            raise ValueError(
                f"nobody trades {instrument!r} here; expected one of {', '.join(self._pits)}"
            )
        self._pits[instrument].sweep(now, sign, bps)
        return self.wake(now)

    def set_regime(self, now: Nanos, name: str) -> Nanos:
        """From now on; the pace of what is already on its way stays as it was."""
        self._weather.regime = regime_of(name)
        return self.wake(now)

    def _start_carry(self, now: Nanos) -> None:
        """Those who trade between the futures: around the first perpetual listed."""
        perpetuals = [pit for pit in self._pits.values() if pit.instrument.perpetual]
        self._dated = [pit for pit in self._pits.values() if not pit.instrument.perpetual]
        if perpetuals:
            FundingTrader(self._agenda, self._exchange, perpetuals[0], self._seed).start(now)
            Arbitrageur(self._agenda, perpetuals[0], self._dated, self._seed).start(now)

    def _next_move(self, now: Nanos) -> Nanos:
        rate = _MOVES_PER_SECOND * self._weather.regime.activity
        return Nanos(now + from_seconds(self._moves.exponential(1.0 / rate)))

    def _move(self, now: Nanos) -> None:
        before = self._value.price
        self._value.absorb(self._new_flow_usd())
        self._value.step(now)
        self._tell(now, (self._value.price / before - 1.0) / BPS)
        self._agenda.at(self._next_move(now), self._move)

    def _tell(self, now: Nanos, bps: float) -> None:
        for pit in self._pits.values():
            pit.moved(now, bps)

    def _next_news(self, now: Nanos) -> Nanos:
        rate = max(self._weather.regime.news_per_day, _RAREST_A_DAY)
        return Nanos(now + int(self._news.exponential(DAY / rate)))

    def _break_news(self, now: Nanos) -> None:
        before = self._value.price
        if self._weather.regime.news_per_day:
            self._value.news(now, self._news)
            self._tell(now, (self._value.price / before - 1.0) / BPS)
        self._agenda.at(self._next_news(now), self._break_news)

    def _new_flow_usd(self) -> float:
        total = 0.0
        for name in self._pits:
            flow = self._exchange.taker_flow(name)
            total += flow - self._flow_seen.get(name, 0.0)
            self._flow_seen[name] = flow
        return total * self._value.price

    def _look(self, now: Nanos) -> None:
        """Once a second: the index is observed, and premiums move."""
        noise = self._noise.normal(0.0, _INDEX_NOISE_BPS) * BPS
        price = round(self._value.price * (1.0 + noise), 2)
        late = Nanos(now + int(self._noise.uniform(*_INDEX_DELAY_MS) * MILLISECOND))
        self._agenda.at(late, lambda at: self._exchange.set_index(at, self._index, price))
        for name, premium in self._premiums.items():
            flow = self._exchange.taker_flow(name)
            usd = (flow - self._flow_stepped.get(name, 0.0)) * self._value.price
            self._flow_stepped[name] = flow
            premium.step(_LOOK, self._exchange.ticker(name).current_funding or 0.0, usd)
            self._pits[name].premium = premium.at(now, self._value.price)
        for pit in self._open_pits(now):
            pit.start(now)
            self._dated.append(pit)
        self._agenda.at(Nanos(now + _LOOK), self._look)
