"""Faults that an operator orders: what a client sees of each."""

from base64 import b64encode
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from mock_deribit.faults import (
    AnswerError,
    CloseSockets,
    Cut,
    DelayFrames,
    DropFrames,
    DuplicateFrames,
    Fault,
    HalfOpen,
    LoseAnswer,
    LoseRequest,
    RefuseHandshakes,
    ReorderFrames,
)
from mock_deribit.rpc.dispatch import HttpRequest
from shared.units import Side
from tests.support.exchange import Bench

PERP = "BTC-PERPETUAL"
BOOK = f"book.{PERP}.100ms"
BID = {"instrument_name": PERP, "amount": 10, "price": 59_000}
TAKER = {"client_id": "mock-taker"}


def subscribed(bench: Bench, channel: str = BOOK) -> int:
    conn = bench.login()
    bench.call(conn, "private/subscribe", channels=[channel])
    bench.frames(conn, channel)
    return conn


def moves(bench: Bench, times: int) -> None:
    """So many changes of the book, each in a batch of its own."""
    for _ in range(times):
        bench.others(PERP, Side.BUY, 59_000.0, 10)
        bench.pass_time(0.15)


def said(bench: Bench, conn: int, method: str, **params: object) -> int:
    """A request that is not answered at once; its number."""
    number = 70 + len(bench.inbox[conn])
    request = {"id": number, "method": method, "params": params}
    bench.raw(conn, msgspec.json.encode(request))
    return number


# -- frames --------------------------------------------------------------------------------------


def test_a_dropped_book_frame_is_a_gap_that_the_next_one_shows() -> None:
    bench = Bench()
    conn = bench.open()
    bench.call(conn, "public/subscribe", channels=[BOOK])
    [snapshot] = bench.frames(conn, BOOK)
    bench.fault(DropFrames(channel="book."))
    moves(bench, 2)
    [frame] = bench.frames(conn, BOOK)
    assert frame["prev_change_id"] > snapshot["change_id"]


def test_frames_are_lost_until_the_fault_is_lifted_and_by_chance_only_some_of_them() -> None:
    bench = Bench()
    conn = subscribed(bench)
    bench.fault(DropFrames(channel="book.", count=0))
    moves(bench, 3)
    assert bench.frames(conn, BOOK) == []
    [standing] = bench.core.armed()
    assert (standing.met, standing.left) == (3, None)
    assert bench.core.lift(standing.number)
    bench.fault(DropFrames(channel="book.", count=0, probability=0.5))
    moves(bench, 40)
    assert 5 < len(bench.frames(conn, BOOK)) < 35


def test_a_fault_aimed_at_a_connection_or_an_account_spares_the_others() -> None:
    bench = Bench()
    first, second, taker = subscribed(bench), subscribed(bench), bench.login(**TAKER)
    bench.call(taker, "public/subscribe", channels=[BOOK])
    bench.frames(taker, BOOK)
    bench.fault(DropFrames(channel="book.", count=0, conn=first))
    bench.fault(DropFrames(channel="book.", count=0, account="taker"))
    moves(bench, 1)
    heard = [len(bench.frames(conn, BOOK)) for conn in (first, second, taker)]
    assert heard == [0, 1, 0]


def test_an_answer_can_be_dropped_by_its_method_and_the_socket_stays() -> None:
    bench = Bench()
    conn = bench.login()
    bench.fault(DropFrames(channel="private/buy"))
    number = said(bench, conn, "private/buy", **BID)
    assert all(frame.get("id") != number for frame in bench.inbox[conn])
    assert len(bench.call(conn, "private/get_open_orders")) == 1


def test_a_duplicated_frame_arrives_twice() -> None:
    bench = Bench()
    conn = subscribed(bench)
    bench.fault(DuplicateFrames(channel="book."))
    moves(bench, 2)
    first, again, second = bench.frames(conn, BOOK)
    assert first == again != second


