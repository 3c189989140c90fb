"""Orders are credited to the frame whose price they bear, and to no younger one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.market import HALF_SPREAD
from bench.stopwatch import Stopwatch, centre_of, tallied
from bench.tape import TOUR, centre_price

centres = st.sampled_from(TOUR)


@given(centres, st.sampled_from([-1, 1]), st.floats(min_value=0.0, max_value=0.5))
def test_a_quote_rounded_away_from_the_market_names_its_centre(
    centre: int, sign: int, rounding: float
) -> None:
    price = centre_price(centre) + sign * (HALF_SPREAD + rounding)
    assert centre_of(price, HALF_SPREAD) == centre


@given(centres, st.sampled_from([-2.0, 2.0]))
def test_a_price_between_two_centres_names_none(centre: int, off: float) -> None:
    assert centre_of(centre_price(centre) - HALF_SPREAD + off, HALF_SPREAD) is None


@pytest.mark.parametrize("beyond", [min(TOUR) - 1, max(TOUR) + 1])
def test_a_price_outside_the_tour_names_none(beyond: int) -> None:
    assert centre_of(centre_price(beyond) - HALF_SPREAD, HALF_SPREAD) is None


def test_the_first_order_stops_the_time_and_the_other_side_does_not() -> None:
    watch = Stopwatch()
    watch.moved(3, at=100)
    watch.ordered(3, at=350)
    watch.ordered(3, at=900)
    tally = watch.tally()
    assert (tally.latencies, tally.further, tally.late, tally.missed) == ((250,), 1, 0, 0)


def test_a_late_order_is_credited_to_its_own_move() -> None:
    watch = Stopwatch()
    watch.moved(3, at=100)
    watch.moved(4, at=200)
    watch.ordered(3, at=210)
    watch.ordered(4, at=230)
    tally = watch.tally()
    assert tally.latencies == (110, 30)
    assert (tally.late, tally.missed, tally.moves) == (1, 0, 2)


def test_a_move_that_nothing_answers_is_missed_and_has_no_latency() -> None:
    watch = Stopwatch()
    watch.moved(3, at=100)
    watch.moved(4, at=200)
    watch.ordered(4, at=230)
    tally = watch.tally()
    assert (tally.latencies, tally.missed) == ((30,), 1)


def test_a_centre_that_comes_round_unanswered_starts_anew_and_counts_as_missed() -> None:
    watch = Stopwatch()
    watch.moved(3, at=100)
    watch.moved(3, at=1_000)
    watch.ordered(3, at=1_020)
    tally = watch.tally()
    assert (tally.latencies, tally.missed, tally.moves) == ((20,), 1, 2)


def test_an_order_of_no_centre_stops_nothing() -> None:
    watch = Stopwatch()
    watch.moved(3, at=100)
    watch.ordered(None, at=110)
    tally = watch.tally()
    assert (tally.latencies, tally.unmatched, tally.missed) == ((), 1, 1)


@given(st.lists(st.tuples(st.booleans(), centres)))
def test_every_move_is_either_answered_or_missed(acts: list[tuple[bool, int]]) -> None:
    watch = Stopwatch()
    for at, (is_move, centre) in enumerate(acts):
        if is_move:
            watch.moved(centre, at)
        else:
            watch.ordered(centre, at)
    tally = watch.tally()
    assert len(tally.latencies) + tally.missed == tally.moves
    assert len(tally.latencies) + tally.further == len(acts) - tally.moves
    assert all(latency > 0 for latency in tally.latencies)


def test_rounds_add_up() -> None:
    one, other = Stopwatch(), Stopwatch()
    one.moved(1, at=0)
    one.ordered(1, at=5)
    other.moved(2, at=0)
    whole = tallied([one.tally(), other.tally()])
    assert (whole.latencies, whole.moves, whole.missed) == ((5,), 2, 1)
