"""Market maker protection and mass quotes, as a client sees them."""

from typing import Any

import pytest

from shared.units import Side
from tests.support.exchange import Bench

PERP = "BTC-PERPETUAL"
CONFIG: dict[str, Any] = {
    "index_name": "btc_usd",
    "interval": 10,
    "frozen_time": 20,
    "max_quote_quantity": 1.0,
    "quantity_limit": 0.001,
}
GROUP = {"mmp_group": "desk"}
BID: dict[str, Any] = {"instrument_name": PERP, "amount": 100, "price": 59_999.5}


def quotes(bid: float | None, ask: float | None, amount: float = 100.0) -> list[dict[str, Any]]:
    """One quote; a side without a price is left out."""
    sides = {"bid": bid, "ask": ask}
    given = {name: {"price": p, "amount": amount} for name, p in sides.items() if p is not None}
    return [{"instrument_name": PERP, "quote_set_id": "s1", **given}]


def quoting(**changes: Any) -> tuple[Bench, int]:
    """A bench with a connection that may send mass quotes."""
    bench = Bench(**changes)
    conn = bench.login()
    bench.call(conn, "private/enable_cancel_on_disconnect")
    bench.call(conn, "private/set_mmp_config", **(CONFIG | {"quantity_limit": 1.0}), **GROUP)
    return bench, conn


def test_a_protection_is_set_read_replaced_and_removed() -> None:
    bench = Bench()
    conn = bench.login()
    [shown] = bench.call(conn, "private/set_mmp_config", **CONFIG)
    assert shown == CONFIG
    assert bench.call(conn, "private/get_mmp_config", index_name="btc_usd") == [CONFIG]
    other = {name: value for name, value in CONFIG.items() if name != "quantity_limit"}
    other |= {"delta_limit": 0.5}
    assert bench.call(conn, "private/set_mmp_config", **other) == [other]
    bench.call(conn, "private/set_mmp_config", **CONFIG, **GROUP)
    assert bench.call(conn, "private/get_mmp_config", **GROUP) == [CONFIG | GROUP]
    assert len(bench.call(conn, "private/get_mmp_config")) == 2
    gone = {"index_name": "btc_usd", "interval": 0, "frozen_time": 0}
    assert bench.call(conn, "private/set_mmp_config", **gone) == []


def test_the_rule_answers_with_the_configuration_alone() -> None:
    bench = Bench(rules={"protection_answer": "object"})
    assert bench.call(bench.login(), "private/set_mmp_config", **CONFIG) == CONFIG


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"index_name": "doge_usd"}, "index_name"),
        ({"interval": 3601}, "interval"),
        ({"frozen_time": -1}, "frozen_time"),
        ({"max_quote_quantity": None}, "max_quote_quantity"),
        ({"max_quote_quantity": 0.00001}, "max_quote_quantity"),
        ({"quantity_limit": None}, "quantity_limit"),
    ],
)
def test_a_senseless_protection_is_refused_and_nothing_is_set(
    changes: dict[str, Any], param: str
) -> None:
    bench = Bench()
    conn = bench.login()
    error = bench.error(conn, "private/set_mmp_config", **(CONFIG | changes))
    assert (error["code"], error["data"]["param"]) == (-32602, param)
    assert bench.call(conn, "private/get_mmp_config") == []


