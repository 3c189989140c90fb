"""What the operator does to a running venue: ticks, fees, states, settlements, listings, accounts."""

import msgspec
import pytest

from mock_deribit.exchange.events import IndexChanged, Listed, StateChanged
from mock_deribit.exchange.messages import OrderEdit, OrderState, OrderView, SelfMatch, TickerView
from mock_deribit.exchange.rules import Rules
from shared.instruments import BookState, TickStep
from shared.kernel import Nanos
from shared.units import DAY, HOUR, MINUTE, SECOND, Side
from tests.support.floor import PERPETUAL, Floor, accepted, code


@pytest.fixture
def floor() -> Floor:
    return Floor()


def test_a_new_tick_is_for_new_prices_and_what_rests_stays(floor: Floor) -> None:
    old = floor.buy("alice", 10.0, 59_999.5)
    floor.exchange.drain()
    floor.exchange.set_tick(floor.now, PERPETUAL, 2.5)
    assert floor.exchange.drain() == [Listed(floor.now, PERPETUAL, created=False)]
    assert code(floor.send("bob", Side.SELL, 10.0, 60_000.5)) == 10043
    smaller = OrderEdit(amount=10.0, price=59_999.5)
    assert accepted(floor.exchange.edit(floor.now, "alice", old.order_id, smaller)).trades == ()
    slid = accepted(floor.send("bob", Side.SELL, 10.0, 59_000.0 + 500.0, post_only=True)).order
    assert slid.price == 60_000.0
    accepted(floor.send("carol", Side.SELL, 10.0, 59_997.5))
    assert floor.exchange.trades(PERPETUAL)[-1].price == 59_999.5


def test_a_price_that_was_taken_under_the_old_tick_is_refused_under_the_new(floor: Floor) -> None:
    floor.buy("alice", 10.0, 59_990.5)
    floor.exchange.set_tick(floor.now, PERPETUAL, 2.5)
    assert code(floor.send("alice", Side.BUY, 10.0, 59_990.5)) == 10043


def test_the_band_follows_the_index_before_the_mark_does(floor: Floor) -> None:
    before = floor.exchange.ticker(PERPETUAL)
    floor.exchange.set_index(floor.now, "btc_usd", 80_000.0)
    after = floor.exchange.ticker(PERPETUAL)
    assert isinstance(before, TickerView)
    assert isinstance(after, TickerView)
    assert (after.mark_price, after.min_price > before.min_price) == (before.mark_price, True)
    assert code(floor.send("alice", Side.SELL, 10.0, before.min_price)) == 10005


def test_a_cancelled_order_says_when_and_why_and_is_else_as_it_stood(floor: Floor) -> None:
    order = floor.buy("alice", 10.0, 59_990.0)
    floor.wait(SECOND)
    cancelled = floor.exchange.cancel(floor.now, "alice", order.order_id)
    assert cancelled == msgspec.structs.replace(
        order, state=OrderState.CANCELLED, cancel_reason="user_request", updated=floor.now
    )
    assert floor.exchange.order("alice", order.order_id) == cancelled


def test_larger_ticks_above_a_price(floor: Floor) -> None:
    steps = (TickStep(above_price=60_000.0, tick=5.0),)
    floor.exchange.set_tick(floor.now, PERPETUAL, steps=steps)
    listing = floor.exchange.listing(PERPETUAL)
    assert listing is not None
    assert listing.instrument.tick_steps == steps
    accepted(floor.send("alice", Side.SELL, 10.0, 60_005.0))
    accepted(floor.send("alice", Side.BUY, 10.0, 59_999.5))
    assert code(floor.send("alice", Side.SELL, 10.0, 60_002.5)) == 10043


def test_the_band_stands_on_the_tick_in_force(floor: Floor) -> None:
    ticker = floor.exchange.ticker(PERPETUAL)
    assert (ticker.min_price, ticker.max_price) == (59_100.0, 60_900.0)
    floor.exchange.set_tick(floor.now, PERPETUAL, 7.0)
    ticker = floor.exchange.ticker(PERPETUAL)
    assert (ticker.min_price, ticker.max_price) == (7.0 * 8_443, 7.0 * 8_700)


