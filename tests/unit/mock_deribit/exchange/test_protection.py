"""Market maker protection: the window, the freeze, and what leaves the book."""

import pytest

from mock_deribit.exchange.events import MmpTriggered, OrderUpdated
from mock_deribit.exchange.maker_messages import Frozen, Protection
from mock_deribit.exchange.messages import OrderEdit, OrderState, OrderView
from mock_deribit.exchange.rules import Rules
from shared.kernel import Nanos
from shared.units import SECOND, Side
from tests.support.floor import PERPETUAL, Floor, accepted, code

COIN = 60_000.0
"""Amount of one BTC at the price of these tests."""


def protection(**changes: float | int | str | None) -> Protection:
    base: dict[str, float | int | str | None] = {
        "index": "btc_usd",
        "interval_s": 10,
        "frozen_time_s": 30,
        "max_quote_quantity": 5.0,
        "quantity_limit": 1.0,
    }
    return Protection(**{**base, **changes})  # type: ignore[arg-type]


def opened(rules: Rules | None = None, **changes: float | int | str | None) -> Floor:
    floor = Floor(rules=rules)
    for name in ("alice", "bob", "carol"):
        floor.exchange.deposit(floor.now, name, "BTC", 100.0)
    configured = floor.exchange.set_protection(floor.now, "bob", protection(**changes))
    assert configured == (protection(**changes),)
    floor.exchange.drain()
    return floor


def offer(floor: Floor, coins: float, price: float = COIN, side: Side = Side.SELL) -> OrderView:
    return accepted(floor.send("bob", side, coins * COIN, price, mmp=True)).order


def take(floor: Floor, coins: float) -> None:
    accepted(floor.send("alice", Side.BUY, coins * COIN, COIN))


def state(floor: Floor, order: OrderView) -> OrderView:
    answer = floor.exchange.order("bob", order.order_id)
    assert isinstance(answer, OrderView)
    return answer


def test_a_fill_beyond_the_quantity_limit_takes_every_protected_order_out() -> None:
    floor = opened()
    filled, other = offer(floor, 1.5), offer(floor, 1.0, 60_100.0)
    dated = floor.exchange.listings[1].name
    elsewhere = accepted(
        floor.send("bob", Side.BUY, 600.0, 59_000.0, instrument=dated, mmp=True)
    ).order
    plain = floor.sell("bob", 600.0, 60_200.0)
    floor.exchange.drain()
    take(floor, 1.5)
    assert state(floor, filled).state is OrderState.FILLED
    for order in (other, elsewhere):
        gone = state(floor, order)
        assert (gone.state, gone.cancel_reason) == (OrderState.CANCELLED, "mmp_trigger")
        assert gone.mmp_cancelled
    assert state(floor, plain).state is OrderState.OPEN
    events = floor.exchange.drain()
    told = [event for event in events if isinstance(event, MmpTriggered)]
    until = Nanos(floor.now + 30 * SECOND)
    assert told == [MmpTriggered(floor.now, "bob", "btc_usd", "", until)]
    last_order = max(n for n, event in enumerate(events) if isinstance(event, OrderUpdated))
    assert events.index(told[0]) > last_order


def test_the_trigger_may_be_told_before_the_orders() -> None:
    floor = opened(Rules(protection_told_first=True))
    offer(floor, 1.5)
    offer(floor, 1.0, 60_100.0)
    floor.exchange.drain()
    take(floor, 1.5)
    assert isinstance(floor.exchange.drain()[0], MmpTriggered)


def test_a_limit_that_is_just_reached_does_not_trigger() -> None:
    floor = opened()
    offer(floor, 1.0)
    rest = offer(floor, 1.0, 60_100.0)
    take(floor, 1.0)
    assert state(floor, rest).state is OrderState.OPEN
    assert floor.exchange.frozen("bob") == ()


