"""One socket's life: heartbeat, idleness, cancel on disconnect."""

from shared.units import Side
from tests.support.exchange import Bench

QUIET = {"channels": ["platform_state"]}
BID = {"instrument_name": "BTC-PERPETUAL", "amount": 10, "price": 59_000, "post_only": True}


def test_the_first_test_request_comes_after_twelve_seconds_beside_a_heartbeat() -> None:
    bench = Bench()
    conn = bench.open()
    assert bench.call(conn, "public/set_heartbeat", interval=10) == "ok"
    bench.pass_time(11.9)
    assert bench.inbox[conn] == []
    bench.pass_time(0.2)
    kinds = [frame["params"]["type"] for frame in bench.inbox[conn]]
    assert kinds == ["heartbeat", "test_request"]
    assert all(frame["method"] == "heartbeat" for frame in bench.inbox[conn])


def test_an_unanswered_test_request_closes_with_4000_after_the_interval() -> None:
    bench = Bench()
    conn = bench.open()
    bench.call(conn, "public/set_heartbeat", interval=10)
    bench.pass_time(21.9)
    assert conn not in bench.closes
    bench.pass_time(0.2)
    assert bench.closes[conn] == (4000, "heartbeat close")


def test_answering_with_public_test_keeps_the_socket_and_the_next_request_comes_10_6_s_later() -> (
    None
):
    bench = Bench()
    conn = bench.open()
    bench.call(conn, "public/set_heartbeat", interval=10)
    bench.pass_time(12.0)
    assert bench.call(conn, "public/test") == {"version": "1.2.26"}
    bench.inbox[conn].clear()
    bench.pass_time(10.5)
    assert bench.inbox[conn] == []
    bench.pass_time(0.2)
    assert bench.inbox[conn][-1]["params"] == {"type": "test_request"}
    assert conn not in bench.closes


def test_a_busy_socket_gets_test_requests_but_no_plain_heartbeats() -> None:
    bench = Bench()
    conn = bench.open()
    bench.call(conn, "public/subscribe", channels=["deribit_price_index.btc_usd"])
    bench.call(conn, "public/set_heartbeat", interval=10)
    bench.pass_time(12.5)
    beats = [f["params"]["type"] for f in bench.inbox[conn] if f["method"] == "heartbeat"]
    assert beats == ["test_request"]


def test_an_interval_below_ten_is_refused_in_the_recorded_words() -> None:
    bench = Bench()
    error = bench.error(bench.open(), "public/set_heartbeat", interval=5)
    assert error["data"] == {"reason": "value must be >= 10", "param": "interval"}


def test_a_socket_that_asks_for_nothing_is_dropped_after_a_minute_and_a_subscriber_is_not() -> None:
    bench = Bench()
    idle, subscriber = bench.open(), bench.open()
    bench.call(subscriber, "public/subscribe", **QUIET)
    bench.pass_time(59)
    assert bench.closes == {}
    bench.pass_time(2)
    assert bench.closes == {idle: (1006, "idle")}


def test_cancel_on_disconnect_is_off_by_default_and_read_back_when_on() -> None:
    bench = Bench()
    conn = bench.login()
    off = bench.call(conn, "private/get_cancel_on_disconnect")
    assert off == {"scope": "connection", "enabled": False}
    bench.call(conn, "private/enable_cancel_on_disconnect")
    assert bench.call(conn, "private/get_cancel_on_disconnect")["enabled"] is True


def test_a_dead_line_cancels_its_own_orders_and_tells_the_other_sockets() -> None:
    bench = Bench()
    maker, watcher = bench.login(), bench.login()
    bench.call(maker, "private/enable_cancel_on_disconnect")
    bench.call(watcher, "private/subscribe", channels=["user.orders.any.any.raw"])
    kept = bench.call(watcher, "private/buy", **BID)["order"]["order_id"]
    lost = bench.call(maker, "private/buy", **BID)["order"]["order_id"]
    bench.frames(watcher, "user.orders.any.any.raw")
    bench.hang_up(maker)
    [told] = bench.frames(watcher, "user.orders.any.any.raw")
    assert (told["order_id"], told["order_state"]) == (lost, "cancelled")
    assert told["cancel_reason"] == "cancel_on_disconnect"
    assert [o["order_id"] for o in bench.call(watcher, "private/get_open_orders")] == [kept]


def test_a_heartbeat_failure_cancels_too() -> None:
    bench = Bench()
    maker, watcher = bench.login(), bench.login()
    bench.call(watcher, "public/subscribe", **QUIET)
    bench.call(maker, "private/enable_cancel_on_disconnect")
    bench.call(maker, "public/set_heartbeat", interval=10)
    bench.call(maker, "private/buy", **BID)
    bench.pass_time(23)
    assert bench.closes[maker][0] == 4000
    assert bench.call(watcher, "private/get_open_orders") == []


def test_account_scope_is_the_default_of_new_sockets_and_leaves_open_ones_alone() -> None:
    bench = Bench()
    old, switch = bench.login(), bench.login()
    bench.call(switch, "private/enable_cancel_on_disconnect", scope="account")
    new = bench.login()
    enabled = [
        bench.call(conn, "private/get_cancel_on_disconnect")["enabled"]
        for conn in (old, switch, new)
    ]
    assert enabled == [False, True, True]
    account = bench.call(old, "private/get_cancel_on_disconnect", scope="account")
    assert account == {"scope": "account", "enabled": True}


def test_an_order_that_was_filled_before_the_line_died_stays_filled() -> None:
    bench = Bench()
    maker, watcher = bench.login(), bench.login()
    bench.call(maker, "private/enable_cancel_on_disconnect")
    order = BID | {"price": 59_999.5}
    order_id = bench.call(maker, "private/buy", **order)["order"]["order_id"]
    bench.others("BTC-PERPETUAL", Side.SELL, 59_999.5, 10_010)
    bench.hang_up(maker)
    state = bench.call(watcher, "private/get_order_state", order_id=order_id)
    assert state["order_state"] == "filled"
