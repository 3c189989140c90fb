"""Reading recordings into records: a trade tape, a tardis stream, or the frames our recorder writes.

Pure: lines in, records out, one for each future the recording shows; what is no recording of these gives
none. Sizes become USD; the tick is the smallest step seen between levels of a book.
"""

from collections.abc import Iterable
from itertools import chain

from calibration.book import MirrorBook
from calibration.record import Mark, Print, Record
from shared.kernel import Nanos
from shared.recordings.books import (
    BookSeen,
    Seen,
    TickerSeen,
    TradeSeen,
    is_frames,
    seen_in,
    smallest_step,
)
from shared.recordings.tape import COLUMNS, Recording, read_recording
from shared.units import SECOND

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
    return Frames(seen_in(whole)).records() if is_frames(first) else []


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


class Frames:
    """Books, trades and tickers of a recording, by instrument."""

    def __init__(self, events: Iterable[Seen]) -> None:
        self._records: dict[str, Record] = {}
        self._books: dict[str, MirrorBook] = {}
        self._next_depth: dict[str, int] = {}
        for event in events:
            match event:
                case TradeSeen():
                    self._trade(event)
                case TickerSeen():
                    self._ticker(event)
                case BookSeen():
                    self._book(event)

    def records(self) -> list[Record]:
        """What was seen of each future, the longest first."""
        return sorted(self._records.values(), key=lambda record: -record.seconds)

    def _record(self, event: Seen) -> Record:
        name = event.instrument
        record = self._records.get(name)
        if record is None:
            record = self._records[name] = Record(name, _TICK, event.ts)
            self._books[name] = MirrorBook()
        record.end = Nanos(max(record.end, event.ts))
        return record

    def _trade(self, trade: TradeSeen) -> None:
        usd = _usd(trade.instrument, trade.amount, trade.price)
        record = self._record(trade)
        record.prints.append(Print(record.end, trade.side.sign, trade.price, usd))

    def _ticker(self, ticker: TickerSeen) -> None:
        record = self._record(ticker)
        if not record.marks or record.end - record.marks[-1].ts >= SECOND:
            mark = Mark(record.end, ticker.index_price, ticker.mark_price, ticker.funding)
            record.marks.append(mark)

    def _book(self, seen: BookSeen) -> None:
        record, book = self._record(seen), self._books[seen.instrument]
        if seen.snapshot:
            book.bids.clear()
            book.asks.clear()
            record.tick = smallest_step(seen) or record.tick
        for levels, side in ((seen.bids, book.bids), (seen.asks, book.asks)):
            for price, amount in levels:
                side.set(price, _usd(seen.instrument, amount, price))
        top = book.top(record.end)
        if top is None or top.bid >= top.ask:
            return
        if not record.tops or record.tops[-1][1:] != top[1:]:
            record.tops.append(top)
        if record.end >= self._next_depth.get(seen.instrument, 0):
            record.depths.append(book.depth(top))
            self._next_depth[seen.instrument] = record.end + _DEPTH_EVERY


def _usd(name: str, amount: float, price: float) -> float:
    """Linear futures (their names tell the settlement coin) are sized in coin."""
    return amount * price if "_" in name.split("-", 1)[0] else amount
