"""Recordings in tardis-node's normalised format, as the frames that Deribit would have sent.

The format keeps every level change in order, but no change ids; the chain is made anew, so that a replay
can find a crossed book in it and never a gap. Times are ISO 8601, amounts USD, an amount of 0 deletes.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from shared.kernel import Nanos
from shared.recordings.frames import Entry, MalformedRecording, frame_entry

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class _Level(msgspec.Struct):
    price: float
    amount: float


class _Record(msgspec.Struct, rename="camel"):
    type: str
    symbol: str
    timestamp: datetime
    local_timestamp: datetime
    exchange: str
    is_snapshot: bool = False
    bids: list[_Level] = []
    asks: list[_Level] = []
    id: str = ""
    price: float = 0.0
    amount: float = 0.0
    side: str = ""


_decoder = msgspec.json.Decoder(_Record)


def is_tardis(line: bytes) -> bool:
    """Whether a recording that starts with this line is of that format."""
    return b'"localTimestamp"' in line


def entries_of(lines: Iterable[bytes]) -> Iterator[Entry]:
    """Book changes and trades as Deribit frames; other records are left out."""
    change_ids: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        try:
            record = _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise MalformedRecording(f"line {number}: {error}; came {line[:80]!r}") from error
        at = Nanos(_micros(record.local_timestamp) * 1000)
        if record.type == "book_change":
            before = change_ids.get(record.symbol, 0)
            change_ids[record.symbol] = before + 1
            channel = f"book.{record.symbol}.100ms"
            yield frame_entry(at, channel, msgspec.json.encode(_book(record, before)))
        elif record.type == "trade":
            channel = f"trades.{record.symbol}.100ms"
            yield frame_entry(at, channel, msgspec.json.encode([_trade(record)]))


def _book(record: _Record, before: int) -> dict[str, Any]:
    chain: dict[str, Any] = {"type": "snapshot"}
    if not record.is_snapshot:
        chain = {"type": "change", "prev_change_id": before}
    return chain | {
        "timestamp": _micros(record.timestamp) // 1000,
        "instrument_name": record.symbol,
        "change_id": before + 1,
        "bids": [_step(level) for level in record.bids],
        "asks": [_step(level) for level in record.asks],
    }


def _step(level: _Level) -> tuple[str, float, float]:
    return ("change" if level.amount else "delete", level.price, level.amount)


def _trade(record: _Record) -> dict[str, Any]:
    return {
        "trade_id": record.id,
        "trade_seq": int(record.id),
        "timestamp": _micros(record.timestamp) // 1000,
        "instrument_name": record.symbol,
        "price": record.price,
        "amount": record.amount,
        "direction": record.side,
    }


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND
