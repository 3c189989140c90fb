"""The order life cycle: the table itself, and the merging of reports."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.oms.order import TABLE, Happening, IllegalMove, Order
from shared.deribit.codec import VenueOrder
from shared.kernel import Nanos
from shared.messages import OrderState, Purpose
from shared.units import Side

REQUESTS = (Happening.EDIT_SENT, Happening.CANCEL_SENT)


def order(state: OrderState = OrderState.PENDING, **changes: Any) -> Order:
    """A buy of 100 at 50,000."""
    values: dict[str, Any] = {"price": 50_000.0, "amount": 100.0, "state": state}
    values |= {"placed": Nanos(1), "deadline": Nanos(2), "label": "mm-1-X-b0-1"}
    fixed: dict[str, Any] = {
        "instrument": "X",
        "side": Side.BUY,
        "layer": 0,
        "purpose": Purpose.QUOTE,
    }
    return Order(**fixed, **(values | changes))


def report(state: OrderState = OrderState.OPEN, **changes: Any) -> VenueOrder:
    """What the exchange shows of it."""
    values: dict[str, Any] = {"price": 50_000.0, "amount": 100.0, "filled": 0.0, "updated": 10}
    values |= {"order_id": "7", "label": "mm-1-X-b0-1", "instrument": "X", "side": Side.BUY}
    values |= {"average_price": 0.0, "post_only": True, "reduce_only": False}
    values |= {"cancel_reason": "", "created": 1}
    return VenueOrder(state=state, **(values | changes))


def test_every_state_has_its_row_and_every_row_leads_to_a_state() -> None:
    assert list(TABLE) == list(OrderState)
    for row in TABLE.values():
        assert row
        assert all(isinstance(happening, Happening) for happening in row)


@pytest.mark.parametrize("state", list(OrderState))
@pytest.mark.parametrize("happening", list(Happening))
def test_a_move_is_the_tables_or_raises_and_changes_nothing(
    state: OrderState, happening: Happening
) -> None:
    subject = order(state)
    if happening in TABLE[state]:
        assert subject.move(happening) is (TABLE[state][happening] is not state)
        assert subject.state is TABLE[state][happening]
        return
    before = order(state)
    with pytest.raises(IllegalMove, match=happening.value):
        subject.move(happening, "a reason")
    assert subject == before


def test_a_request_is_never_sent_while_another_is_in_flight_or_after_the_end() -> None:
    idle = (OrderState.OPEN, OrderState.UNKNOWN)
    for state, row in TABLE.items():
        asked = [happening for happening in row if happening in REQUESTS]
        assert not asked or state in idle


def test_whatever_the_exchange_may_report_is_legal_in_every_state() -> None:
    for row in TABLE.values():
        for told in (Happening.TOLD_OPEN, Happening.FILLED, Happening.CANCELLED):
            assert told in row


def test_no_answer_is_ever_taken_for_an_end() -> None:
    for state, row in TABLE.items():
        for silence in (Happening.UNCLEAR, Happening.RACED):
            assert state.is_final or not row.get(silence, OrderState.UNKNOWN).is_final


def test_the_channel_before_the_reply_teaches_the_id_and_keeps_the_request_open() -> None:
    subject = order(request=5)
    subject.observe(report(), answers=False)
    assert (subject.state, subject.order_id, subject.request) == (OrderState.PENDING, "7", 5)
    subject.observe(report(), answers=True)
    assert subject.state is OrderState.OPEN


def test_a_fill_before_the_reply_is_final_and_the_late_reply_does_not_reopen_it() -> None:
    subject = order(request=5)
    subject.observe(report(OrderState.FILLED, filled=100.0, updated=20), answers=False)
    subject.observe(report(updated=10), answers=True)
    assert subject.state is OrderState.FILLED
    assert subject.filled == 100.0


def test_a_stale_report_changes_neither_price_nor_state() -> None:
    subject = order(OrderState.OPEN)
    subject.observe(report(price=49_000.0, updated=20), answers=False)
    subject.observe(report(price=50_000.0, updated=10), answers=False)
    assert subject.price == 49_000.0


def test_an_open_report_of_the_same_millisecond_does_not_revive_a_closed_order() -> None:
    subject = order(OrderState.OPEN)
    subject.observe(report(OrderState.CANCELLED, updated=20), answers=False)
    subject.observe(report(updated=20), answers=False)
    assert subject.state is OrderState.CANCELLED


def test_an_order_taken_for_closed_comes_back_when_the_exchange_shows_it_later() -> None:
    subject = order(OrderState.UNKNOWN)
    subject.move(Happening.NOT_FOUND)
    subject.observe(report(updated=30), answers=False)
    assert subject.state is OrderState.OPEN
    assert subject.alive


def test_exposure_counts_the_larger_of_old_and_new_and_fills_only_once() -> None:
    subject = order(OrderState.OPEN)
    subject.aim_amount = 150.0
    subject.move(Happening.EDIT_SENT)
    assert subject.exposed == 150.0
    subject.booked = 40.0
    assert subject.exposed == 110.0
    subject.observe(report(OrderState.CANCELLED, filled=60.0, updated=20), answers=False)
    assert subject.exposed == 20.0
    subject.booked = 60.0
    assert subject.exposed == 0.0


reports = st.builds(
    report,
    state=st.sampled_from([OrderState.OPEN, OrderState.FILLED, OrderState.CANCELLED]),
    filled=st.sampled_from([0.0, 10.0, 100.0]),
    updated=st.integers(1, 5),
    price=st.sampled_from([49_000.0, 50_000.0]),
)


@given(
    start=st.sampled_from(list(OrderState)),
    seen=st.lists(st.tuples(reports, st.booleans()), max_size=12),
)
def test_no_sequence_of_reports_raises_and_the_filled_amount_never_shrinks(
    start: OrderState, seen: list[tuple[VenueOrder, bool]]
) -> None:
    subject = order(start)
    filled = subject.filled
    for told, answers in seen:
        subject.observe(told, answers=answers)
        assert subject.filled >= filled
        filled = subject.filled
    if any(told.state is OrderState.FILLED for told, _ in seen):
        newest = max(told.updated for told, _ in seen)
        done = max(told.updated for told, _ in seen if told.state is OrderState.FILLED)
        assert newest > done or subject.state in (OrderState.FILLED, OrderState.CANCELLED)