def test_a_frozen_protection_refuses_until_its_time_is_over() -> None:
    floor = opened()
    offer(floor, 1.5)
    take(floor, 1.5)
    until = Nanos(floor.now + 30 * SECOND)
    assert floor.exchange.frozen("bob") == (Frozen(index="btc_usd", group="", frozen_until=until),)
    refused = floor.send("bob", Side.SELL, 600.0, 60_100.0, mmp=True)
    assert code(refused) == 13030
    accepted(floor.send("bob", Side.SELL, 600.0, 60_100.0))
    floor.wait(30 * SECOND)
    assert floor.exchange.frozen("bob") == ()
    offer(floor, 0.01, 60_100.0)


def test_without_a_frozen_time_only_a_reset_ends_the_freeze() -> None:
    floor = opened(frozen_time_s=0)
    offer(floor, 1.5)
    take(floor, 1.5)
    floor.wait(3_600 * SECOND)
    assert [state.frozen_until for state in floor.exchange.frozen("bob")] == [0]
    assert code(floor.send("bob", Side.SELL, 600.0, 60_100.0, mmp=True)) == 13030
    assert floor.exchange.reset_protection(floor.now, "bob", "btc_usd") is None
    offer(floor, 0.01, 60_100.0)
    assert code(floor.exchange.reset_protection(floor.now, "bob", "eth_usd")) == 13040


def test_the_window_opens_with_the_first_trade_and_starts_anew_after_its_end() -> None:
    floor = opened()
    order = offer(floor, 3.0)
    take(floor, 0.8)
    floor.wait(10 * SECOND)
    take(floor, 0.8)
    assert state(floor, order).state is OrderState.OPEN
    floor.wait(10 * SECOND - 1)
    take(floor, 0.8)
    assert state(floor, order).cancel_reason == "mmp_trigger"


def test_the_delta_limit_counts_net_and_the_quantity_limit_gross() -> None:
    floor = opened(quantity_limit=None, delta_limit=0.5)
    sell, buy = offer(floor, 2.0), offer(floor, 2.0, COIN - 1.0, Side.BUY)
    for _ in range(3):
        take(floor, 0.4)
        accepted(floor.send("alice", Side.SELL, 0.4 * COIN, COIN - 1.0))
    assert state(floor, sell).state is OrderState.OPEN
    take(floor, 0.6)
    assert {state(floor, sell).cancel_reason, state(floor, buy).cancel_reason} == {"mmp_trigger"}
    gross = opened()
    rest = offer(gross, 2.0), offer(gross, 2.0, COIN - 1.0, Side.BUY)
    take(gross, 0.6)
    accepted(gross.send("alice", Side.SELL, 0.6 * COIN, COIN - 1.0))
    assert {state(gross, order).cancel_reason for order in rest} == {"mmp_trigger"}


@pytest.mark.parametrize(("acts", "sold"), [("after_request", 3.0), ("after_match", 2.0)])
def test_a_sweep_stops_at_the_match_that_triggers_where_the_rules_say_so(
    acts: str, sold: float
) -> None:
    floor = opened(Rules(protection_acts=acts))  # type: ignore[arg-type]
    for _ in range(3):
        offer(floor, 1.0)
    take(floor, 3.0)
    assert floor.exchange.position("bob", PERPETUAL).size == -sold * COIN


def test_a_taker_that_comes_upon_its_own_order_because_others_left_ends_there() -> None:
    floor = opened(Rules(protection_acts="after_match"))
    for coins in (1.5, 1.0):
        offer(floor, coins)
    own = floor.sell("alice", 600.0, COIN + 0.5)
    taken = accepted(floor.send("alice", Side.BUY, 2.5 * COIN, COIN + 1.0)).order
    assert (taken.filled_amount, taken.state) == (1.5 * COIN, OrderState.CANCELLED)
    assert taken.cancel_reason == "order_overlap"
    assert [order.order_id for order in floor.exchange.open_orders("alice")] == [own.order_id]


