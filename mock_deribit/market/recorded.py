"""The recorded market: a trade tape played at its own times, shifted to now.

Trades happen at their recorded times, prices, sizes and sides, by a taker account; a background book
stands around them (its rule, and what our orders get of each print: background.py). The index is the
tape's, published with each print, and once a second with the tenth of a basis point by which a real one
never stands still; the mark is the exchange's own, from that index and the book. The dated futures are
simulated around the tape's index. When the tape ends everything stops where it is: the books hold their
last state and `ended` says so.
"""

from collections.abc import Mapping
from functools import partial

from mock_deribit.exchange.engine import Exchange
from mock_deribit.market.agenda import Agenda
from mock_deribit.market.background import Background
from mock_deribit.market.levels import Levels, QueueModel
from mock_deribit.market.regime import Regime, Weather
from mock_deribit.market.surroundings import Surroundings
from mock_deribit.market.trader import Trader
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.recordings.tape import Print, Recording
from shared.units import MILLISECOND, SECOND, from_seconds

_LEAD = Nanos(2 * SECOND)
_BREATHS_PER_SECOND = 12.0
_GAP_MS = (1.0, 30.0)


class RecordedMarket:
    """Plays one recording. `speed` 2 plays it in half the time. Raises ValueError for a speed <= 0."""

    def __init__(
        self,
        recording: Recording,
        seed: str,
        regime: Regime,
        index: str = "btc_usd",
        speed: float = 1.0,
        queue: QueueModel = QueueModel.CUBE,
    ) -> None:
        if speed <= 0.0:
            raise ValueError(f"speed must be above 0, came {speed:g}; 1 is as recorded")
        self._recording = recording
        self._seed = seed
        self._weather = Weather(regime)
        self._index = index
        self._speed = speed
        self._agenda = Agenda()
        self._breaths = Stream(f"{seed}|breaths")
        self._queue = queue
        self._origin = Nanos(0)
        self._next = 0
        self._ended: str | None = None

    @property
    def index_prices(self) -> Mapping[str, float]:
        """The index at the tape's first print."""
        return {self._index: self._recording.prints[0].index}

    @property
    def ended(self) -> str | None:
        """Says that the tape is over; None while it plays."""
        return self._ended

    @property
    def end(self) -> Nanos:
        """When the last print happens, in the time of the exchange. Known once started."""
        return self._when(self._recording.prints[-1])

    def start(self, now: Nanos, exchange: Exchange) -> Nanos:
        """Put up the books; the first print follows two seconds later.

        Raises ValueError when the tape's instrument is not listed.
        """
        self._exchange, self._origin = exchange, Nanos(now + _LEAD)
        listing = exchange.listing(self._recording.instrument)
        if listing is None:
            listed = ", ".join(known.name for known in exchange.listings)
            raise ValueError(
                f"the tape is of {self._recording.instrument}, which is not listed; listed: {listed}"
            )
        instrument, first = listing.instrument, self._recording.prints[0]
        self._taker = Trader(exchange, "tape-takers", instrument)
        trader = Trader(exchange, "tape-background", instrument)
        stream = Stream(f"{self._seed}|background")
        self._levels = Levels(trader, stream, self._queue)
        self._background = Background(trader, stream, self._levels)
        tick = round(first.price / instrument.tick)
        self._background.open(now, tick - 1 if first.side.sign > 0 else tick)
        self._around = Surroundings(
            exchange, self._agenda, self._weather, self._index, first.index, self._seed
        )
        self._around.start(now, instrument.name)
        self._agenda.at(self._when(first), self._print)
        self._agenda.at(self._next_breath(now), self._breathe)
        return self.wake(now)

    def wake(self, now: Nanos) -> Nanos:
        """Play everything due, each act at its own time."""
        return self._agenda.run(now, self._exchange.now)

    def put_off(self, by: Nanos) -> Nanos:
        """Nobody does anything for so long."""
        self._origin = Nanos(self._origin + by)
        return self._agenda.put_off(by)

    def _when(self, printed: Print) -> Nanos:
        return Nanos(self._origin + int((printed.ts - self._recording.start) / self._speed))

    def _print(self, now: Nanos) -> None:
        printed = self._recording.prints[self._next]
        instrument = self._taker.instrument
        sign = printed.side.sign
        tick = round(printed.price / instrument.tick)
        lots = round(printed.amount / instrument.amount_step)
        self._around.follow(now, printed.index)
        passed = self._levels.make_way(now, sign, tick)
        self._taker.take(now, -sign, tick, passed)
        self._levels.offer(now, sign, tick, lots)
        self._taker.take(now, sign, tick, lots)
        late = Nanos(now + int(self._breaths.uniform(*_GAP_MS) * MILLISECOND))
        self._agenda.at(late, partial(self._close_gap, sign))
        self._next += 1
        if self._next < len(self._recording.prints):
            self._agenda.at(self._when(self._recording.prints[self._next]), self._print)
        else:
            self._background.close_gap(now, sign)
            self._finish()

    def _finish(self) -> None:
        self._agenda.forget()
        prints = self._recording.prints
        seconds = (self._recording.end - self._recording.start) / SECOND
        self._ended = (
            f"the tape is over: {len(prints)} trades of {self._recording.instrument} in "
            f"{seconds:.0f} s; the books hold their last state"
        )

    def _close_gap(self, half: int, now: Nanos) -> None:
        self._background.close_gap(now, half)

    def _next_breath(self, now: Nanos) -> Nanos:
        rate = _BREATHS_PER_SECOND * self._weather.regime.activity
        return Nanos(now + from_seconds(self._breaths.exponential(1.0 / rate)))

    def _breathe(self, now: Nanos) -> None:
        self._background.breathe(now)
        self._agenda.at(self._next_breath(now), self._breathe)
