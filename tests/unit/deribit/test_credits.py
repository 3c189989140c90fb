"""The request budget: never more than the venue allows, and cancels never behind quotes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.deribit.credits import Bucket, Budget, Limit, Priority, RateLimits, pool_name
from shared.deribit.requests import cancel_by_label, cancel_label_anywhere
from shared.kernel import Nanos
from shared.units import MILLISECOND, SECOND

START = Nanos(1_790_000_000 * SECOND)
BUY, CANCEL, EVERYTHING, QUERY = (
    "private/buy",
    "private/cancel",
    "private/cancel_all",
    "private/get_positions",
)


def budget(
    rate: float = 5.0, burst: int = 20, reserve: int = 6, in_flight_max: int = 100
) -> Budget:
    limits = RateLimits(trading=Limit(rate, burst))
    return Budget(limits, reserve=reserve, in_flight_max=in_flight_max)


def granted(of: Budget, now: Nanos, method: str, priority: Priority, times: int = 100) -> int:
    return sum(of.grant(now, method, priority) for _ in range(times))


def test_a_process_that_starts_leaves_half_of_the_burst_to_the_one_before_it() -> None:
    spent = budget()
    spent.begin(START)
    assert spent.left(START) == 10
    assert spent.left(Nanos(START + 2 * SECOND)) == 20


def test_a_rescue_uses_what_the_venues_queue_has_left_and_no_slot_of_the_others() -> None:
    full = budget(in_flight_max=6)
    cancel = "private/cancel_all"
    assert all(full.grant(START, "private/cancel", Priority.CANCEL) for _ in range(6))
    assert not full.grant(START, "private/cancel", Priority.CANCEL)
    assert [full.grant(START, cancel, Priority.RESCUE) for _ in range(3)] == [True, True, False]
    full.settled("private/cancel")
    assert full.grant(START, "private/cancel", Priority.CANCEL)
    full.rescued(cancel)
    assert full.grant(START, cancel, Priority.RESCUE)


def test_a_cancel_by_label_without_a_currency_draws_on_the_pool_of_mass_cancels() -> None:
    assert pool_name(*cancel_label_anywhere("x")) == "private/cancel_all"
    assert pool_name(*cancel_by_label("x", "BTC")) == "private/cancel_by_label"


def test_a_burst_of_quotes_leaves_the_reserve_to_hedges_and_cancels() -> None:
    spending = budget()
    assert granted(spending, START, BUY, Priority.QUOTE) == 14
    assert granted(spending, START, BUY, Priority.HEDGE) == 3
    assert granted(spending, START, CANCEL, Priority.CANCEL) == 3


def test_quotes_come_back_at_the_sustained_rate_once_the_burst_is_gone() -> None:
    spending = budget()
    granted(spending, START, BUY, Priority.QUOTE)
    due = spending.ready_at(START, BUY, Priority.QUOTE)
    assert due == START + 200 * MILLISECOND
    assert not spending.grant(Nanos(due - 1), BUY, Priority.QUOTE)
    assert spending.grant(due, BUY, Priority.QUOTE)
    assert granted(spending, Nanos(due + 2 * SECOND), BUY, Priority.QUOTE) == 10


def test_a_long_rest_gives_no_more_than_the_burst() -> None:
    spending = budget()
    assert granted(spending, Nanos(START + 3600 * SECOND), CANCEL, Priority.CANCEL) == 20


def test_pools_do_not_draw_on_each_other() -> None:
    spending = budget()
    granted(spending, START, BUY, Priority.CANCEL)
    assert not spending.grant(START, CANCEL, Priority.CANCEL)
    assert spending.grant(START, EVERYTHING, Priority.CANCEL)
    assert granted(spending, START, QUERY, Priority.QUOTE, 200) == 100


def test_quotes_leave_two_slots_in_flight_and_a_settled_request_frees_one() -> None:
    spending = budget(in_flight_max=6)
    assert granted(spending, START, BUY, Priority.QUOTE) == 4
    assert spending.ready_at(START, BUY, Priority.QUOTE) is None
    assert granted(spending, START, BUY, Priority.HEDGE) == 1
    assert granted(spending, START, CANCEL, Priority.CANCEL) == 1
    for _ in range(3):
        spending.settled(BUY)
    assert granted(spending, START, BUY, Priority.QUOTE) == 1
    spending.dropped()
    assert spending.in_flight == 0


def test_queries_take_no_slot() -> None:
    spending = budget(in_flight_max=3)
    granted(spending, START, QUERY, Priority.QUOTE)
    assert spending.in_flight == 0
    spending.settled(QUERY)
    assert spending.in_flight == 0


def test_new_limits_forgive_nothing() -> None:
    spending = budget()
    granted(spending, START, CANCEL, Priority.CANCEL)
    spending.apply(START, RateLimits(trading=Limit(30.0, 100)), reserve=6)
    assert spending.left(START) == 80
    spending.apply(START, RateLimits(trading=Limit(5.0, 20)), reserve=6)
    assert spending.left(START) == 0


def test_after_too_many_requests_nothing_is_left_and_time_brings_it_back() -> None:
    spending = budget()
    spending.drained(START, BUY)
    assert spending.left(START) == 0
    assert spending.left(Nanos(START + 4 * SECOND)) == 20


def test_a_burst_not_above_the_reserve_keeps_one_credit_for_quotes() -> None:
    spending = budget(burst=4, reserve=6)
    assert granted(spending, START, BUY, Priority.QUOTE) == 1
    assert spending.left(START) == 3


def test_limits_can_be_scaled_and_capped() -> None:
    limits = RateLimits(trading=Limit(10.0, 30), queries=Limit(20.0, 1)).scaled(0.8)
    assert limits.trading == Limit(8.0, 24)
    assert limits.queries == Limit(16.0, 1)
    assert limits.capped(Limit(4.0, 100)).trading == Limit(4.0, 24)


def test_too_few_slots_for_quotes_is_an_error() -> None:
    with pytest.raises(ValueError, match="in_flight_max"):
        budget(in_flight_max=2)


@given(
    st.floats(0.5, 100),
    st.integers(1, 50),
    st.lists(st.integers(0, 2 * SECOND), min_size=1, max_size=300),
)
def test_no_window_of_time_ever_holds_more_than_burst_plus_refill(
    rate: float, burst: int, gaps: list[int]
) -> None:
    bucket, now, grants = Bucket(Limit(rate, burst)), START, []
    for gap in gaps:
        now = Nanos(now + gap // 20)
        if bucket.left(now) > 0:
            assert bucket.ready_at(now, 0) == now
            bucket.spend(now)
            grants.append(now)
        else:
            due = bucket.ready_at(now, 0)
            assert bucket.left(Nanos(due - 1)) == 0
            assert bucket.left(due) >= 1
    interval = round(SECOND / rate)
    for first, start in enumerate(grants):
        for last in range(first, len(grants)):
            assert last - first + 1 <= burst + (grants[last] - start) // interval + 1


@given(st.lists(st.sampled_from(list(Priority)), max_size=80), st.integers(0, 19))
def test_quotes_alone_never_stop_a_cancel(priorities: list[Priority], reserve: int) -> None:
    spending = budget(reserve=max(reserve, 1))
    for priority in priorities:
        if priority is not Priority.CANCEL:
            spending.grant(START, BUY, Priority.QUOTE)
    assert spending.grant(START, CANCEL, Priority.CANCEL)