def test_open_size_of_a_side_stays_within_the_quote_quantity() -> None:
    floor = opened()
    offer(floor, 3.0)
    offer(floor, 2.0)
    assert code(floor.send("bob", Side.SELL, 600.0, COIN, mmp=True)) == 11030
    first = offer(floor, 4.9, COIN - 1.0, Side.BUY)
    within = OrderEdit(amount=4.95 * COIN)
    accepted(floor.exchange.edit(floor.now, "bob", first.order_id, within))
    edit = OrderEdit(amount=5.5 * COIN)
    assert code(floor.exchange.edit(floor.now, "bob", first.order_id, edit)) == 11030
    other = Floor(rules=Rules(quote_quantity_code=10018))
    other.exchange.set_protection(other.now, "bob", protection(max_quote_quantity=0.01))
    assert code(other.send("bob", Side.SELL, 0.02 * COIN, COIN, mmp=True)) == 10018


def test_a_lower_quote_quantity_takes_the_youngest_orders_out() -> None:
    floor = opened()
    old, young = offer(floor, 2.0), offer(floor, 2.0, 60_100.0)
    floor.exchange.set_protection(floor.now, "bob", protection(max_quote_quantity=2.0))
    assert state(floor, old).state is OrderState.OPEN
    assert state(floor, young).cancel_reason == "mmp_config_curtailment"
    assert floor.exchange.set_protection(floor.now, "bob", protection(interval_s=0)) == ()
    assert state(floor, old).cancel_reason == "mmp_config_curtailment"
    assert code(floor.send("bob", Side.SELL, 600.0, COIN, mmp=True)) == 13040


def test_a_call_replaces_the_whole_configuration() -> None:
    floor = opened(delta_limit=0.5)
    floor.exchange.set_protection(floor.now, "bob", protection(quantity_limit=9.0))
    assert floor.exchange.protections("bob") == (protection(quantity_limit=9.0),)


def test_the_quote_quantity_reserves_margin_and_the_orders_none() -> None:
    floor = opened()
    before = floor.exchange.portfolio("bob", "BTC").initial_margin
    offer(floor, 4.0)
    assert floor.exchange.portfolio("bob", "BTC").initial_margin == before == 0.15


@pytest.mark.parametrize(
    "bad",
    [
        {"index": "doge_usd"},
        {"interval_s": -1},
        {"interval_s": 3_601},
        {"frozen_time_s": 3_601},
        {"max_quote_quantity": 0.0},
        {"max_quote_quantity": float("nan")},
        {"quantity_limit": None},
        {"quantity_limit": -1.0},
        {"delta_limit": float("inf")},
    ],
)
def test_an_unsound_configuration_changes_nothing(bad: dict[str, float | int | str | None]) -> None:
    floor = opened()
    assert code(floor.exchange.set_protection(floor.now, "bob", protection(**bad))) == -32602
    assert floor.exchange.protections("bob") == (protection(),)


def test_an_account_without_the_feature_is_told_so() -> None:
    floor = opened()
    floor.exchange.set_features("bob", mmp=False)
    assert floor.exchange.features("bob") == (False, True)
    assert code(floor.send("bob", Side.SELL, 600.0, COIN, mmp=True)) == 13040
    assert code(floor.exchange.set_protection(floor.now, "bob", protection())) == 13040
    assert code(floor.send("alice", Side.SELL, 600.0, COIN, mmp=True)) == 13040


def test_protection_is_for_limit_orders_and_an_edit_cannot_change_it() -> None:
    floor = opened()
    order = offer(floor, 0.1)
    wrong = OrderEdit(price=60_100.0, mmp=False)
    assert code(floor.exchange.edit(floor.now, "bob", order.order_id, wrong)) == -32602
    same = OrderEdit(price=60_100.0, mmp=True)
    assert accepted(floor.exchange.edit(floor.now, "bob", order.order_id, same)).order.mmp
