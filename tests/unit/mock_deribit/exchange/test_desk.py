"""What happens to an order between its arrival and its end."""

import pytest

from mock_deribit.exchange.events import (
    BookChanged,
    OrderUpdated,
    PortfolioChanged,
    PositionChanged,
    TickerChanged,
    Traded,
    UserTraded,
)
from mock_deribit.exchange.messages import (
    OrderEdit,
    OrderState,
    OrderType,
    OrderView,
    Refused,
    SelfMatch,
    TimeInForce,
)
from shared.instruments import BookState
from shared.kernel import Nanos
from shared.units import MINUTE, SECOND, Side
from tests.support.floor import PERPETUAL, Floor, accepted, code


@pytest.fixture
def floor() -> Floor:
    return Floor()


def state(floor: Floor, account: str, order: OrderView) -> OrderView:
    answer = floor.exchange.order(account, order.order_id)
    assert isinstance(answer, OrderView), f"order is gone: {answer}"
    return answer


def test_better_prices_trade_first_and_within_a_price_the_earlier_order(floor: Floor) -> None:
    late = floor.sell("bob", 30.0, 60_001.0)
    early = floor.sell("bob", 20.0, 60_000.5)
    behind = floor.sell("carol", 20.0, 60_000.5)
    answer = accepted(floor.send("alice", Side.BUY, 50.0, 60_001.0))
    assert [(t.trade.price, t.trade.amount) for t in answer.trades] == [
        (60_000.5, 20.0),
        (60_000.5, 20.0),
        (60_001.0, 10.0),
    ]
    assert state(floor, "bob", early).state is OrderState.FILLED
    assert state(floor, "carol", behind).state is OrderState.FILLED
    assert state(floor, "bob", late).filled_amount == 10.0


def test_an_order_trades_at_the_resting_price(floor: Floor) -> None:
    floor.sell("bob", 10.0, 60_000.0)
    answer = accepted(floor.send("alice", Side.BUY, 10.0, 60_500.0))
    assert answer.trades[0].trade.price == 60_000.0
    assert answer.order.average_price == 60_000.0


def test_an_ioc_order_never_rests(floor: Floor) -> None:
    floor.sell("bob", 10.0, 60_000.0)
    answer = accepted(floor.send("alice", Side.BUY, 30.0, 60_000.0, tif=TimeInForce.IOC))
    assert (answer.order.state, answer.order.filled_amount) == (OrderState.CANCELLED, 10.0)
    assert floor.exchange.best(PERPETUAL) == (None, None)


def test_a_fok_order_trades_whole_or_not_at_all(floor: Floor) -> None:
    floor.sell("bob", 10.0, 60_000.0)
    floor.sell("carol", 10.0, 60_000.5)
    failed = accepted(floor.send("alice", Side.BUY, 20.0, 60_000.0, tif=TimeInForce.FOK))
    assert (failed.order.state, failed.trades) == (OrderState.CANCELLED, ())
    done = accepted(floor.send("alice", Side.BUY, 20.0, 60_000.5, tif=TimeInForce.FOK))
    assert (done.order.state, len(done.trades)) == (OrderState.FILLED, 2)


def test_a_market_order_stops_at_the_price_band(floor: Floor) -> None:
    floor.sell("bob", 10.0, 60_010.0)
    floor.sell("bob", 10.0, 62_000.0)
    answer = accepted(floor.send("alice", Side.BUY, 20.0, None, order_type=OrderType.MARKET))
    assert answer.order.filled_amount == 10.0
    assert answer.order.state is OrderState.CANCELLED


@pytest.mark.parametrize(
    ("side", "sent", "rests"), [(Side.BUY, 60_100.0, 60_000.0), (Side.SELL, 59_900.0, 59_999.0)]
)
def test_post_only_slides_to_one_tick_inside_the_opposite_best(
    floor: Floor, side: Side, sent: float, rests: float
) -> None:
    floor.buy("bob", 10.0, 59_998.5)
    floor.sell("bob", 10.0, 60_000.5)
    answer = accepted(floor.send("alice", side, 10.0, sent, post_only=True))
    assert (answer.order.price, answer.trades) == (rests, ())