@pytest.mark.parametrize("tick", [0.0, -0.5, 0.005, 1e-320, 1e-12, float("nan")])
def test_a_tick_off_the_grid_changes_nothing(floor: Floor, tick: float) -> None:
    with pytest.raises(ValueError, match=r"positive multiple of 0\.01"):
        floor.exchange.set_tick(floor.now, PERPETUAL, tick)
    accepted(floor.send("alice", Side.BUY, 10.0, 59_000.5))


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -0.2, 0.2])
def test_a_fee_that_cannot_be_changes_nothing(floor: Floor, wrong: float) -> None:
    with pytest.raises(ValueError, match="a fee is a fraction"):
        floor.exchange.set_fees(floor.now, PERPETUAL, maker=0.0, taker=wrong)
    floor.trade("alice", "bob", 600.0, 60_000.0)
    assert floor.exchange.user_trades("bob")[0].fee == 1.5e-6


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 0.0, -1.0, 1e9])
def test_an_index_that_cannot_be_changes_nothing(floor: Floor, wrong: float) -> None:
    with pytest.raises(ValueError, match="an index is positive"):
        floor.exchange.set_index(floor.now, "btc_usd", wrong)
    assert floor.exchange.index_price("btc_usd") == 60_000.0
    assert floor.exchange.drain() == []


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -1e13])
def test_a_deposit_that_cannot_be_changes_nothing(floor: Floor, wrong: float) -> None:
    with pytest.raises(ValueError, match="a deposit is at most"):
        floor.exchange.deposit(floor.now, "alice", "BTC", wrong)
    assert floor.exchange.portfolio("alice", "BTC").balance == 1.0


def test_new_fees_are_charged_from_now_on(floor: Floor) -> None:
    floor.trade("alice", "bob", 600.0, 60_000.0)
    floor.exchange.set_fees(floor.now, PERPETUAL, maker=-0.0001)
    floor.trade("alice", "bob", 600.0, 60_000.0)
    assert [fill.fee for fill in floor.exchange.user_trades("bob")] == [1.5e-6, -1e-6]
    assert [fill.fee for fill in floor.exchange.user_trades("alice")] == [3.5e-6, 3.5e-6]


def test_a_halted_book_takes_cancels_only_where_the_rules_say_so(floor: Floor) -> None:
    strict = Floor(rules=Rules(halted_takes_cancels=False))
    for there, answer in ((floor, None), (strict, 10012)):
        mine = there.buy("alice", 10.0, 59_000.0)
        there.exchange.set_state(there.now, PERPETUAL, BookState.HALTED)
        assert code(there.send("alice", Side.BUY, 10.0, 59_000.0)) == 10012
        cancelled = there.exchange.cancel(there.now, "alice", mine.order_id)
        if answer is None:
            assert isinstance(cancelled, OrderView)
        else:
            assert code(cancelled) == answer


def test_a_settlement_out_of_turn_leaves_the_calendar_alone(floor: Floor) -> None:
    floor.trade("alice", "bob", 60_000.0, 60_000.0)
    floor.exchange.set_index(floor.now, "btc_usd", 60_300.0)
    floor.wait(SECOND)
    equity = floor.exchange.portfolio("alice", "BTC").equity
    floor.exchange.settle_now(floor.now)
    assert floor.exchange.portfolio("alice", "BTC").balance == equity
    assert code(floor.send("carol", Side.BUY, 10.0, 59_000.0)) == 10041
    with pytest.raises(ValueError, match="under way"):
        floor.exchange.settle_now(floor.now)
    floor.wait(3 * SECOND)
    accepted(floor.send("carol", Side.BUY, 10.0, 59_000.0))
    assert len(floor.exchange.settlements("alice")) == 1