def test_a_delay_holds_everything_back_until_it_is_lifted() -> None:
    bench = Bench()
    conn = bench.open()
    bench.fault(DelayFrames(milliseconds=400))
    bench.raw(conn, b'{"id":1,"method":"public/test"}')
    bench.pass_time(0.3)
    assert bench.inbox[conn] == []
    bench.pass_time(0.2)
    assert bench.inbox[conn][0]["id"] == 1
    assert bench.core.lift_all() == 1
    assert bench.call(conn, "public/test")


def test_what_is_behind_a_delayed_frame_waits_and_what_overtakes_a_reordered_one_does_not() -> None:
    bench = Bench()
    conn = subscribed(bench)
    bench.fault(DelayFrames(channel="book.", milliseconds=400, count=1))
    moves(bench, 2)
    assert bench.frames(conn, BOOK) == []
    bench.pass_time(0.4)
    first, second = bench.frames(conn, BOOK)
    assert first["change_id"] == second["prev_change_id"]
    bench.fault(ReorderFrames(channel="book.", milliseconds=400))
    moves(bench, 2)
    bench.pass_time(0.4)
    late, early = bench.frames(conn, BOOK)
    assert late["prev_change_id"] == early["change_id"]


@pytest.mark.parametrize(
    ("fault", "heard"), [(DropFrames(), 0), (DuplicateFrames(), 2), (ReorderFrames(), 0)]
)
def test_an_empty_channel_means_every_frame(fault: Fault, heard: int) -> None:
    bench = Bench()
    conn = bench.open()
    bench.fault(fault)
    said(bench, conn, "public/test")
    assert len(bench.inbox[conn]) == heard


# -- connections ---------------------------------------------------------------------------------


def test_cutting_ends_every_socket_without_a_close_frame() -> None:
    bench = Bench()
    first, second = bench.open(), bench.open()
    bench.fault(Cut())
    assert bench.closes == {first: (1006, "cut"), second: (1006, "cut")}


def test_one_socket_is_closed_as_a_slow_consumer_is() -> None:
    bench = Bench()
    first, second = bench.open(), bench.open()
    bench.fault(CloseSockets(conn=second, code=1008, reason="connection_too_slow"))
    assert bench.closes == {second: (1008, "connection_too_slow")}
    assert bench.call(first, "public/test")


def test_a_line_that_is_half_open_hears_and_says_nothing_and_its_heartbeat_ends_it_unseen() -> None:
    bench = Bench()
    conn, watcher = bench.login(), bench.login()
    bench.call(conn, "public/set_heartbeat", interval=10)
    bench.call(conn, "private/enable_cancel_on_disconnect")
    bench.call(conn, "private/buy", **BID)
    bench.call(watcher, "public/subscribe", channels=[BOOK])
    before = len(bench.inbox[conn])
    bench.fault(HalfOpen(conn=conn))
    assert bench.core.deafened() == [conn]
    said(bench, conn, "private/buy", **BID)
    assert len(bench.call(watcher, "private/get_open_orders")) == 1
    bench.pass_time(30.0)
    assert len(bench.inbox[conn]) == before
    assert conn not in bench.closes
    assert bench.call(watcher, "private/get_open_orders") == []


def test_a_line_that_only_hears_carries_orders_out_and_says_nothing() -> None:
    bench = Bench()
    conn, watcher = bench.login(), bench.login()
    before = len(bench.inbox[conn])
    bench.fault(HalfOpen(conn=conn, hears=True))
    said(bench, conn, "private/buy", **BID)
    assert len(bench.inbox[conn]) == before
    assert bench.core.deafened() == []
    assert len(bench.call(watcher, "private/get_open_orders")) == 1


def test_handshakes_are_refused_as_often_as_was_said() -> None:
    bench = Bench()
    bench.fault(RefuseHandshakes(status=429, count=2))
    assert [bench.core.admission("10.0.0.1") for _ in range(3)] == [429, 429, 101]


def test_an_address_has_a_limited_number_of_sockets() -> None:
    bench = Bench(connections_max=2)
    bench.open()
    bench.open()
    assert bench.core.admission("10.0.0.1") == 429
    assert bench.core.admission("10.0.0.2") == 101


