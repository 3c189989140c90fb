"""What Deribit leaves open: each choice and its alternative does what it says."""

import pytest

from mock_deribit.exchange.events import LockChanged
from mock_deribit.exchange.maker_messages import Protection
from mock_deribit.exchange.messages import (
    OrderEdit,
    OrderState,
    OrderType,
    OrderView,
    SelfMatch,
    TimeInForce,
)
from mock_deribit.exchange.rules import Rules
from shared.kernel import Nanos
from shared.units import MINUTE, SECOND, Side
from tests.support.floor import PERPETUAL, Floor, accepted, code


def test_an_overlap_is_an_error_or_a_cancelled_order() -> None:
    for rules in (Rules(), Rules(overlap_answer="cancelled")):
        floor = Floor(rules=rules)
        maker = floor.sell("alice", 10.0, 60_000.0)
        answer = floor.send("alice", Side.BUY, 10.0, 60_000.0)
        if rules.overlap_answer == "error":
            assert code(answer) == 10003
        else:
            order = accepted(answer).order
            assert (order.state, order.cancel_reason) == (OrderState.CANCELLED, "order_overlap")
            assert floor.exchange.order("alice", order.order_id) == order
        assert [o.order_id for o in floor.exchange.open_orders("alice")] == [maker.order_id]


def test_an_overlap_with_a_subaccount_has_a_reason_of_its_own() -> None:
    floor = Floor(rules=Rules(overlap_answer="cancelled"))
    floor.exchange.open_account("alice-2", {"BTC": 1.0}, owner="alice")
    floor.exchange.set_self_match("alice", SelfMatch.REJECT_TAKER, extended=True)
    floor.sell("alice-2", 10.0, 60_000.0)
    order = accepted(floor.send("alice", Side.BUY, 10.0, 60_000.0)).order
    assert order.cancel_reason == "order_overlap_another_sub"


def test_a_reduce_only_excess_is_trimmed_or_rejected() -> None:
    for rules in (Rules(), Rules(reduce_only_excess="reject")):
        floor = Floor(rules=rules)
        floor.trade("alice", "bob", 100.0, 60_000.0)
        answer = floor.send("alice", Side.SELL, 150.0, 60_500.0, reduce_only=True)
        if rules.reduce_only_excess == "trim":
            assert accepted(answer).order.amount == 100.0
        else:
            assert code(answer) == 11030
            accepted(floor.send("alice", Side.SELL, 100.0, 60_500.0, reduce_only=True))


def test_a_fill_or_kill_that_fails_is_a_cancelled_order_or_an_error() -> None:
    for rules in (Rules(), Rules(fok_failure="error")):
        floor = Floor(rules=rules)
        floor.sell("bob", 10.0, 60_000.0)
        answer = floor.send("alice", Side.BUY, 20.0, 60_000.0, tif=TimeInForce.FOK)
        if rules.fok_failure == "cancelled":
            assert accepted(answer).order.state is OrderState.CANCELLED
        else:
            assert code(answer) == 11030
        assert floor.exchange.position("alice", PERPETUAL).size == 0.0


def test_what_a_market_order_leaves_is_cancelled_or_rests_at_the_edge_of_the_band() -> None:
    for rules in (Rules(), Rules(market_remainder="rests")):
        floor = Floor(rules=rules)
        floor.sell("bob", 10.0, 60_000.0)
        answer = floor.send("alice", Side.BUY, 30.0, None, order_type=OrderType.MARKET)
        order = accepted(answer).order
        assert order.filled_amount == 10.0
        if rules.market_remainder == "cancelled":
            assert (order.state, order.order_type) == (OrderState.CANCELLED, OrderType.MARKET)
        else:
            assert (order.state, order.order_type) == (OrderState.OPEN, OrderType.LIMIT)
            assert order.original_order_type is OrderType.MARKET
            assert floor.exchange.best(PERPETUAL) == (60_900.0, None)


