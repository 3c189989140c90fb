"""Methods: shapes of requests and answers, and the words of each refusal."""

import json
from typing import Any

import pytest

from shared.units import Side
from tests.support.exchange import SECRET, START, Bench

PERP = "BTC-PERPETUAL"
BID = {"instrument_name": PERP, "amount": 10, "price": 59_000}


def test_the_envelope_echoes_the_id_with_its_type_and_tells_the_server_times() -> None:
    bench = Bench()
    conn = bench.open()
    for number in (5, "five"):
        request = {"jsonrpc": "2.0", "id": number, "method": "public/get_time"}
        bench.raw(conn, json.dumps(request).encode())
    first, second = bench.inbox[conn]
    assert (first["id"], second["id"]) == (5, "five")
    assert first["result"] == START // 1_000_000
    assert first["usOut"] - first["usIn"] == first["usDiff"]
    assert first["testnet"] is True


def test_a_request_without_an_id_is_answered_without_one() -> None:
    bench = Bench()
    conn = bench.open()
    bench.raw(conn, b'{"method":"public/test","params":{}}')
    [answer] = bench.inbox[conn]
    assert "id" not in answer
    assert answer["result"] == {"version": "1.2.26"}


@pytest.mark.parametrize(
    ("frame", "code", "data"),
    [
        (b"not json", 11050, "invalid json"),
        (b'{"id":1,"method":"public/nope"}', -32601, None),
        (b'{"id":1,"params":{}}', 11050, None),
        (b'{"id":1,"method":"public/test","params":{"x":"' + b"y" * 33_000 + b'"}}', -32600, None),
    ],
)
def test_what_is_no_request_gets_an_error_and_the_socket_stays(
    frame: bytes, code: int, data: object
) -> None:
    bench = Bench()
    conn = bench.open()
    bench.raw(conn, frame)
    [answer] = bench.inbox[conn]
    assert answer["error"]["code"] == code
    assert answer["error"].get("data") == data
    assert bench.call(conn, "public/test") == {"version": "1.2.26"}


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"instrument_name": None}, -32602, "instrument_name"),
        ({"instrument_name": "BTC-NEVER"}, -32602, "instrument_name"),
        ({"amount": None}, -32602, "amount"),
        ({"amount": "ten"}, -32602, "amount"),
        ({"price": None}, -32602, "price"),
        ({"price": True}, -32602, "price"),
        ({"contracts": 2}, -32602, "contracts"),
        ({"type": "wish"}, -32602, "type"),
        ({"time_in_force": "forever"}, -32602, "time_in_force"),
        ({"label": "x" * 65}, -32602, "label"),
        ({"post_only": "yes"}, -32602, "post_only"),
        ({"price": 59_000.3}, 10043, None),
        ({"amount": 5}, 10002, None),
        ({"price": 61_000}, 10007, None),
        ({"price": 60_100, "post_only": True, "reject_post_only": True}, 11054, None),
        ({"valid_until": START // 1_000_000 - 1}, 13888, None),
        ({"amount": 10_000_000}, 10009, None),
    ],
)
def test_a_wrong_order_is_refused_in_deribits_words_and_changes_nothing(
    changes: dict[str, object], code: int, param: str | None
) -> None:
    bench = Bench()
    conn = bench.login()
    order = {name: value for name, value in (BID | changes).items() if value is not None}
    error = bench.error(conn, "private/buy", **order)
    assert error["code"] == code
    if param is not None:
        assert error["data"]["param"] == param
    assert bench.call(conn, "private/get_open_orders") == []


def test_a_refused_price_carries_the_limit_in_the_message() -> None:
    bench = Bench()
    conn = bench.login()
    error = bench.error(conn, "private/buy", **(BID | {"price": 61_000}))
    ticker = bench.call(conn, "public/ticker", instrument_name=PERP)
    word, limit = error["message"].split()
    assert word == "price_too_high"
    assert float(limit) == ticker["max_price"]


def test_contracts_count_tens_of_dollars() -> None:
    bench = Bench()
    conn = bench.login()
    bid = {"instrument_name": PERP, "contracts": 3, "price": 59_000}
    order = bench.call(conn, "private/buy", **bid)["order"]
    assert (order["amount"], order["contracts"]) == (30.0, 3.0)