def test_a_fill_beyond_the_limit_cancels_freezes_and_tells() -> None:
    bench = Bench()
    conn = bench.login()
    bench.call(conn, "private/set_mmp_config", **CONFIG)
    channels = ["user.mmp_trigger.btc_usd", "user.mmp_trigger.any", "user.orders.any.any.raw"]
    bench.call(conn, "private/subscribe", channels=channels)
    first = bench.call(conn, "private/buy", **BID, mmp=True)["order"]
    assert first["mmp"] is True
    second = bench.call(conn, "private/buy", **(BID | {"price": 59_000}), mmp=True)["order"]
    plain = bench.call(conn, "private/buy", **(BID | {"price": 59_000}))["order"]
    bench.frames(conn, channels[2])
    bench.others(PERP, Side.SELL, 59_999.5, 10_100)
    [trigger] = bench.frames(conn, channels[0])
    until = bench.now // 1_000_000 + 20_000
    assert trigger == {"index_name": "btc_usd", "frozen_until": until}
    assert bench.frames(conn, channels[1]) == [trigger]
    told = {order["order_id"]: order for order in bench.frames(conn, channels[2])}
    cancelled = told[second["order_id"]]
    assert (cancelled["order_state"], cancelled["cancel_reason"]) == ("cancelled", "mmp_trigger")
    assert cancelled["mmp_cancelled"] is True
    assert bench.call(conn, "private/get_mmp_status") == [trigger]
    assert bench.error(conn, "private/buy", **BID, mmp=True)["code"] == 13030
    open_ids = [order["order_id"] for order in bench.call(conn, "private/get_open_orders")]
    assert open_ids == [plain["order_id"]]
    assert bench.call(conn, "private/reset_mmp", index_name="btc_usd") == "ok"
    assert bench.call(conn, "private/get_mmp_status") == []
    bench.call(conn, "private/buy", **(BID | {"price": 59_000}), mmp=True)


def test_mass_quotes_place_move_and_cancel_both_sides() -> None:
    bench, conn = quoting()
    name = "private/mass_quote"
    placed = bench.call(conn, name, quote_id="1", quotes=quotes(59_000.0, 61_000.0), **GROUP)
    assert placed["errors_count"] == 0
    bid, ask = placed["orders"]
    assert (bid["direction"], ask["direction"]) == ("buy", "sell")
    assert (bid["quote"], bid["quote_id"], bid["quote_set_id"]) == (True, "1", "s1")
    assert bid["mmp_group"] == "desk"
    moved = bench.call(conn, name, quote_id="2", quotes=quotes(59_100.0, 61_100.0), **GROUP)
    assert [order["price"] for order in moved["orders"]] == [61_100.0, 59_100.0]
    assert {order["order_id"] for order in moved["orders"]} == {bid["order_id"], ask["order_id"]}
    refused = bench.error(conn, "private/edit", order_id=bid["order_id"], price=59_000, amount=10)
    assert refused["code"] == 10004
    gone = bench.call(conn, name, quote_id="3", quotes=quotes(None, 61_100.0, 0.0), **GROUP)
    assert [order["order_state"] for order in gone["orders"]] == ["cancelled"]
    assert bench.call(conn, "private/cancel_quotes", cancel_type="all") == 1
    assert bench.call(conn, "private/get_open_orders") == []


def test_the_open_amount_of_a_quote_is_what_is_left_of_it() -> None:
    bench, conn = quoting()
    sent = {"quote_id": "1", "quotes": quotes(59_999.5, None), **GROUP}
    [bid] = bench.call(conn, "private/mass_quote", **sent)["orders"]
    bench.others(PERP, Side.SELL, 59_999.5, 10_040)
    state = bench.call(conn, "private/get_order_state", order_id=bid["order_id"])
    assert (state["filled_amount"], state["amount"]) == (40.0, 60.0)
    [fill] = bench.call(conn, "private/get_user_trades_by_order", order_id=bid["order_id"])
    assert (fill["quote_id"], fill["quote_set_id"]) == ("1", "s1")


def test_a_side_that_is_refused_is_an_error_among_the_answers() -> None:
    bench, conn = quoting()
    sent = {"quote_id": "1", "quotes": quotes(70_000.0, 61_000.0), **GROUP}
    answer = bench.call(conn, "private/mass_quote", **sent, detailed=True)
    [error] = answer["errors"]
    assert (error["instrument_name"], error["side"]) == (PERP, "bid")
    assert error["error"]["code"] == 10007
    assert len(answer["orders"]) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"mmp_group": "nobody"}, 13040),
        ({"quotes": []}, -32602),
        ({"quotes": [{"instrument_name": PERP}]}, -32602),
        ({"quotes": [1]}, -32602),
        ({"quotes": [{"instrument_name": PERP, "bid": 1}]}, -32602),
        ({"quotes": [{"instrument_name": "NOPE", "bid": {"price": 1, "amount": 1}}]}, -32602),
        ({"valid_until": 1}, 13888),
    ],
)
def test_a_mass_quote_that_is_wrong_as_a_whole_changes_nothing(
    changes: dict[str, Any], code: int
) -> None:
    bench, conn = quoting()
    sent = {"quote_id": "1", "quotes": quotes(59_000.0, None), **GROUP} | changes
    assert bench.error(conn, "private/mass_quote", **sent)["code"] == code
    assert bench.call(conn, "private/get_open_orders") == []


