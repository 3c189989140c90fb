"""The market-data core on the wire of the mock exchange: what it says when things go right and wrong."""

import json
from itertools import pairwise
from typing import Any

import pytest

from mock_deribit.faults import CrossedBook, DropFrames, Lock
from services.marketdata.core import Marketdata
from shared.kernel import Halt, Nanos, Restored
from shared.messages import (
    Anomaly,
    Book,
    FeedState,
    FeedStatus,
    Health,
    InstrumentListed,
    ParamsApplied,
    ParamsChanged,
    Severity,
    Ticker,
    Trades,
)
from shared.messages.codec import encode
from shared.params import Params, change_params
from shared.units import MILLISECOND, SECOND, Side
from tests.support.exchange import Json
from tests.unit.marketdata.scene import PERPETUAL, Scene

BOOK_CHANNEL = f"book.{PERPETUAL}.100ms"


def move(scene: Scene, price: float = 59_990.0, amount: float = 770.0) -> None:
    """Somebody else's order, so that the book changes."""
    scene.bench.others(PERPETUAL, Side.BUY, price, amount)
    scene.pass_time(0.2)


def kinds(scene: Scene) -> list[str]:
    return [anomaly.kind for anomaly in scene.heard(Anomaly)]


def test_the_perpetual_and_two_futures_come_live_with_books_and_tickers() -> None:
    scene = Scene().connect()
    scene.pass_time(2.5)
    listed = {message.instrument: message.role for message in scene.heard(InstrumentListed)}
    assert sorted(listed.values()) == ["far", "near", "perpetual"]
    for name in listed:
        assert scene.state(name) is FeedState.LIVE
        assert scene.heard(Book, name)
        assert scene.heard(Ticker, name)
    assert kinds(scene) == []


def test_a_book_is_published_with_the_depth_asked_for_and_the_frames_times() -> None:
    scene = Scene({"marketdata.depth_levels": 7}).connect()
    book = scene.book()
    assert (len(book.bids), len(book.asks)) == (7, 7)
    assert book.bids[0][0] < book.asks[0][0]
    assert book.ts <= book.seen == scene.now


def test_a_live_status_comes_before_the_first_book() -> None:
    scene = Scene().connect()
    mine = [message for message in scene.said if getattr(message, "instrument", "") == PERPETUAL]
    live = next(
        n
        for n, message in enumerate(mine)
        if isinstance(message, FeedStatus) and message.state is FeedState.LIVE
    )
    assert live < next(n for n, message in enumerate(mine) if isinstance(message, Book))


def test_only_a_change_of_the_published_levels_is_published() -> None:
    scene = Scene({"marketdata.depth_levels": 5}).connect()
    scene.pass_time(0.3)
    books = len(scene.heard(Book, PERPETUAL))
    move(scene, price=59_991.0)  # level 18
    assert len(scene.heard(Book, PERPETUAL)) == books
    move(scene, price=59_999.0)  # level 2
    assert len(scene.heard(Book, PERPETUAL)) == books + 1


def test_a_quiet_book_is_repeated_every_second_for_whoever_comes_late() -> None:
    scene = Scene().connect()
    scene.pass_time(0.1)
    first = scene.book()
    scene.said.clear()
    scene.pass_time(5.0)
    assert scene.heard(Book, PERPETUAL) == [first] * 5


def test_status_and_health_and_listings_are_repeated() -> None:
    scene = Scene().connect()
    scene.pass_time(0.05)
    scene.said.clear()
    scene.pass_time(4.0, step_s=0.05)
    assert len(scene.heard(FeedStatus, PERPETUAL)) == 8
    assert len(scene.heard(Health)) == 4
    assert len(scene.heard(InstrumentListed, PERPETUAL)) == 2
    health = scene.heard(Health)[-1]
    assert health.ready
    assert health.counters["books"] >= 3
    assert health.counters["frames_per_s"] > 0


def test_a_lost_frame_is_a_gap_at_once_and_a_new_snapshot_heals_it() -> None:
    scene = Scene().connect()
    scene.pass_time(0.5)
    scene.bench.fault(DropFrames(channel=BOOK_CHANNEL))
    move(scene, 59_995.0)
    assert scene.state() is FeedState.LIVE
    scene.said.clear()
    scene.bench.others(PERPETUAL, Side.BUY, 59_996.0, 30.0)
    scene.pass_time(0.2)
    states = [status.state for status in scene.heard(FeedStatus, PERPETUAL)]
    assert states[0] is FeedState.GAP
    assert states[-1] is FeedState.LIVE
    assert kinds(scene) == ["book_gap"]
    assert scene.asked("public/unsubscribe") == [{"channels": [BOOK_CHANNEL]}]
    prices = [price for price, _ in scene.book().bids]
    assert {59_995.0, 59_996.0} <= set(prices)


def test_no_book_is_published_between_a_gap_and_the_snapshot() -> None:
    scene = Scene().connect()
    scene.pass_time(0.5)
    scene.bench.fault(DropFrames(channel=BOOK_CHANNEL))
    move(scene, 59_995.0)
    scene.said.clear()
    scene.bench.fault(DropFrames(channel=BOOK_CHANNEL, count=0))
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
    move(scene, 59_995.0)
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
    assert kinds(scene) == ["book_crossed"]
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
    assert kinds(scene) == ["frame_malformed"]


def test_bytes_that_are_no_frame_are_counted_and_told_once_a_second() -> None:
    scene = Scene().connect()
    scene.pass_time(1.5)
    scene.said.clear()
    for _ in range(50):
        scene.raw(b'{"jsonrpc":')
    assert kinds(scene) == ["frame_malformed"]
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
    assert kinds(scene) == []
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
    assert kinds(scene) == []


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


def test_a_quiet_book_on_a_living_connection_is_not_stale() -> None:
    scene = Scene().connect()
    scene.pass_time(20.0)
    assert {status.state for status in scene.heard(FeedStatus, PERPETUAL)[2:]} == {FeedState.LIVE}


def test_a_locked_platform_closes_the_books_and_opens_them_again() -> None:
    scene = Scene().connect()
    scene.pass_time(0.5)
    scene.bench.fault(Lock(index="btc_usd", locked=True))
    scene.pass_time(0.5)
    assert scene.state() is FeedState.CLOSED
    scene.said.clear()
    scene.bench.fault(Lock(index="btc_usd", locked=False))
    scene.pass_time(0.2)
    assert scene.state() is FeedState.LIVE
    assert scene.heard(Book, PERPETUAL), "its consumers have dropped the book"


@pytest.mark.parametrize("state", ["locked", "settlement", "halted", "a state of 2027"])
def test_a_book_that_is_not_open_is_closed(state: str) -> None:
    scene = Scene().connect()
    scene.pass_time(0.5)
    data = {"instrument_name": PERPETUAL, "state": state, "timestamp": 1}
    scene.venue_says("instrument.state.future.BTC", data)
    assert scene.state() is FeedState.CLOSED


def test_a_new_listing_makes_it_ask_again_once_for_many_changes() -> None:
    scene = Scene().connect()
    scene.pass_time(0.5)
    before = len(scene.asked("public/get_instruments"))
    for number in range(20):
        data = {"instrument_name": f"BTC-{number + 1}JAN30", "state": "open", "timestamp": 1}
        scene.venue_says("instrument.state.future.BTC", data)
    scene.pass_time(10.0)
    assert len(scene.asked("public/get_instruments")) == before + 1


def test_a_tick_size_that_changes_is_noticed_and_told() -> None:
    scene = Scene().connect()
    scene.pass_time(0.5)
    assert scene.heard(InstrumentListed, PERPETUAL)[-1].spec.tick == 0.5

    def coarser(frame: Json) -> Json:
        for listed in frame["result"] if isinstance(frame.get("result"), list) else []:
            if isinstance(listed, dict) and listed["instrument_name"] == PERPETUAL:
                listed["tick_size"] = 5.0
        return frame

    scene.tamper = coarser
    data = {"instrument_name": "BTC-1JAN30", "state": "open", "timestamp": 1}
    scene.venue_says("instrument.state.future.BTC", data)
    scene.pass_time(6.0)
    assert scene.heard(InstrumentListed, PERPETUAL)[-1].spec.tick == 5.0
    told = scene.heard(Anomaly)
    assert [(one.kind, one.severity) for one in told] == [("instrument_changed", Severity.INFO)]
    assert scene.state() is FeedState.LIVE


def test_a_missed_trade_is_counted_and_told() -> None:
    scene = Scene().connect()
    scene.pass_time(0.3)
    channel = f"trades.{PERPETUAL}.100ms"
    scene.venue_says(channel, [trade(scene, 100), trade(scene, 101)])
    assert kinds(scene) == []
    scene.venue_says(channel, [trade(scene, 105)])
    assert kinds(scene) == ["trades_missed"]
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


def test_new_parameters_are_answered_and_in_force() -> None:
    scene = Scene().connect()
    scene.pass_time(0.5)
    fewer = change_params(Params(), {"marketdata.dated_futures": 0})
    scene.tell(ParamsChanged(ts=scene.now, version=5, by="op", params=fewer.model_dump()))
    assert scene.heard(ParamsApplied) == [
        ParamsApplied(ts=scene.now, source="marketdata", version=5, applied=True)
    ]
    scene.pass_time(0.5)
    scene.said.clear()
    scene.pass_time(3.0)
    assert {status.instrument for status in scene.heard(FeedStatus)} == {PERPETUAL}


def test_unusable_parameters_are_refused_by_name() -> None:
    scene = Scene().connect()
    bad = Params().model_dump() | {"marketdata": {"stale_ms": 1}}
    scene.tell(ParamsChanged(ts=scene.now, version=6, by="op", params=bad))
    answer = scene.heard(ParamsApplied)[-1]
    assert not answer.applied
    assert "marketdata.stale_ms" in answer.reason


def test_stored_parameters_are_restored_and_bad_ones_halt() -> None:
    core = Marketdata(Params())
    changed = change_params(Params(), {"marketdata.depth_levels": 6}).model_dump()
    stored = encode(ParamsChanged(ts=Nanos(1), version=2, by="op", params=changed)).decode()
    assert core.handle(Nanos(0), Restored(key="params", value=stored)) == []
    assert core.handle(Nanos(0), Restored(key="params", value=None)) == []
    halted = core.handle(Nanos(0), Restored(key="params", value="{"))
    assert [type(effect) for effect in halted] == [Halt]


def test_a_list_of_instruments_that_cannot_be_had_is_asked_for_again() -> None:
    def refusing(frame: Json) -> Json:
        result = frame.get("result")
        if isinstance(result, list) and result and isinstance(result[0], dict):
            return {"id": frame["id"], "error": {"code": 11051, "message": "system_maintenance"}}
        return frame

    scene = Scene()
    scene.tamper = refusing
    scene.connect()
    scene.pass_time(1.0)
    assert scene.heard(InstrumentListed) == []
    assert "11051 system_maintenance" in scene.heard(Anomaly)[-1].detail
    scene.tamper = lambda frame: frame
    scene.pass_time(6.0)
    assert scene.state() is FeedState.LIVE


def test_futures_whose_ticker_cannot_be_had_count_as_liquid() -> None:
    def refusing(frame: Json) -> Json:
        result = frame.get("result")
        if isinstance(result, dict) and "mark_price" in result:
            return {"id": frame["id"], "error": {"code": 10028, "message": "too_many_requests"}}
        return frame

    scene = Scene()
    scene.tamper = refusing
    scene.connect()
    scene.pass_time(1.0)
    assert len({status.instrument for status in scene.heard(FeedStatus)}) == 3


def test_the_same_frames_give_the_same_bytes() -> None:
    def run() -> bytes:
        scene = Scene().connect()
        move(scene)
        scene.bench.fault(CrossedBook(instrument=PERPETUAL))
        scene.pass_time(3.0)
        return b"\n".join([encode(message) for message in scene.said] + scene.sent)

    assert run() == run()


def test_a_ticker_that_falls_silent_is_asked_for_so_that_its_age_never_exceeds_two_seconds() -> (
    None
):
    scene = Scene().connect()
    scene.pass_time(10.0)
    seen = [ticker.seen for ticker in scene.heard(Ticker, PERPETUAL)]
    assert len(seen) >= 6
    assert max(later - earlier for earlier, later in pairwise([*seen, scene.now])) <= 2 * SECOND


def test_open_interest_is_waited_for_before_anything_is_followed() -> None:
    scene = Scene()
    nearest: list[str] = []

    def forgotten(frame: Json) -> Json:
        result = frame.get("result")
        if isinstance(result, list) and result and isinstance(result[0], dict):
            dated = [one for one in result if one["settlement_period"] != "perpetual"]
            dated.sort(key=lambda one: int(one["expiration_timestamp"]))
            nearest.append(dated[0]["instrument_name"])
        if isinstance(result, dict) and "open_interest" in result:
            is_nearest = result["instrument_name"] in nearest
            result["open_interest"] = 10.0 if is_nearest else 5e8
        return frame

    scene.tamper = forgotten
    scene.connect()
    scene.pass_time(1.0)
    followed = {status.instrument for status in scene.heard(FeedStatus)}
    assert len(followed) == 3
    assert not followed & set(nearest)
