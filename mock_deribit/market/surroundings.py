"""What surrounds a recorded instrument: its index, published as a real one is, and the other futures on it.

The other futures are simulated pits around the recorded index, on which nothing they do has any effect. The
index follows the recording, and once a second moves by the tenth of a basis point by which a real one never
stands still.
"""

from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.listing import leader
from mock_deribit.market.agenda import Agenda
from mock_deribit.market.pit import Pit
from mock_deribit.market.premium import Premium
from mock_deribit.market.profiles import DATED
from mock_deribit.market.regime import Weather
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import BPS, SECOND

_INTERVAL = Nanos(SECOND)
_NOISE_BPS = 0.1


class RecordedPrice:
    """The recorded index, as what other futures follow; nobody moves it."""

    def __init__(self, price: float) -> None:
        self.price = price
        self.drift = 0.0
        self.lean = 0.0
        self.heat = 1.0

    def shift(self, bps: float) -> None:
        """A sweep moves nothing: the recording says where the price goes."""


class Surroundings:
    """Everything on the index but the recorded instrument."""

    def __init__(
        self,
        exchange: Exchange,
        agenda: Agenda,
        weather: Weather,
        index: str,
        price: float,
        seed: str,
    ) -> None:
        self._exchange = exchange
        self._agenda = agenda
        self._weather = weather
        self._index = index
        self._seed = seed
        self._value = RecordedPrice(price)
        self._noise = Stream(f"{seed}|index")
        self._pits: list[tuple[Pit, Premium]] = []

    def start(self, now: Nanos, recorded: str) -> None:
        """Open the pits of the other futures and publish the index."""
        for listing in self._exchange.listings:
            future = listing.instrument
            if leader(future.index) == self._index and future.name != recorded:
                pit = Pit(
                    self._exchange, self._agenda, future, self._value, DATED,
                    self._weather, self._seed,
                )  # fmt: skip
                premium = Premium(future, self._seed)
                pit.premium = premium.at(now, self._value.price)
                self._pits.append((pit, premium))
                pit.start(now)
        self._agenda.at(Nanos(now + _INTERVAL), self._publish)

    def follow(self, now: Nanos, index: float) -> None:
        """The recording shows the index here."""
        self._exchange.set_index(now, self._index, index)
        if index != self._value.price:
            bps = (index / self._value.price - 1.0) / BPS
            self._value.price = index
            for pit, premium in self._pits:
                pit.premium = premium.at(now, index)
                pit.moved(now, bps)

    def _publish(self, now: Nanos) -> None:
        noise = self._noise.normal(0.0, _NOISE_BPS) * BPS
        self._exchange.set_index(now, self._index, round(self._value.price * (1.0 + noise), 2))
        for _, premium in self._pits:
            premium.step(_INTERVAL, 0.0, 0.0)
        self._agenda.at(Nanos(now + _INTERVAL), self._publish)
