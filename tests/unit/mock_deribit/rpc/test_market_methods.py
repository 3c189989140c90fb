"""Questions about prices and the catalogue."""

from typing import Any

from mock_deribit.faults import Expire, Liquidate
from shared.kernel import Nanos
from shared.units import HOUR, Side
from tests.support.exchange import START, Bench

PERP = "BTC-PERPETUAL"
START_MS = START // 1_000_000
EVER: dict[str, Any] = {"start_timestamp": START_MS - 86_400_000, "end_timestamp": START_MS * 2}


def traded(bench: Bench, times: int = 5) -> None:
    """One trade of 10, 20, … USD every second."""
    for n in range(times):
        bench.others(PERP, Side.BUY, 60_000.5, 10.0 * (n + 1))
        bench.pass_time(1)


def test_trades_are_asked_for_forwards_backwards_by_number_and_by_time() -> None:
    bench = Bench()
    conn = bench.open()
    traded(bench)
    name = "public/get_last_trades_by_instrument"

    def amounts(**params: object) -> tuple[list[float], bool]:
        answer = bench.call(conn, name, instrument_name=PERP, **params)
        return [trade["amount"] for trade in answer["trades"]], answer["has_more"]

    assert amounts(count=2) == ([50.0, 40.0], True)
    assert amounts(count=2, sorting="asc") == ([10.0, 20.0], True)
    assert amounts(start_timestamp=START_MS + 1000, count=2) == ([20.0, 30.0], True)
    assert amounts(start_timestamp=START_MS + 1000, sorting="desc") == (
        [50.0, 40.0, 30.0, 20.0],
        False,
    )
    first = bench.call(conn, name, instrument_name=PERP, sorting="asc")["trades"][0]["trade_seq"]
    assert amounts(start_seq=first + 1, end_seq=first + 2) == ([20.0, 30.0], False)


def test_trades_of_a_currency_are_asked_for_by_id() -> None:
    bench = Bench()
    conn = bench.open()
    traded(bench)
    name = "public/get_last_trades_by_currency"
    whole = bench.call(conn, name, currency="BTC", kind="future", sorting="asc")["trades"]
    part = bench.call(conn, name, currency="BTC", start_id=whole[3]["trade_id"])["trades"]
    assert [trade["trade_id"] for trade in part] == [trade["trade_id"] for trade in whole[3:]]
    assert bench.call(conn, name, currency="ETH")["trades"] == []
    assert bench.call(conn, name, currency="BTC", kind="option")["trades"] == []
    bad = bench.error(conn, name, currency="BTC", start_id="x")
    assert bad["data"]["param"] == "start_id"
    window = bench.call(conn, f"{name}_and_time", currency="BTC", **EVER, count=100)
    assert len(window["trades"]) == 5


def test_candles_stand_in_columns_and_quiet_minutes_repeat_the_close() -> None:
    bench = Bench()
    conn = bench.open()
    bench.others(PERP, Side.BUY, 60_001.0, 10_010.0)
    bench.call(conn, "public/subscribe", channels=["platform_state"])
    bench.pass_time(150)
    bench.others(PERP, Side.SELL, 59_999.5, 600.0)
    asked = {"instrument_name": PERP, "resolution": "1"} | EVER
    chart = bench.call(conn, "public/get_tradingview_chart_data", **asked)
    assert chart["status"] == "ok"
    starts = [tick - chart["ticks"][0] for tick in chart["ticks"]]
    assert starts == [0, 60_000, 120_000]
    rows = list(zip(chart["open"], chart["high"], chart["low"], chart["close"], strict=True))
    assert rows[0] == (60_000.5, 60_001.0, 60_000.5, 60_001.0)
    assert rows[1] == (60_001.0,) * 4
    assert rows[2] == (59_999.5,) * 4
    assert chart["cost"] == [10_010.0, 0.0, 600.0]
    assert chart["volume"][1] == 0.0
    later = asked | {"start_timestamp": START_MS * 2, "end_timestamp": START_MS * 2}
    empty = bench.call(conn, "public/get_tradingview_chart_data", **later)
    assert (empty["status"], empty["ticks"]) == ("no_data", [])


def test_book_summaries_tell_of_one_instrument_or_of_all_that_settle_in_a_coin() -> None:
    bench = Bench()
    conn = bench.open()
    traded(bench, 1)
    [one] = bench.call(conn, "public/get_book_summary_by_instrument", instrument_name=PERP)
    assert (one["bid_price"], one["ask_price"], one["mid_price"]) == (59_999.5, 60_000.5, 60_000.0)
    assert (one["volume_usd"], one["last"], one["quote_currency"]) == (10.0, 60_000.5, "USD")
    every = bench.call(conn, "public/get_book_summary_by_currency", currency="BTC")
    listed = bench.call(conn, "public/get_instruments", currency="BTC")
    names = sorted(row["instrument_name"] for row in every)
    assert names == sorted(row["instrument_name"] for row in listed)
    assert one in every
    assert bench.call(conn, "public/get_book_summary_by_currency", currency="ETH") == []


