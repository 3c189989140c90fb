"""The quieter public channels, and what the platform itself says."""

from typing import Any

import msgspec

from mock_deribit.faults import Announce, SetFees
from mock_deribit.market.market import Market
from mock_deribit.market.still import StillMarket
from mock_deribit.rpc.channels import parse
from shared.kernel import Nanos
from shared.units import DAY, SECOND, Side, to_seconds
from tests.support.exchange import Bench

PERP = "BTC-PERPETUAL"


def heard(bench: Bench, *channels: str) -> int:
    conn = bench.login()
    assert sorted(bench.call(conn, "private/subscribe", channels=[*channels])) == sorted(channels)
    return conn


def test_an_incremental_ticker_rebuilds_the_whole_one() -> None:
    bench = Bench()
    name = f"incremental_ticker.{PERP}"
    conn = heard(bench, name)
    bench.pass_time(1.5)
    newcomer = heard(bench, name)
    bench.others(PERP, Side.BUY, 60_001.0, 10_010.0)
    bench.pass_time(600)
    for listener in (conn, newcomer):
        first, *changes = bench.frames(listener, name)
        assert (first["type"], {change["type"] for change in changes}) == ("snapshot", {"change"})
        whole: dict[str, Any] = {}
        for frame in (first, *changes):
            stats = whole.get("stats", {}) | frame.get("stats", {})
            whole |= frame | {"stats": stats}
        truth = bench.call(conn, "public/ticker", instrument_name=PERP)
        assert {name: whole[name] for name in truth if name != "timestamp"} == {
            name: value for name, value in truth.items() if name != "timestamp"
        }
        assert "max_price" not in changes[0] or changes[0]["max_price"] != first["max_price"]


def test_an_incremental_ticker_speaks_once_a_second_at_most() -> None:
    bench = Bench()
    name = f"incremental_ticker.{PERP}"
    conn = heard(bench, name)
    for n in range(20):
        bench.others(PERP, Side.BUY, 59_000.0 + n, 10.0)
        bench.others(PERP, Side.BUY, 60_000.5, 10.0)
        bench.pass_time(0.1)
    _, *changes = bench.frames(conn, name)
    assert 1 <= len(changes) <= 3
    bench.others(PERP, Side.BUY, 60_000.5, 10.0)
    bench.pass_time(1.1)
    statistics = [change["stats"] for change in bench.frames(conn, name) if "stats" in change]
    assert [sorted(stats) for stats in statistics] == [["volume", "volume_notional", "volume_usd"]]


def test_the_constituents_of_an_index_stand_around_it() -> None:
    bench = Bench()
    name = "deribit_price_ranking.btc_usd"
    conn = heard(bench, name)
    bench.pass_time(1.5)
    rows = bench.frames(conn, name)[-1]
    assert sum(row["weight"] for row in rows) == 100.0
    assert min(row["price"] for row in rows) < 60_000.0 < max(row["price"] for row in rows)


def test_the_expiration_estimate_counts_down_and_says_when_it_averages() -> None:
    bench = Bench()
    name = "estimated_expiration_price.btc_usd"
    conn = heard(bench, name)
    bench.pass_time(1.5)
    far = bench.frames(conn, name)[-1]
    listed = bench.call(conn, "public/get_instruments", currency="BTC")
    left = listed[0]["expiration_timestamp"] / 1000 - to_seconds(bench.now)
    assert far["is_estimated"] is False
    assert abs(far["seconds"] - left) <= 2
    bench.now = Nanos(bench.now + int((left - 600) * SECOND))
    bench.note(bench.core.jump(bench.now))
    bench.frames(conn, name)
    bench.pass_time(1.5)
    near = bench.frames(conn, name)[-1]
    assert near["is_estimated"] is True
    assert near["total_ticks"] == 1800
    assert near["left_ticks"] == near["seconds"] < 600
    asked = bench.call(conn, "public/get_index_price", index_name="btc_usd")
    assert asked == {"index_price": 60_000.0, "estimated_delivery_price": near["price"]}


def test_the_candle_of_the_last_trade_grows_and_begins_anew() -> None:
    bench = Bench()
    name = f"chart.trades.{PERP}.1"
    bench.others(PERP, Side.BUY, 60_000.5, 600.0)
    conn = heard(bench, name)
    bench.others(PERP, Side.BUY, 60_000.5, 600.0)
    bench.pass_time(60)
    bench.others(PERP, Side.SELL, 59_999.5, 600.0)
    first, second = bench.frames(conn, name)
    assert (first["cost"], first["close"]) == (1_200.0, 60_000.5)
    assert (second["cost"], second["open"]) == (600.0, 59_999.5)
    assert second["tick"] == first["tick"] + 60_000


def test_announcements_reach_the_channel_and_stay_in_the_list() -> None:
    bench = Bench()
    conn = heard(bench, "announcements", "markprice.options.btc_usd")
    bench.fault(Announce(title="Release", body="tomorrow"))
    [told] = bench.frames(conn, "announcements")
    assert (told["action"], told["title"]) == ("new", "Release")
    [listed] = bench.call(conn, "public/get_announcements")
    assert listed["id"] == told["id"]
    bench.pass_time(to_seconds(DAY) / 1000)
    assert bench.frames(conn, "markprice.options.btc_usd") == []


def test_public_methods_are_open_to_everybody() -> None:
    bench = Bench()
    name = "platform_state.public_methods_state"
    conn = heard(bench, name)
    assert bench.frames(conn, name) == [{"allow_unauthenticated_public_requests": True}]


def test_groups_of_eths_book_are_hundredths_of_a_dollar() -> None:
    grouped = parse("book.ETH-PERPETUAL.25.10.100ms")
    assert grouped is not None
    assert grouped.step == 0.25
    assert parse("book.ETH-PERPETUAL.2.10.100ms") is None
    assert parse("book.BTC_USDC-PERPETUAL.10.10.100ms") is not None


class Founder(StillMarket):
    """A market that can have another instrument listed."""

    def enlist(self, now: Nanos, name: str) -> None:
        perpetual = next(one for one in self._exchange.listings if one.name == PERP)
        future = msgspec.structs.replace(perpetual.instrument, name=name, perpetual=False)
        self._exchange.enlist(now, msgspec.structs.replace(perpetual, instrument=future))


class FoundersBench(Bench):
    """A bench with such a market."""

    def opened(self) -> Market:
        self.founder = Founder()
        return self.founder


def test_a_new_listing_is_told_once_to_those_whom_its_currency_concerns() -> None:
    bench = FoundersBench()
    names = ["instrument.creation.future.BTC", "instrument.creation.any.any"]
    other = "instrument.creation.future.ETH"
    conn = heard(bench, *names, other)
    bench.founder.enlist(bench.now, "BTC-1JAN27")
    bench.pass_time(1)
    for name in names:
        [told] = bench.frames(conn, name)
        assert told == bench.call(conn, "public/get_instrument", instrument_name="BTC-1JAN27")
    assert bench.frames(conn, other) == []
    bench.fault(SetFees(instrument="BTC-1JAN27", maker=0.0))
    assert bench.frames(conn, names[0]) == []