def test_edit_keeps_the_id_and_cancel_answers_with_the_bare_order() -> None:
    bench = Bench()
    conn = bench.login()
    order = bench.call(conn, "private/buy", **BID, label="a")["order"]
    order_id = order["order_id"]
    bench.pass_time(0.01)
    edited = bench.call(conn, "private/edit", order_id=order_id, amount=20, price=58_000)["order"]
    assert (edited["order_id"], edited["replaced"], edited["amount"]) == (order_id, True, 20.0)
    assert edited["creation_timestamp"] == order["creation_timestamp"]
    again = bench.call(
        conn, "private/edit_by_label", label="a", instrument_name=PERP, amount=30, price=58_000
    )
    assert again["order"]["amount"] == 30.0
    cancelled = bench.call(conn, "private/cancel", order_id=order_id)
    assert (cancelled["order_state"], cancelled["cancel_reason"]) == ("cancelled", "user_request")
    assert bench.error(conn, "private/cancel", order_id=order_id)["code"] == 11044
    assert bench.error(conn, "private/cancel", order_id="1")["code"] == 10004
    by_label = bench.call(conn, "private/get_order_state_by_label", currency="BTC", label="a")
    assert [o["order_id"] for o in by_label] == [order_id]


def test_cancelling_by_label_and_all_counts_and_zero_is_a_success() -> None:
    bench = Bench()
    conn = bench.login()
    for label in ("a", "a", "b"):
        bench.call(conn, "private/buy", **BID, label=label)
    assert bench.call(conn, "private/cancel_by_label", label="a", currency="BTC") == 2
    assert bench.call(conn, "private/cancel_by_label", label="a") == 0
    assert bench.call(conn, "private/cancel_all_by_currency", currency="ETH") == 0
    [book] = bench.call(conn, "private/cancel_all", detailed=True)
    assert (book["instrument_name"], len(book["result"])) == (PERP, 1)
    assert bench.call(conn, "private/cancel_all_by_instrument", instrument_name=PERP) == 0


def test_closing_a_position_leaves_it_flat() -> None:
    bench = Bench()
    conn = bench.login()
    bench.call(conn, "private/sell", instrument_name=PERP, amount=50, type="market")
    [short] = bench.call(conn, "private/get_positions", currency="BTC")
    assert (short["direction"], short["size"]) == ("sell", -50.0)
    bench.call(conn, "private/close_position", instrument_name=PERP, type="market")
    flat = bench.call(conn, "private/get_position", instrument_name=PERP)
    assert (flat["direction"], flat["size"]) == ("zero", 0.0)