def test_mass_quotes_need_cancel_on_disconnect_and_end_with_their_connection() -> None:
    bench, conn = quoting()
    sent = {"quote_id": "1", "quotes": quotes(59_000.0, 61_000.0), **GROUP}
    other = bench.login()
    assert bench.error(other, "private/mass_quote", **sent)["code"] == 13042
    bench.call(conn, "private/mass_quote", **sent)
    assert len(bench.call(other, "private/get_open_orders")) == 2
    bench.hang_up(conn)
    assert bench.call(other, "private/get_open_orders") == []


@pytest.mark.parametrize(
    ("chosen", "count"),
    [
        ({"cancel_type": "quote_set_id", "quote_set_id": "s1"}, 2),
        ({"cancel_type": "quote_set_id", "quote_set_id": "s2"}, 0),
        ({"cancel_type": "instrument", "instrument_name": PERP}, 2),
        ({"cancel_type": "currency", "currency": "ETH"}, 0),
        ({"cancel_type": "currency_pair", "currency_pair": "btc_usd"}, 2),
        ({"cancel_type": "instrument_kind", "kind": "option"}, 0),
        ({"cancel_type": "instrument_kind", "kind": "future", "currency": "BTC"}, 2),
        ({"cancel_type": "delta", "min_delta": 0.1, "max_delta": 0.9}, 0),
    ],
)
def test_quotes_are_cancelled_by_what_they_have_in_common(
    chosen: dict[str, Any], count: int
) -> None:
    bench, conn = quoting()
    plain = bench.call(conn, "private/buy", **(BID | {"price": 58_000}))["order"]["order_id"]
    sent = {"quote_id": "1", "quotes": quotes(59_000.0, 61_000.0), **GROUP}
    bench.call(conn, "private/mass_quote", **sent)
    books = bench.call(conn, "private/cancel_quotes", **chosen, detailed=True)
    assert sum(len(book["result"]) for book in books) == count
    left = [order["order_id"] for order in bench.call(conn, "private/get_open_orders")]
    assert len(left) == 3 - count
    assert plain in left


def test_a_freezing_cancel_keeps_quotes_out_for_a_second() -> None:
    bench, conn = quoting()
    sent = {"quote_id": "1", "quotes": quotes(59_000.0, 61_000.0), **GROUP}
    bench.call(conn, "private/cancel_all", freeze_quotes=True)
    assert bench.error(conn, "private/mass_quote", **sent)["code"] == 13043
    bench.pass_time(1.1)
    assert len(bench.call(conn, "private/mass_quote", **sent)["orders"]) == 2


def test_what_an_account_has_not_been_granted_is_refused() -> None:
    plain = {"name": "plain", "client_id": "p", "mmp": False, "mass_quotes": False}
    bench = Bench(accounts=[plain])
    conn = bench.login("p")
    sent = {"index_name": "btc_usd", "interval": 1, "frozen_time": 1, "quantity_limit": 1}
    sent |= {"max_quote_quantity": 1}
    assert bench.error(conn, "private/set_mmp_config", **sent)["code"] == 13040
    quotes = [{"instrument_name": "BTC-PERPETUAL", "bid": {"price": 59_000, "amount": 10}}]
    refused = bench.error(conn, "private/mass_quote", quote_id="1", mmp_group="g", quotes=quotes)
    assert refused["code"] == 13902
    summary = bench.call(conn, "private/get_account_summary", currency="BTC", extended=True)
    assert summary["mmp_enabled"] is False
