"""Wanted minus working: what is kept, moved, taken away, placed."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.oms.commands import Cancel, Edit, Place
from services.oms.diff import Change, diff
from services.oms.order import Order
from shared.kernel import Nanos
from shared.messages import OrderState, Purpose, Quote, QuoteLevel
from shared.params import OmsParams
from shared.units import SECOND, Side

NOW = Nanos(1_000 * SECOND)
HALF = 10.0


def quote(*levels: tuple[Side, float, float]) -> Quote:
    """A ladder of (side, price, amount), nearest first; half-spread 10 USD."""
    return Quote(
        ts=NOW,
        instrument="X",
        quote_id=5,
        levels=tuple(
            QuoteLevel(side=side, layer=layer, price=price, amount=amount, parts=())
            for layer, (side, price, amount) in enumerate(levels)
        ),
        fair=100.0,
        reservation=100.0,
        half_spread=HALF,
        sigma=1.0,
        valid_until=Nanos(NOW + SECOND),
        change_id=1,
        book_ts=NOW,
        book_seen=NOW,
        params_version=0,
    )


def working(side: Side, price: float, amount: float = 100.0, **changes: Any) -> Order:
    """A resting order, just placed."""
    values: dict[str, Any] = {"state": OrderState.OPEN, "placed": NOW, "deadline": NOW}
    values |= {"label": f"{side}{price}", "order_id": f"id{side}{price}", "layer": 0}
    values |= {"instrument": "X", "purpose": Purpose.QUOTE}
    return Order(side=side, price=price, amount=amount, **(values | changes))


def changes(wanted: Quote, *orders: Order, net: float = 0.0) -> list[Change]:
    """The diff with default tolerances: 1 USD nearer, 3 USD further, a quarter in size."""
    return diff(NOW, wanted, orders, OmsParams(), net)


def test_inside_the_band_an_order_is_kept() -> None:
    wanted = quote((Side.BUY, 1_000.0, 100.0), (Side.SELL, 1_020.0, 100.0))
    assert changes(wanted, working(Side.BUY, 1_001.0), working(Side.SELL, 1_019.0)) == []
    assert changes(wanted, working(Side.BUY, 997.0), working(Side.SELL, 1_023.0)) == []
    assert (
        changes(wanted, working(Side.BUY, 1_000.0, 75.0), working(Side.SELL, 1_020.0, 125.0)) == []
    )


def test_too_near_is_urgent_and_too_far_is_comfort_on_both_sides() -> None:
    bid, ask = quote((Side.BUY, 1_000.0, 100.0)), quote((Side.SELL, 1_020.0, 100.0))
    cases = [(bid, Side.BUY, 1_001.5, True), (bid, Side.BUY, 996.5, False)]
    cases += [(ask, Side.SELL, 1_018.5, True), (ask, Side.SELL, 1_023.5, False)]
    for wanted, side, price, urgent in cases:
        (change,) = changes(wanted, working(side, price))
        assert isinstance(change, Edit)
        assert change.urgent is urgent
        assert change.price == wanted.levels[0].price


def test_too_large_is_urgent_and_too_small_is_comfort() -> None:
    wanted = quote((Side.BUY, 1_000.0, 100.0))
    (large,) = changes(wanted, working(Side.BUY, 1_000.0, 130.0))
    (small,) = changes(wanted, working(Side.BUY, 1_000.0, 70.0))
    assert isinstance(large, Edit)
    assert isinstance(small, Edit)
    assert (large.urgent, small.urgent) == (True, False)
    assert large.amount == small.amount == 100.0


def test_what_has_filled_counts_as_gone() -> None:
    wanted = quote((Side.BUY, 1_000.0, 100.0))
    (change,) = changes(wanted, working(Side.BUY, 1_000.0, 100.0, filled=60.0))
    assert isinstance(change, Edit)
    assert change.amount == 100.0


def test_an_old_order_is_moved_exactly_and_left_alone_where_it_is_exact() -> None:
    wanted = quote((Side.BUY, 1_000.0, 100.0))
    old = Nanos(NOW - 61 * SECOND)
    (change,) = changes(wanted, working(Side.BUY, 999.5, placed=old))
    assert isinstance(change, Edit)
    assert not change.urgent
    assert changes(wanted, working(Side.BUY, 1_000.0, placed=old)) == []


def test_an_order_in_flight_or_unknown_holds_its_level() -> None:
    wanted = quote((Side.BUY, 1_000.0, 100.0))
    for state in OrderState:
        if state is not OrderState.OPEN and not state.is_final:
            assert changes(wanted, working(Side.BUY, 900.0, state=state, request=1)) == []
            assert changes(quote(), working(Side.BUY, 900.0, state=state, request=1)) == []


def test_a_final_order_holds_nothing() -> None:
    wanted = quote((Side.BUY, 1_000.0, 100.0))
    (change,) = changes(wanted, working(Side.BUY, 1_000.0, state=OrderState.FILLED))
    assert isinstance(change, Place)


def test_a_ladder_slides_instead_of_being_torn_down() -> None:
    wanted = quote((Side.BUY, 1_000.0, 100.0), (Side.BUY, 990.0, 100.0))
    found = changes(wanted, working(Side.BUY, 990.0), working(Side.BUY, 980.0))
    assert [getattr(change, "price", None) for change in found] == [1_000.0]


def test_what_is_sent_first_is_what_matters_most() -> None:
    wanted = quote((Side.BUY, 1_000.0, 100.0), (Side.SELL, 1_020.0, 100.0))
    found = changes(wanted, net=-0.1)
    assert [change.side for change in found if isinstance(change, Place)] == [Side.BUY, Side.SELL]
    found = changes(wanted, net=0.1)
    assert [change.side for change in found if isinstance(change, Place)] == [Side.SELL, Side.BUY]
    found = changes(
        wanted, working(Side.BUY, 990.0), working(Side.SELL, 1_010.0), working(Side.SELL, 1_100.0)
    )
    kinds = [(type(change), getattr(change, "urgent", None)) for change in found]
    assert kinds == [(Cancel, None), (Edit, True), (Edit, False)]


sides = st.sampled_from(list(Side))
rows = st.tuples(sides, st.integers(1, 60).map(float), st.integers(1, 20).map(lambda n: 10.0 * n))
orders = st.lists(
    st.builds(
        lambda number, row, state: working(
            row[0],
            row[1],
            row[2],
            label=str(number),
            state=state,
            request=None if state is OrderState.OPEN else 1,
        ),
        st.integers(0, 10**9),
        rows,
        st.sampled_from([OrderState.OPEN, OrderState.PENDING, OrderState.CANCELLING]),
    ),
    max_size=5,
    unique_by=lambda order: order.label,
)


@given(wanted=st.lists(rows, max_size=4), ours=orders)
def test_carrying_the_changes_out_leaves_nothing_more_to_change(
    wanted: list[tuple[Side, float, float]], ours: list[Order]
) -> None:
    ladder = quote(*wanted)
    found = changes(ladder, *ours)
    touched = [change.label for change in found if isinstance(change, Edit | Cancel)]
    assert len(touched) == len(set(touched))
    by_label = {order.label: order for order in ours}
    assert all(by_label[label].idle for label in touched)
    after = {label: order for label, order in by_label.items() if order.idle}
    for change in found:
        match change:
            case Cancel():
                del after[change.label]
            case Edit():
                after[change.label].price = change.price
                after[change.label].amount = change.amount
            case Place():
                label = f"new{len(after)}-{change.side}{change.price}"
                after[label] = working(change.side, change.price, change.amount, label=label)
    if all(order.idle for order in ours):
        assert changes(ladder, *after.values()) == []
        assert len(after) == len(wanted)