def test_user_trades_come_in_pages_that_join_without_loss() -> None:
    bench = Bench()
    conn = bench.login()
    for _ in range(7):
        bench.call(conn, "private/buy", instrument_name=PERP, amount=10, price=60_100)
        bench.pass_time(0.5)
    name = "private/get_user_trades_by_instrument_and_time"
    window: dict[str, Any] = {"start_timestamp": START // 1_000_000, "end_timestamp": 2**42}
    page: dict[str, Any] = {"has_more": True}
    seen: list[int] = []
    while page["has_more"]:
        more = {"start_seq": seen[-1] + 1} if seen else {}
        asked = window | more | {"instrument_name": PERP, "count": 3, "sorting": "asc"}
        page = bench.call(conn, name, **asked)
        assert len(page["trades"]) <= 3
        seen += [trade["trade_seq"] for trade in page["trades"]]
    assert len(seen) == 7
    assert seen == sorted(set(seen))
    newest = bench.call(conn, "private/get_user_trades_by_currency", currency="BTC", count=1)
    assert newest["trades"][0]["trade_seq"] == seen[-1]
    assert newest["has_more"] is True
    order_id = newest["trades"][0]["order_id"]
    assert bench.call(conn, "private/get_user_trades_by_order", order_id=order_id)


def test_recent_trades_are_not_in_the_historical_half() -> None:
    bench = Bench()
    conn = bench.login()
    bench.call(conn, "private/buy", instrument_name=PERP, amount=10, price=60_100)
    ask: dict[str, Any] = {"instrument_name": PERP}
    name = "private/get_user_trades_by_instrument"
    assert len(bench.call(conn, name, **ask)["trades"]) == 1
    assert bench.call(conn, name, **ask, historical=True)["trades"] == []


def test_the_summary_tells_limits_fees_and_money() -> None:
    bench = Bench(matching_rate=5, matching_burst=20)
    conn = bench.login()
    summary = bench.call(conn, "private/get_account_summary", currency="BTC", extended=True)
    total = summary["limits"]["matching_engine"]["trading"]["total"]
    assert total == {"rate": 5.0, "burst": 20.0}
    perpetual = summary["fees"]["btc_usd"]["perpetual"]["default"]
    assert perpetual == {"type": "fixed", "maker": 0.00015, "taker": 0.00035}
    assert (summary["balance"], summary["equity"]) == (0.9, 0.9)
    assert summary["username"] == "maker"


def test_public_market_data_agrees_with_itself() -> None:
    bench = Bench()
    conn = bench.open()
    instruments = bench.call(conn, "public/get_instruments", currency="BTC", kind="future")
    expiries = [i["expiration_timestamp"] for i in instruments]
    assert expiries == sorted(expiries)
    one = bench.call(conn, "public/get_instrument", instrument_name=PERP)
    assert one == instruments[-1]
    assert bench.call(conn, "public/get_instruments", currency="any", kind="option") == []
    bench.others(PERP, Side.BUY, 60_000.5, 100)
    trades = bench.call(conn, "public/get_last_trades_by_instrument", instrument_name=PERP)
    assert [t["amount"] for t in trades["trades"]] == [100.0]
    book = bench.call(conn, "public/get_order_book", instrument_name=PERP, depth=1)
    assert book["asks"] == [[book["best_ask_price"], book["best_ask_amount"]]]
    index = bench.call(conn, "public/get_index_price", index_name="btc_usd")
    assert index["index_price"] == 60_000.0
    assert bench.call(conn, "public/status") == {"locked": "false", "locked_indices": []}
    bench.call(conn, "public/subscribe", channels=["platform_state"])
    bench.pass_time(61)
    window = {"start_timestamp": START // 1_000_000 - 1, "end_timestamp": START // 1_000_000}
    assert bench.call(conn, "public/get_funding_rate_value", instrument_name=PERP, **window) == 0.0
    rows = bench.call(conn, "public/get_funding_rate_history", instrument_name=PERP, **window)
    assert rows == []


def test_credits_run_out_with_10028_and_come_back() -> None:
    bench = Bench(matching_rate=5, matching_burst=3)
    conn = bench.login()
    for _ in range(3):
        bench.call(conn, "private/cancel_all_by_instrument", instrument_name=PERP)
    error = bench.error(conn, "private/buy", **BID)
    assert (error["code"], error["message"]) == (10028, "too_many_requests")
    assert conn not in bench.closes
    bench.pass_time(0.21)
    bench.call(conn, "private/buy", **BID)


def test_the_credits_of_cancel_all_are_a_pool_of_their_own() -> None:
    bench = Bench(matching_rate=5, matching_burst=1)
    conn = bench.login()
    bench.call(conn, "private/buy", **BID)
    assert bench.error(conn, "private/buy", **BID)["code"] == 10028
    assert bench.call(conn, "private/cancel_all") == 1


def test_running_out_of_credits_can_end_the_session() -> None:
    bench = Bench(matching_rate=5, matching_burst=1, rules={"rate_limit": "close"})
    conn = bench.login()
    bench.call(conn, "private/enable_cancel_on_disconnect")
    bench.call(conn, "private/buy", **BID)
    bench.error(conn, "private/buy", **BID)
    assert conn in bench.closes
    assert bench.call(bench.login(), "private/get_open_orders") == []


def test_more_than_eight_waiting_matching_requests_are_refused() -> None:
    bench = Bench(latency_ms=200)
    conn = bench.open()
    key = {"grant_type": "client_credentials", "client_id": "mock-maker", "client_secret": SECRET}
    send(bench, conn, 0, "public/auth", key)
    for n in range(1, 11):
        send(bench, conn, n, "private/buy", BID)
    assert bench.inbox[conn] == []
    bench.pass_time(5)
    answers = {frame["id"]: frame for frame in bench.inbox[conn]}
    codes = [answers[n].get("error", {}).get("code") for n in range(1, 11)]
    assert codes == [None] * 8 + [10047] * 2
    assert all(answers[n]["usDiff"] >= 100_000 for n in range(1, 9))


def send(bench: Bench, conn: int, number: int, method: str, params: dict[str, Any]) -> None:
    request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    bench.raw(conn, json.dumps(request).encode())


def test_the_same_calls_give_the_same_bytes() -> None:
    def story() -> list[dict[str, Any]]:
        bench = Bench(latency_ms=3, seed=7)
        conn = bench.open()
        key = {"grant_type": "client_credentials", "client_id": "mock-maker"}
        send(bench, conn, 1, "public/auth", key | {"client_secret": SECRET})
        channels = [f"book.{PERP}.raw", "user.changes.any.any.raw"]
        send(bench, conn, 2, "private/subscribe", {"channels": channels})
        for n in range(3, 20):
            send(bench, conn, n, "private/buy", BID | {"price": 59_000 + n})
            bench.pass_time(0.05)
        return bench.inbox[conn]

    assert story() == story()


@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("private/cancel_by_label", {}),
        ("private/edit_by_label", {"instrument_name": PERP, "amount": 20, "price": 59_000}),
        ("private/get_order_state_by_label", {"currency": "BTC"}),
    ],
)
def test_an_empty_label_is_no_label(method: str, rest: dict[str, Any]) -> None:
    bench = Bench()
    conn = bench.login()
    unlabelled = bench.call(conn, "private/buy", **BID)["order"]["order_id"]
    error = bench.error(conn, method, label="", **rest)
    assert (error["code"], error["data"]) == (
        -32602,
        {"reason": "value required", "param": "label"},
    )
    kept = bench.call(conn, "private/get_open_orders")
    assert [(each["order_id"], each["amount"]) for each in kept] == [(unlabelled, 10.0)]
