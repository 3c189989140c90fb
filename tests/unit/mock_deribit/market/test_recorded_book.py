"""The recorded book: its levels stand as recorded, and our orders are filled by the queue model chosen."""

import gzip
import json
from pathlib import Path

import pytest

from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.events import Traded
from mock_deribit.exchange.listing import btc_listings
from mock_deribit.exchange.messages import OrderRequest, OrderView
from mock_deribit.market.levels import QueueModel, cancels_ahead
from mock_deribit.market.recorded_book import RecordedBook
from mock_deribit.market.regime import Regime
from shared.kernel import Nanos
from shared.recordings.books import BookSeen, TradeSeen, read_book
from shared.recordings.frames import HEADER, MalformedRecording, encode_entry, frame_entry
from shared.units import MILLISECOND, SECOND, Side
from tests.support.floor import OPENING, PERPETUAL, accepted, play

MINUTE = (
    Path(__file__).parents[5]
    / "shared/data/deribit/tardis-node"
    / "BTC-PERPETUAL_book_change_and_trades_2019-04-01T00-00.jsonl.gz"
)
START_MS = 1_786_000_000_000
OPEN = {
    "type": "snapshot",
    "bids": [["new", 60_000.0, 1_000.0], ["new", 59_999.5, 500.0]],
    "asks": [["new", 60_000.5, 800.0], ["new", 60_001.0, 500.0]],
}


def line(channel: str, ms: int, data: object) -> bytes:
    return encode_entry(
        frame_entry(Nanos((START_MS + ms) * MILLISECOND), channel, json.dumps(data).encode())
    )


def book(ms: int, **sides: object) -> bytes:
    """A frame of the book; a change unless it says otherwise."""
    whole = {
        "type": "change",
        "bids": [],
        "asks": [],
        "change_id": ms + 2,
        "prev_change_id": ms + 1,
    }
    whole |= {"timestamp": START_MS + ms, "instrument_name": PERPETUAL} | sides
    return line(f"book.{PERPETUAL}.100ms", ms, whole)


def trade(ms: int, side: str, price: float, amount: float) -> bytes:
    one = {
        "timestamp": START_MS + ms, "instrument_name": PERPETUAL, "trade_id": "1", "trade_seq": 1,
        "price": price, "amount": amount, "direction": side,
    }  # fmt: skip
    return line(f"trades.{PERPETUAL}.100ms", ms, [one])


class Stage:
    """A recorded book with one account of ours, driven step by step."""

    def __init__(self, *lines: bytes, queue: QueueModel = QueueModel.CUBE) -> None:
        recording = read_book([HEADER, book(0, **OPEN), *lines])
        self.market = RecordedBook(recording, "stage", Regime(), queue=queue)
        self.exchange = Exchange(OPENING, btc_listings(OPENING), self.market.index_prices, "stage")
        self.exchange.open_account("alice", {"BTC": 1.0})
        self.due = self.market.start(OPENING, self.exchange)

    def until(self, seconds: float) -> None:
        end = Nanos(OPENING + round(seconds * SECOND))
        while min(self.due, self.exchange.next_wake()) <= end:
            now = min(self.due, self.exchange.next_wake())
            self.exchange.advance(now)
            self.due = self.market.wake(now)
        self.exchange.advance(end)

    def place(self, side: Side, amount: float, price: float) -> OrderView:
        request = OrderRequest(instrument=PERPETUAL, side=side, amount=amount, price=price)
        return accepted(self.exchange.place(self.exchange.now, "alice", request)).order

    def filled(self, order: OrderView) -> float:
        view = self.exchange.order("alice", order.order_id)
        assert isinstance(view, OrderView)
        return view.filled_amount

    def bids(self) -> dict[float, float]:
        return dict(self.exchange.book(PERPETUAL).bids)

    def asks(self) -> dict[float, float]:
        return dict(self.exchange.book(PERPETUAL).asks)


def test_levels_grow_shrink_and_go_as_recorded() -> None:
    stage = Stage(
        book(1_000, bids=[["change", 60_000.0, 1_500.0], ["delete", 59_999.5, 0.0]]),
        book(2_000, bids=[["change", 60_000.0, 300.0]], asks=[["new", 60_002.0, 70.0]]),
        book(9_000, bids=[["new", 59_990.0, 10.0]]),
    )
    assert stage.bids() == {60_000.0: 1_000.0, 59_999.5: 500.0}
    stage.until(3.5)
    assert stage.bids() == {60_000.0: 1_500.0}
    stage.until(4.5)
    assert stage.bids() == {60_000.0: 300.0}
    assert stage.asks() == {60_000.5: 800.0, 60_001.0: 500.0, 60_002.0: 70.0}


def test_a_trade_takes_the_queue_ahead_before_it_takes_us() -> None:
    stage = Stage(trade(1_000, "sell", 60_000.0, 1_040.0), book(9_000, **OPEN))
    mine = stage.place(Side.BUY, 100.0, 60_000.0)
    stage.until(3.5)
    assert stage.filled(mine) == 40.0


