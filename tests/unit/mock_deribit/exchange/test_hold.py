"""The hold: takers wait, makers do not."""

import pytest

from mock_deribit.exchange.events import HoldEnded, OrderUpdated
from mock_deribit.exchange.maker_messages import MassQuote, MassQuoted, Protection, Quote, QuoteSide
from mock_deribit.exchange.messages import (
    Held,
    OrderEdit,
    OrderState,
    OrderView,
    Placed,
    Refused,
)
from mock_deribit.exchange.rules import Rules
from shared.instruments import BookState
from shared.units import MILLISECOND, Side
from tests.support.floor import PERPETUAL, Floor, accepted, code

HOLD = 10 * MILLISECOND


@pytest.fixture
def floor() -> Floor:
    opened = Floor()
    opened.exchange.set_hold(opened.now, PERPETUAL, 10.0)
    return opened


def held(answer: object) -> int:
    assert isinstance(answer, Held), answer
    return answer.ticket


def endings(floor: Floor) -> dict[int, Placed | Refused]:
    return {e.ticket: e.answer for e in floor.exchange.drain() if isinstance(e, HoldEnded)}


def test_an_order_that_would_trade_waits_and_then_trades(floor: Floor) -> None:
    floor.sell("bob", 10.0, 60_000.0)
    floor.exchange.drain()
    ticket = held(floor.send("alice", Side.BUY, 10.0, 60_000.0))
    assert floor.exchange.next_wake() == floor.now + HOLD
    floor.wait(HOLD - 1)
    assert floor.exchange.drain() == []
    floor.wait(1)
    events = floor.exchange.drain()
    ended = events[0]
    assert isinstance(ended, HoldEnded)
    assert (ended.ticket, ended.account, ended.ts) == (ticket, "alice", floor.now)
    assert accepted(ended.answer).order.state is OrderState.FILLED
    assert isinstance(events[1], OrderUpdated)


def test_resting_orders_and_cancels_are_not_delayed(floor: Floor) -> None:
    ask = floor.sell("bob", 10.0, 60_000.0)
    ticket = held(floor.send("alice", Side.BUY, 10.0, 60_000.0))
    assert isinstance(floor.exchange.cancel(floor.now, "bob", ask.order_id), OrderView)
    assert floor.buy("carol", 10.0, 59_000.0).state is OrderState.OPEN
    floor.wait(HOLD)
    answer = accepted(endings(floor)[ticket])
    assert (answer.order.state, answer.trades) == (OrderState.OPEN, ())


def test_held_orders_go_in_order_of_arrival_even_when_the_hold_gets_shorter(floor: Floor) -> None:
    floor.sell("bob", 10.0, 60_000.0)
    first = held(floor.send("alice", Side.BUY, 10.0, 60_000.0))
    floor.exchange.set_hold(floor.now, PERPETUAL, 1.0)
    second = held(floor.send("carol", Side.BUY, 10.0, 60_000.0))
    floor.wait(HOLD)
    answers = endings(floor)
    assert list(answers) == [first, second]
    assert accepted(answers[first]).order.state is OrderState.FILLED
    assert accepted(answers[second]).order.state is OrderState.OPEN


def test_what_can_be_refused_at_once_does_not_wait(floor: Floor) -> None:
    floor.sell("bob", 10.0, 60_000.0)
    assert code(floor.send("alice", Side.BUY, 10.0, 60_000.2)) == 10043
    assert code(floor.send("alice", Side.BUY, 10.0, 60_000.0, post_only=True, reject=True)) == 11054
    assert accepted(floor.send("alice", Side.BUY, 10.0, 60_000.0, post_only=True)).trades == ()


