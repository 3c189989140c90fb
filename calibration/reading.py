"""Reading recordings into records: a trade tape, a tardis stream, or the frames our recorder writes.

Pure: lines in, records out, one for each future the recording shows; what is no recording of these gives
none. Sizes become USD; the tick is the smallest step seen between levels of a book.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise
from typing import Any

import msgspec

from calibration.book import MirrorBook
from calibration.record import Mark, Print, Record
from shared.kernel import Nanos
from shared.recordings import tardis
from shared.recordings.frames import HEADER, Entry, MalformedRecording, decode_entry
from shared.recordings.tape import COLUMNS, Recording, read_recording
from shared.units import SECOND, Side, from_ms

_DEPTH_EVERY = 5 * SECOND
_TICK = 0.5


def records_of(lines: Iterable[bytes]) -> list[Record]:
    """The records of a recording's lines, the longest first; none for what is no recording.

    Raises MalformedRecording or BadRecording (a ValueError) for a recording that breaks off its format.
    """
    rest = iter(lines)
    first = next(rest, b"")
    whole = chain([first], rest)
    if all(column.encode() in first for column in COLUMNS):
        return [tape_record(read_recording(line.decode() for line in whole))]
    if first.startswith(HEADER):
        return Frames(decode_entry(line) for line in rest).records()
    if tardis.is_tardis(first):
        return Frames(tardis.entries_of(whole)).records()
    return []


def tape_record(tape: Recording) -> Record:
    """A tape as a record; its index and mark are sampled once a second."""
    record = Record(tape.instrument, _TICK, tape.start)
    record.end = tape.end
    record.prints = [Print(p.ts, p.side.sign, p.price, p.amount) for p in tape.prints]
    place = 0
    for ts in range(tape.start, tape.end, SECOND):
        while place + 1 < len(tape.prints) and tape.prints[place + 1].ts <= ts:
            place += 1
        printed = tape.prints[place]
        record.marks.append(Mark(Nanos(ts), printed.index, printed.mark))
    return record


class _Data(msgspec.Struct):
    """What book and ticker channels carry, as far as it is measured."""

    instrument_name: str
    type: str = "snapshot"
    bids: list[tuple[str, float, float]] = []
    asks: list[tuple[str, float, float]] = []
    mark_price: float | None = None
    index_price: float | None = None
    current_funding: float | None = None


class _Trade(msgspec.Struct):
    timestamp: int
    instrument_name: str
    price: float
    amount: float
    direction: str


class _Params(msgspec.Struct):
    channel: str
    data: msgspec.Raw


class _Frame(msgspec.Struct):
    params: _Params | None = None


_frames = msgspec.json.Decoder(_Frame)


class Frames:
    """Books, trades and tickers of recorded frames, by instrument."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._records: dict[str, Record] = {}
        self._books: dict[str, MirrorBook] = {}
        self._next_depth: dict[str, int] = {}
        for entry in entries:
            if entry.kind == "frame":
                self._hear(entry.at, entry.text)

    def records(self) -> list[Record]:
        """What was seen of each future, the longest first."""
        return sorted(self._records.values(), key=lambda record: -record.seconds)

    def _hear(self, at: Nanos, text: str) -> None:
        try:
            params = _frames.decode(text).params
            if params is None:
                return
            kind = params.channel.split(".", 1)[0]
            if kind == "trades":
                for trade in msgspec.json.decode(params.data, type=list[_Trade]):
                    self._trade(at, trade)
            elif kind in ("book", "ticker"):
                data = msgspec.json.decode(params.data, type=_Data)
                self._book(at, data) if kind == "book" else self._ticker(at, data)
        except msgspec.DecodeError as error:
            raise MalformedRecording(f"frame at {at}: {error}; came {text[:80]!r}") from error

    def _record(self, at: Nanos, name: str) -> Record:
        record = self._records.get(name)
        if record is None:
            record = self._records[name] = Record(name, _TICK, at)
            self._books[name] = MirrorBook()
        record.end = at
        return record

    def _trade(self, at: Nanos, trade: _Trade) -> None:
        record = self._record(at, trade.instrument_name)
        usd = _usd(trade.instrument_name, trade.amount, trade.price)
        ts = max(from_ms(trade.timestamp), record.prints[-1].ts if record.prints else Nanos(0))
        record.prints.append(Print(ts, Side(trade.direction).sign, trade.price, usd))

    def _ticker(self, at: Nanos, data: _Data) -> None:
        record = self._record(at, data.instrument_name)
        late = not record.marks or at - record.marks[-1].ts >= SECOND
        if late and data.mark_price is not None and data.index_price is not None:
            mark = Mark(at, data.index_price, data.mark_price, data.current_funding)
            record.marks.append(mark)

    def _book(self, at: Nanos, data: _Data) -> None:
        name = data.instrument_name
        record, book = self._record(at, name), self._books[name]
        if data.type == "snapshot":
            book.bids.clear()
            book.asks.clear()
            record.tick = _step([*data.bids, *data.asks]) or record.tick
        for levels, side in ((data.bids, book.bids), (data.asks, book.asks)):
            for action, price, amount in levels:
                side.set(price, 0.0 if action == "delete" else _usd(name, amount, price))
        top = book.top(at)
        if top is None or top.bid >= top.ask:
            return
        if not record.tops or record.tops[-1][1:] != top[1:]:
            record.tops.append(top)
        if at >= self._next_depth.get(name, 0):
            record.depths.append(book.depth(top))
            self._next_depth[name] = at + _DEPTH_EVERY


def _step(levels: Sequence[tuple[Any, float, float]]) -> float | None:
    prices = sorted({price: True for _, price, _ in levels})
    return min(_gaps(prices), default=None)


def _gaps(prices: list[float]) -> Iterator[float]:
    return (round(b - a, 10) for a, b in pairwise(prices))


def _usd(name: str, amount: float, price: float) -> float:
    """Linear futures (their names tell the settlement coin) are sized in coin."""
    return amount * price if "_" in name.split("-", 1)[0] else amount