def test_a_market_limit_order_takes_the_best_price_and_rests_there() -> None:
    floor = Floor()
    floor.sell("bob", 10.0, 60_000.0)
    floor.sell("bob", 10.0, 60_000.5)
    answer = floor.send("alice", Side.BUY, 30.0, None, order_type=OrderType.MARKET_LIMIT)
    order = accepted(answer).order
    assert (order.filled_amount, order.price, order.state) == (10.0, 60_000.0, OrderState.OPEN)
    assert order.original_order_type is OrderType.MARKET_LIMIT
    empty = Floor().send("alice", Side.BUY, 30.0, None, order_type=OrderType.MARKET_LIMIT)
    assert code(empty) == 11030


def test_an_edit_to_what_is_filled_is_refused_or_closes_the_order() -> None:
    for rules in (Rules(), Rules(edit_to_filled="close")):
        floor = Floor(rules=rules)
        mine = floor.buy("alice", 30.0, 60_000.0)
        floor.sell("bob", 20.0, 60_000.0)
        answer = floor.exchange.edit(floor.now, "alice", mine.order_id, OrderEdit(amount=20.0))
        after = floor.exchange.order("alice", mine.order_id)
        assert isinstance(after, OrderView)
        if rules.edit_to_filled == "refuse":
            assert (code(answer), after.state) == (11008, OrderState.OPEN)
        else:
            assert accepted(answer).order == after
            assert (after.state, after.filled_amount) == (OrderState.CANCELLED, 20.0)


def test_flags_that_an_edit_omits_are_kept_or_dropped() -> None:
    for rules in (Rules(), Rules(edit_keeps_flags=False)):
        floor = Floor(rules=rules)
        mine = accepted(
            floor.send("alice", Side.BUY, 30.0, 59_000.0, post_only=True, reject=True)
        ).order
        edit = OrderEdit(price=59_000.5)
        after = accepted(floor.exchange.edit(floor.now, "alice", mine.order_id, edit)).order
        assert after.post_only is after.reject_post_only is rules.edit_keeps_flags


def test_an_edit_that_changes_nothing_keeps_or_loses_its_place() -> None:
    for rules in (Rules(), Rules(idle_edit_keeps_place=False)):
        floor = Floor(rules=rules)
        mine = floor.buy("alice", 30.0, 59_000.0)
        floor.buy("bob", 30.0, 59_000.0)
        accepted(floor.exchange.edit(floor.now, "alice", mine.order_id, OrderEdit(amount=30.0)))
        first = floor.exchange.queue(PERPETUAL, Side.BUY, 59_000.0)[0][0]
        assert first == ("alice" if rules.idle_edit_keeps_place else "bob")


def test_an_amount_off_the_lot_has_one_code_or_the_other() -> None:
    for rules in (Rules(), Rules(off_lot_code=10027)):
        refused = Floor(rules=rules).send("alice", Side.BUY, 15.0, 60_000.0)
        assert code(refused) == rules.off_lot_code


def test_what_rounding_a_fee_leaves_is_dropped_or_carried_to_the_next() -> None:
    fees = []
    for rules in (Rules(), Rules(fee_remainder="carried")):
        floor = Floor(rules=rules)
        before = floor.exchange.money("BTC")
        for _ in range(4):
            floor.trade("alice", "bob", 10.0, 60_030.0)
        fees.append([fill.fee for fill in floor.exchange.user_trades("alice")])
        assert floor.exchange.money("BTC") == before
    assert fees == [[6e-8, 6e-8, 6e-8, 6e-8], [6e-8, 6e-8, 5e-8, 6e-8]]
    assert sum(fees[1]) == pytest.approx(4 * 0.00035 * 10.0 / 60_030.0, abs=5e-9)


def test_the_mark_follows_in_the_window_of_the_rules() -> None:
    marks = []
    for rules in (Rules(), Rules(mark_window_seconds=5.0)):
        floor = Floor(rules=rules)
        floor.exchange.open_account("house", {}, house=True)
        floor.buy("house", 10.0, 59_999.5)
        ask = floor.sell("house", 10.0, 60_000.5)
        floor.wait(10**9)
        floor.exchange.cancel(floor.now, "house", ask.order_id)
        floor.sell("house", 10.0, 60_040.5)
        floor.wait(5 * 10**9)
        marks.append(floor.exchange.ticker(PERPETUAL).mark_price)
    assert 60_000.0 < marks[0] < 60_005.0 < marks[1] < 60_020.0


