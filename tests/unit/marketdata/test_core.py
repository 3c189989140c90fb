"""The market-data core on the wire of the mock exchange: what it follows, says and obeys."""

from itertools import pairwise

import pytest

from mock_deribit.exchange.listing import btc_listings
from mock_deribit.faults import CrossedBook, Lock
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
    Position,
    Severity,
    Ticker,
)
from shared.messages.codec import encode
from shared.params import Params, change_params
from shared.units import SECOND
from tests.support.exchange import START, Json
from tests.unit.marketdata.scene import PERPETUAL, Scene


def test_the_perpetual_and_two_futures_come_live_with_books_and_tickers() -> None:
    scene = Scene().connect()
    scene.pass_time(2.5)
    listed = {message.instrument: message.role for message in scene.heard(InstrumentListed)}
    assert sorted(listed.values()) == ["far", "near", "perpetual"]
    for name in listed:
        assert scene.state(name) is FeedState.LIVE
        assert scene.heard(Book, name)
        assert scene.heard(Ticker, name)
    assert scene.kinds() == []


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
    scene.move(price=59_991.0)  # level 18
    assert len(scene.heard(Book, PERPETUAL)) == books
    scene.move(price=59_999.0)  # level 2
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
    assert len(scene.heard(Health)) == 8, "four to a lease of 2 s, less the cancels' way"
    assert len(scene.heard(InstrumentListed, PERPETUAL)) == 2
    health = scene.heard(Health)[-1]
    assert health.ready
    assert health.counters["books"] >= 3
    assert health.counters["frames_per_s"] > 0


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


def test_new_parameters_are_answered_and_in_force() -> None:
    scene = Scene().connect()
    scene.pass_time(0.5)
    fewer = change_params(Params(), {"marketdata.dated_futures": 0})
    scene.tell(ParamsChanged(ts=scene.now, version=5, by="op", params=fewer.model_dump()))
    assert scene.heard(ParamsApplied) == [
        ParamsApplied(ts=scene.now, source="marketdata", version=5)
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


def held(scene: Scene, instrument: str, amount: float) -> Position:
    """What the OMS says of a position."""
    return Position(
        ts=scene.now,
        instrument=instrument,
        amount=amount,
        average_price=60_000.0,
        realized=0.0,
        fees=0.0,
        fills=1,
        working_buy=0.0,
        working_sell=0.0,
        version=1,
        reconciled=scene.now,
    )


def test_a_future_that_is_held_is_followed_although_it_would_not_be_chosen() -> None:
    scene = Scene({"marketdata.dated_futures": 0}).connect()
    scene.pass_time(0.5)
    assert [one.instrument for one in scene.heard(InstrumentListed)] == [PERPETUAL]
    future = max(one.name for one in btc_listings(START) if one.name != PERPETUAL)
    asked = len(scene.asked("public/get_instruments"))
    scene.tell(held(scene, future, 0.0))
    scene.tell(held(scene, PERPETUAL, 100.0))
    assert len(scene.asked("public/get_instruments")) == asked
    scene.tell(held(scene, future, -100.0))
    scene.pass_time(0.5)
    assert [one.instrument for one in scene.heard(InstrumentListed)] == [PERPETUAL, future]
    assert scene.state(future) is FeedState.LIVE


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
        scene.move()
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


def test_a_moved_touch_is_told_at_once_and_depth_a_tenth_of_a_second_later() -> None:
    scene = Scene().connect()
    scene.pass_time(0.3)
    change_id = scene.book().change_id

    def change(action: str, price: float, amount: float) -> int:
        nonlocal change_id
        data = {
            "type": "change",
            "timestamp": scene.now // 1_000_000,
            "instrument_name": PERPETUAL,
            "prev_change_id": change_id,
            "change_id": change_id + 1,
            "bids": [[action, price, amount]],
            "asks": [],
        }
        change_id += 1
        scene.said.clear()
        scene.venue_says(f"book.{PERPETUAL}.100ms", data)
        return len(scene.heard(Book, PERPETUAL))

    assert change("change", 59_999.0, 500.0) == 1
    assert change("change", 59_999.0, 510.0) == 0
    assert change("new", 60_000.0, 10.0) == 1
    assert scene.book().bids[0] == (60_000.0, 10.0)
    assert change("change", 59_999.0, 520.0) == 0
    scene.pass_time(0.2)
    assert dict(scene.book().bids)[59_999.0] == 520.0
    assert scene.state() is FeedState.LIVE


def test_another_interval_is_followed_on_a_new_connection() -> None:
    scene = Scene().connect()
    scene.pass_time(0.3)
    assert scene.state() is FeedState.LIVE
    wanted = change_params(Params(), {"marketdata.interval": "raw"})
    scene.tell(ParamsChanged(ts=scene.now, version=6, by="test", params=wanted.model_dump()))
    assert scene.state() is FeedState.DOWN
    assert scene.cuts == ["frames are wanted raw from now"]
    scene.disconnect()
    scene.connect()
    scene.pass_time(0.3)
    assert scene.state() is FeedState.LIVE
    assert f"book.{PERPETUAL}.raw" in scene.asked("public/subscribe")[-1]["channels"]
