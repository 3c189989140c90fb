"""Positions, funding, settlement: the numbers, against published and recorded ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_deribit.exchange.events import (
    IndexChanged,
    StateChanged,
)
from mock_deribit.exchange.listing import btc_listings, expiries
from mock_deribit.exchange.messages import (
    OrderState,
    OrderView,
    TimeInForce,
)
from mock_deribit.exchange.valuation import funding_rate
from shared.instruments import BookState
from shared.kernel import Nanos
from shared.units import DAY, HOUR, MINUTE, SECOND, Side
from tests.support.floor import OPENING, PERPETUAL, Floor, accepted, code

EIGHT = Nanos((OPENING // DAY + 1) * DAY + 8 * HOUR)


def hold_market(floor: Floor, mark: float) -> None:
    """Let house quotes around a price stand until the mark has settled there."""
    if "house" not in floor.exchange.accounts:
        floor.exchange.open_account("house", {}, house=True)
    floor.exchange.cancel_all(floor.now, "house")
    floor.buy("house", 10.0, mark - 0.5)
    floor.sell("house", 10.0, mark + 0.5)
    floor.wait(10 * MINUTE)


def test_a_position_is_worth_what_the_contract_specification_says() -> None:
    floor = Floor(index=15_000.0)
    floor.exchange.deposit(floor.now, "alice", "BTC", 20.0)
    floor.exchange.deposit(floor.now, "bob", "BTC", 20.0)
    floor.trade("alice", "bob", 185_160.0, 15_000.0)
    floor.exchange.set_index(floor.now, "btc_usd", 17_391.0)
    floor.wait(SECOND)
    position = floor.exchange.position("alice", PERPETUAL)
    assert position.mark_price == 17_391.0
    assert position.size_currency == 10.646886321
    assert position.total_profit_loss == pytest.approx(1.69711368, abs=1.1e-9)
    other = floor.exchange.position("bob", PERPETUAL)
    assert other.total_profit_loss == -position.total_profit_loss


def test_margin_follows_the_published_formula() -> None:
    floor = Floor(index=60_030.0)
    floor.trade("alice", "bob", 12_000.0, 60_030.0)
    position = floor.exchange.position("alice", PERPETUAL)
    assert position.initial_margin == pytest.approx(0.003999999, abs=1.1e-9)
    assert position.maintenance_margin == pytest.approx(0.002000999, abs=1.1e-9)
    assert position.leverage == 50


def test_entry_averages_harmonically_and_realised_profit_leaves_it_alone() -> None:
    floor = Floor()
    floor.trade("alice", "bob", 1_000.0, 60_000.0)
    floor.trade("alice", "bob", 2_000.0, 60_600.0)
    entry = 3_000.0 / (1_000.0 / 60_000.0 + 2_000.0 / 60_600.0)
    assert floor.exchange.position("alice", PERPETUAL).average_price == round(entry, 4)
    floor.trade("bob", "alice", 1_500.0, 60_300.0)
    position = floor.exchange.position("alice", PERPETUAL)
    assert (position.size, position.average_price) == (1_500.0, round(entry, 4))
    realised = 1_500.0 * (1.0 / entry - 1.0 / 60_300.0)
    assert position.realized_profit_loss == pytest.approx(realised, abs=1e-9)
    assert floor.exchange.user_trades("alice")[-1].profit_loss == pytest.approx(realised, abs=1e-8)


def test_a_reversal_realises_the_old_side_and_opens_the_new_one() -> None:
    floor = Floor()
    floor.trade("alice", "bob", 100.0, 60_000.0)
    floor.trade("bob", "alice", 250.0, 60_100.0)
    position = floor.exchange.position("alice", PERPETUAL)
    assert (position.size, position.average_price) == (-150.0, 60_100.0)


def test_the_funding_rate_of_a_recorded_frame() -> None:
    listing = btc_listings(OPENING)[0]
    rate = funding_rate(86_778.14, 86_744.11, listing)
    assert rate == pytest.approx(0.00014230, abs=5e-9)
    assert funding_rate(86_744.11 * 1.0002, 86_744.11, listing) == 0.0
    assert funding_rate(90_000.0, 80_000.0, listing) == 0.005
    assert funding_rate(80_000.0, 90_000.0, listing) == -0.005


def test_an_hour_of_funding_costs_a_long_what_it_pays_a_short() -> None:
    floor = Floor()
    hold_market(floor, 60_030.0)
    floor.trade("alice", "bob", 12_000.0, 60_030.0)
    before = floor.exchange.position("alice", PERPETUAL).realized_funding
    floor.wait(HOUR)
    long, short = (floor.exchange.position(who, PERPETUAL) for who in ("alice", "bob"))
    assert long.realized_funding - before == pytest.approx(-6.25e-6, rel=0.01)
    assert long.realized_funding == -short.realized_funding
    assert floor.exchange.portfolio("alice", "BTC").session_rpl == pytest.approx(
        long.realized_profit_loss, abs=1e-8
    )
    floor.wait(HOUR)
    row = floor.exchange.funding_history(PERPETUAL, OPENING, floor.now)[-1]
    assert 0.0 < row.interest_1h <= row.interest_8h <= 0.00025


def test_the_mark_follows_the_mid_slowly_and_holds_when_a_side_is_empty() -> None:
    floor = Floor()
    floor.exchange.open_account("house", {}, house=True)
    floor.buy("house", 10.0, 59_999.5)
    ask = floor.sell("house", 10.0, 60_000.5)
    floor.wait(60 * SECOND)
    edit = floor.exchange.cancel(floor.now, "house", ask.order_id)
    assert isinstance(edit, OrderView)
    floor.wait(MINUTE)
    assert floor.exchange.ticker(PERPETUAL).mark_price == 60_000.0
    floor.sell("house", 10.0, 60_020.5)
    floor.wait(30 * SECOND)
    expected = 60_000.0 + 10.0 * (1.0 - 1.0 / 2.718281828)
    assert floor.exchange.ticker(PERPETUAL).mark_price == pytest.approx(expected, abs=0.1)


def test_settlement_moves_the_session_to_the_balance_and_nothing_else() -> None:
    floor = Floor()
    floor.trade("alice", "bob", 60_000.0, 60_000.0)
    floor.exchange.set_index(floor.now, "btc_usd", 60_300.0)
    day_order = accepted(floor.send("carol", Side.BUY, 10.0, 59_000.0, tif=TimeInForce.GTD)).order
    kept = floor.buy("carol", 10.0, 59_000.0)
    floor.wait(EIGHT - floor.now - 1)
    before = floor.exchange.portfolio("alice", "BTC")
    held = floor.exchange.position("alice", PERPETUAL)
    assert before.session_upl == pytest.approx(60_000.0 * (1 / 60_000.0 - 1 / 60_300.0), abs=1e-8)
    floor.exchange.drain()
    floor.wait(1)
    after = floor.exchange.portfolio("alice", "BTC")
    assert after.equity == before.equity == after.balance
    assert (after.session_rpl, after.session_upl) == (0.0, 0.0)
    settled = floor.exchange.position("alice", PERPETUAL)
    assert settled.average_price == held.average_price
    assert settled.total_profit_loss == held.total_profit_loss
    assert settled.settlement_price == 60_300.0
    assert (settled.floating_profit_loss, settled.realized_profit_loss) == (0.0, 0.0)
    gone = floor.exchange.order("carol", day_order.order_id)
    assert isinstance(gone, OrderView)
    assert (gone.state, gone.cancel_reason) == (OrderState.CANCELLED, "settlement")
    assert code(floor.send("carol", Side.BUY, 10.0, 59_000.0)) == 10041
    assert code(floor.exchange.cancel(floor.now, "carol", kept.order_id)) == 10041
    floor.wait(3 * SECOND)
    assert floor.buy("carol", 10.0, 59_000.0).state is OrderState.OPEN
    states = [
        event.state
        for event in floor.exchange.drain()
        if isinstance(event, StateChanged) and event.instrument == PERPETUAL
    ]
    assert states == [BookState.SETTLEMENT, BookState.OPEN]


def test_funding_starts_anew_at_settlement() -> None:
    floor = Floor()
    hold_market(floor, 60_060.0)
    floor.wait(EIGHT - HOUR - floor.now)
    floor.trade("alice", "bob", 60_000.0, 60_060.0)
    floor.wait(HOUR - 1)
    rate = floor.exchange.ticker(PERPETUAL).current_funding
    assert rate is not None
    hour = rate / 8.0
    before = floor.exchange.position("alice", PERPETUAL)
    assert before.realized_funding == pytest.approx(-hour, rel=0.01)
    floor.wait(1)
    (row,) = floor.exchange.settlements("alice")
    assert row.funding == pytest.approx(before.realized_funding, abs=1e-8)
    after = floor.exchange.position("alice", PERPETUAL)
    assert (after.realized_funding, after.interest_value) == (0.0, 0.0)
    floor.wait(HOUR)
    later = floor.exchange.position("alice", PERPETUAL)
    assert later.realized_funding == pytest.approx(-hour, rel=0.01)
    assert later.interest_value == pytest.approx(rate / 60_000.0 * 3_600_000, rel=0.01)


def test_an_expired_future_is_delivered_at_the_average_of_its_index() -> None:
    expiry = btc_listings(OPENING)[1].instrument.expiry
    floor = Floor(now=Nanos(expiry - HOUR - 3 * DAY))
    listing = floor.exchange.listings[1]
    assert listing.instrument.expiry == expiry
    floor.wait(3 * DAY)
    floor.exchange.open_account("house", {}, house=True)
    sell = floor.send("bob", Side.SELL, 6_000.0, 60_000.0, instrument=listing.name)
    buy = floor.send("alice", Side.BUY, 6_000.0, 60_000.0, instrument=listing.name)
    resting = accepted(floor.send("carol", Side.BUY, 10.0, 59_000.0, instrument=listing.name))
    assert accepted(sell).order.state is OrderState.OPEN
    assert accepted(buy).order.state is OrderState.FILLED
    floor.wait(30 * MINUTE)
    floor.exchange.set_index(floor.now, "btc_usd", 61_000.0)
    floor.wait(15 * MINUTE)
    halfway = floor.exchange.position("alice", listing.name)
    assert halfway.delta == pytest.approx(halfway.size_currency / 2.0, rel=1e-3)
    deltas = floor.exchange.portfolio("alice", "BTC").delta_total_map
    assert deltas == {"btc_usd": halfway.delta}
    floor.exchange.set_index(floor.now, "btc_usd", 63_000.0)
    before = floor.exchange.portfolio("alice", "BTC").balance
    floor.wait(15 * MINUTE - 1)
    converged = floor.exchange.ticker(listing.name)
    assert converged.mark_price == pytest.approx(62_000.0, abs=5.0)
    assert converged.estimated_delivery_price == pytest.approx(62_000.0, abs=5.0)
    floor.wait(MINUTE + 1)
    ticker = floor.exchange.ticker(listing.name)
    assert ticker.state is BookState.DELIVERED
    assert ticker.delivery_price == pytest.approx(62_000.0, abs=5.0)
    assert ticker.estimated_delivery_price == ticker.delivery_price is not None
    fee = 0.00025 * 6_000.0 / ticker.delivery_price
    profit = 6_000.0 * (1.0 / 60_000.0 - 1.0 / ticker.delivery_price)
    after = floor.exchange.portfolio("alice", "BTC")
    assert after.balance - before == pytest.approx(profit - fee, abs=1.1e-8)
    assert floor.exchange.positions("alice") == ()
    assert floor.exchange.order("carol", resting.order.order_id) != resting.order
    refused = floor.send("carol", Side.BUY, 10.0, 59_000.0, instrument=listing.name)
    assert code(refused) == 13019


def test_publishing_an_index_is_told() -> None:
    floor = Floor()
    floor.exchange.set_index(floor.now, "btc_usd", 60_100.0)
    assert floor.exchange.drain() == [IndexChanged(ts=floor.now, index="btc_usd", price=60_100.0)]
    with pytest.raises(KeyError, match="btc_usd"):
        floor.exchange.set_index(floor.now, "eth_usd", 1.0)


@given(st.integers(1_577_836_800, 2_208_988_800))
def test_listed_expiries_are_real_fridays_at_eight(seconds: int) -> None:
    near, front, second = expiries(Nanos(seconds * SECOND))
    assert seconds + 2 * 86_400 <= near.timestamp()
    assert near < front < second
    for expiry in (near, front, second):
        assert (expiry.weekday(), expiry.hour, expiry.minute) == (4, 8, 0)
    assert front.month % 3 == second.month % 3 == 0
    assert (second - front).days <= 98


def test_names_of_listed_futures_follow_the_venue() -> None:
    names = [listing.name for listing in btc_listings(OPENING)]
    assert names == ["BTC-PERPETUAL", "BTC-25SEP26", "BTC-25DEC26", "BTC-26MAR27"]


def test_funding_of_a_time_before_the_first_minute_is_nothing() -> None:
    floor = Floor()
    floor.wait(5 * SECOND)
    early = Nanos(OPENING - HOUR)
    assert floor.exchange.funding_value(PERPETUAL, early, floor.now) == 0.0
    assert floor.exchange.funding_history(PERPETUAL, early, floor.now) == ()
