"""Questions about an account, and the quieter public channels."""

from typing import Any

import pytest

from mock_deribit.faults import Lock
from shared.units import Side
from tests.support.exchange import Bench

PERP = "BTC-PERPETUAL"
BID: dict[str, Any] = {"instrument_name": PERP, "amount": 10, "price": 59_000}


def dated(bench: Bench, conn: int) -> str:
    listed = bench.call(conn, "public/get_instruments", currency="BTC")
    return str(listed[0]["instrument_name"])


def ids(orders: list[dict[str, Any]]) -> list[str]:
    return [order["order_id"] for order in orders]


def test_open_orders_are_found_by_instrument_currency_label_and_kind() -> None:
    bench = Bench()
    conn = bench.login()
    other = dated(bench, conn)
    first = bench.call(conn, "private/buy", **BID, label="a")["order"]["order_id"]
    second = bench.call(conn, "private/buy", **(BID | {"instrument_name": other}))["order"]
    both = [first, second["order_id"]]

    def found(suffix: str, **params: object) -> list[str]:
        return ids(bench.call(conn, f"private/get_open_orders{suffix}", **params))

    assert found("") == both
    assert found("_by_instrument", instrument_name=other) == both[1:]
    assert found("_by_currency", currency="BTC") == both
    assert found("_by_currency", currency="ETH") == []
    assert found("_by_label", currency="BTC", label="a") == both[:1]
    assert found("_by_label", currency="BTC") == both
    assert found("", kind="option") == []
    assert found("", type="trigger_all") == []
    assert bench.error(conn, "private/get_open_orders_by_currency", currency="DOGE")["data"] == {
        "reason": "invalid currency",
        "param": "currency",
    }


def test_the_history_shows_what_traded_newest_first_and_the_rest_on_demand() -> None:
    bench = Bench()
    conn = bench.login()
    filled = [
        bench.call(conn, "private/buy", **(BID | {"price": 60_100}))["order"]["order_id"]
        for _ in range(3)
    ]
    cancelled = bench.call(conn, "private/buy", **BID)["order"]["order_id"]
    bench.call(conn, "private/cancel", order_id=cancelled)
    name = "private/get_order_history_by_instrument"
    assert ids(bench.call(conn, name, instrument_name=PERP)) == filled[::-1]
    everything = bench.call(conn, name, instrument_name=PERP, include_unfilled=True)
    assert ids(everything) == [cancelled, *filled[::-1]]
    page = bench.call(conn, name, instrument_name=PERP, count=1, offset=1)
    assert ids(page) == [filled[1]]
    by_currency = "private/get_order_history_by_currency"
    assert bench.call(conn, by_currency, currency="BTC", historical=True) == []


def test_trades_of_an_order_are_asked_by_its_id() -> None:
    bench = Bench()
    conn = bench.login()
    order = bench.call(conn, "private/buy", **BID)["order"]
    name = "private/get_user_trades_by_order"
    assert bench.call(conn, name, order_id=order["order_id"]) == []
    assert bench.error(conn, name, order_id="1")["code"] == 10004


@pytest.mark.parametrize("suffix", ["by_instrument_and_time", "by_currency_and_time"])
def test_a_window_needs_both_its_ends(suffix: str) -> None:
    bench = Bench()
    conn = bench.login()
    params = {"instrument_name": PERP, "currency": "BTC", "start_timestamp": 0}
    error = bench.error(conn, f"private/get_user_trades_{suffix}", **params)
    assert error["data"] == {"reason": "value required", "param": "end_timestamp"}


def test_self_matching_is_refused_until_the_account_says_otherwise() -> None:
    bench = Bench()
    conn = bench.login()
    asks = BID | {"price": 59_999.5 + 0.5}
    resting = bench.call(conn, "private/sell", **asks)["order"]["order_id"]
    assert bench.error(conn, "private/buy", **asks)["code"] == 10003
    bench.call(conn, "private/set_self_trading_config", mode="cancel_maker")
    assert bench.call(conn, "private/buy", **asks)["order"]["order_state"] == "open"
    state = bench.call(conn, "private/get_order_state", order_id=resting)
    assert state["order_state"] == "cancelled"
    summary = bench.call(conn, "private/get_account_summary", currency="BTC", extended=True)
    assert summary["self_trading_reject_mode"] == "cancel_maker"
    assert bench.call(conn, "private/get_user_locks")[0]["locked"] is False


def test_index_and_perpetual_channels_speak_and_the_latter_not_for_dated_futures() -> None:
    bench = Bench()
    conn = bench.open()
    other = dated(bench, conn)
    channels = ["deribit_price_index.btc_usd", f"perpetual.{PERP}.100ms"]
    channels.append(f"perpetual.{other}.100ms")
    bench.call(conn, "public/subscribe", channels=channels)
    bench.others(PERP, Side.BUY, 60_010.0, 200_000)
    bench.others(other, Side.BUY, 60_100.0, 200_000)
    bench.pass_time(5)
    index = bench.frames(conn, channels[0])
    assert index[-1]["price"] == 60_000.0
    assert set(bench.frames(conn, channels[1])[-1]) == {"timestamp", "index_price", "interest"}
    assert bench.frames(conn, channels[2]) == []


def test_a_lock_is_told_by_platform_state_alone() -> None:
    bench = Bench()
    conn = bench.open()
    channels = ["instrument.state.future.BTC", "platform_state"]
    bench.call(conn, "public/subscribe", channels=channels)
    bench.fault(Lock(index="btc_usd", locked=True))
    assert bench.frames(conn, channels[1])[-1]["locked"] is True
    assert bench.frames(conn, channels[0]) == []


def test_the_session_methods_answer_small_things() -> None:
    bench = Bench()
    conn = bench.login()
    hello = bench.call(conn, "public/hello", client_name="x", client_version="1")
    assert hello == bench.call(conn, "public/test")
    assert "code" in bench.error(conn, "public/test", expected_result="exception")
    bench.call(conn, "public/set_heartbeat", interval=10)
    assert bench.call(conn, "public/disable_heartbeat") == "ok"
    bench.call(conn, "public/subscribe", channels=["platform_state"])
    bench.pass_time(30)
    assert conn not in bench.closes
    bench.call(conn, "private/enable_cancel_on_disconnect")
    assert bench.call(conn, "private/disable_cancel_on_disconnect") == "ok"
    assert bench.call(conn, "private/get_cancel_on_disconnect")["enabled"] is False
    too_many = [f"ticker.X{n}.raw" for n in range(501)]
    assert bench.error(conn, "public/subscribe", channels=too_many)["code"] == -32602
