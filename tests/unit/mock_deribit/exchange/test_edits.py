"""What an edit makes of an order, beyond price and size; and what does not go together."""

import pytest

from mock_deribit.exchange.messages import (
    OrderEdit,
    OrderState,
    OrderType,
    OrderView,
    Placed,
    Refused,
    TimeInForce,
)
from shared.kernel import Nanos
from shared.units import Side
from tests.support.floor import PERPETUAL, Floor, accepted, code


@pytest.fixture
def floor() -> Floor:
    return Floor()


def edit(floor: Floor, order: OrderView, change: OrderEdit) -> Placed | Refused:
    answer = floor.exchange.edit(floor.now, "alice", order.order_id, change)
    assert isinstance(answer, Placed | Refused)
    return answer


def state(floor: Floor, order: OrderView) -> OrderView:
    answer = floor.exchange.order("alice", order.order_id)
    assert isinstance(answer, OrderView)
    return answer


def test_an_edit_to_reduce_only_trims_to_what_is_left_to_reduce(floor: Floor) -> None:
    floor.trade("alice", "bob", 100.0, 60_000.0)
    order = floor.sell("alice", 300.0, 60_500.0)
    after = accepted(edit(floor, order, OrderEdit(reduce_only=True))).order
    assert (after.reduce_only, after.amount) == (True, 100.0)
    floor.trade("bob", "alice", 60.0, 60_000.0)
    assert state(floor, order).amount == 40.0
    free = accepted(edit(floor, order, OrderEdit(reduce_only=False))).order
    assert not free.reduce_only
    floor.trade("bob", "alice", 40.0, 60_000.0)
    assert state(floor, order).state is OrderState.OPEN


def test_an_edit_to_reduce_only_that_has_nothing_to_reduce_is_refused(floor: Floor) -> None:
    order = floor.sell("alice", 100.0, 60_500.0)
    assert code(edit(floor, order, OrderEdit(reduce_only=True))) == 11030
    assert not state(floor, order).reduce_only


def test_a_taking_order_trims_its_owners_reducing_ones_in_that_book_only(floor: Floor) -> None:
    dated = floor.exchange.listings[1].name
    floor.trade("alice", "bob", 100.0, 60_000.0)
    accepted(floor.send("bob", Side.SELL, 50.0, 60_000.0, instrument=dated))
    accepted(floor.send("alice", Side.BUY, 50.0, 60_000.0, instrument=dated))
    here = accepted(floor.send("alice", Side.SELL, 100.0, 60_500.0, reduce_only=True)).order
    there = accepted(
        floor.send("alice", Side.SELL, 50.0, 60_500.0, instrument=dated, reduce_only=True)
    ).order
    floor.buy("bob", 100.0, 60_000.0)
    accepted(floor.send("alice", Side.SELL, 100.0, 60_000.0))
    assert state(floor, here).cancel_reason == "risk_mitigation"
    assert state(floor, there).state is OrderState.OPEN


def test_an_edit_of_a_post_only_order_slides_like_a_new_one(floor: Floor) -> None:
    floor.sell("bob", 10.0, 60_000.5)
    order = accepted(floor.send("alice", Side.BUY, 10.0, 59_000.0, post_only=True)).order
    after = accepted(edit(floor, order, OrderEdit(price=60_100.0))).order
    assert (after.price, after.filled_amount, after.replaced) == (60_000.0, 0.0, True)


def test_an_edit_into_ones_own_order_is_refused_and_changes_nothing(floor: Floor) -> None:
    floor.sell("alice", 10.0, 60_000.5)
    order = floor.buy("alice", 10.0, 59_000.0)
    assert code(edit(floor, order, OrderEdit(price=60_000.5))) == 10003
    assert (state(floor, order).price, state(floor, order).replaced) == (59_000.0, False)


def test_an_edit_beyond_the_funds_is_refused_and_a_deadline_is_kept(floor: Floor) -> None:
    order = floor.buy("alice", 10.0, 59_000.0)
    assert code(edit(floor, order, OrderEdit(amount=10_000_000.0))) == 10009
    late = OrderEdit(price=59_000.5, valid_until=floor.now)
    assert code(edit(floor, order, late)) == 13888
    soon = OrderEdit(price=59_000.5, valid_until=Nanos(floor.now + 1))
    assert accepted(edit(floor, order, soon)).order.price == 59_000.5


def test_a_sweep_that_comes_upon_ones_own_order_behind_a_slice_ends_there(floor: Floor) -> None:
    accepted(floor.send("bob", Side.SELL, 2_000.0, 60_000.0, display=1_000.0))
    mine = floor.sell("alice", 100.0, 60_000.0)
    answer = floor.send("alice", Side.BUY, 2_000.0, 60_000.0)
    assert code(answer) == 10003
    accepted(floor.send("alice", Side.BUY, 1_000.0, 60_000.0))
    assert floor.exchange.position("alice", PERPETUAL).size == 1_000.0
    assert state(floor, mine).state is OrderState.OPEN


def test_what_cannot_be_protected_or_hidden_is_named(floor: Floor) -> None:
    market = floor.send("alice", Side.BUY, 10.0, None, order_type=OrderType.MARKET, mmp=True)
    assert code(market) == -32602
    for lasting in (TimeInForce.IOC, TimeInForce.FOK):
        hidden = floor.send("alice", Side.BUY, 5_000.0, 59_000.0, display=1_000.0, tif=lasting)
        assert isinstance(hidden, Refused)
        assert hidden.data == {
            "reason": "only resting limit orders can be hidden",
            "param": "display_amount",
        }


def test_a_house_takes_at_any_price(floor: Floor) -> None:
    floor.exchange.open_account("house", {}, house=True)
    floor.sell("bob", 10.0, 75_000.0)
    accepted(floor.send("house", Side.BUY, 10.0, None, order_type=OrderType.MARKET))
    assert floor.exchange.position("bob", PERPETUAL).size == -10.0


def test_a_bid_that_has_nowhere_to_slide_is_refused(floor: Floor) -> None:
    floor.exchange.open_account("house", {}, house=True)
    accepted(floor.send("house", Side.SELL, 10.0, 0.5))
    assert code(floor.send("alice", Side.BUY, 10.0, 0.5, post_only=True)) == 11021