def test_a_change_told_before_its_trade_in_one_millisecond_is_no_cancel() -> None:
    told = book(1_000, bids=[["change", 60_000.0, 10.0]])
    stage = Stage(told, trade(1_000, "sell", 60_000.0, 990.0), book(9_000, **OPEN))
    mine = stage.place(Side.BUY, 100.0, 60_000.0)
    stage.until(3.5)
    assert stage.filled(mine) == 0.0
    assert stage.bids()[60_000.0] == 110.0


@pytest.mark.parametrize(
    ("queue", "filled"),
    [(QueueModel.AVERSE, 0.0), (QueueModel.CUBE, 60.0), (QueueModel.OPTIMISTIC, 100.0)],
)
def test_what_cancels_ahead_of_us_is_the_models_matter(queue: QueueModel, filled: float) -> None:
    stage = Stage(
        book(1_000, bids=[["change", 60_000.0, 2_000.0]]),
        book(2_000, bids=[["change", 60_000.0, 1_000.0]]),
        trade(3_000, "sell", 60_000.0, 940.0),
        book(9_000, **OPEN),
        queue=queue,
    )
    mine = stage.place(Side.BUY, 100.0, 60_000.0)
    stage.until(5.5)
    assert stage.filled(mine) == pytest.approx(filled, abs=10.0)


def test_a_level_that_would_cross_our_order_waits_until_it_is_gone() -> None:
    down = book(
        1_000,
        bids=[["delete", 60_000.0, 0.0], ["delete", 59_999.5, 0.0], ["new", 59_998.0, 90.0]],
        asks=[["new", 59_999.0, 40.0]],
    )
    stage = Stage(down, book(3_000, bids=[["change", 59_998.0, 95.0]]), book(9_000, **OPEN))
    mine = stage.place(Side.BUY, 100.0, 60_000.0)
    stage.until(3.5)
    assert stage.filled(mine) == 0.0
    assert 59_999.0 not in stage.asks()
    stage.exchange.cancel(stage.exchange.now, "alice", mine.order_id)
    stage.until(5.5)
    assert stage.asks()[59_999.0] == 40.0


def test_it_ends_and_says_so() -> None:
    stage = Stage(book(1_000, bids=[["new", 59_990.0, 10.0]]))
    stage.until(2.5)
    assert stage.market.ended is None
    stage.until(4.0)
    assert stage.market.ended == (
        f"the recording is over: 2 events of {PERPETUAL} in 1 s; the books hold their last state"
    )


def test_a_recording_without_a_book_or_a_snapshot_is_refused() -> None:
    with pytest.raises(MalformedRecording, match="holds no book"):
        read_book([HEADER, trade(0, "buy", 60_000.0, 10.0)])
    with pytest.raises(MalformedRecording, match="no snapshot"):
        read_book([HEADER, book(0, bids=[["new", 60_000.0, 10.0]])])
    with pytest.raises(MalformedRecording, match="expected recorded frames"):
        read_book([b"something else\n"])
    with pytest.raises(MalformedRecording, match="frame at"):
        read_book([HEADER, line(f"book.{PERPETUAL}.raw", 0, {"bids": 3})])


def test_models_bound_each_other() -> None:
    for ahead, behind, lots in ((90, 10, 50), (10, 90, 50), (50, 50, 20)):
        taken = [
            cancels_ahead(ahead, behind, lots, 0.5, model)
            for model in (QueueModel.AVERSE, QueueModel.CUBE, QueueModel.OPTIMISTIC)
        ]
        assert taken == sorted(taken)
        assert all(max(0, lots - behind) <= each <= min(ahead, lots) for each in taken)


@pytest.mark.skipif(not MINUTE.exists(), reason="the recorded book is not beside the project")
def test_a_minute_of_production_book_stands_exactly_as_recorded_at_its_end() -> None:
    with gzip.open(MINUTE) as lines:
        recording = read_book(lines)
    market = RecordedBook(recording, "minute", Regime())
    exchange = Exchange(OPENING, btc_listings(OPENING), market.index_prices, "minute")
    events = play(exchange, market, OPENING, 63.0)
    whole: dict[Side, dict[float, float]] = {Side.BUY: {}, Side.SELL: {}}
    for event in recording.events:
        if isinstance(event, BookSeen):
            for side, levels in ((Side.BUY, event.bids), (Side.SELL, event.asks)):
                whole[side] |= dict(levels)
    ended = exchange.book(PERPETUAL)
    for side, stands in ((Side.BUY, ended.bids), (Side.SELL, ended.asks)):
        assert dict(stands) == {p: amount for p, amount in whole[side].items() if amount}
    told = [e for e in events if isinstance(e, Traded) and e.instrument == PERPETUAL]
    recorded = [e for e in recording.events if isinstance(e, TradeSeen)]
    assert [(e.trades[0].price, sum(t.amount for t in e.trades)) for e in told] == [
        (e.price, e.amount) for e in recorded
    ]