def test_post_only_reject_takes_nothing_and_leaves_nothing(floor: Floor) -> None:
    floor.sell("bob", 10.0, 60_000.5)
    assert code(floor.send("alice", Side.BUY, 10.0, 60_000.5, post_only=True, reject=True)) == 11054
    assert floor.exchange.open_orders("alice") == ()


def test_an_edit_that_a_post_only_reject_refuses_costs_the_order(floor: Floor) -> None:
    floor.sell("bob", 10.0, 60_000.5)
    mine = accepted(
        floor.send("alice", Side.BUY, 10.0, 59_000.0, post_only=True, reject=True)
    ).order
    edit = OrderEdit(price=60_000.5, post_only=True, reject_post_only=True)
    answer = accepted(floor.exchange.edit(floor.now, "alice", mine.order_id, edit))
    assert answer.order.state is OrderState.CANCELLED
    assert answer.order.cancel_reason == "edit_post_only_reject"
    assert floor.exchange.open_orders("alice") == ()


def edited(floor: Floor, account: str, order: OrderView, edit: OrderEdit) -> OrderView:
    return accepted(floor.exchange.edit(floor.now, account, order.order_id, edit)).order


def holders(floor: Floor, side: Side, price: float) -> list[str]:
    return [entry[0] for entry in floor.exchange.queue(PERPETUAL, side, price)]


@pytest.mark.parametrize(
    ("amount", "price", "keeps"),
    [(20.0, 59_000.0, True), (40.0, 59_000.0, False)],
)
def test_an_edit_keeps_its_place_only_when_it_shrinks(
    floor: Floor, amount: float, price: float, keeps: bool
) -> None:
    mine = floor.buy("alice", 30.0, 59_000.0)
    floor.buy("bob", 30.0, 59_000.0)
    after = edited(floor, "alice", mine, OrderEdit(amount=amount, price=price))
    assert (after.order_id, after.replaced, after.amount) == (mine.order_id, True, amount)
    expected = ["alice", "bob"] if keeps else ["bob", "alice"]
    assert holders(floor, Side.BUY, 59_000.0) == expected


def test_an_edit_to_another_price_and_back_loses_its_place(floor: Floor) -> None:
    mine = floor.buy("alice", 30.0, 59_000.0)
    floor.buy("bob", 30.0, 59_000.0)
    edited(floor, "alice", mine, OrderEdit(price=59_000.5))
    edited(floor, "alice", mine, OrderEdit(price=59_000.0))
    assert holders(floor, Side.BUY, 59_000.0) == ["bob", "alice"]


def test_an_edit_that_crosses_takes_at_once(floor: Floor) -> None:
    floor.sell("bob", 10.0, 60_000.5)
    mine = floor.buy("alice", 30.0, 59_000.0)
    edit = OrderEdit(price=60_000.5)
    answer = accepted(floor.exchange.edit(floor.now, "alice", mine.order_id, edit))
    assert [t.trade.amount for t in answer.trades] == [10.0]
    assert (answer.order.state, answer.order.filled_amount) == (OrderState.OPEN, 10.0)


def test_the_amount_of_an_edit_is_the_total_with_fills(floor: Floor) -> None:
    mine = floor.buy("alice", 30.0, 60_000.0)
    floor.sell("bob", 20.0, 60_000.0)
    edited(floor, "alice", mine, OrderEdit(amount=50.0))
    assert floor.exchange.amount_from(PERPETUAL, Side.BUY, 1.0) == 30.0
    too_small = floor.exchange.edit(floor.now, "alice", mine.order_id, OrderEdit(amount=20.0))
    assert code(too_small) == 11008


def test_an_order_that_would_meet_its_owner_is_refused(floor: Floor) -> None:
    floor.sell("bob", 10.0, 60_000.0)
    mine = floor.sell("alice", 10.0, 60_000.5)
    assert code(floor.send("alice", Side.BUY, 20.0, 60_000.5)) == 10003
    assert state(floor, "alice", mine).state is OrderState.OPEN
    first = accepted(floor.send("alice", Side.BUY, 10.0, 60_000.5))
    assert first.order.state is OrderState.FILLED


