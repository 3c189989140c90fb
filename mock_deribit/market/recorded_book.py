"""The recorded book: a stream of real level changes and trades, played at its own times, shifted to now.

Every level of the recording is rested by one background account in the matching engine, so that our orders
queue among real sizes; whose cancels a shrinking level shows is the queue model's business (levels.py). A
recorded trade is an order of the recorded side, size and price: ours at a better price fill first, ours at
the price behind what stands ahead of them, and an order of ours that was traded through fills at its own
price. A level of the recording that would cross an order of ours waits until that order is gone.

The instrument's tick becomes that of the recording. The index is the recorded one where tickers were
recorded, else the mid of the book; the other futures on it are simulated. At the end everything stands.
"""

from collections.abc import Mapping

from mock_deribit.exchange.engine import Exchange
from mock_deribit.market.agenda import Agenda
from mock_deribit.market.levels import Levels, QueueModel
from mock_deribit.market.regime import Regime, Weather
from mock_deribit.market.surroundings import Surroundings
from mock_deribit.market.trader import Trader
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.recordings.books import BookRecording, BookSeen, Seen, TickerSeen, TradeSeen
from shared.units import SECOND

_LEAD = Nanos(2 * SECOND)


class RecordedBook:
    """Plays one book. `speed` 2 plays it in half the time. Raises ValueError for a speed <= 0."""

    def __init__(
        self,
        recording: BookRecording,
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
        self._queue = queue
        self._agenda = Agenda()
        self._owed: dict[int, dict[int, int]] = {1: {}, -1: {}}
        self._has_index = any(isinstance(event, TickerSeen) for event in recording.events)
        self._followed = Nanos(0)
        self._next = 0
        self._ended: str | None = None

    @property
    def index_prices(self) -> Mapping[str, float]:
        """The first index recorded, or the first mid."""
        for event in self._recording.events:
            if isinstance(event, TickerSeen):
                return {self._index: event.index_price}
            if isinstance(event, BookSeen) and not self._has_index and event.bids and event.asks:
                best_bid = max(price for price, _ in event.bids)
                best_ask = min(price for price, _ in event.asks)
                return {self._index: round((best_bid + best_ask) / 2.0, 2)}
        raise ValueError("the recording shows neither an index nor both sides of a book")

    @property
    def ended(self) -> str | None:
        """Says that the recording is over; None while it plays."""
        return self._ended

    def start(self, now: Nanos, exchange: Exchange) -> Nanos:
        """Put up the first snapshot; the rest follows two seconds later.

        Raises ValueError when the instrument is not listed or cannot have the recording's tick.
        """
        self._exchange, self._origin = exchange, Nanos(now + _LEAD)
        name, price = self._recording.instrument, self.index_prices[self._index]
        listing = exchange.listing(name)
        if listing is None:
            listed = ", ".join(known.name for known in exchange.listings)
            raise ValueError(f"the book is of {name}, which is not listed; listed: {listed}")
        if listing.instrument.tick != self._recording.tick:
            exchange.set_tick(now, name, self._recording.tick)
            listing = exchange.listing(name) or listing
        instrument = listing.instrument
        self._taker = Trader(exchange, "book-takers", instrument)
        self._trader = Trader(exchange, "book-background", instrument)
        stream = Stream(f"{self._seed}|queue")
        self._levels = Levels(self._trader, stream, self._queue)
        self._around = Surroundings(
            exchange, self._agenda, self._weather, self._index, price, self._seed
        )
        self._around.start(now, name)
        self._play(now)
        return self.wake(now)

    def wake(self, now: Nanos) -> Nanos:
        """Play everything due, each act at its own time."""
        return self._agenda.run(now, self._exchange.now)

    def put_off(self, by: Nanos) -> Nanos:
        """Nobody does anything for so long."""
        self._origin = Nanos(self._origin + by)
        return self._agenda.put_off(by)

    def _play(self, now: Nanos) -> None:
        """One event, and when the next one is."""
        events = self._recording.events
        match events[self._next]:
            case BookSeen() as seen:
                self._book(now, seen)
            case TradeSeen() as seen:
                self._trade(now, seen)
            case TickerSeen() as seen:
                self._around.follow(now, seen.index_price)
        self._next += 1
        if self._next < len(events):
            self._agenda.at(self._when(events[self._next]), self._play)
            return
        self._agenda.forget()
        seconds = (events[-1].ts - events[0].ts) / SECOND
        self._ended = (
            f"the recording is over: {len(events)} events of {self._recording.instrument} in "
            f"{seconds:.0f} s; the books hold their last state"
        )

    def _when(self, seen: Seen) -> Nanos:
        return Nanos(self._origin + int((seen.ts - self._recording.events[0].ts) / self._speed))

    def _book(self, now: Nanos, seen: BookSeen) -> None:
        """What shrinks goes first, so that the background never meets itself."""
        changes: list[tuple[int, int, int]] = []
        for half, levels in ((1, seen.bids), (-1, seen.asks)):
            wanted = {self._ticks(price): self._lots(amount) for price, amount in levels}
            if seen.snapshot:
                wanted |= {tick: 0 for tick in self._levels.ticks(half) if tick not in wanted}
                self._owed[half].clear()
            changes += [(half, tick, lots) for tick, lots in wanted.items()]
        grows = []
        for half, tick, lots in changes:
            self._owed[half].pop(tick, None)
            if lots <= self._levels.held(half, tick):
                self._levels.set(now, half, tick, lots)
            else:
                grows.append((half, tick, lots))
        grows += [(half, *owed) for half, ticks in self._owed.items() for owed in ticks.items()]
        for half, tick, lots in grows:
            opposite = self._trader.best(-half)
            if opposite is not None and half * (tick - opposite) >= 0:
                self._owed[half][tick] = lots
            else:
                self._owed[half].pop(tick, None)
                self._levels.set(now, half, tick, lots)
        if not self._has_index and now - self._followed >= SECOND:
            self._follow_mid(now)

    def _trade(self, now: Nanos, seen: TradeSeen) -> None:
        sign, tick, lots = seen.side.sign, self._ticks(seen.price), self._lots(seen.amount)
        passed = self._levels.make_way(now, sign, tick)
        self._taker.take(now, -sign, tick, passed)
        self._levels.offer(now, sign, tick, lots)
        self._taker.take(now, sign, tick, lots)

    def _follow_mid(self, now: Nanos) -> None:
        bid, ask = self._exchange.best(self._recording.instrument)
        if bid is not None and ask is not None:
            self._followed = now
            self._around.follow(now, round((bid + ask) / 2.0, 2))

    def _ticks(self, price: float) -> int:
        return round(price / self._recording.tick)

    def _lots(self, amount: float) -> int:
        return round(amount / self._trader.instrument.amount_step)
