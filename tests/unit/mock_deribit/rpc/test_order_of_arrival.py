"""Lanes, queues and credits: what may overtake what, and who waits for whom."""

import json
from typing import Any

import pytest

from tests.support.exchange import SECRET, Bench

PERP = "BTC-PERPETUAL"
BID: dict[str, Any] = {"instrument_name": PERP, "amount": 10, "price": 59_000}


def send(bench: Bench, conn: int, number: str, method: str, **params: object) -> None:
    bench.raw(conn, json.dumps({"id": number, "method": method, "params": params}).encode())


def slow(**changes: Any) -> tuple[Bench, int]:
    """A logged-in socket of a bench whose frames are late by 20 ms in the mean."""
    bench = Bench(latency_ms=20, **changes)
    conn = bench.open()
    key = {"client_id": "mock-maker", "client_secret": SECRET}
    send(bench, conn, "auth", "public/auth", grant_type="client_credentials", **key)
    bench.pass_time(1)
    bench.inbox[conn].clear()
    return bench, conn


def answers(bench: Bench, conn: int) -> list[str]:
    return [frame["id"] for frame in bench.inbox[conn] if "id" in frame]


def interleaved(seed: int) -> list[str]:
    """The order of replies to requests of three lanes sent in one breath, ten times over."""
    bench, conn = slow(seed=seed)
    for n in range(10):
        send(bench, conn, f"m{n}", "private/cancel_all_by_currency", currency="BTC")
        send(bench, conn, f"a{n}", "private/get_positions", currency="BTC")
        send(bench, conn, f"p{n}", "public/get_time")
        bench.pass_time(0.005)
    bench.pass_time(1)
    return answers(bench, conn)


def test_replies_overtake_each_other_across_lanes_and_never_within_one() -> None:
    order = interleaved(1)
    sent = [f"{lane}{n}" for n in range(10) for lane in "map"]
    assert sorted(order) == sorted(sent)
    assert order != sent
    for lane in "map":
        mine = [name for name in order if name.startswith(lane)]
        assert mine == sorted(mine)


def test_the_order_of_replies_is_the_seeds() -> None:
    assert interleaved(1) == interleaved(1)
    assert interleaved(1) != interleaved(2)


def test_the_ninth_waiting_request_of_an_account_and_currency_is_refused_on_any_socket() -> None:
    bench, conn = slow()
    for n in range(8):
        send(bench, conn, f"n{n}", "private/cancel_all_by_currency", currency="BTC")
    send(bench, conn, "ninth", "private/buy", **BID)
    send(bench, conn, "other", "private/cancel_all_by_currency", currency="ETH")
    send(bench, conn, "asks", "private/get_open_orders")
    bench.pass_time(2)
    codes = {frame["id"]: frame["error"]["code"] for frame in bench.inbox[conn] if "error" in frame}
    assert codes == {"ninth": 10047}
    bench.inbox[conn].clear()
    send(bench, conn, "again", "private/buy", **BID)
    bench.pass_time(1)
    assert "result" in bench.inbox[conn][0]


@pytest.mark.parametrize(
    ("method", "params", "burst"),
    [
        ("public/get_instruments", {"currency": "BTC"}, 50),
        ("public/subscribe", {"channels": []}, 10),
        ("public/get_time", {}, 30),
    ],
)
def test_who_has_not_logged_in_draws_on_the_credits_of_their_address(
    method: str, params: dict[str, Any], burst: int
) -> None:
    bench = Bench(non_matching_rate=1, non_matching_burst=30)
    first, second, far = bench.open("10.0.0.1"), bench.open("10.0.0.1"), bench.open("10.0.0.2")
    for n in range(burst):
        bench.call((first, second)[n % 2], method, **params)
    assert bench.error(first, method, **params)["code"] == 10028
    assert bench.error(second, method, **params)["code"] == 10028
    bench.call(far, method, **params)
    bench.pass_time(1)
    bench.call(second, method, **params)


def test_a_cancel_by_label_draws_on_trading_once_it_names_a_currency() -> None:
    bench = Bench(matching_rate=0.001, matching_burst=2)
    conn = bench.login()
    for _ in range(2):
        bench.call(conn, "private/cancel_by_label", label="x")
    assert bench.error(conn, "private/cancel_all")["code"] == 10028
    for _ in range(2):
        bench.call(conn, "private/cancel_by_label", label="x", currency="BTC")
    assert bench.error(conn, "private/buy", **BID)["code"] == 10028


def test_mass_quotes_have_a_limit_of_their_own() -> None:
    bench = Bench()
    conn = bench.login()
    sent = {"quote_id": "1", "mmp_group": "g", "quotes": []}
    codes = [bench.error(conn, "private/mass_quote", **sent)["code"] for _ in range(11)]
    assert codes[-1] == 13903
    assert 13903 not in codes[:-1]


def test_the_sides_of_mass_quotes_are_counted_too() -> None:
    bench = Bench()
    conn = bench.login()
    quote = {"instrument_name": PERP, "bid": {"price": 1, "amount": 1}}
    sent = {"quote_id": "1", "mmp_group": "g", "quotes": [quote] * 100}
    codes = [bench.error(conn, "private/mass_quote", **sent)["code"] for _ in range(6)]
    assert codes == [13042] * 5 + [13903]
    bench.pass_time(0.2)
    assert bench.error(conn, "private/mass_quote", **sent)["code"] == 13042


def test_the_rule_closes_the_socket_that_has_no_credits_left() -> None:
    bench = Bench(matching_rate=0.001, matching_burst=1, rules={"rate_limit": "close"})
    conn = bench.login()
    bench.call(conn, "private/enable_cancel_on_disconnect")
    order = bench.call(conn, "private/buy", **BID)["order"]
    assert bench.error(conn, "private/buy", **BID)["code"] == 10028
    assert conn in bench.closes
    state = bench.call(bench.login(), "private/get_order_state", order_id=order["order_id"])
    assert state["cancel_reason"] == "cancel_on_disconnect"
