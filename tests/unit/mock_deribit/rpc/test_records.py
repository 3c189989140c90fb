"""What was written down: settlements, deliveries, the transaction log, old orders and trades, margins."""

from typing import Any

from shared.kernel import Nanos
from shared.units import DAY, HOUR, MINUTE, SECOND, to_ms
from tests.support.exchange import START, Bench

PERP = "BTC-PERPETUAL"
BUY: dict[str, Any] = {"instrument_name": PERP, "amount": 1_000, "price": 60_100}
SETTLEMENT = Nanos(START // DAY * DAY + 8 * HOUR + (DAY if START % DAY > 8 * HOUR else 0))
EVER: dict[str, Any] = {"start_timestamp": 0, "end_timestamp": 2**42}


def jump(bench: Bench, to: int) -> None:
    bench.now = Nanos(to)
    bench.note(bench.core.jump(bench.now))


def settled(times: int = 1) -> tuple[Bench, int]:
    """A bench on which an account with a position has seen so many settlements."""
    bench = Bench()
    conn = bench.login()
    bench.call(conn, "public/subscribe", channels=["platform_state"])
    bench.call(conn, "private/buy", **BUY)
    for n in range(times):
        jump(bench, SETTLEMENT + n * DAY + 5 * SECOND)
    return bench, conn


def test_a_settlement_is_in_the_accounts_history_and_in_the_venues() -> None:
    bench, conn = settled()
    asked = {"instrument_name": PERP}
    mine = bench.call(conn, "private/get_settlement_history_by_instrument", **asked)
    [row] = mine["settlements"]
    assert (row["type"], row["position"], row["timestamp"]) == (
        "settlement",
        1_000.0,
        to_ms(SETTLEMENT),
    )
    assert mine["continuation"] == "none"
    by_currency = bench.call(conn, "private/get_settlement_history_by_currency", currency="BTC")
    assert by_currency["settlements"] == [row]
    [venues] = bench.call(conn, "public/get_last_settlements_by_instrument", **asked)["settlements"]
    assert venues["mark_price"] == row["mark_price"]
    everything = bench.call(conn, "public/get_last_settlements_by_currency", currency="BTC")
    assert len(everything["settlements"]) == 4
    other = {"currency": "BTC", "type": "delivery"}
    assert bench.call(conn, "private/get_settlement_history_by_currency", **other) == {
        "settlements": [],
        "continuation": "none",
    }


def test_settlements_come_in_pages_that_join_without_loss() -> None:
    bench, conn = settled(3)
    name, asked = "public/get_last_settlements_by_currency", {"currency": "BTC", "count": 5}
    seen, word = [], None
    while True:
        more: dict[str, Any] = {"continuation": word} if word else {}
        page = bench.call(conn, name, **asked, **more)
        seen += page["settlements"]
        word = page["continuation"]
        if word == "none":
            break
    whole = bench.call(conn, name, currency="BTC", count=100)["settlements"]
    assert seen == whole
    assert len(whole) == 12
    assert bench.error(conn, name, **asked, continuation="x")["data"]["param"] == "continuation"
    first = bench.call(conn, name, currency="BTC", search_start_timestamp=to_ms(SETTLEMENT))
    assert first["settlements"] == whole[-4:]


def test_the_transaction_log_tells_every_movement_of_the_balance() -> None:
    bench, conn = settled()
    name, asked = "private/get_transaction_log", {"currency": "BTC", **EVER}
    log = bench.call(conn, name, **asked)
    assert [row["type"] for row in log["logs"]] == ["settlement", "trade", "deposit"]
    summary = bench.call(conn, "private/get_account_summary", currency="BTC")
    assert log["logs"][0]["balance"] == summary["balance"]
    assert round(sum(row["change"] for row in log["logs"]), 8) == summary["balance"]
    trade = log["logs"][1]
    assert (trade["side"], trade["user_role"], trade["position"]) == ("open buy", "taker", 1_000.0)
    assert trade["change"] == -trade["commission"]
    assert len(bench.call(conn, name, **asked, query="trade")["logs"]) == 1
    first = bench.call(conn, name, **asked, count=2)
    rest = bench.call(conn, name, **asked, count=2, continuation=first["continuation"])
    assert first["logs"] + rest["logs"] == log["logs"]
    assert rest["continuation"] is None


def test_the_transaction_log_has_credits_of_its_own() -> None:
    bench, conn = settled()
    asked = {"currency": "BTC", **EVER}
    codes = [
        bench.ask(conn, "private/get_transaction_log", **asked).get("error", {}).get("code")
        for _ in range(9)
    ]
    assert codes == [None] * 8 + [10028]
    bench.pass_time(1)
    bench.call(conn, "private/get_transaction_log", **asked)


def test_delivery_prices_stand_day_by_day_newest_first() -> None:
    bench, conn = settled(3)
    name = "public/get_delivery_prices"
    page = bench.call(conn, name, index_name="btc_usd", count=2)
    assert page["records_total"] == 3
    assert [row["delivery_price"] for row in page["data"]] == [60_000.0, 60_000.0]
    assert page["data"][0]["date"] > page["data"][1]["date"]
    [oldest] = bench.call(conn, name, index_name="btc_usd", offset=2)["data"]
    assert oldest["date"] < page["data"][1]["date"]


def test_margins_of_an_order_tell_both_sides_the_band_and_the_fees() -> None:
    bench = Bench()
    conn = bench.login()
    asked = {"instrument_name": PERP, "amount": 6_000, "price": 60_000}
    empty = bench.call(conn, "private/get_margins", **asked)
    assert empty["buy"] == empty["sell"] > 0.0
    ticker = bench.call(conn, "public/ticker", instrument_name=PERP)
    assert (empty["min_price"], empty["max_price"]) == (ticker["min_price"], ticker["max_price"])
    assert round(empty["buy_taker_fee"], 8) == round(0.1 * 0.00035, 8)
    assert empty["sell_maker_fee"] == empty["buy_maker_fee"] < empty["sell_taker_fee"]
    order = bench.call(conn, "private/buy", **(asked | {"price": 59_000}))["order"]
    ids = [order["order_id"], "1"]
    [margin] = bench.call(conn, "private/get_order_margin_by_ids", ids=ids)
    assert margin["order_id"] == order["order_id"]
    assert abs(margin["initial_margin"] - empty["buy"]) < 1e-4
    assert margin["initial_margin_currency"] == "BTC"


def test_old_orders_and_trades_are_only_there_when_asked_for_as_history() -> None:
    bench = Bench()
    conn = bench.login()
    bench.call(conn, "public/subscribe", channels=["platform_state"])
    order_id = bench.call(conn, "private/buy", **BUY)["order"]["order_id"]
    orders, trades = (
        "private/get_order_history_by_currency",
        "private/get_user_trades_by_currency",
    )

    def counts(historical: bool) -> tuple[int, int]:
        asked = {"currency": "BTC", "historical": historical}
        found = bench.call(conn, orders, **asked), bench.call(conn, trades, **asked)["trades"]
        return len(found[0]), len(found[1])

    assert (counts(False), counts(True)) == ((1, 1), (0, 0))
    jump(bench, bench.now + 31 * MINUTE)
    assert (counts(False), counts(True)) == ((0, 1), (1, 0))
    assert bench.error(conn, "private/get_order_state", order_id=order_id)["code"] == 10004
    jump(bench, bench.now + DAY)
    assert (counts(False), counts(True)) == ((0, 0), (1, 1))


def test_a_history_with_continuation_comes_in_pages_that_join() -> None:
    bench = Bench()
    conn = bench.login()
    for _ in range(5):
        bench.call(conn, "private/buy", **(BUY | {"amount": 10}))
    name, asked = "private/get_order_history_by_instrument", {"instrument_name": PERP, "count": 2}
    whole = bench.call(conn, name, instrument_name=PERP)
    first = bench.call(conn, name, **asked, with_continuation=True)
    bench.call(conn, "private/buy", **(BUY | {"amount": 10}))
    second = bench.call(conn, name, **asked, continuation=first["continuation"])
    third = bench.call(conn, name, **asked, continuation=second["continuation"])
    assert first["orders"] + second["orders"] + third["orders"] == whole
    assert third["continuation"] is None
    asked_triggers = {"currency": "BTC"}
    triggers = bench.call(conn, "private/get_trigger_order_history", **asked_triggers)
    assert triggers == {"entries": []}


def test_summaries_name_the_account_once_and_each_currency() -> None:
    bench = Bench()
    conn = bench.login()
    answer = bench.call(conn, "private/get_account_summaries", extended=True)
    assert (answer["username"], answer["type"]) == ("maker", "main")
    [row] = answer["summaries"]
    alone = bench.call(conn, "private/get_account_summary", currency="BTC")
    assert "username" not in alone
    extended = bench.call(conn, "private/get_account_summary", currency="BTC", extended=True)
    assert row == alone | {"fees": extended["fees"]}
    assert extended["id"] == answer["id"]
    assert extended["mmp_enabled"] is True
