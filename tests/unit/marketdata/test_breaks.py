"""Lost, crossed, unreadable and missing frames: what market data says, and how it heals."""

import json
from typing import Any

import pytest

from mock_deribit.faults import CrossedBook, DropFrames
from shared.messages import (
    Anomaly,
    Book,
    FeedState,
    FeedStatus,
    Health,
    Trades,
)
from shared.units import MILLISECOND, Side
from tests.unit.marketdata.scene import BOOK_CHANNEL, PERPETUAL, Scene


def test_a_lost_frame_is_a_gap_at_once_and_a_new_snapshot_heals_it() -> None:
    scene = Scene().connect()
    scene.pass_time(0.5)
    scene.bench.fault(DropFrames(channel=BOOK_CHANNEL))
    scene.move(59_995.0)
    assert scene.state() is FeedState.LIVE
    scene.said.clear()
    scene.bench.others(PERPETUAL, Side.BUY, 59_996.0, 30.0)
    scene.pass_time(0.2)
    states = [status.state for status in scene.heard(FeedStatus, PERPETUAL)]
    assert states[0] is FeedState.GAP
    assert states[-1] is FeedState.LIVE
    assert scene.kinds() == ["book_gap"]
    assert scene.asked("public/unsubscribe") == [{"channels": [BOOK_CHANNEL]}]
    prices = [price for price, _ in scene.book().bids]
    assert {59_995.0, 59_996.0} <= set(prices)


def test_no_book_is_published_between_a_gap_and_the_snapshot() -> None:
    scene = Scene().connect()
    scene.pass_time(0.5)
    scene.bench.fault(DropFrames(channel=BOOK_CHANNEL))
    scene.move(59_995.0)
    scene.said.clear()
    scene.venue_says(BOOK_CHANNEL, change_of(scene, before=1))
    said = [type(m) for m in scene.said if getattr(m, "instrument", "") == PERPETUAL]
    assert said[:2] == [FeedStatus, Anomaly]
    assert Book not in said[: said.index(Anomaly)]


def change_of(scene: Scene, before: int, **changes: Any) -> dict[str, Any]:
    """A change frame of the perpetual's book."""
    frame: dict[str, Any] = {
        "type": "change",
        "timestamp": scene.now // MILLISECOND,
        "instrument_name": PERPETUAL,
        "prev_change_id": before,
        "change_id": before + 1,
        "bids": [["change", 59_990.0, 10.0]],
        "asks": [],
    }
    return frame | changes


def test_a_snapshot_that_is_lost_too_is_asked_for_again() -> None:
    scene = Scene().connect()
    scene.pass_time(0.5)
    scene.bench.fault(DropFrames(channel=BOOK_CHANNEL, count=3))
    scene.move(59_995.0)
    scene.venue_says(BOOK_CHANNEL, change_of(scene, before=1))
    assert scene.state() is FeedState.GAP
    scene.pass_time(12.0)
    assert scene.state() is FeedState.LIVE
    assert len(scene.asked("public/unsubscribe")) >= 2


def test_a_crossed_book_is_told_at_once_and_healed() -> None:
    scene = Scene().connect()
    scene.pass_time(0.5)
    scene.said.clear()
    scene.bench.fault(CrossedBook(instrument=PERPETUAL))
    scene.pass_time(0.5)
    states = [status.state for status in scene.heard(FeedStatus, PERPETUAL)]
    assert states[0] is FeedState.CROSSED
    assert scene.kinds() == ["book_crossed"]
    assert scene.state() is FeedState.LIVE
    for book in scene.heard(Book, PERPETUAL):
        assert book.bids[0][0] < book.asks[0][0]


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "change"},
        {"type": "change", "timestamp": "soon"},
        [],
        "a word",
    ],
)
def test_a_book_frame_that_cannot_be_read_takes_the_book_out_of_use(payload: object) -> None:
    scene = Scene().connect()
    scene.pass_time(0.5)
    scene.said.clear()
    scene.venue_says(BOOK_CHANNEL, payload)
    statuses = scene.heard(FeedStatus, PERPETUAL)
    assert (statuses[0].state, statuses[-1].state) == (FeedState.GAP, FeedState.LIVE)
    assert scene.kinds() == ["frame_malformed"]


