"""Requests that a book holds: answered when the hold ends, whatever has happened by then."""

import json
from typing import Any

import pytest

from mock_deribit.faults import AnswerError
from mock_deribit.rpc.dispatch import HttpRequest
from tests.support.exchange import SECRET, Bench

PERP = "BTC-PERPETUAL"
TAKE: dict[str, Any] = {"instrument_name": PERP, "amount": 10, "price": 60_000.5}
HOLD = {"hold_ms": 10}
UNFILLED = {"currency": "BTC", "include_unfilled": True}


def dated(bench: Bench, conn: int) -> str:
    """A book that is not exempt from the hold."""
    return str(bench.call(conn, "public/get_instruments", currency="BTC")[0]["instrument_name"])


def send(bench: Bench, conn: int, number: str, method: str, **params: object) -> None:
    bench.raw(conn, json.dumps({"id": number, "method": method, "params": params}).encode())


def answer(bench: Bench, conn: int, number: str) -> Any:
    found = [frame for frame in bench.inbox[conn] if frame.get("id") == number]
    assert len(found) == 1, found
    return found[0]


def held() -> tuple[Bench, int, dict[str, Any]]:
    bench = Bench(rules=HOLD)
    conn = bench.login()
    name = dated(bench, conn)
    ask = bench.call(conn, "public/ticker", instrument_name=name)["best_ask_price"]
    return bench, conn, {"instrument_name": name, "amount": 10, "price": ask}


def test_an_order_that_would_trade_is_answered_after_the_hold() -> None:
    bench, conn, take = held()
    send(bench, conn, "t", "private/buy", **take)
    assert not [frame for frame in bench.inbox[conn] if frame.get("id") == "t"]
    bench.pass_time(0.009)
    assert not [frame for frame in bench.inbox[conn] if frame.get("id") == "t"]
    bench.pass_time(0.002)
    told = answer(bench, conn, "t")
    assert told["result"]["order"]["order_state"] == "filled"
    assert len(told["result"]["trades"]) == 1
    assert told["usDiff"] == 10_000


def test_the_perpetual_is_exempt_and_so_is_what_only_rests() -> None:
    bench, conn, take = held()
    assert bench.call(conn, "private/buy", **TAKE)["order"]["order_state"] == "filled"
    resting = bench.call(conn, "private/buy", **(take | {"price": take["price"] - 500}))
    assert resting["order"]["order_state"] == "open"


def test_a_cancel_of_everything_takes_what_waits() -> None:
    bench, conn, take = held()
    send(bench, conn, "t", "private/buy", **take)
    assert bench.call(conn, "private/cancel_all") == 0
    assert answer(bench, conn, "t")["error"] == {
        "code": 13666,
        "message": "request_cancelled_by_user",
    }
    bench.pass_time(0.1)
    held_size = bench.call(conn, "private/get_position", instrument_name=take["instrument_name"])
    assert held_size["size"] == 0.0


def test_a_book_that_moved_meanwhile_lets_the_order_rest_and_its_lost_socket_takes_it_away() -> (
    None
):
    bench, conn, take = held()
    watcher = bench.login()
    bench.call(conn, "private/enable_cancel_on_disconnect")
    other = bench.login("mock-taker")
    better = take | {"price": take["price"] - 2.5}
    bait = bench.call(other, "private/sell", **better)["order"]["order_id"]
    send(bench, conn, "t", "private/buy", **better)
    bench.call(other, "private/cancel", order_id=bait)
    bench.hang_up(conn)
    bench.pass_time(0.02)
    [kept] = bench.call(watcher, "private/get_order_history_by_currency", **UNFILLED)
    assert (kept["order_state"], kept["cancel_reason"]) == ("cancelled", "cancel_on_disconnect")
    bench.pass_time(0.1)
    assert bench.call(watcher, "private/get_open_orders") == []


def test_the_later_of_two_waiting_edits_takes_the_place_of_the_earlier() -> None:
    bench, conn, take = held()
    low = take | {"price": take["price"] - 500}
    order_id = bench.call(conn, "private/buy", **low)["order"]["order_id"]
    edit = {"order_id": order_id, "price": take["price"], "amount": 10}
    send(bench, conn, "a", "private/edit", **edit)
    send(bench, conn, "b", "private/edit", **(edit | {"amount": 20}))
    bench.pass_time(0.1)
    assert answer(bench, conn, "a")["error"]["code"] == 13777
    assert answer(bench, conn, "b")["result"]["order"]["filled_amount"] == 20.0


def test_a_mass_quote_waits_for_its_held_sides_unless_it_says_otherwise() -> None:
    bench, conn, take = held()
    bench.call(conn, "private/enable_cancel_on_disconnect")
    limits = {"interval": 10, "frozen_time": 0, "max_quote_quantity": 9.0, "quantity_limit": 9.0}
    bench.call(conn, "private/set_mmp_config", index_name="btc_usd", mmp_group="g", **limits)
    side = {"price": take["price"], "amount": 10}
    low = {"price": take["price"] + 500, "amount": 10}
    quotes = [{"instrument_name": take["instrument_name"], "bid": side, "ask": low}]
    sent = {"quote_id": "1", "mmp_group": "g", "quotes": quotes}
    send(bench, conn, "w", "private/mass_quote", **sent)
    bench.pass_time(0.05)
    told = answer(bench, conn, "w")["result"]
    assert sorted(order["order_state"] for order in told["orders"]) == ["filled", "open"]
    assert len(told["trades"]) == 1
    at_once = bench.call(conn, "private/mass_quote", **sent, wait_for_response=False)
    assert at_once["pending_requests_count"] == 1


