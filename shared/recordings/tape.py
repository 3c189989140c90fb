"""Reading a recorded trade tape: rows of comma-separated values to prints, or one clear error.

Columns (in any order, more are ignored): trade_id, instrument_name, timestamp_ms, price, amount_usd,
direction (the taker's), index_price, mark_price. Real tapes have flaws that are no errors: a repeated
trade_id is dropped, a row out of order is put in its place, a price off the tick is moved to the nearest
tick; each is counted. Everything else that cannot be understood raises `BadRecording`, naming line, column,
what was expected and what came.
"""

import csv
import math
from collections.abc import Iterable

import msgspec

from shared.kernel import Nanos
from shared.units import MILLISECOND, Side, is_multiple, on_grid

COLUMNS = (
    "trade_id",
    "instrument_name",
    "timestamp_ms",
    "price",
    "amount_usd",
    "direction",
    "index_price",
    "mark_price",
)


class BadRecording(ValueError):
    """The tape cannot be read; the message says where and why."""


class Print(msgspec.Struct, frozen=True):
    """One recorded trade. `side` is the taker's; amount in USD."""

    ts: Nanos
    trade_id: int
    side: Side
    price: float
    amount: float
    index: float
    mark: float


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A whole tape in order of time, and how many rows had to be mended."""

    instrument: str
    prints: tuple[Print, ...]
    duplicates: int
    out_of_order: int
    off_grid: int

    @property
    def start(self) -> Nanos:
        """When the first trade happened."""
        return self.prints[0].ts

    @property
    def end(self) -> Nanos:
        """When the last trade happened."""
        return self.prints[-1].ts


def read_recording(lines: Iterable[str], tick: float = 0.5, lot_usd: float = 10.0) -> Recording:
    """Parse a tape, header first. Raises BadRecording."""
    rows = csv.reader(lines)
    places = _places(next(rows, []))
    prints: list[Print] = []
    seen: dict[int, bool] = {}
    instrument = ""
    duplicates = out_of_order = off_grid = 0
    for row in rows:
        if not row:
            continue
        reader = _Row(row, places, rows.line_num)
        instrument = reader.instrument(instrument)
        printed = reader.read(lot_usd)
        if printed.trade_id in seen:
            duplicates += 1
            continue
        seen[printed.trade_id] = True
        if not is_multiple(printed.price, tick):
            off_grid += 1
            nearest = on_grid(round(printed.price / tick), tick)
            printed = msgspec.structs.replace(printed, price=nearest)
        if prints and printed.ts < prints[-1].ts:
            out_of_order += 1
        prints.append(printed)
    if not prints:
        raise BadRecording("the tape has no trades: expected a header line and at least one row")
    prints.sort(key=lambda p: (p.ts, p.trade_id))
    return Recording(
        instrument=instrument,
        prints=tuple(prints),
        duplicates=duplicates,
        out_of_order=out_of_order,
        off_grid=off_grid,
    )


def _places(header: list[str]) -> dict[str, int]:
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise BadRecording(
            f"line 1: expected a header with the columns {', '.join(COLUMNS)}; "
            f"missing {', '.join(missing)}; came {','.join(header) or 'nothing'}"
        )
    return {column: header.index(column) for column in COLUMNS}


class _Row:
    """One line of the tape and how to complain about it."""

    def __init__(self, cells: list[str], places: dict[str, int], line: int) -> None:
        self._cells = cells
        self._places = places
        self._line = line

    def read(self, lot_usd: float) -> Print:
        trade_id = self._integer("trade_id", "an integer")
        milliseconds = self._integer("timestamp_ms", "milliseconds since 1970")
        price = self._number("price", "a positive price")
        grid = f"a positive multiple of {lot_usd:g}"
        amount = self._number("amount_usd", grid)
        if not is_multiple(amount, lot_usd):
            raise self._bad("amount_usd", grid)
        direction = self._cell("direction", "buy or sell")
        if direction not in ("buy", "sell"):
            raise self._bad("direction", "buy or sell")
        return Print(
            ts=Nanos(milliseconds * MILLISECOND),
            trade_id=trade_id,
            side=Side(direction),
            price=price,
            amount=amount,
            index=self._number("index_price", "a positive price"),
            mark=self._number("mark_price", "a positive price"),
        )

    def instrument(self, known: str) -> str:
        name = self._cell("instrument_name", "an instrument's name")
        if known and name != known:
            raise self._bad("instrument_name", f"{known} as in the rows before")
        return name

    def _number(self, column: str, expected: str) -> float:
        try:
            value = float(self._cell(column, expected))
        except ValueError:
            raise self._bad(column, expected) from None
        if not math.isfinite(value) or value <= 0.0:
            raise self._bad(column, expected)
        return value

    def _integer(self, column: str, expected: str) -> int:
        try:
            value = int(self._cell(column, expected))
        except ValueError:
            raise self._bad(column, expected) from None
        if value <= 0:
            raise self._bad(column, expected)
        return value

    def _cell(self, column: str, expected: str) -> str:
        place = self._places[column]
        if place >= len(self._cells) or not self._cells[place]:
            raise self._bad(column, expected)
        return self._cells[place]

    def _bad(self, column: str, expected: str) -> BadRecording:
        place = self._places[column]
        came = self._cells[place] if place < len(self._cells) else ""
        return BadRecording(
            f"line {self._line}, column {column}: expected {expected}, came {came!r}"
        )
