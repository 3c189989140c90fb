"""Every rule of the wire does what its description says."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from tests.support.exchange import SECRET, Bench, settings_for_tests

PERP = "BTC-PERPETUAL"
TICKER, RAW = f"ticker.{PERP}.100ms", f"book.{PERP}.raw"
TAKE: dict[str, Any] = {"instrument_name": PERP, "amount": 10, "price": 60_100}
BID = TAKE | {"price": 59_000}


def test_a_raw_channel_without_login_among_others() -> None:
    dropping, refusing = Bench(), Bench(rules={"raw_in_a_list": "refused"})
    asked = {"channels": [RAW, TICKER]}
    assert dropping.call(dropping.open(), "public/subscribe", **asked) == [TICKER]
    assert refusing.error(refusing.open(), "public/subscribe", **asked)["code"] == 13778


def test_what_answers_a_test_request() -> None:
    for answer, closed in (("test", True), ("any", False)):
        bench = Bench(rules={"heartbeat_answer": answer})
        conn = bench.open()
        bench.call(conn, "public/set_heartbeat", interval=10)
        bench.pass_time(12.1)
        bench.call(conn, "public/get_time")
        bench.pass_time(10)
        assert (conn in bench.closes) == closed


def test_who_an_edited_order_belongs_to() -> None:
    for adopt, left in ((False, 1), (True, 0)):
        bench = Bench(rules={"adopt_edited": adopt})
        maker, editor = bench.login(), bench.login()
        bench.call(editor, "private/enable_cancel_on_disconnect")
        order_id = bench.call(maker, "private/buy", **BID)["order"]["order_id"]
        bench.call(editor, "private/edit", order_id=order_id, amount=20, price=59_000)
        bench.hang_up(editor)
        assert len(bench.call(maker, "private/get_open_orders")) == left


def test_whether_the_portfolio_is_sent_at_first() -> None:
    for first, count in ((False, 0), (True, 1)):
        bench = Bench(rules={"portfolio_first_frame": first})
        conn = bench.login()
        bench.call(conn, "private/subscribe", channels=["user.portfolio.btc"])
        frames = bench.frames(conn, "user.portfolio.btc")
        assert [frame["currency"] for frame in frames] == ["BTC"] * count


def test_the_code_for_an_unknown_instrument_in_an_order() -> None:
    for code in (-32602, 13020, 10020):
        bench = Bench(rules={"unknown_instrument_code": code})
        conn = bench.login()
        unknown = BID | {"instrument_name": "BTC-NEVER"}
        assert bench.error(conn, "private/buy", **unknown)["code"] == code
        assert bench.error(conn, "public/ticker", **unknown)["code"] == -32602


def test_how_long_an_idle_socket_lives() -> None:
    bench = Bench(rules={"idle_seconds": 600})
    conn = bench.open()
    bench.pass_time(599)
    assert conn not in bench.closes
    bench.pass_time(2)
    assert bench.closes[conn] == (1006, "idle")


def test_how_often_the_slow_channels_speak() -> None:
    bench = Bench(rules={"agg2_seconds": 2})
    conn = bench.login()
    name = f"trades.{PERP}.agg2"
    bench.call(conn, "public/subscribe", channels=[name])
    for _ in range(8):
        bench.call(conn, "private/buy", **TAKE)
        bench.pass_time(0.5)
    assert len(bench.frames(conn, name)) == 2


def orders_of_frames(shuffled: bool) -> list[tuple[str, ...]]:
    """In which order the channels spoke of each of twenty fills."""
    bench = Bench(rules={"shuffled_frames": shuffled})
    conn = bench.login()
    channels = [f"user.{noun}.any.any.raw" for noun in ("orders", "trades", "changes")]
    bench.call(conn, "private/subscribe", channels=channels)
    seen = []
    for _ in range(20):
        bench.inbox[conn].clear()
        bench.call(conn, "private/buy", **TAKE)
        seen.append(tuple(frame["params"]["channel"] for frame in bench.inbox[conn]))
    return seen


def test_whether_the_frames_of_a_request_are_shuffled() -> None:
    assert len(set(orders_of_frames(shuffled=False))) == 1
    shuffled = orders_of_frames(shuffled=True)
    assert len(set(shuffled)) > 2
    assert all(len(set(order)) == 3 for order in shuffled)


@pytest.mark.parametrize(("share", "first"), [(0.0, "reply"), (1.0, "frame")])
def test_how_often_frames_leave_before_the_reply(share: float, first: str) -> None:
    bench = Bench(rules={"early_frames": share})
    conn = bench.login()
    bench.call(conn, "private/subscribe", channels=[f"user.orders.{PERP}.raw"])
    for n in range(10):
        bench.inbox[conn].clear()
        request = {"id": f"n{n}", "method": "private/buy", "params": BID}
        bench.raw(conn, json.dumps(request).encode())
        assert ("reply" if "id" in bench.inbox[conn][0] else "frame") == first


def test_whether_an_exchanged_token_switches_the_socket() -> None:
    bench = Bench(rules={"exchange_switches": False})
    conn = bench.open()
    key = {"client_id": "mock-maker", "client_secret": SECRET}
    mine = bench.call(conn, "public/auth", grant_type="client_credentials", **key)
    given = {"refresh_token": mine["refresh_token"], "subject_id": 1002, "scope": "session:b"}
    bench.call(conn, "public/exchange_token", **given)
    extended = {"currency": "BTC", "extended": True}
    summary = bench.call(conn, "private/get_account_summary", **extended)
    assert summary["username"] == "maker"


def test_what_trades_by_order_look_like() -> None:
    bench = Bench(rules={"trades_by_order": "array"})
    conn = bench.login()
    order_id = bench.call(conn, "private/buy", **TAKE)["order"]["order_id"]
    [fill] = bench.call(conn, "private/get_user_trades_by_order", order_id=order_id)
    assert fill["order_id"] == order_id


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("hold_ms=ten", "hold_ms"),
        ("fok_failure=sulk", "fok_failure"),
        ("no_such=1", "no_such"),
        ("early_frames=2", "early_frames"),
        ("hold_ms", "name=value"),
    ],
)
def test_a_rule_that_makes_no_sense_is_named(rules: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        settings_for_tests(rules=rules)


def test_rules_are_given_as_words_too() -> None:
    settings = settings_for_tests(
        rules="hold_ms=10, adopt_edited=true unknown_instrument_code=13020"
    )
    assert settings.exchange_rules().hold_ms == 10.0
    assert settings.exchange_rules().unknown_instrument_code == 13020
    assert settings.wire_rules().adopt_edited is True


@pytest.mark.parametrize("kind", ["market", "market_limit"])
def test_whether_a_market_order_may_name_a_lifetime(kind: str) -> None:
    market = {"instrument_name": PERP, "amount": 10, "type": kind}
    lasting = market | {"time_in_force": "good_til_cancelled"}
    refusing = Bench()
    conn = refusing.login()
    refused = refusing.error(conn, "private/buy", **lasting)
    assert (refused["code"], refused["data"]["param"]) == (-32602, "time_in_force")
    assert refusing.call(conn, "private/buy", **market)["order"]["order_state"] == "filled"
    taking = Bench(rules={"market_lifetime": "taken"})
    assert taking.call(taking.login(), "private/buy", **lasting)["trades"]