def test_an_expiring_future_is_marked_by_its_average_or_by_the_index() -> None:
    marks = []
    for rules in (Rules(), Rules(expiring_mark="index")):
        floor = Floor(rules=rules)
        dated = floor.exchange.listings[1]
        floor.exchange.advance(Nanos(dated.instrument.expiry - 30 * MINUTE))
        floor.exchange.set_index(floor.exchange.now, "btc_usd", 62_000.0)
        floor.exchange.advance(Nanos(dated.instrument.expiry - 15 * MINUTE))
        floor.exchange.set_index(floor.exchange.now, "btc_usd", 60_000.0)
        floor.exchange.advance(Nanos(floor.exchange.now + SECOND))
        marks.append(floor.exchange.ticker(dated.name).mark_price)
    assert marks == [pytest.approx(61_000.0, abs=2.0), 60_000.0]


def test_the_base_rates_of_margin_are_the_rules() -> None:
    rules = Rules(initial_margin_rate=0.0295, maintenance_margin_rate=0.0215)
    floor = Floor(rules=rules)
    floor.trade("alice", "bob", 60_000.0, 60_000.0)
    view = floor.exchange.position("alice", PERPETUAL)
    assert (view.initial_margin, view.maintenance_margin) == (0.02955, 0.02155)
    assert view.leverage == 34


def test_open_orders_count_on_the_worse_side_or_on_both() -> None:
    margins = []
    for rules in (Rules(), Rules(open_orders_margin="both_sides")):
        floor = Floor(rules=rules)
        floor.trade("alice", "bob", 30_000.0, 60_000.0)
        floor.buy("alice", 30_000.0, 59_000.0)
        floor.sell("alice", 60_000.0, 60_500.0)
        short = floor.exchange.portfolio("bob", "BTC").initial_margin
        floor.buy("bob", 30_000.0, 59_000.0)
        assert floor.exchange.portfolio("bob", "BTC").initial_margin == short
        margins.append(floor.exchange.portfolio("alice", "BTC").initial_margin)
    assert margins == [pytest.approx(0.02005, abs=1e-8), pytest.approx(0.0301125, abs=1e-8)]


def test_a_jump_of_the_index_locks_its_books_where_the_rules_say_so() -> None:
    floor = Floor(rules=Rules(index_jump=0.1))
    floor.exchange.set_index(floor.now, "btc_usd", 65_000.0)
    assert not floor.exchange.is_locked("btc_usd")
    floor.exchange.drain()
    floor.exchange.set_index(floor.now, "btc_usd", 58_000.0)
    assert floor.exchange.drain()[-1] == LockChanged(floor.now, "btc_usd", True)
    assert code(floor.send("alice", Side.BUY, 10.0, 57_000.0)) == 10019
    floor.exchange.set_locked(floor.now, "btc_usd", False)
    accepted(floor.send("alice", Side.BUY, 10.0, 57_000.0))


def test_settlement_takes_as_long_as_the_rules_say() -> None:
    floor = Floor(rules=Rules(settlement_seconds=10.0))
    floor.exchange.settle_now(floor.now)
    floor.wait(9 * 10**9)
    assert code(floor.send("alice", Side.BUY, 10.0, 59_000.0)) == 10041
    floor.wait(10**9)
    accepted(floor.send("alice", Side.BUY, 10.0, 59_000.0))


def test_the_margin_of_a_protection_is_the_share_the_rules_say() -> None:
    floor = Floor(rules=Rules(protection_margin=0.1))
    config = Protection(
        index="btc_usd", interval_s=1, frozen_time_s=1, max_quote_quantity=2.0, delta_limit=1.0
    )
    floor.exchange.set_protection(floor.now, "alice", config)
    assert floor.exchange.portfolio("alice", "BTC").initial_margin == 0.2