def test_a_book_is_found_by_the_instruments_number_too() -> None:
    bench = Bench()
    conn = bench.open()
    number = bench.call(conn, "public/get_instrument", instrument_name=PERP)["instrument_id"]
    by_name = bench.call(conn, "public/get_order_book", instrument_name=PERP)
    by_id = bench.call(conn, "public/get_order_book_by_instrument_id", instrument_id=number)
    assert by_id == by_name
    wrong = bench.error(conn, "public/get_order_book_by_instrument_id", instrument_id=1)
    assert wrong["data"]["reason"] == "instrument not found"


def test_the_catalogue_names_coins_indices_sizes_and_expiries() -> None:
    bench = Bench()
    conn = bench.open()
    assert [c["currency"] for c in bench.call(conn, "public/get_currencies")] == ["BTC"]
    assert bench.call(conn, "public/get_index_price_names") == ["btc_usd"]
    extended = bench.call(conn, "public/get_index_price_names", extended=True)
    assert extended[0]["name"] == "btc_usd"
    assert bench.call(conn, "public/get_supported_index_names", type="spot") == []
    assert bench.call(conn, "public/get_supported_index_names") == ["btc_usd"]
    size = bench.call(conn, "public/get_contract_size", instrument_name=PERP)
    assert size == {"contract_size": 10.0}
    expiries = bench.call(conn, "public/get_expirations", currency="BTC", kind="future")
    assert "PERPETUAL" in expiries["future"]
    assert len(expiries["future"]) == 4
    assert bench.call(conn, "public/get_announcements") == []


def test_funding_of_a_window_and_of_the_chart() -> None:
    bench = Bench()
    conn = bench.open()
    bench.call(conn, "public/subscribe", channels=["platform_state"])
    bench.pass_time(2 * 3600)
    rows = bench.call(conn, "public/get_funding_rate_history", instrument_name=PERP, **EVER)
    chart = bench.call(conn, "public/get_funding_chart_data", instrument_name=PERP, length="8h")
    assert rows
    assert [row["timestamp"] for row in chart["data"]] == [row["timestamp"] for row in rows]
    assert chart["current_interest"] == 0.0
    dated = bench.call(conn, "public/get_instruments", currency="BTC")[0]["instrument_name"]
    refused = bench.error(conn, "public/get_funding_chart_data", instrument_name=dated)
    assert refused["data"]["param"] == "instrument_name"


def test_volumes_of_a_day_stand_by_coin() -> None:
    bench = Bench()
    conn = bench.open()
    traded(bench, 1)
    [row] = bench.call(conn, "public/get_trade_volumes", extended=True)
    assert row["currency"] == "BTC"
    assert row["futures_volume"] == row["futures_volume_30d"] == round(10 / 60_000.5, 8)


def test_that_a_trade_was_a_liquidation_is_published_an_hour_later() -> None:
    bench = Bench()
    conn = bench.login()
    channels = [f"trades.{PERP}.raw", "user.trades.any.any.raw", "user.lock"]
    bench.call(conn, "private/buy", instrument_name=PERP, amount=1_000, price=60_100)
    bench.call(conn, "private/subscribe", channels=channels)
    bench.fault(Liquidate(account="maker"))
    bench.pass_time(5)
    [told] = bench.frames(conn, channels[0])
    [[mine]] = bench.frames(conn, channels[1])
    assert "liquidation" not in told[0]
    assert (mine["liquidation"], mine["order_type"]) == ("T", "liquidation")
    locks = bench.frames(conn, channels[2])
    assert [lock["locked"] for lock in locks] == [True, False]
    assert locks[0]["currency"] == "ALL"
    name, asked = "public/get_last_trades_by_instrument", {"instrument_name": PERP, "count": 1}
    assert "liquidation" not in bench.call(conn, name, **asked)["trades"][0]
    bench.now = Nanos(bench.now + HOUR)
    bench.note(bench.core.jump(bench.now))
    assert bench.call(conn, name, **asked)["trades"][0]["liquidation"] == "T"


def test_what_has_expired_is_listed_only_when_asked_for() -> None:
    bench = Bench()
    conn = bench.open()
    listed = bench.call(conn, "public/get_instruments", currency="BTC")
    first = listed[0]["instrument_name"]
    assert bench.call(conn, "public/get_instruments", currency="BTC", expired=True) == []
    bench.fault(Expire(instrument=first))
    bench.pass_time(4)
    left = bench.call(conn, "public/get_instruments", currency="BTC")
    assert [row["instrument_name"] for row in left] == [
        row["instrument_name"] for row in listed[1:]
    ]
    [gone] = bench.call(conn, "public/get_instruments", currency="BTC", expired=True)
    assert (gone["instrument_name"], gone["state"]) == (first, "delivered")
    expiries = bench.call(conn, "public/get_expirations", currency="BTC")["future"]
    assert first.partition("-")[2] not in expiries
    [delivery] = bench.call(
        conn, "public/get_last_settlements_by_currency", currency="BTC", type="delivery"
    )["settlements"]
    assert delivery["instrument_name"] == first
    assert bench.call(conn, "public/subscribe", channels=[f"book.{first}.100ms"]) == []