def test_in_cancel_maker_mode_the_resting_order_gives_way(floor: Floor) -> None:
    floor.exchange.set_self_match("alice", SelfMatch.CANCEL_MAKER)
    mine = floor.sell("alice", 10.0, 60_000.0)
    floor.sell("bob", 10.0, 60_000.5)
    answer = accepted(floor.send("alice", Side.BUY, 10.0, 60_000.5))
    assert [t.trade.price for t in answer.trades] == [60_000.5]
    gone = state(floor, "alice", mine)
    assert (gone.state, gone.cancel_reason) == (OrderState.CANCELLED, "order_overlap")


def test_reduce_only_is_trimmed_to_the_position(floor: Floor) -> None:
    assert code(floor.send("alice", Side.SELL, 10.0, 61_000.0, reduce_only=True)) == 11030
    floor.trade("alice", "bob", 50.0, 60_000.0)
    first = accepted(floor.send("alice", Side.SELL, 30.0, 60_700.0, reduce_only=True)).order
    second = accepted(floor.send("alice", Side.SELL, 90.0, 60_800.0, reduce_only=True)).order
    assert (first.amount, second.amount) == (30.0, 20.0)
    floor.trade("bob", "alice", 40.0, 60_000.0)
    assert state(floor, "alice", first).amount == 10.0
    assert state(floor, "alice", second).state is OrderState.CANCELLED


def test_close_position_flattens(floor: Floor) -> None:
    floor.trade("alice", "bob", 50.0, 60_000.0)
    floor.buy("carol", 100.0, 59_990.0)
    answer = accepted(
        floor.exchange.close_position(floor.now, "alice", PERPETUAL, OrderType.MARKET, None)
    )
    assert answer.order.filled_amount == 50.0
    assert floor.exchange.position("alice", PERPETUAL).size == 0.0


@pytest.mark.parametrize(
    ("amount", "price", "expected"),
    [
        (5.0, 60_000.0, 10002),
        (float("nan"), 60_000.0, 10002),
        (15.0, 60_000.0, 10021),
        (10.0, 60_000.3, 10043),
        (10.0, -1.0, 10023),
        (10.0, float("nan"), 10023),
        (10.0, float("inf"), 10023),
        (10.0, 1.7e308, 10023),
        (1.7e308, 60_000.0, 10021),
        (10.0, None, -32602),
        (10.0, 61_000.0, 10007),
        (10_000_000.0, 60_000.0, 10009),
    ],
)
def test_a_bad_buy_is_refused_with_its_code_and_changes_nothing(
    floor: Floor, amount: float, price: float | None, expected: int
) -> None:
    assert code(floor.send("alice", Side.BUY, amount, price)) == expected
    assert floor.exchange.drain() == []
    assert floor.exchange.best(PERPETUAL) == (None, None)


def test_the_band_is_one_sided_and_stands_in_the_message(floor: Floor) -> None:
    high = floor.send("alice", Side.BUY, 10.0, 60_900.5)
    low = floor.send("alice", Side.SELL, 10.0, 59_099.5)
    assert (code(high), code(low)) == (10007, 10005)
    assert str(high).count("price_too_high 60900.0000") == 1
    assert str(low).count("price_too_low 59100.0000") == 1
    assert floor.buy("alice", 10.0, 50_000.0).state is OrderState.OPEN


def test_other_refusals_have_their_codes(floor: Floor) -> None:
    buy = Side.BUY
    assert code(floor.send("alice", buy, 10.0, 60_000.0, instrument="BTC-NOTHING")) == -32602
    assert code(floor.send("alice", buy, 10.0, 60_000.0, valid_until=floor.now)) == 13888
    ioc = floor.send("alice", buy, 10.0, 60_000.0, post_only=True, tif=TimeInForce.IOC)
    assert code(ioc) == 11055
    assert code(floor.exchange.cancel(floor.now, "alice", "1")) == 10004
    mine = floor.buy("alice", 10.0, 60_000.0)
    assert code(floor.exchange.cancel(floor.now, "bob", mine.order_id)) == 10004
    floor.exchange.cancel(floor.now, "alice", mine.order_id)
    assert code(floor.exchange.cancel(floor.now, "alice", mine.order_id)) == 11044
    assert code(floor.exchange.edit(floor.now, "alice", mine.order_id, OrderEdit())) == 11044


