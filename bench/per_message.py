"""Core: CPU of one book message, from the frame's bytes to a quote, beside the cheapest typed decode.

The cores are the real ones, woken up in a World until they quote, and then called directly: no socket, no
bus, no loop. Each row does the row above it and one thing more; the floor decodes the same bytes in one
pass into the members that a book needs, and keeps nothing.
"""

import time
from collections.abc import Callable, Sequence
from statistics import median

import msgspec

from backtest.stage import Stage
from bench.machine import header
from bench.market import StillMarket, bench_params, bench_settings
from bench.quantiles import NotMeasured, ratio
from bench.tape import Tape
from services.marketdata.book import L2Book
from shared.deribit.codec import BookFrame, decode_book
from shared.deribit.envelope import decode_frame
from shared.kernel import Core, FrameIn, Nanos, Publish
from shared.messages import Book, Quote
from shared.units import MILLISECOND

FRAMES = 2_000
RATE = 1_000.0
MOVES = 80
WAKE_UP_S = 6.0
DEPTH = 10
_START = Nanos(1_789_000_000_000_000_000)


class _Data(msgspec.Struct):
    change_id: int
    bids: list[tuple[str, float, float]]
    asks: list[tuple[str, float, float]]
    prev_change_id: int | None = None


class _Params(msgspec.Struct):
    channel: str
    data: _Data


class _Envelope(msgspec.Struct):
    params: _Params


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One row: nanoseconds a message (median of the rounds) and the ratio to the floor."""

    name: str
    ns: float
    ratio: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured."""

    header: dict[str, str]
    frames: int
    bytes_mean: float
    quotes: int
    rounds: int
    steps: tuple[Step, ...]


Pass = Callable[[Sequence[bytes]], int]
"""Takes a snapshot and the changes after it; says how much came out."""


class Cores:
    """marketdata and quoter of a World in which everybody quotes; time stands still from then on."""

    def __init__(self, seed: str) -> None:
        stage = Stage(
            start=_START,
            seed=seed,
            params=bench_params(100.0),
            market=StillMarket(),
            settings=bench_settings(),
        )
        stage.run(WAKE_UP_S)
        self._marketdata: Core = stage.world.core("marketdata")
        self._quoter: Core = stage.world.core("quoter")
        self._now = stage.world.now

    def books(self, frames: Sequence[bytes]) -> int:
        """Frames to books."""
        return sum(1 for frame in frames for _ in self._books_of(frame))

    def quotes(self, frames: Sequence[bytes]) -> int:
        """Frames to books to quotes."""
        quoter = self._quoter.handle
        return sum(
            1
            for frame in frames
            for book in self._books_of(frame)
            for effect in quoter(self._now, book)
            if isinstance(effect, Publish) and isinstance(effect.message, Quote)
        )

    def _books_of(self, frame: bytes) -> list[Book]:
        self._now = Nanos(self._now + 1)
        effects = self._marketdata.handle(self._now, FrameIn(link="public", data=frame))
        said = [effect.message for effect in effects if isinstance(effect, Publish)]
        return [message for message in said if isinstance(message, Book)]


def measure(rounds: int, seed: str = "1") -> Report:
    """Run it; raises `NotMeasured` when a row did not do its work."""
    tape = Tape(seed)
    ts_ms = _START // MILLISECOND
    snapshot = tape.snapshot(ts_ms)
    changes = [frame.data for frame in tape.frames(FRAMES, MOVES, ts_ms, RATE)]
    frames = [snapshot, *changes]
    cores = Cores(seed)
    passes: dict[str, Pass] = {
        "floor: one typed decode": _decode_only,
        "envelope and payload decode, checked": _decode,
        "+ continuity, book, top 10": _book,
        "marketdata core, frame to Book": cores.books,
        "+ quoter core, Book to Quote": cores.quotes,
    }
    taken: dict[str, list[float]] = {name: [] for name in passes}
    made = 0
    for _ in range(rounds + 1):
        for name, work in passes.items():
            begun = time.process_time_ns()
            made = work(frames)
            taken[name].append((time.process_time_ns() - begun) / len(frames))
    if made < MOVES:
        raise NotMeasured(f"{MOVES} moves led to {made} quotes; the cores did not quote")
    # The first round is the warm-up.
    floor, *_ = counted = [times[1:] for times in taken.values()]
    steps = [
        Step(name=name, ns=median(times), ratio=ratio(times, floor))
        for name, times in zip(passes, counted, strict=True)
    ]
    return Report(
        header=header(),
        frames=FRAMES,
        bytes_mean=sum(map(len, changes)) / len(changes),
        quotes=made,
        rounds=rounds,
        steps=tuple(steps),
    )


def _decode_only(frames: Sequence[bytes]) -> int:
    decode = msgspec.json.Decoder(_Envelope).decode
    return sum(decode(frame).params.data.change_id > 0 for frame in frames)


def _decode(frames: Sequence[bytes]) -> int:
    return sum(_decoded(frame).change_id > 0 for frame in frames)


def _book(frames: Sequence[bytes]) -> int:
    book = L2Book()
    for frame in frames:
        fault = book.apply(_decoded(frame))
        if fault is not None:
            raise NotMeasured(f"the tape's book broke: {fault.detail}")
        book.bids.top(DEPTH)
        book.asks.top(DEPTH)
    return len(frames)


def _decoded(data: bytes) -> BookFrame:
    frame = decode_frame(data)
    if isinstance(frame, str) or frame.params is None:
        raise NotMeasured(f"the tape is not understood: {frame}")
    return decode_book(frame.params.data)