def test_a_held_order_whose_answer_is_made_an_error_is_answered_once() -> None:
    bench, conn, take = held()
    bench.fault(AnswerError(method="private/buy", code=13028, executed=True))
    send(bench, conn, "t", "private/buy", **take)
    bench.pass_time(0.1)
    assert answer(bench, conn, "t")["error"]["code"] == 13028
    name = take["instrument_name"]
    assert bench.call(conn, "private/get_position", instrument_name=name)["size"] == 10.0


def quoting(bench: Bench, conn: int) -> dict[str, Any]:
    bench.call(conn, "private/enable_cancel_on_disconnect")
    limits = {"interval": 10, "frozen_time": 0, "max_quote_quantity": 9.0, "quantity_limit": 9.0}
    bench.call(conn, "private/set_mmp_config", index_name="btc_usd", mmp_group="g", **limits)
    return {"quote_id": "1", "mmp_group": "g"}


def test_a_held_side_that_comes_to_nothing_is_named_among_the_errors() -> None:
    bench, conn, take = held()
    sent = quoting(bench, conn)
    side = {"price": take["price"], "amount": 10}
    quotes = [{"instrument_name": take["instrument_name"], "bid": side}]
    send(bench, conn, "w", "private/mass_quote", **sent, quotes=quotes, detailed=True)
    bench.call(conn, "private/cancel_all")
    [error] = answer(bench, conn, "w")["result"]["errors"]
    assert (error["instrument_name"], error["side"]) == (take["instrument_name"], "bid")
    assert error["error"]["code"] == 13666


def test_a_quote_that_nobody_waited_for_is_cancelled_with_its_socket_too() -> None:
    bench, conn, take = held()
    watcher, other = bench.login(), bench.login("mock-taker")
    better = take | {"price": take["price"] - 2.5}
    bait = bench.call(other, "private/sell", **better)["order"]["order_id"]
    side = {"price": better["price"], "amount": 10}
    quotes = [{"instrument_name": take["instrument_name"], "bid": side}]
    sent = quoting(bench, conn) | {"quotes": quotes, "wait_for_response": False}
    bench.call(conn, "private/mass_quote", **sent)
    bench.call(other, "private/cancel", order_id=bait)
    bench.pass_time(0.02)
    assert len(bench.call(watcher, "private/get_open_orders")) == 1
    bench.hang_up(conn)
    assert bench.call(watcher, "private/get_open_orders") == []


def test_an_edit_that_outlives_its_socket_leaves_the_order_to_the_socket_that_made_it() -> None:
    bench, conn, take = held()
    second = bench.login()
    bench.call(second, "private/enable_cancel_on_disconnect")
    low = take | {"price": take["price"] - 500}
    order_id = bench.call(conn, "private/buy", **low)["order"]["order_id"]
    send(bench, second, "e", "private/edit", order_id=order_id, price=take["price"], amount=500_000)
    bench.hang_up(second)
    bench.pass_time(0.02)
    [kept] = bench.call(conn, "private/get_open_orders")
    assert kept["order_id"] == order_id
    assert kept["replaced"] is True


def test_a_late_answer_says_when_it_leaves_not_when_its_hold_ended() -> None:
    bench = Bench(rules=HOLD, latency_ms=40.0)
    conn = bench.open()
    key = {"client_id": "mock-maker", "client_secret": SECRET}
    send(bench, conn, "a", "public/auth", grant_type="client_credentials", **key)
    send(bench, conn, "i", "public/get_instruments", currency="BTC")
    bench.pass_time(1.0)
    name = answer(bench, conn, "i")["result"][0]["instrument_name"]
    send(bench, conn, "p", "public/ticker", instrument_name=name)
    bench.pass_time(1.0)
    price = answer(bench, conn, "p")["result"]["best_ask_price"]
    send(bench, conn, "t", "private/buy", instrument_name=name, amount=10, price=price)
    bench.pass_time(1.0)
    assert answer(bench, conn, "t")["usDiff"] >= 10_000 + 20_000


def test_over_http_nothing_is_held() -> None:
    bench, conn, take = held()
    query = {name: str(value) for name, value in take.items()}
    login = {"grant_type": "client_credentials", "client_id": "mock-maker"}
    token = bench.call(conn, "public/auth", **login, client_secret=SECRET, scope="session:x")
    request = HttpRequest(
        verb="GET",
        target="",
        path="/api/v2/private/buy",
        query=query,
        authorization=f"Bearer {token['access_token']}",
        body=b"",
        peer="10.0.0.2",
    )
    told, _ = bench.core.http(bench.now, request)
    assert told is not None
    assert json.loads(told.body)["result"]["order"]["order_state"] == "filled"


@pytest.mark.parametrize(("share", "last"), [(0.0, "frame"), (1.0, "reply")])
def test_the_late_answer_races_its_frames_too(share: float, last: str) -> None:
    bench = Bench(rules=HOLD | {"early_frames": share})
    conn = bench.login()
    name = dated(bench, conn)
    ask = bench.call(conn, "public/ticker", instrument_name=name)["best_ask_price"]
    bench.call(conn, "private/subscribe", channels=[f"user.orders.{name}.raw"])
    send(bench, conn, "t", "private/buy", instrument_name=name, amount=10, price=ask)
    bench.pass_time(0.02)
    assert len(bench.inbox[conn]) == 2
    assert ("reply" if "id" in bench.inbox[conn][-1] else "frame") == last
