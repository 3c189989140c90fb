"""What recorded frames say of books, trades and tickers, as typed events in order.

The venue sends a trade and the change of the book it caused in either order; within one of the exchange's
milliseconds trades come first here, so that what a trade took is not mistaken for a cancel.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, pairwise

import msgspec

from shared.kernel import Nanos
from shared.recordings import tardis
from shared.recordings.frames import HEADER, Entry, MalformedRecording, decode_entry
from shared.units import Side, from_ms


class BookSeen(msgspec.Struct, frozen=True):
    """Levels with their new totals (0: gone). A snapshot replaces the whole book."""

    at: Nanos
    ts: Nanos
    instrument: str
    snapshot: bool
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]


class TradeSeen(msgspec.Struct, frozen=True):
    """One trade; `side` is the taker's."""

    at: Nanos
    ts: Nanos
    instrument: str
    side: Side
    price: float
    amount: float


class TickerSeen(msgspec.Struct, frozen=True):
    """Index, mark and funding."""

    at: Nanos
    ts: Nanos
    instrument: str
    index_price: float
    mark_price: float
    funding: float | None


Seen = BookSeen | TradeSeen | TickerSeen


class _Book(msgspec.Struct):
    timestamp: int
    instrument_name: str
    bids: list[tuple[str, float, float]]
    asks: list[tuple[str, float, float]]
    type: str = ""
    prev_change_id: int | None = None


class _Trade(msgspec.Struct):
    timestamp: int
    instrument_name: str
    price: float
    amount: float
    direction: str


class _Ticker(msgspec.Struct):
    timestamp: int
    instrument_name: str
    mark_price: float
    index_price: float
    current_funding: float | None = None


class _Params(msgspec.Struct):
    channel: str
    data: msgspec.Raw


class _Frame(msgspec.Struct):
    params: _Params | None = None


_frame = msgspec.json.Decoder(_Frame)
_book = msgspec.json.Decoder(_Book)
_trades = msgspec.json.Decoder(list[_Trade])
_ticker = msgspec.json.Decoder(_Ticker)


def is_frames(first: bytes) -> bool:
    """Whether a recording that starts with this line holds frames, in one of the two formats."""
    return first.startswith(HEADER) or tardis.is_tardis(first)


def seen_in(lines: Iterable[bytes]) -> Iterator[Seen]:
    """The events of a recording's lines. Raises MalformedRecording."""
    rest = iter(lines)
    first = next(rest, b"")
    if tardis.is_tardis(first):
        entries: Iterator[Entry] = tardis.entries_of(chain([first], rest))
    elif first.startswith(HEADER):
        # Each segment of a recording begins with a header of its own.
        entries = (decode_entry(line) for line in rest if not line.startswith(HEADER))
    else:
        raise MalformedRecording(
            f"expected recorded frames or a tardis stream; came {first[:80]!r}"
        )
    return _ordered(entries)


def smallest_step(book: BookSeen) -> float | None:
    """The tick a book is on, from the smallest step between its levels; None for one level a side."""
    steps = [
        round(abs(b[0] - a[0]), 10) for side in (book.bids, book.asks) for a, b in pairwise(side)
    ]
    return min(steps, default=None)


def _ordered(entries: Iterable[Entry]) -> Iterator[Seen]:
    """Events of one millisecond of the exchange together, trades before books."""
    waiting: list[Seen] = []
    for entry in entries:
        for seen in _decoded(entry):
            if waiting and seen.ts != waiting[-1].ts:
                yield from _trades_first(waiting)
                waiting = []
            waiting.append(seen)
    yield from _trades_first(waiting)


def _trades_first(events: list[Seen]) -> list[Seen]:
    return sorted(events, key=lambda seen: not isinstance(seen, TradeSeen))


def _decoded(entry: Entry) -> list[Seen]:
    if entry.kind != "frame":
        return []
    try:
        params = _frame.decode(entry.text).params
        kind = "" if params is None else params.channel.split(".", 1)[0]
        if params is None or kind not in ("book", "trades", "ticker"):
            return []
        if kind == "trades":
            return [
                TradeSeen(
                    entry.at, from_ms(t.timestamp), t.instrument_name, Side(t.direction),
                    t.price, t.amount,
                )
                for t in _trades.decode(params.data)
            ]  # fmt: skip
        if kind == "ticker":
            return [_ticker_seen(entry.at, _ticker.decode(params.data))]
        return [_book_seen(entry.at, _book.decode(params.data))]
    except (msgspec.DecodeError, ValueError) as error:
        raise MalformedRecording(
            f"frame at {entry.at}: {error}; came {entry.text[:80]!r}"
        ) from error


def _ticker_seen(at: Nanos, data: _Ticker) -> TickerSeen:
    return TickerSeen(
        at, from_ms(data.timestamp), data.instrument_name,
        data.index_price, data.mark_price, data.current_funding,
    )  # fmt: skip


def _book_seen(at: Nanos, data: _Book) -> BookSeen:
    """Frames of 2019 and 2020 have no type: there the one without a predecessor is the snapshot."""
    snapshot = data.type == "snapshot" or (not data.type and data.prev_change_id is None)
    bids, asks = (
        tuple((price, 0.0 if action == "delete" else amount) for action, price, amount in levels)
        for levels in (data.bids, data.asks)
    )
    return BookSeen(at, from_ms(data.timestamp), data.instrument_name, snapshot, bids, asks)


class BookRecording(msgspec.Struct, frozen=True):
    """One instrument's events from its first snapshot on, and the tick its book is on."""

    instrument: str
    tick: float
    events: tuple[Seen, ...]


def read_book(lines: Iterable[bytes]) -> BookRecording:
    """The instrument with the most changes of its book. Raises MalformedRecording without any book."""
    events = list(seen_in(lines))
    counts: dict[str, int] = {}
    for event in events:
        if isinstance(event, BookSeen):
            counts[event.instrument] = counts.get(event.instrument, 0) + 1
    if not counts:
        raise MalformedRecording("the recording holds no book: expected frames of a book channel")
    name = max(counts, key=lambda instrument: counts[instrument])
    kept = [event for event in events if event.instrument == name]
    first = next(
        (n for n, event in enumerate(kept) if isinstance(event, BookSeen) and event.snapshot), None
    )
    if first is None:
        raise MalformedRecording(f"the recording holds changes of {name} but no snapshot of it")
    opening = kept[first]
    tick = smallest_step(opening) if isinstance(opening, BookSeen) else None
    if tick is None:
        raise MalformedRecording(f"the first snapshot of {name} has fewer than two levels a side")
    return BookRecording(name, tick, tuple(kept[first:]))