def test_the_band_is_around_the_mark_and_never_far_from_the_index(floor: Floor) -> None:
    ticker = floor.exchange.ticker(PERPETUAL)
    assert (ticker.min_price, ticker.max_price) == (59_100.0, 60_900.0)
    refused = floor.send("alice", Side.BUY, 10.0, 61_000.0)
    assert isinstance(refused, Refused)
    assert refused.message == "price_too_high 60900.0000"
    dated = floor.exchange.listings[1].name
    floor.exchange.open_account("house", {}, house=True)
    accepted(floor.send("house", Side.BUY, 10.0, 64_000.0, instrument=dated))
    accepted(floor.send("house", Side.SELL, 10.0, 66_000.0, instrument=dated))
    floor.wait(10 * MINUTE)
    far = floor.exchange.ticker(dated)
    floor.exchange.cancel_all(floor.now, "house")
    accepted(floor.send("house", Side.BUY, 10.0, 54_000.0, instrument=dated))
    accepted(floor.send("house", Side.SELL, 10.0, 56_000.0, instrument=dated))
    floor.wait(10 * MINUTE)
    near = floor.exchange.ticker(dated)
    assert near.mark_price == pytest.approx(55_000.0)
    assert (near.min_price, near.max_price) == (55_500.0, 55_825.0)
    assert far.mark_price == pytest.approx(65_000.0)
    assert (far.min_price, far.max_price) == (64_025.0, 64_500.0)


def test_a_locked_book_takes_cancels_only(floor: Floor) -> None:
    mine = floor.buy("alice", 10.0, 60_000.0)
    floor.exchange.set_locked(floor.now, "btc_usd", True)
    assert code(floor.send("alice", Side.BUY, 10.0, 60_000.0)) == 10019
    assert isinstance(floor.exchange.cancel(floor.now, "alice", mine.order_id), OrderView)
    floor.exchange.set_locked(floor.now, "btc_usd", False)
    assert floor.buy("alice", 10.0, 60_000.0).state is OrderState.OPEN


def test_an_inactive_book_loses_its_orders(floor: Floor) -> None:
    mine = floor.buy("alice", 10.0, 60_000.0)
    floor.exchange.set_state(floor.now, PERPETUAL, BookState.INACTIVE)
    assert state(floor, "alice", mine).state is OrderState.CANCELLED
    assert code(floor.send("alice", Side.BUY, 10.0, 60_000.0)) == 10012


def test_orders_that_only_reduce_pass_the_margin_check(floor: Floor) -> None:
    floor.trade("alice", "bob", 2_000_000.0, 60_000.0)
    assert code(floor.send("alice", Side.BUY, 2_000_000.0, 60_000.0)) == 10009
    assert floor.sell("alice", 2_000_000.0, 60_500.0).state is OrderState.OPEN


def test_resting_orders_use_margin_on_the_worse_side(floor: Floor) -> None:
    before = floor.exchange.portfolio("alice", "BTC").initial_margin
    floor.buy("alice", 60_000.0, 59_000.0)
    one_side = floor.exchange.portfolio("alice", "BTC").initial_margin
    floor.sell("alice", 60_000.0, 60_500.0)
    both_sides = floor.exchange.portfolio("alice", "BTC").initial_margin
    assert before == 0.0
    assert one_side == both_sides == pytest.approx(0.02005, abs=1e-8)


def test_cancel_all_honours_its_filters(floor: Floor) -> None:
    dated = floor.exchange.listings[1].name
    floor.buy("bob", 10.0, 59_000.0)
    for instrument, label in ((PERPETUAL, "x"), (PERPETUAL, "y"), (dated, "x")):
        accepted(floor.send("alice", Side.BUY, 10.0, 59_000.0, instrument=instrument, label=label))
    assert floor.exchange.cancel_all(floor.now, "alice", label="z") == ()
    assert len(floor.exchange.cancel_all(floor.now, "alice", instrument=dated)) == 1
    assert len(floor.exchange.cancel_all(floor.now, "alice", label="x")) == 1
    assert len(floor.exchange.cancel_all(floor.now, "alice", currency="BTC")) == 1
    assert len(floor.exchange.open_orders("bob")) == 1


