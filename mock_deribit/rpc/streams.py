"""Owns what each channel says: one stream object per channel that somebody listens to.

A stream takes the exchange's events and gives payloads when it is flushed: after every event for raw
channels, on the next multiple of the interval for batched ones. All listeners of a channel share one
stream, hence one chain of change ids; a book snapshot for a newcomer therefore flushes the others first.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.events import (
    BookChanged,
    Event,
    LevelChange,
    TickerChanged,
    Traded,
)
from mock_deribit.exchange.listing import Listing
from mock_deribit.rpc import wire
from mock_deribit.rpc.channels import Channel
from shared.units import round_down, round_up, to_ms

Payload = dict[str, object] | list[object]


class Stream(ABC):
    """One live channel. `hears` names the event types it must be shown."""

    hears: tuple[type[Event], ...] = ()

    def __init__(self, channel: Channel, exchange: Exchange) -> None:
        self.channel = channel
        self.exchange = exchange

    def initial(self) -> list[Payload]:
        """What a newcomer is sent after the acknowledgement."""
        return []

    @abstractmethod
    def take(self, event: Event) -> bool:
        """Remember what the event means for this channel; False if it means nothing."""

    @abstractmethod
    def flush(self) -> list[Payload]:
        """Payloads of everything remembered."""

    def settlement(self, instrument: str) -> str:
        """The currency whose accounts an instrument moves."""
        return self.listing(instrument).instrument.settlement

    def listing(self, instrument: str) -> Listing:
        """What the exchange lists under this name."""
        listing = self.exchange.listing(instrument)
        if listing is None:
            raise KeyError(f"expected a listed instrument, got {instrument!r}")
        return listing

    def covers(self, instrument: str) -> bool:
        """Whether an event about this instrument belongs here."""
        return self.channel.covers(instrument, self.settlement(instrument))


class BookStream(Stream):
    """`book.{instrument}.{interval}`: full depth, as changes chained by change ids."""

    hears = (BookChanged,)

    def __init__(self, channel: Channel, exchange: Exchange) -> None:
        super().__init__(channel, exchange)
        self._name = channel.instrument or ""
        self._last_id: int | None = None
        self._changed: BookChanged | None = None
        self._bids: dict[float, tuple[bool, float]] = {}
        self._asks: dict[float, tuple[bool, float]] = {}

    def initial(self) -> list[Payload]:
        book = self.exchange.book(self._name)
        if self._last_id is None:
            self._last_id = book.change_id
        return [wire.snapshot(book, self._last_id)]

    def take(self, event: Event) -> bool:
        if not isinstance(event, BookChanged) or event.instrument != self._name:
            return False
        if self._last_id is None:
            self._last_id = event.prev_change_id
        self._changed = event
        _merge(self._bids, event.bids)
        _merge(self._asks, event.asks)
        return True

    def flush(self) -> list[Payload]:
        if self._changed is None or self._last_id is None:
            return []
        event, self._changed = self._changed, None
        bids, asks = _net(self._bids, descending=True), _net(self._asks, descending=False)
        self._bids, self._asks = {}, {}
        if not bids and not asks:
            return []
        ids = (self._last_id, event.change_id)
        self._last_id = event.change_id
        return [wire.book_change(self._name, event.ts, ids, bids, asks)]

    def crossed(self) -> list[Payload]:
        """A frame that fits the chain and lies: a bid at the best ask."""
        book = self.exchange.book(self._name)
        if not book.asks or self._last_id is None:
            return []
        ids = (self._last_id, self._last_id + 1)
        self._last_id = ids[1]
        price, amount = book.asks[0]
        lie = LevelChange("new", price, amount)
        return [wire.book_change(self._name, book.ts, ids, [lie], [])]

    def skip(self) -> None:
        """Count on without a frame, so that the next does not follow the last."""
        if self._last_id is not None:
            self._last_id += 1


def _merge(pending: dict[float, tuple[bool, float]], changes: tuple[LevelChange, ...]) -> None:
    for change in changes:
        known = pending.get(change.price)
        existed = known[0] if known is not None else change.action != "new"
        pending[change.price] = (existed, change.amount)


def _net(pending: dict[float, tuple[bool, float]], *, descending: bool) -> list[LevelChange]:
    """What a batch amounts to: a level that came and went inside it was never there."""
    changes = []
    for price in sorted(pending, reverse=descending):
        existed, amount = pending[price]
        if amount > 0:
            changes.append(LevelChange("change" if existed else "new", price, amount))
        elif existed:
            changes.append(LevelChange("delete", price, 0.0))
    return changes


class GroupedBookStream(Stream):
    """`book.{instrument}.{group}.{depth}.{interval}`: the whole window every time."""

    hears = (BookChanged,)
    _dirty = False

    def initial(self) -> list[Payload]:
        book = self.exchange.book(self.channel.instrument or "")
        depth, step = self.channel.depth, self.channel.step
        window: Payload = {
            "timestamp": to_ms(book.ts),
            "change_id": book.change_id,
            "instrument_name": book.instrument,
            "bids": _grouped(book.bids, step, depth, up=False),
            "asks": _grouped(book.asks, step, depth, up=True),
        }
        return [window]

    def take(self, event: Event) -> bool:
        mine = isinstance(event, BookChanged) and event.instrument == self.channel.instrument
        self._dirty = self._dirty or mine
        return mine

    def flush(self) -> list[Payload]:
        dirty, self._dirty = self._dirty, False
        return self.initial() if dirty else []


def _grouped(
    levels: tuple[tuple[float, float], ...], step: float, depth: int, *, up: bool
) -> list[list[float]]:
    """Levels summed onto a coarser grid: bids rounded down, asks up."""
    sums: dict[float, float] = {}
    for price, amount in levels:
        key = price
        if step:
            key = round_up(price, step) if up else round_down(price, step)
        if key not in sums and len(sums) == depth:
            break
        sums[key] = sums.get(key, 0.0) + amount
    return [[price, round(amount, 10)] for price, amount in sums.items()]


class TradesStream(Stream):
    """`trades.…`: matches, oldest first."""

    hears = (Traded,)

    def __init__(self, channel: Channel, exchange: Exchange) -> None:
        super().__init__(channel, exchange)
        self._trades: list[object] = []

    def take(self, event: Event) -> bool:
        if not isinstance(event, Traded) or not self.covers(event.instrument):
            return False
        listing = self.listing(event.instrument)
        self._trades.extend(wire.public_trade(trade, listing) for trade in event.trades)
        return True

    def flush(self) -> list[Payload]:
        trades, self._trades = self._trades, []
        return [trades] if trades else []


class TickerStream(Stream):
    """`ticker.…`, `quote.…` and `perpetual.…`: a view of the ticker, when it has changed."""

    hears = (TickerChanged,)

    def __init__(self, channel: Channel, exchange: Exchange) -> None:
        super().__init__(channel, exchange)
        self._name = channel.instrument or ""
        self._dirty = False
        self._last: Payload = {}

    def initial(self) -> list[Payload]:
        return [wire.ticker(self.exchange.ticker(self._name))]

    def take(self, event: Event) -> bool:
        if not isinstance(event, TickerChanged) or event.instrument != self._name:
            return False
        self._dirty = True
        return True

    def view(self) -> Payload | None:
        """What this channel shows of the ticker."""
        return wire.ticker(self.exchange.ticker(self._name))

    def flush(self) -> list[Payload]:
        if not self._dirty:
            return []
        self._dirty = False
        view = self.view()
        if view is None or _timeless(view) == _timeless(self._last):
            return []
        self._last = view
        return [view]


def _timeless(view: Payload) -> dict[str, object]:
    members = dict(view) if isinstance(view, dict) else {}
    members.pop("timestamp", None)
    return members


class QuoteStream(TickerStream):
    """`quote.{instrument}`: best prices and amounts."""

    def initial(self) -> list[Payload]:
        return []

    def view(self) -> Payload | None:
        return wire.quote(self.exchange.ticker(self._name))


class PerpetualStream(TickerStream):
    """`perpetual.{instrument}.{interval}`: index and unrounded funding; silent for dated futures."""

    def initial(self) -> list[Payload]:
        return []

    def view(self) -> Payload | None:
        ticker = self.exchange.ticker(self._name)
        if ticker.current_funding is None:
            return None
        return {
            "timestamp": to_ms(ticker.ts),
            "index_price": ticker.index_price,
            "interest": ticker.current_funding,
        }


class IncrementalTickerStream(TickerStream):
    """`incremental_ticker.{instrument}`: the whole ticker once, then the members that changed."""

    def __init__(self, channel: Channel, exchange: Exchange) -> None:
        super().__init__(channel, exchange)
        self._told: wire.Json = {}

    def initial(self) -> list[Payload]:
        # A newcomer gets what the others were told last, so that the next change fits both.
        self._told = self._told or wire.ticker(self.exchange.ticker(self._name))
        return [{**self._told, "type": "snapshot"}]

    def flush(self) -> list[Payload]:
        if not self._dirty:
            return []
        self._dirty = False
        before, self._told = self._told, wire.ticker(self.exchange.ticker(self._name))
        change = wire.difference(before, self._told)
        if not _timeless(change):
            return []
        return [{**change, "instrument_name": self._name, "type": "change"}]


STREAMS: dict[str, Callable[[Channel, Exchange], Stream]] = {
    "book": BookStream,
    "grouped_book": GroupedBookStream,
    "trades": TradesStream,
    "ticker": TickerStream,
    "incremental_ticker": IncrementalTickerStream,
    "quote": QuoteStream,
    "perpetual": PerpetualStream,
}
