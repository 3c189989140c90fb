"""Hidden size: what the book shows, who goes first, and what a refill costs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_deribit.exchange.messages import OrderEdit, OrderState, OrderView, TimeInForce
from mock_deribit.exchange.rules import Rules
from shared.units import Side
from tests.support.floor import PERPETUAL, Floor, accepted, code

SLICE = 1_000.0


@pytest.fixture
def floor() -> Floor:
    return Floor()


def iceberg(floor: Floor, account: str, amount: float, price: float = 60_000.0) -> OrderView:
    return accepted(floor.send(account, Side.SELL, amount, price, display=SLICE)).order


def lift(floor: Floor, amount: float, tif: TimeInForce = TimeInForce.IOC) -> float:
    return accepted(floor.send("alice", Side.BUY, amount, 60_000.0, tif=tif)).order.filled_amount


def test_the_book_shows_one_slice(floor: Floor) -> None:
    order = iceberg(floor, "bob", 5_000.0)
    assert (order.display_amount, order.refresh_amount) == (SLICE, SLICE)
    assert floor.exchange.book(PERPETUAL).asks == ((60_000.0, SLICE),)


def test_a_refilled_slice_goes_behind_those_who_came_meanwhile(floor: Floor) -> None:
    iceberg(floor, "bob", 2_500.0)
    plain = floor.sell("carol", 100.0, 60_000.0)
    lift(floor, SLICE)
    assert [who for who, _, _ in floor.exchange.queue(PERPETUAL, Side.SELL, 60_000.0)] == [
        "carol",
        "bob",
    ]
    lift(floor, 100.0)
    after = floor.exchange.order("carol", plain.order_id)
    assert isinstance(after, OrderView)
    assert after.state is OrderState.FILLED


def test_a_sweep_goes_through_all_slices_and_the_last_is_what_is_left(floor: Floor) -> None:
    order = iceberg(floor, "bob", 2_500.0)
    assert lift(floor, 2_200.0, TimeInForce.FOK) == 2_200.0
    after = floor.exchange.order("bob", order.order_id)
    assert isinstance(after, OrderView)
    assert (after.filled_amount, after.refresh_amount) == (2_200.0, 300.0)
    assert floor.exchange.book(PERPETUAL).asks == ((60_000.0, 300.0),)


@pytest.mark.parametrize(("taker_rate", "factor"), [(True, 0.00035), (False, 0.00015)])
def test_a_refill_pays_the_takers_fee_where_the_rules_say_so(
    taker_rate: bool, factor: float
) -> None:
    floor = Floor(rules=Rules(hidden_pays_taker=taker_rate))
    iceberg(floor, "bob", 2_000.0)
    lift(floor, 2_000.0)
    first, second = floor.exchange.user_trades("bob")
    assert first.fee == round(SLICE / 60_000.0 * 0.00015, 8)
    assert second.fee == round(SLICE / 60_000.0 * factor, 8)


@pytest.mark.parametrize("display", [990.0, 5_000.5, float("nan"), 10_000.0])
def test_a_slice_that_is_too_small_or_no_slice_is_refused(floor: Floor, display: float) -> None:
    answer = floor.send("bob", Side.SELL, 5_000.0, 60_000.0, display=display)
    assert code(answer) == -32602
    assert floor.exchange.open_orders("bob") == ()


def test_a_smaller_total_is_taken_from_what_is_hidden_and_keeps_the_place(floor: Floor) -> None:
    order = iceberg(floor, "bob", 5_000.0)
    floor.sell("carol", 10.0, 60_000.0)
    edit = OrderEdit(amount=3_000.0)
    after = accepted(floor.exchange.edit(floor.now, "bob", order.order_id, edit)).order
    assert (after.amount, after.refresh_amount) == (3_000.0, SLICE)
    assert floor.exchange.queue(PERPETUAL, Side.SELL, 60_000.0)[0][0] == "bob"
    assert lift(floor, 9_000.0) == 3_010.0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=1, max_size=6),
    st.lists(st.integers(1, 900), min_size=1, max_size=8),
)
def test_whatever_hides_trades_and_nothing_more(
    makers: list[tuple[int, bool]], takes: list[int]
) -> None:
    floor = Floor()
    floor.exchange.deposit(floor.now, "bob", "BTC", 1_000.0)
    floor.exchange.deposit(floor.now, "alice", "BTC", 1_000.0)
    total = 0.0
    for hundreds, hidden in makers:
        amount = 1_000.0 * hundreds
        display = SLICE if hidden and hundreds > 1 else None
        accepted(floor.send("bob", Side.SELL, amount, 60_000.0, display=display))
        total += amount
    for lots in takes:
        took = lift(floor, 100.0 * lots)
        assert took == min(100.0 * lots, total)
        total -= took
        shown = sum(amount for _, amount in floor.exchange.book(PERPETUAL).asks)
        resting = floor.exchange.open_orders("bob")
        assert shown == sum(
            order.refresh_amount
            if order.refresh_amount is not None
            else order.amount - order.filled_amount
            for order in resting
        )
        assert total == sum(order.amount - order.filled_amount for order in resting)
