"""The book against a naive one, its chain, and what the venue has really sent."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.marketdata.book import L2Book
from shared.deribit.codec import BookFrame, decode_book
from shared.kernel import Nanos
from shared.messages import FeedState, Level

DATA = Path(__file__).parents[4] / "shared" / "data" / "deribit"


def frame(
    change_id: int,
    before: int | None,
    bids: tuple[Level, ...] = (),
    asks: tuple[Level, ...] = (),
) -> BookFrame:
    return BookFrame(
        instrument="BTC-PERPETUAL",
        ts=Nanos(change_id),
        change_id=change_id,
        prev_change_id=before,
        snapshot=before is None,
        bids=bids,
        asks=asks,
    )


SNAPSHOT = frame(
    10, None, bids=((99.5, 5.0), (99.0, 7.0)), asks=((100.0, 3.0), (100.5, 4.0), (102.0, 1.0))
)


def synced() -> L2Book:
    book = L2Book()
    assert book.apply(SNAPSHOT) is None
    return book


def test_a_snapshot_is_the_book_best_first() -> None:
    book = synced()
    assert book.bids.top(10) == ((99.5, 5.0), (99.0, 7.0))
    assert book.asks.top(2) == ((100.0, 3.0), (100.5, 4.0))
    assert (book.bids.best, book.asks.best) == (99.5, 100.0)


def test_a_change_sets_totals_and_removes_at_zero() -> None:
    book = synced()
    change = frame(25, 10, bids=((99.5, 0.0), (98.0, 2.0)), asks=((100.0, 9.0), (99.5, 1.0)))
    assert book.apply(change) is None
    assert book.bids.top(9) == ((99.0, 7.0), (98.0, 2.0))
    assert book.asks.top(2) == ((99.5, 1.0), (100.0, 9.0))
    assert (book.change_id, book.ts) == (25, 25)


def test_removing_a_level_that_is_not_there_changes_nothing() -> None:
    book = synced()
    assert book.apply(frame(11, 10, bids=((50.0, 0.0),))) is None
    assert book.bids.top(9) == SNAPSHOT.bids


def test_a_broken_chain_empties_the_book_until_the_next_snapshot() -> None:
    book = synced()
    fault = book.apply(frame(30, 11, bids=((98.0, 1.0),)))
    assert fault is not None
    assert fault.state is FeedState.GAP
    assert "10" in fault.detail
    assert "11" in fault.detail
    assert not book.synced
    assert book.apply(frame(31, 30, bids=((98.0, 1.0),))) is None
    assert book.bids.top(9) == ()
    assert book.apply(SNAPSHOT) is None
    assert book.synced


@pytest.mark.parametrize("ask", [99.5, 99.0])
def test_a_best_bid_at_or_above_the_best_ask_is_a_fault(ask: float) -> None:
    book = synced()
    fault = book.apply(frame(11, 10, asks=((ask, 1.0),)))
    assert fault is not None
    assert fault.state is FeedState.CROSSED
    assert not book.synced


def test_a_crossed_snapshot_is_a_fault() -> None:
    fault = L2Book().apply(frame(1, None, bids=((101.0, 1.0),), asks=((100.0, 1.0),)))
    assert fault is not None
    assert fault.state is FeedState.CROSSED


def test_the_same_frame_twice_changes_nothing() -> None:
    book = synced()
    change = frame(11, 10, bids=((98.0, 1.0),))
    assert book.apply(change) is None
    assert book.apply(change) is None
    assert book.apply(frame(12, 11, bids=((98.0, 2.0),))) is None
    assert book.bids.top(3)[-1] == (98.0, 2.0)


def test_an_emptied_side_has_no_best() -> None:
    book = synced()
    assert book.apply(frame(11, 10, bids=((99.5, 0.0), (99.0, 0.0)))) is None
    assert book.bids.best is None
    assert len(book.bids) == 0


bid_prices = st.integers(1, 60).map(lambda tick: tick * 0.5)
ask_prices = st.integers(61, 120).map(lambda tick: tick * 0.5)
amounts = st.one_of(st.just(0.0), st.floats(1.0, 1e6))


def levels(prices: st.SearchStrategy[float]) -> st.SearchStrategy[tuple[Level, ...]]:
    return st.lists(st.tuples(prices, amounts), max_size=15).map(tuple)


changes = st.lists(st.tuples(levels(bid_prices), levels(ask_prices)), max_size=12)


@given(changes)
def test_any_history_gives_the_same_book_as_a_plain_dict(
    history: list[tuple[tuple[Level, ...], tuple[Level, ...]]],
) -> None:
    book, bids, asks = L2Book(), dict[float, float](), dict[float, float]()
    for number, (bid_levels, ask_levels) in enumerate(history):
        before = number * 7 if number else None
        assert book.apply(frame(number * 7 + 7, before, bid_levels, ask_levels)) is None
        for side, steps in ((bids, bid_levels), (asks, ask_levels)):
            for price, amount in steps:
                side.pop(price, None)
                if amount:
                    side[price] = amount
    assert book.bids.top(200) == tuple(sorted(bids.items(), reverse=True))
    assert book.asks.top(200) == tuple(sorted(asks.items()))
    assert book.bids.top(3) == book.bids.top(200)[:3]


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_every_lost_frame_is_found_by_the_next_one(kept: list[bool]) -> None:
    book, lost = synced(), False
    for number, keep in enumerate(kept):
        change = frame(100 + number, 99 + number if number else 10, bids=((90.0, 1.0 + number),))
        if not keep:
            lost = True
            continue
        fault = book.apply(change)
        if lost:
            assert fault is not None
            assert fault.state is FeedState.GAP
            return
        assert fault is None


def recorded(path: Path) -> list[Any]:
    """Book payloads of a recording, by line."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    texts = [line[line.index("{") :] for line in text.splitlines() if '"book.' in line]
    frames = [json.loads(text) for text in texts]
    return [one["params"] for one in frames if one.get("method") == "subscription"]


def books_after(path: Path) -> tuple[dict[str, L2Book], list[str]]:
    """Every channel's book after the recording, and the faults on the way."""
    books: dict[str, L2Book] = {}
    faults = []
    for params in recorded(path):
        book = books.setdefault(params["channel"], L2Book())
        fault = book.apply(decode_book(json.dumps(params["data"]).encode()))
        if fault is not None:
            faults.append(fault.state.value)
    return books, faults


@pytest.mark.parametrize("name", ["DERIBIT.ws.1.0.gz", "DERIBIT-5dd9ce.0.gz"])
def test_production_captures_have_unbroken_chains(name: str) -> None:
    path = DATA / "cryptofeed" / name
    if not path.exists():
        pytest.skip(f"recorded frames are not here: {name}")
    books, faults = books_after(path)
    assert (len(books), faults) == (10, [])
    assert all(book.synced for book in books.values())


def test_the_one_gap_of_a_testnet_capture_is_found() -> None:
    path = DATA / "ssc2ce-python" / "deribit_dump.jsonl"
    if not path.exists():
        pytest.skip("recorded frames are not here: ssc2ce-python")
    books, faults = books_after(path)
    assert faults == ["gap"]
    assert not books["book.BTC-PERPETUAL.raw"].synced