# -- requests ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "reason", "orders"),
    [
        (LoseAnswer(method="private/buy"), "answer lost", 1),
        (LoseRequest(method="private/buy"), "request lost", 0),
    ],
)
def test_the_socket_is_cut_after_the_order_or_before_it(
    fault: Fault, reason: str, orders: int
) -> None:
    bench = Bench()
    conn = bench.login()
    bench.fault(fault)
    assert bench.call(conn, "public/test")
    before = len(bench.inbox[conn])
    said(bench, conn, "private/buy", **BID)
    assert len(bench.inbox[conn]) == before
    assert bench.closes[conn] == (1006, reason)
    assert len(bench.call(bench.login(), "private/get_open_orders")) == orders


@pytest.mark.parametrize("seed", range(6))
def test_a_cut_that_cancels_is_told_after_what_the_lost_order_did(seed: int) -> None:
    bench = Bench(seed=seed)
    raw = f"book.{PERP}.raw"
    watcher, conn = subscribed(bench, raw), bench.login()
    bench.call(conn, "private/enable_cancel_on_disconnect")
    bench.call(conn, "private/buy", **BID)
    bench.fault(LoseAnswer(method="private/buy"))
    said(bench, conn, "private/buy", **BID | {"price": 58_000})
    chain = bench.frames(watcher, raw)
    assert [frame["bids"][0][:2] for frame in chain] == [
        ["new", 59_000.0],
        ["new", 58_000.0],
        ["delete", 59_000.0],
        ["delete", 58_000.0],
    ]
    assert all(b["prev_change_id"] == a["change_id"] for a, b in pairwise(chain))


@pytest.mark.parametrize(("executed", "orders"), [(False, 0), (True, 1)])
def test_a_method_answers_with_an_error_whether_it_was_carried_out_or_not(
    executed: bool, orders: int
) -> None:
    bench = Bench()
    conn = bench.login()
    bench.fault(
        AnswerError(method="private/buy", code=13028, message="unavailable", executed=executed)
    )
    error = bench.error(conn, "private/buy", **BID)
    assert error == {"code": 13028, "message": "unavailable"}
    assert len(bench.call(conn, "private/get_open_orders")) == orders
    assert bench.call(conn, "private/buy", **BID)


def http(bench: Bench, method: str, authorization: str = "") -> Any:
    """The answer over HTTP, or None where the connection ends without one."""
    request = HttpRequest(
        verb="GET",
        target=f"/api/v2/{method}",
        path=f"/api/v2/{method}",
        query={},
        authorization=authorization,
        body=b"",
        peer="10.0.0.9",
    )
    answer, _ = bench.core.http(bench.now, request)
    return None if answer is None else msgspec.json.decode(answer.body)


def test_requests_over_http_meet_the_same_faults() -> None:
    bench = Bench()
    bench.fault(AnswerError(method="public/get_time", code=11094))
    bench.fault(LoseAnswer(method="public/get_time"))
    assert http(bench, "public/get_time")["error"]["code"] == 11094
    assert http(bench, "public/get_time") is None
    assert http(bench, "public/get_time")["result"] > 0


def test_requests_over_http_are_known_by_whatever_authorizes_them() -> None:
    bench = Bench()
    key = {"client_id": "mock-taker", "client_secret": bench.secrets["mock-taker"]}
    grant = bench.call(bench.open(), "public/auth", grant_type="client_credentials", **key)
    session = bench.call(
        bench.open(), "public/auth", grant_type="client_credentials", scope="session:s", **key
    )
    basic = "Basic " + b64encode(":".join(key.values()).encode()).decode()
    bench.fault(AnswerError(code=10040, count=0, account="taker"))
    for header in (
        basic,
        f"bearer {session['access_token']}",
        f"Bearer {grant['access_token']}",
        "deri-hmac-sha256 id=mock-taker,ts=1,nonce=n,sig=0",
    ):
        assert http(bench, "public/get_time", header)["error"]["code"] == 10040, header
    for header in ("", "Basic !", "Bearer x", "deri-hmac-sha256 id=mock-maker,ts=1,nonce=n,sig=0"):
        answer = http(bench, "public/get_time", header)
        assert "error" not in answer or answer["error"]["code"] != 10040, header