def test_a_cancel_all_withdraws_what_waits_and_only_the_callers(floor: Floor) -> None:
    floor.sell("bob", 10.0, 60_000.0)
    mine = held(floor.send("alice", Side.BUY, 10.0, 60_000.0, label="x"))
    kept = held(floor.send("alice", Side.BUY, 10.0, 60_000.0, label="y"))
    other = held(floor.send("carol", Side.BUY, 10.0, 60_000.0, label="x"))
    floor.exchange.cancel_all(floor.now, "alice", label="x")
    assert code(endings(floor)[mine]) == 13666
    floor.wait(HOLD)
    assert list(endings(floor)) == [kept, other]


def test_of_two_edits_of_one_order_the_earlier_gives_way(floor: Floor) -> None:
    mine = floor.buy("alice", 10.0, 59_000.0)
    floor.sell("bob", 20.0, 60_000.0)

    def edit(amount: float) -> int:
        change = OrderEdit(price=60_000.0, amount=amount)
        return held(floor.exchange.edit(floor.now, "alice", mine.order_id, change))

    first, second = edit(10.0), edit(20.0)
    assert code(endings(floor)[first]) == 13777
    floor.wait(HOLD)
    assert accepted(endings(floor)[second]).order.filled_amount == 20.0


def test_an_edit_of_an_order_that_went_meanwhile_is_refused(floor: Floor) -> None:
    mine = floor.buy("alice", 10.0, 59_000.0)
    floor.sell("bob", 20.0, 60_000.0)
    change = OrderEdit(price=60_000.0)
    ticket = held(floor.exchange.edit(floor.now, "alice", mine.order_id, change))
    floor.exchange.cancel(floor.now, "alice", mine.order_id)
    floor.wait(HOLD)
    assert code(endings(floor)[ticket]) == 11044


def test_a_deadline_that_passes_in_the_hold_is_kept(floor: Floor) -> None:
    floor.sell("bob", 10.0, 60_000.0)
    deadline = type(floor.now)(floor.now + HOLD // 2)
    ticket = held(floor.send("alice", Side.BUY, 10.0, 60_000.0, valid_until=deadline))
    floor.wait(HOLD)
    assert code(endings(floor)[ticket]) == 13888


def test_inverse_perpetuals_are_exempt_and_everything_else_is_held() -> None:
    floor = Floor(rules=Rules(hold_ms=10.0), whole_venue=True)
    dated = floor.exchange.listings[1].name
    for instrument, amount, price, waits in (
        (PERPETUAL, 10.0, 60_000.0, False),
        ("ETH-PERPETUAL", 10.0, 3_000.0, False),
        (dated, 10.0, 60_000.0, True),
        ("BTC_USDC-PERPETUAL", 0.01, 60_000.0, True),
    ):
        accepted(floor.send("bob", Side.SELL, amount, price, instrument=instrument))
        answer = floor.send("alice", Side.BUY, amount, price, instrument=instrument)
        assert isinstance(answer, Held) is waits, instrument


def protect(floor: Floor, group: str) -> None:
    config = Protection(
        index="btc_usd",
        group=group,
        interval_s=1,
        frozen_time_s=1,
        max_quote_quantity=1.0,
        quantity_limit=9.0,
    )
    floor.exchange.set_protection(floor.now, "alice", config)


def test_protected_size_in_the_hold_counts_as_open(floor: Floor) -> None:
    protect(floor, "")
    floor.exchange.deposit(floor.now, "bob", "BTC", 10.0)
    floor.sell("bob", 60_000.0, 60_000.0)
    held(floor.send("alice", Side.BUY, 42_000.0, 60_000.0, mmp=True))
    assert code(floor.send("alice", Side.BUY, 42_000.0, 60_000.0, mmp=True)) == 11030


def bid(floor: Floor, price: float, amount: float = 10.0) -> MassQuoted:
    quote = Quote(instrument=PERPETUAL, bid=QuoteSide(price=price, amount=amount))
    sent = MassQuote(quote_id="1", group="g", quotes=(quote,), guarded=True)
    answer = floor.exchange.mass_quote(floor.now, "alice", sent)
    assert isinstance(answer, MassQuoted), answer
    return answer


def test_a_quote_that_would_take_waits_like_any_other(floor: Floor) -> None:
    protect(floor, "g")
    floor.sell("bob", 10.0, 60_000.0)
    (waiting,) = bid(floor, 60_000.0).held
    floor.wait(HOLD)
    assert accepted(endings(floor)[waiting.ticket]).order.state is OrderState.FILLED
    floor.sell("bob", 10.0, 60_000.0)
    assert bid(floor, 59_000.0).held == ()
    (waiting,) = bid(floor, 60_000.0).held
    floor.wait(HOLD)
    assert accepted(endings(floor)[waiting.ticket]).order.state is OrderState.FILLED


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), 10_001.0])
def test_a_hold_has_bounds(floor: Floor, wrong: float) -> None:
    with pytest.raises(ValueError, match="0 to 10,000"):
        floor.exchange.set_hold(floor.now, PERPETUAL, wrong)