def test_bytes_that_are_no_frame_are_counted_and_told_once_a_second() -> None:
    scene = Scene().connect()
    scene.pass_time(1.5)
    scene.said.clear()
    for _ in range(50):
        scene.raw(b'{"jsonrpc":')
    assert scene.kinds() == ["frame_malformed"]
    scene.pass_time(2.0)
    assert scene.heard(Health)[-1].counters["malformed"] == 50
    assert scene.state() is FeedState.LIVE


def test_unknown_fields_and_scientific_notation_are_understood() -> None:
    scene = Scene().connect()
    scene.pass_time(0.3)
    book = scene.book()
    frame = json.dumps(change_of(scene, book.change_id, novelty={"x": [1]}))
    text = frame.replace("59990.0", "5.999e4").replace("10.0", "1e1")
    assert "5.999e4" in text
    scene.venue_says(BOOK_CHANNEL, json.loads(text))
    params = f'{{"channel":"{BOOK_CHANNEL}","data":{text},"since":2026}}'
    scene.raw(f'{{"jsonrpc":"2.0","method":"subscription","params":{params}}}'.encode())
    assert scene.kinds() == []
    assert scene.state() is FeedState.LIVE


def test_frames_of_instruments_that_are_not_followed_are_counted_and_nothing_else() -> None:
    scene = Scene().connect()
    scene.pass_time(0.3)
    scene.said.clear()
    scene.venue_says("book.BTC-1JAN30.100ms", change_of(scene, 1, instrument_name="BTC-1JAN30"))
    assert scene.said == []
    scene.pass_time(1.0)
    assert scene.heard(Health)[-1].counters["unwanted_frames"] == 1


def test_a_lost_connection_takes_every_book_down_and_a_new_one_brings_them_back() -> None:
    scene = Scene().connect()
    scene.pass_time(1.0)
    names = list(dict.fromkeys(status.instrument for status in scene.heard(FeedStatus)))
    scene.disconnect()
    assert {scene.state(name) for name in names} == {FeedState.DOWN}
    scene.pass_time(30.0, step_s=1.0)
    scene.said.clear()
    scene.connect()
    scene.pass_time(1.0)
    for name in names:
        assert scene.state(name) is FeedState.LIVE
        assert scene.heard(Book, name), "the first book after a break is news"
    assert scene.kinds() == []


def test_a_connection_that_falls_silent_is_stale_and_then_cut() -> None:
    scene = Scene({"marketdata.stale_ms": 3000}).connect()
    scene.pass_time(1.0)
    scene.deaf = True
    scene.pass_time(2.9)
    assert scene.state() is FeedState.LIVE
    scene.pass_time(1.2)
    assert scene.state() is FeedState.STALE
    scene.deaf = False
    scene.pass_time(4.0)
    assert scene.state() is FeedState.LIVE
    scene.deaf = True
    scene.pass_time(20.0)
    assert len(scene.cuts) == 1


def test_a_missed_trade_is_counted_and_told() -> None:
    scene = Scene().connect()
    scene.pass_time(0.3)
    channel = f"trades.{PERPETUAL}.100ms"
    scene.venue_says(channel, [trade(scene, 100), trade(scene, 101)])
    assert scene.kinds() == []
    scene.venue_says(channel, [trade(scene, 105)])
    assert scene.kinds() == ["trades_missed"]
    assert [len(one.trades) for one in scene.heard(Trades)] == [2, 1]
    scene.pass_time(1.0)
    assert scene.heard(Health)[-1].counters["missed_trades"] == 3


def trade(scene: Scene, seq: int) -> dict[str, Any]:
    return {
        "trade_id": str(seq),
        "trade_seq": seq,
        "timestamp": scene.now // MILLISECOND,
        "instrument_name": PERPETUAL,
        "price": 60_000.0,
        "amount": 10.0,
        "direction": "buy",
    }
