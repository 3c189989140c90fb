"""Mass quotes: sides placed, amended and cancelled, errors side by side, and who keeps the place."""

import pytest

from mock_deribit.exchange.maker_messages import (
    MassQuote,
    MassQuoted,
    Protection,
    Quote,
    QuoteFilter,
    QuoteSide,
)
from mock_deribit.exchange.messages import OrderEdit, OrderState, OrderView, Refused, SelfMatch
from shared.units import SECOND, Side
from tests.support.floor import PERPETUAL, Floor, accepted, code


def opened() -> Floor:
    floor = Floor()
    config = Protection(
        index="btc_usd",
        group="g",
        interval_s=1,
        frozen_time_s=1,
        max_quote_quantity=5.0,
        quantity_limit=0.5,
    )
    floor.exchange.set_protection(floor.now, "bob", config)
    return floor


def side(price: float | None, amount: float | None = 100.0, **flags: bool) -> QuoteSide:
    return QuoteSide(price=price, amount=amount, **flags)


def request(
    *quotes: Quote, group: str = "g", guarded: bool = True, quote_id: str = "1"
) -> MassQuote:
    return MassQuote(quote_id=quote_id, group=group, quotes=quotes, guarded=guarded)


def send(floor: Floor, *quotes: Quote, quote_id: str = "1") -> MassQuoted:
    answer = floor.exchange.mass_quote(floor.now, "bob", request(*quotes, quote_id=quote_id))
    assert isinstance(answer, MassQuoted), answer
    return answer


def both(bid: float | None, ask: float | None, instrument: str = PERPETUAL, **more: str) -> Quote:
    return Quote(
        instrument=instrument,
        bid=None if bid is None else side(bid),
        ask=None if ask is None else side(ask),
        **more,
    )


def test_a_mass_quote_rests_both_sides_on_several_books_as_protected_orders() -> None:
    floor = opened()
    dated = floor.exchange.listings[1].name
    answer = send(floor, both(59_900.0, 60_100.0, quote_set_id="s"), both(59_000.0, None, dated))
    assert [(o.instrument, o.side, o.price) for o in answer.orders] == [
        (PERPETUAL, Side.BUY, 59_900.0),
        (PERPETUAL, Side.SELL, 60_100.0),
        (dated, Side.BUY, 59_000.0),
    ]
    first = answer.orders[0]
    assert (first.mmp, first.mmp_group, first.quote_id, first.quote_set_id) == (True, "g", "1", "s")
    assert [*answer.errors, *answer.trades, *answer.held] == []


def test_a_new_quote_moves_the_old_one_and_keeps_its_id() -> None:
    floor = opened()
    before = send(floor, both(59_900.0, 60_100.0)).orders
    after = send(floor, both(59_950.0, 60_150.0), quote_id="2").orders
    assert {o.order_id for o in after} == {o.order_id for o in before}
    assert floor.exchange.best(PERPETUAL) == (59_950.0, 60_150.0)
    assert len(floor.exchange.open_orders("bob")) == 2
    assert {o.quote_id for o in after} == {"2"}


@pytest.mark.parametrize(("bid", "ask"), [(60_200.0, 60_300.0), (59_700.0, 59_800.0)])
def test_a_quote_that_jumps_over_itself_never_meets_itself(bid: float, ask: float) -> None:
    floor = opened()
    send(floor, both(59_900.0, 60_100.0))
    answer = send(floor, both(bid, ask))
    assert [*answer.errors, *answer.trades] == []
    assert floor.exchange.best(PERPETUAL) == (bid, ask)


def test_a_missing_price_or_amount_keeps_what_rests() -> None:
    floor = opened()
    send(floor, both(59_900.0, 60_100.0))
    amended = send(
        floor,
        Quote(instrument=PERPETUAL, bid=side(None, 50.0), ask=side(60_200.0, None)),
    ).orders
    assert [(o.price, o.amount) for o in amended] == [(60_200.0, 100.0), (59_900.0, 50.0)]
    empty = opened()
    errors = send(empty, Quote(instrument=PERPETUAL, bid=side(None, 50.0))).errors
    assert [error.refused.code for error in errors] == [-32602]