def test_a_later_edit_that_need_not_wait_takes_the_place_of_one_that_waits(floor: Floor) -> None:
    floor.sell("bob", 10.0, 60_000.0)
    order_id = floor.buy("alice", 10.0, 59_000.0).order_id
    exchange = floor.exchange
    ticket = held(exchange.edit(floor.now, "alice", order_id, OrderEdit(price=60_000.0)))
    assert code(exchange.edit(floor.now, "alice", order_id, OrderEdit(price=59_000.2))) == 10043
    accepted(exchange.edit(floor.now, "alice", order_id, OrderEdit(price=59_100.0)))
    floor.wait(HOLD)
    assert code(endings(floor)[ticket]) == 13777
    [resting] = exchange.open_orders("alice")
    assert resting.price == 59_100.0


@pytest.mark.parametrize("amount", [10.0, 0.0])
def test_a_later_quote_of_a_side_takes_the_place_of_one_that_waits(
    floor: Floor, amount: float
) -> None:
    protect(floor, "g")
    ask = floor.sell("bob", 10.0, 60_000.0)
    [waiting] = bid(floor, 60_000.0).held
    assert (waiting.instrument, waiting.side) == (PERPETUAL, Side.BUY)
    floor.exchange.cancel(floor.now, "bob", ask.order_id)
    bid(floor, 59_000.0, amount)
    floor.wait(HOLD)
    assert code(endings(floor)[waiting.ticket]) == 13777
    assert [each.price for each in floor.exchange.open_orders("alice")] == [59_000.0] * (amount > 0)


def test_a_held_quote_that_is_refused_in_the_end_takes_what_it_had_resting_with_it(
    floor: Floor,
) -> None:
    protect(floor, "g")
    bid(floor, 59_000.0)
    floor.sell("bob", 10.0, 60_000.0)
    [waiting] = bid(floor, 60_000.0).held
    floor.exchange.set_state(floor.now, PERPETUAL, BookState.HALTED)
    floor.wait(HOLD)
    assert code(endings(floor)[waiting.ticket]) == 10012
    assert floor.exchange.open_orders("alice") == ()


def test_a_quote_that_waits_when_its_account_is_locked_comes_to_nothing(floor: Floor) -> None:
    protect(floor, "g")
    floor.exchange.set_hold(floor.now, PERPETUAL, 0.0)
    floor.trade("alice", "carol", 100.0, 60_000.0)
    floor.exchange.set_hold(floor.now, PERPETUAL, 10.0)
    floor.sell("bob", 10.0, 60_000.0)
    [waiting] = bid(floor, 60_000.0).held
    for ask in floor.exchange.open_orders("bob"):
        floor.exchange.cancel(floor.now, "bob", ask.order_id)
    floor.exchange.liquidate(floor.now, "alice")
    floor.wait(HOLD)
    assert code(endings(floor)[waiting.ticket]) == 11098
    assert floor.exchange.open_orders("alice") == ()