def test_nothing_settles_out_of_turn_a_moment_before_eight(floor: Floor) -> None:
    eight = Nanos((floor.now // DAY + 1) * DAY + 8 * HOUR)
    floor.wait(eight - floor.now - 3 * SECOND)
    with pytest.raises(ValueError, match="a moment away"):
        floor.exchange.settle_now(floor.now)
    with pytest.raises(ValueError, match="a moment away"):
        floor.exchange.expire_now(floor.now, floor.exchange.listings[1].name)
    floor.wait(6 * SECOND)
    assert [row.ts for row in floor.exchange.settlements(instrument=PERPETUAL)] == [eight]


def test_a_future_can_expire_before_its_time_and_is_archived_later(floor: Floor) -> None:
    dated = floor.exchange.listings[1].name
    accepted(floor.send("bob", Side.SELL, 6_000.0, 60_000.0, instrument=dated))
    accepted(floor.send("alice", Side.BUY, 6_000.0, 60_000.0, instrument=dated))
    resting = accepted(floor.send("carol", Side.BUY, 10.0, 59_000.0, instrument=dated)).order
    floor.exchange.set_index(floor.now, "btc_usd", 61_000.0)
    before = floor.exchange.money("BTC")
    floor.exchange.drain()
    floor.exchange.expire_now(floor.now, dated)
    gone = floor.exchange.order("carol", resting.order_id)
    assert isinstance(gone, OrderView)
    assert (gone.state, gone.cancel_reason) == (OrderState.CANCELLED, "settlement")
    floor.wait(3 * SECOND)
    floor.wait(HOUR + MINUTE)
    states = [
        event.state
        for event in floor.exchange.drain()
        if isinstance(event, StateChanged) and event.instrument == dated
    ]
    assert states == [BookState.SETTLEMENT, BookState.DELIVERED, BookState.ARCHIVIZED]
    assert floor.exchange.ticker(dated).delivery_price == 61_000.0
    assert floor.exchange.money("BTC") == before
    log = floor.exchange.transaction_log("alice", "BTC", query="delivery")
    assert [(entry.position, entry.price) for entry in log] == [(0.0, 61_000.0)]
    assert log[0].commission == round(0.00025 * 6_000.0 / 61_000.0, 8)
    whole = floor.exchange.transaction_log("alice", "BTC")
    balance = floor.exchange.portfolio("alice", "BTC").balance
    assert sum(entry.change for entry in whole) == pytest.approx(balance, abs=1e-12)
    for name in (dated, PERPETUAL):
        with pytest.raises(ValueError, match="cannot expire"):
            floor.exchange.expire_now(floor.now, name)


def test_after_a_delivery_the_calendar_is_full_again(floor: Floor) -> None:
    floor = Floor(whole_venue=True)
    floor.exchange.set_locked(floor.now, "eth_usd", True)
    near = [each for each in floor.exchange.listings if each.name.endswith("-25SEP26")]
    floor.exchange.drain()
    floor.exchange.advance(near[0].instrument.expiry)
    floor.exchange.advance(Nanos(near[0].instrument.expiry + 3 * SECOND))
    listed = [e for e in floor.exchange.drain() if isinstance(e, Listed)]
    assert [event.instrument for event in listed] == ["BTC-30OCT26", "ETH-30OCT26"]
    made = {each.name: each for each in floor.exchange.listings}
    ids = [each.instrument_id for each in made.values()]
    assert len(set(ids)) == len(ids)
    bitcoin, ether = made["BTC-30OCT26"], made["ETH-30OCT26"]
    assert (bitcoin.settlement_period, bitcoin.delivery_fee) == ("month", 0.00025)
    assert (ether.instrument.tick, ether.instrument.state) == (0.25, "open")
    assert ether.instrument.expiry > floor.exchange.now
    floor.now = floor.exchange.now
    accepted(floor.send("alice", Side.BUY, 10.0, 59_000.0, instrument=bitcoin.name))
    locked = floor.send("alice", Side.BUY, 10.0, 2_900.0, instrument=ether.name)
    assert code(locked) == 10019


def test_an_instrument_can_be_listed_later(floor: Floor) -> None:
    listing = floor.exchange.listings[1]
    renamed = msgspec.structs.replace(listing.instrument, name="BTC-1JAN30")
    another = msgspec.structs.replace(listing, instrument=renamed, instrument_id=9)
    floor.exchange.enlist(floor.now, another)
    assert floor.exchange.drain() == [Listed(floor.now, "BTC-1JAN30", created=True)]
    accepted(floor.send("alice", Side.BUY, 10.0, 59_000.0, instrument="BTC-1JAN30"))
    with pytest.raises(ValueError, match="already listed"):
        floor.exchange.enlist(floor.now, another)


def test_unknown_names_say_what_is_known(floor: Floor) -> None:
    with pytest.raises(KeyError, match="BTC-PERPETUAL"):
        floor.exchange.set_tick(floor.now, "DOGE", 1.0)
    with pytest.raises(KeyError, match="BTC-PERPETUAL"):
        floor.exchange.expire_now(floor.now, "DOGE")
    with pytest.raises(KeyError, match="btc_usd"):
        floor.exchange.set_locked(floor.now, "doge_usd", True)
    strange = msgspec.structs.replace(floor.exchange.listings[0].instrument, index="doge_usd")
    with pytest.raises(KeyError, match="btc_usd"):
        floor.exchange.enlist(
            floor.now, msgspec.structs.replace(floor.exchange.listings[0], instrument=strange)
        )
    unlisted = code(floor.send("alice", Side.BUY, 1.0, 1.0, instrument="DOGE"))
    assert unlisted == -32602
    other = Floor(rules=Rules(unknown_instrument_code=13020))
    assert code(other.send("alice", Side.BUY, 1.0, 1.0, instrument="DOGE")) == 13020


def test_an_index_without_followers_is_told_once(floor: Floor) -> None:
    floor.exchange.set_index(floor.now, "btc_usd", 60_001.0)
    assert floor.exchange.drain() == [IndexChanged(floor.now, "btc_usd", 60_001.0)]


def family(extended: bool, mode: SelfMatch) -> Floor:
    floor = Floor()
    floor.exchange.open_account("alice-2", {"BTC": 1.0}, owner="alice")
    floor.exchange.set_self_match("alice", mode, extended=extended)
    assert floor.exchange.self_match("alice") == (mode, extended)
    return floor


def test_subaccounts_trade_with_each_other_unless_the_setting_extends() -> None:
    apart = family(False, SelfMatch.REJECT_TAKER)
    apart.sell("alice-2", 10.0, 60_000.0)
    assert len(accepted(apart.send("alice", Side.BUY, 10.0, 60_000.0)).trades) == 1
    rejecting = family(True, SelfMatch.REJECT_TAKER)
    rejecting.sell("alice-2", 10.0, 60_000.0)
    assert code(rejecting.send("alice", Side.BUY, 10.0, 60_000.0)) == 10003
    cancelling = family(True, SelfMatch.CANCEL_MAKER)
    maker = cancelling.sell("alice-2", 10.0, 60_000.0)
    assert accepted(cancelling.send("alice", Side.BUY, 10.0, 60_000.0)).trades == ()
    gone = cancelling.exchange.order("alice-2", maker.order_id)
    assert isinstance(gone, OrderView)
    assert gone.cancel_reason == "order_overlap_another_sub"


def test_time_that_a_hold_needs_is_part_of_the_next_wake(floor: Floor) -> None:
    floor.exchange.set_hold(floor.now, PERPETUAL, 5.0)
    floor.sell("bob", 10.0, 60_000.0)
    floor.send("alice", Side.BUY, 10.0, 60_000.0)
    assert floor.exchange.next_wake() == Nanos(floor.now + 5_000_000)