def test_an_amount_of_zero_cancels_and_the_amount_is_what_is_left() -> None:
    floor = opened()
    order = send(floor, both(59_900.0, None)).orders[0]
    accepted(floor.send("alice", Side.SELL, 40.0, 59_900.0))
    left = floor.exchange.order("bob", order.order_id)
    assert isinstance(left, OrderView)
    assert (left.amount, left.filled_amount) == (60.0, 40.0)
    again = send(floor, Quote(instrument=PERPETUAL, bid=side(59_900.0, 80.0))).orders[0]
    assert (again.amount, again.order_id) == (80.0, order.order_id)
    gone = send(floor, Quote(instrument=PERPETUAL, bid=side(None, 0.0))).orders[0]
    assert (gone.state, gone.cancel_reason) == (OrderState.CANCELLED, "user_request")
    assert send(floor, Quote(instrument=PERPETUAL, bid=side(None, 0.0))) == MassQuoted(
        orders=(), trades=(), errors=()
    )


def test_a_refused_side_is_an_error_of_its_own_and_loses_what_it_had_resting() -> None:
    floor = opened()
    send(floor, both(59_900.0, 60_100.0))
    answer = send(floor, both(59_900.3, 60_200.0))
    assert [(e.side, e.refused.code) for e in answer.errors] == [(Side.BUY, 10043)]
    assert [o.price for o in floor.exchange.open_orders("bob")] == [60_200.0]


def test_a_post_only_reject_is_an_error_and_costs_the_quote() -> None:
    floor = opened()
    floor.sell("alice", 100.0, 60_000.0)
    send(floor, both(59_900.0, None))
    crossing = side(60_000.0, post_only=True, reject_post_only=True)
    for _ in range(2):
        answer = send(floor, Quote(instrument=PERPETUAL, bid=crossing))
        assert [error.refused.code for error in answer.errors] == [11054]
        assert (answer.orders, floor.exchange.open_orders("bob")) == ((), ())


def test_the_place_is_kept_by_a_new_set_and_a_smaller_size_but_not_by_the_same_again() -> None:
    floor = opened()

    def first() -> str:
        return floor.exchange.queue(PERPETUAL, Side.BUY, 59_900.0)[0][0]

    send(floor, both(59_900.0, None, quote_set_id="a"))
    floor.buy("alice", 100.0, 59_900.0)
    send(floor, both(59_900.0, None, quote_set_id="b"))
    assert first() == "bob"
    send(floor, Quote(instrument=PERPETUAL, quote_set_id="b", bid=side(59_900.0, 90.0)))
    assert first() == "bob"
    send(floor, Quote(instrument=PERPETUAL, quote_set_id="b", bid=side(59_900.0, 90.0)))
    assert first() == "alice"


def test_a_group_freezes_by_itself_and_plain_orders_stay() -> None:
    floor = opened()
    floor.exchange.deposit(floor.now, "alice", "BTC", 10.0)
    plain = floor.sell("bob", 10.0, 60_300.0)
    quotes = send(
        floor,
        Quote(instrument=PERPETUAL, bid=side(59_900.0), ask=side(60_000.0, 60_000.0)),
    ).orders
    accepted(floor.send("alice", Side.BUY, 60_000.0, 60_000.0))
    gone = floor.exchange.order("bob", quotes[0].order_id)
    assert isinstance(gone, OrderView)
    assert gone.cancel_reason == "mmp_trigger"
    assert [o.order_id for o in floor.exchange.open_orders("bob")] == [plain.order_id]
    assert [e.refused.code for e in send(floor, both(59_900.0, None)).errors] == [13030]
    floor.wait(SECOND)
    assert send(floor, both(59_900.0, None)).errors == ()