def test_edit_by_label_wants_exactly_one_order(floor: Floor) -> None:
    edit = OrderEdit(price=59_500.0)
    act = floor.exchange.edit_by_label
    assert code(act(floor.now, "alice", PERPETUAL, "x", edit)) == 10004
    accepted(floor.send("alice", Side.BUY, 10.0, 59_000.0, label="x"))
    assert accepted(act(floor.now, "alice", PERPETUAL, "x", edit)).order.price == 59_500.0
    accepted(floor.send("alice", Side.BUY, 10.0, 59_000.0, label="x"))
    assert code(act(floor.now, "alice", PERPETUAL, "x", edit)) == 13032


def test_an_immediate_fill_is_told_once_and_in_the_documented_order(floor: Floor) -> None:
    floor.sell("bob", 10.0, 60_000.0)
    floor.exchange.drain()
    floor.buy("alice", 10.0, 60_000.0)
    events = floor.exchange.drain()
    kinds = [type(event) for event in events]
    assert kinds == [
        OrderUpdated, OrderUpdated, UserTraded, UserTraded, Traded, BookChanged,
        PositionChanged, PositionChanged, PortfolioChanged, PortfolioChanged, TickerChanged,
    ]  # fmt: skip
    mine = [e.order for e in events if isinstance(e, OrderUpdated) and e.account == "alice"]
    assert [view.state for view in mine] == [OrderState.FILLED]


def test_both_sides_pay_their_own_fee(floor: Floor) -> None:
    floor.trade("alice", "bob", 40.0, 60_030.0)
    taker, maker = floor.exchange.user_trades("alice")[0], floor.exchange.user_trades("bob")[0]
    assert (taker.fee, maker.fee) == (2.3e-7, 1.0e-7)
    assert (taker.maker, maker.maker) == (False, True)
    assert (taker.side, maker.side) == (Side.BUY, Side.SELL)
    assert taker.trade == maker.trade
    assert floor.exchange.fees_paid("BTC") == pytest.approx(3.3e-7, abs=1e-12)


def test_a_closed_order_is_forgotten_after_half_an_hour(floor: Floor) -> None:
    mine = floor.buy("alice", 10.0, 59_000.0)
    floor.exchange.cancel(floor.now, "alice", mine.order_id)
    floor.wait(29 * MINUTE)
    assert state(floor, "alice", mine).state is OrderState.CANCELLED
    floor.wait(2 * MINUTE)
    assert code(floor.exchange.order("alice", mine.order_id)) == 10004
    assert code(floor.exchange.cancel(floor.now, "alice", mine.order_id)) == 10004


def test_time_never_runs_back(floor: Floor) -> None:
    with pytest.raises(ValueError, match="time runs back"):
        floor.exchange.advance(Nanos(floor.now - SECOND))


def test_what_an_iceberg_still_hides_stands_before_ones_own_order_behind_it() -> None:
    floor = Floor()
    accepted(floor.send("bob", Side.SELL, 5_000.0, 60_000.0, display=1_000.0))
    own = floor.sell("alice", 10.0, 60_001.0)
    taken = accepted(floor.send("alice", Side.BUY, 3_000.0, 60_001.0))
    assert taken.order.filled_amount == 3_000.0
    assert code(floor.send("alice", Side.BUY, 2_010.0, 60_001.0)) == 10003
    assert [each.order_id for each in floor.exchange.open_orders("alice")] == [own.order_id]


@pytest.mark.parametrize(
    ("order_type", "price", "tif"),
    [
        (OrderType.MARKET, None, TimeInForce.GTC),
        (OrderType.LIMIT, 59_500.0, TimeInForce.IOC),
    ],
)
def test_what_rests_to_reduce_stands_in_no_takers_way(
    floor: Floor, order_type: OrderType, price: float | None, tif: TimeInForce
) -> None:
    floor.trade("alice", "carol", 100.0, 60_000.0)
    resting = accepted(floor.send("alice", Side.SELL, 100.0, 60_500.0, reduce_only=True)).order
    assert code(floor.send("alice", Side.SELL, 100.0, 60_400.0, reduce_only=True)) == 11030
    floor.buy("bob", 60.0, 59_990.0)
    taken = floor.send(
        "alice", Side.SELL, 100.0, price, order_type=order_type, tif=tif, reduce_only=True
    )
    assert accepted(taken).order.filled_amount == 60.0
    assert state(floor, "alice", resting).amount == 40.0
