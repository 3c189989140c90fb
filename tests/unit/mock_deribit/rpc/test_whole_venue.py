"""Several coins and a linear perpetual side by side on the wire."""

from typing import Any

import pytest

from mock_deribit.faults import Lock
from tests.support.exchange import Bench, WholeBench

BTC, ETH, LINEAR = "BTC-PERPETUAL", "ETH-PERPETUAL", "BTC_USDC-PERPETUAL"
COINS = ("BTC", "ETH", "USDC")
ACCOUNT = {
    "name": "maker",
    "client_id": "mock-maker",
    "balances": {"BTC": 1.0, "ETH": 10.0, "USDC": 50_000.0},
}
BIDS: dict[str, dict[str, Any]] = {
    BTC: {"instrument_name": BTC, "amount": 10, "price": 59_000},
    ETH: {"instrument_name": ETH, "amount": 1, "price": 2_960},
    LINEAR: {"instrument_name": LINEAR, "amount": 0.001, "price": 59_500},
}


@pytest.fixture
def bench() -> Bench:
    return WholeBench(accounts=[ACCOUNT])


def test_the_catalogue_stands_by_settlement_currency(bench: Bench) -> None:
    conn = bench.open()
    assert [row["currency"] for row in bench.call(conn, "public/get_currencies")] == [*COINS]
    listed = {
        currency: bench.call(conn, "public/get_instruments", currency=currency)
        for currency in (*COINS, "any")
    }
    assert [len(listed[coin]) for coin in COINS] == [4, 4, 1]
    assert len(listed["any"]) == 9
    [linear] = listed["USDC"]
    assert (linear["instrument_type"], linear["quote_currency"]) == ("linear", "USDC")
    assert (linear["base_currency"], linear["price_index"]) == ("BTC", "btc_usdc")
    names = bench.call(conn, "public/get_index_price_names")
    assert names == ["btc_usd", "eth_usd", "btc_usdc"]
    pegged = bench.call(conn, "public/get_index_price", index_name="btc_usdc")
    assert pegged["index_price"] == 60_000.0


def test_ids_carry_their_currency_and_orders_are_found_by_it(bench: Bench) -> None:
    conn = bench.login()
    placed = {name: bench.call(conn, "private/buy", **bid) for name, bid in BIDS.items()}
    ids = {name: answer["order"]["order_id"] for name, answer in placed.items()}
    assert ids[BTC].isdigit()
    assert ids[ETH].startswith("ETH-")
    assert ids[LINEAR].startswith("USDC-")
    for currency, name in zip(COINS, BIDS, strict=True):
        found = bench.call(conn, "private/get_open_orders_by_currency", currency=currency)
        assert [order["order_id"] for order in found] == [ids[name]]
    assert placed[LINEAR]["order"]["contracts"] == 10.0
    assert bench.call(conn, "private/cancel_all_by_currency_pair", currency_pair="btc_usdc") == 1
    options = {"currency": ["BTC", "ETH"], "kind": ["option"]}
    assert bench.call(conn, "private/cancel_all_by_kind_or_type", **options) == 0
    wrong = {"currency": "any", "detailed": "yes"}
    assert bench.error(conn, "private/cancel_all_by_kind_or_type", **wrong)["code"] == -32602
    several = {"currency": ["BTC", "ETH"], "kind": ["future"], "detailed": True}
    books = bench.call(conn, "private/cancel_all_by_kind_or_type", **several)
    assert [(book["currency"], len(book["result"])) for book in books] == [("BTC", 1), ("ETH", 1)]


def test_fills_pay_their_fees_in_the_settlement_currency(bench: Bench) -> None:
    conn = bench.login()
    channels = ["user.portfolio.any", "user.trades.future.USDC.raw", "user.changes.any.any.raw"]
    bench.call(conn, "private/subscribe", channels=channels)
    for name, bid in BIDS.items():
        price = bench.call(conn, "public/ticker", instrument_name=name)["best_ask_price"]
        answer = bench.call(conn, "private/buy", **(bid | {"price": price}))
        [fill] = answer["trades"]
        assert fill["fee_currency"] == dict(zip(BIDS, COINS, strict=True))[name]
        assert fill["fee"] > 0.0
    [[told]] = bench.frames(conn, channels[1])
    assert told["instrument_name"] == LINEAR
    assert [frame["instrument_name"] for frame in bench.frames(conn, channels[2])] == [*BIDS]
    bench.pass_time(0.2)
    seen = [frame["currency"] for frame in bench.frames(conn, channels[0])]
    assert sorted(seen) == sorted(COINS)
    positions = bench.call(conn, "private/get_positions", currency="any")
    assert [row["size"] for row in positions] == [10.0, 1.0, 0.001]
    linear = bench.call(conn, "private/get_positions", currency="USDC")[0]
    assert linear["delta"] == 0.001
    summaries = bench.call(conn, "private/get_account_summaries")["summaries"]
    assert [row["currency"] for row in summaries] == [*COINS]
    assert summaries[2]["balance"] < 50_000.0


def test_a_lock_of_one_index_leaves_the_others_open(bench: Bench) -> None:
    conn = bench.login()
    bench.call(conn, "public/subscribe", channels=["platform_state"])
    first = bench.frames(conn, "platform_state")
    assert [frame["price_index"] for frame in first] == ["btc_usd", "eth_usd", "btc_usdc"]
    bench.fault(Lock(index="eth_usd", locked=True))
    status = bench.call(conn, "public/status")
    assert status == {"locked": "partial", "locked_indices": ["eth_usd"]}
    assert bench.error(conn, "private/buy", **BIDS[ETH])["code"] == 10019
    bench.call(conn, "private/buy", **BIDS[BTC])


def test_books_trades_and_groups_of_the_other_coins(bench: Bench) -> None:
    conn = bench.login()
    channels = [
        f"book.{ETH}.25.10.100ms",
        f"book.{LINEAR}.100ms",
        "trades.future.USDC.100ms",
        "trades.future.any.100ms",
        "instrument.state.any.ETH",
    ]
    granted = bench.call(conn, "public/subscribe", channels=channels)
    assert sorted(granted) == sorted(channels)
    [window] = bench.frames(conn, channels[0])
    assert [price % 0.25 for price, _ in window["bids"]] == [0.0] * len(window["bids"])
    [snapshot] = bench.frames(conn, channels[1])
    assert snapshot["asks"][0][2] < 1.0
    price = bench.call(conn, "public/ticker", instrument_name=LINEAR)["best_ask_price"]
    bench.call(conn, "private/buy", **(BIDS[LINEAR] | {"price": price}))
    bench.pass_time(0.2)
    [[trade]] = bench.frames(conn, channels[2])
    assert trade["trade_id"].startswith("USDC-")
    assert bench.frames(conn, channels[3]) == [[trade]]