def test_a_quote_is_not_found_by_an_edit_but_by_a_cancel() -> None:
    floor = opened()
    order = send(floor, both(59_900.0, None)).orders[0]
    edit = OrderEdit(price=59_800.0)
    assert code(floor.exchange.edit(floor.now, "bob", order.order_id, edit)) == 10004
    assert isinstance(floor.exchange.cancel(floor.now, "bob", order.order_id), OrderView)


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (request(both(59_900.0, None), guarded=False), 13042),
        (request(both(59_900.0, None), group="other"), 13040),
        (request(both(59_900.0, None), group=""), -32602),
        (request(), -32602),
        (request(*[both(59_900.0, None)] * 101), -32602),
        (request(both(1.0, None, "DOGE-PERPETUAL")), -32602),
    ],
)
def test_a_mass_quote_is_refused_as_a_whole(bad: MassQuote, expected: int) -> None:
    floor = opened()
    assert code(floor.exchange.mass_quote(floor.now, "bob", bad)) == expected
    assert floor.exchange.open_orders("bob") == ()


def test_quotes_of_one_request_are_on_one_index() -> None:
    floor = Floor(whole_venue=True)
    mixed = request(both(59_900.0, None), both(2_900.0, None, "ETH-PERPETUAL"))
    assert code(floor.exchange.mass_quote(floor.now, "bob", mixed)) == -32602


def test_the_feature_can_be_missing() -> None:
    floor = opened()
    floor.exchange.set_features("bob", mass_quotes=False)
    two = request(both(59_900.0, 60_100.0))
    assert code(floor.exchange.mass_quote(floor.now, "bob", two)) == 13902


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        (QuoteFilter(), 0),
        (QuoteFilter(quote_set_id="s"), 1),
        (QuoteFilter(instrument=PERPETUAL), 1),
        (QuoteFilter(currency="BTC"), 0),
        (QuoteFilter(currency="ETH"), 3),
        (QuoteFilter(index="btc_usd"), 0),
        (QuoteFilter(delta=(0.0, 1.0)), 3),
    ],
)
def test_cancel_quotes_takes_what_fits_and_leaves_plain_orders(
    chosen: QuoteFilter, left: int
) -> None:
    floor = opened()
    plain = floor.buy("bob", 10.0, 59_000.0)
    dated = floor.exchange.listings[1].name
    send(floor, both(59_900.0, 60_100.0, quote_set_id="s"), both(59_000.0, None, dated))
    cancelled = floor.exchange.cancel_quotes(floor.now, "bob", chosen)
    open_now = floor.exchange.open_orders("bob")
    assert len(cancelled) == 3 - left
    assert len(open_now) == left + 1
    assert plain.order_id in {o.order_id for o in open_now}


def test_a_freezing_cancel_refuses_quotes_for_a_second() -> None:
    floor = opened()
    floor.exchange.cancel_quotes(floor.now, "bob", QuoteFilter(), freeze=True)
    again = request(both(59_900.0, None))
    assert code(floor.exchange.mass_quote(floor.now, "bob", again)) == 13043
    floor.wait(SECOND)
    send(floor, both(59_900.0, None))
    floor.exchange.cancel_all(floor.now, "bob", freeze_quotes=True)
    refused = floor.exchange.mass_quote(floor.now, "bob", again)
    assert isinstance(refused, Refused)
    assert refused.code == 13043


def test_a_taking_quote_trades_at_once() -> None:
    floor = opened()
    floor.exchange.set_self_match("bob", SelfMatch.CANCEL_MAKER)
    floor.sell("alice", 40.0, 59_950.0)
    answer = send(floor, both(59_950.0, None))
    assert [trade.trade.amount for trade in answer.trades] == [40.0]
    assert answer.trades[0].quote_id == "1"
    assert (answer.orders[0].amount, answer.orders[0].state) == (60.0, OrderState.OPEN)


def test_a_book_that_takes_no_cancels_keeps_the_quotes_it_has() -> None:
    floor = opened()
    before = send(floor, both(59_900.0, 60_100.0)).orders
    floor.exchange.settle_now(floor.now)
    gone = Quote(instrument=PERPETUAL, bid=side(None, 0.0), ask=side(60_200.0))
    answer = send(floor, gone, quote_id="2")
    assert [error.refused.code for error in answer.errors] == [10041, 10041]
    assert [o.order_id for o in floor.exchange.open_orders("bob")] == [o.order_id for o in before]
    assert [o.price for o in floor.exchange.open_orders("bob")] == [59_900.0, 60_100.0]
