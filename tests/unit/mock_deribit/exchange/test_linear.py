"""BTC_USDC-PERPETUAL and the ETH family: their own coins, ticks, lots and indices."""

import pytest

from mock_deribit.exchange.listing import btc_listings, opening_prices, venue_listings
from mock_deribit.exchange.valuation import funding_rate
from shared.units import HOUR, MINUTE, SECOND, Side
from tests.support.floor import OPENING, Floor, accepted, code

LINEAR = "BTC_USDC-PERPETUAL"
ETH = "ETH-PERPETUAL"


@pytest.fixture
def floor() -> Floor:
    return Floor(whole_venue=True)


def trade(floor: Floor, buyer: str, seller: str, amount: float, price: float) -> None:
    accepted(floor.send(seller, Side.SELL, amount, price, instrument=LINEAR))
    accepted(floor.send(buyer, Side.BUY, amount, price, instrument=LINEAR))


def test_the_whole_venue_is_listed() -> None:
    names = [listing.name for listing in venue_listings(OPENING)]
    assert names == [
        "BTC-PERPETUAL", "BTC-25SEP26", "BTC-25DEC26", "BTC-26MAR27",
        "ETH-PERPETUAL", "ETH-25SEP26", "ETH-25DEC26", "ETH-26MAR27",
        "BTC_USDC-PERPETUAL",
    ]  # fmt: skip
    ids = [listing.instrument_id for listing in venue_listings(OPENING)]
    assert len(set(ids)) == len(ids)


def test_a_linear_profit_is_the_move_times_the_coins(floor: Floor) -> None:
    trade(floor, "alice", "bob", 0.5, 60_000.0)
    floor.exchange.set_index(floor.now, "btc_usd", 60_500.0)
    floor.wait(SECOND)
    view = floor.exchange.position("alice", LINEAR)
    assert (view.size, view.delta, view.average_price) == (0.5, 0.5, 60_000.0)
    assert view.floating_profit_loss == view.total_profit_loss == 250.0
    trade(floor, "bob", "alice", 0.25, 60_400.0)
    assert floor.exchange.position("alice", LINEAR).realized_profit_loss == 100.0
    fill = floor.exchange.user_trades("alice", currency="USDC")[-1]
    assert (fill.profit_loss, fill.fee_currency) == (100.0, "USDC")
    assert fill.fee == round(0.25 * 60_400.0 * 0.00015, 8)


def test_linear_margin_is_the_base_coins_at_the_index(floor: Floor) -> None:
    trade(floor, "alice", "bob", 1.0, 60_000.0)
    view = floor.exchange.position("alice", LINEAR)
    assert view.initial_margin == pytest.approx((0.02 + 0.00005) * 60_000.0)
    assert view.maintenance_margin == pytest.approx((0.01 + 0.00005) * 60_000.0)
    portfolio = floor.exchange.portfolio("alice", "USDC")
    assert portfolio.initial_margin == view.initial_margin
    assert portfolio.delta_total_map == {"btc_usdc": 1.0}
    assert floor.exchange.portfolio("alice", "BTC").initial_margin == 0.0


def test_a_linear_hour_of_funding_is_conserved(floor: Floor) -> None:
    floor.exchange.open_account("house", {}, house=True)
    for side, price in ((Side.BUY, 60_059.9), (Side.SELL, 60_060.1)):
        accepted(floor.send("house", side, 1.0, price, instrument=LINEAR))
    floor.wait(10 * MINUTE)
    before = floor.exchange.money("USDC")
    trade(floor, "alice", "bob", 1.0, 60_060.0)
    floor.wait(HOUR)
    long, short = (floor.exchange.position(who, LINEAR) for who in ("alice", "bob"))
    assert long.realized_funding == -short.realized_funding
    assert long.realized_funding == pytest.approx(-0.00075 * 60_000.0 / 8, rel=0.01)
    assert floor.exchange.money("USDC") == before


def test_each_family_has_its_own_cap_lot_and_tick(floor: Floor) -> None:
    caps = {
        name: funding_rate(80_000.0, 60_000.0, listing)
        for name in ("BTC-PERPETUAL", ETH, LINEAR)
        if (listing := floor.exchange.listing(name))
    }
    assert caps == {"BTC-PERPETUAL": 0.005, ETH: 0.01, LINEAR: 0.05}
    assert code(floor.send("alice", Side.BUY, 0.00015, 59_000.0, instrument=LINEAR)) == 10021
    assert code(floor.send("alice", Side.BUY, 0.00005, 59_000.0, instrument=LINEAR)) == 10002
    assert code(floor.send("alice", Side.BUY, 0.0001, 59_000.05, instrument=LINEAR)) == 10043
    accepted(floor.send("alice", Side.BUY, 0.0003, 59_000.1, instrument=LINEAR))
    accepted(floor.send("alice", Side.BUY, 1.0, 2_990.05, instrument=ETH))
    assert code(floor.send("alice", Side.BUY, 1.0, 2_990.04, instrument=ETH)) == 10043


def test_a_pegged_index_follows_and_one_without_a_market_stands_still(floor: Floor) -> None:
    assert floor.exchange.index_price("btc_usdc") == 60_000.0
    floor.exchange.set_index(floor.now, "btc_usd", 61_000.0)
    assert floor.exchange.index_price("btc_usdc") == 61_000.0
    assert floor.exchange.index_price("eth_usd") == 3_000.0
    assert floor.exchange.indices == ("btc_usd", "eth_usd", "btc_usdc")


def test_a_given_index_is_not_pegged() -> None:
    given = {"btc_usd": 60_000.0, "btc_usdc": 59_000.0}
    prices, followers = opening_prices(venue_listings(OPENING), given)
    assert (prices["btc_usdc"], followers) == (59_000.0, {})
    alone, none = opening_prices(btc_listings(OPENING), {})
    assert (alone, none) == ({"btc_usd": 86_000.0}, {})


def test_orders_and_trades_of_other_coins_have_prefixed_ids(floor: Floor) -> None:
    order = accepted(floor.send("alice", Side.BUY, 1.0, 2_990.0, instrument=ETH)).order
    assert order.order_id.startswith("ETH-")
    linear = accepted(floor.send("alice", Side.BUY, 0.0001, 59_000.0, instrument=LINEAR)).order
    assert linear.order_id.startswith("USDC-")
