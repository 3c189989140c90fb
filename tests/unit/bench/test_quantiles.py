"""Quantiles are ranks of what was measured; ratios are taken round by round; no sample is no number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.quantiles import (
    NotMeasured,
    Quantiles,
    median_quantiles,
    quantile,
    quantiles,
    ratio,
)

latencies = st.lists(st.integers(min_value=0, max_value=10**9), min_size=1)


def test_of_a_thousand_ranks_each_quantile_is_its_rank() -> None:
    assert quantiles(range(1000, 0, -1)) == Quantiles(500, 990, 999)


@given(latencies, st.floats(min_value=0.001, max_value=1.0))
def test_a_quantile_is_a_measured_value_that_its_share_does_not_exceed(
    values: list[int], share: float
) -> None:
    ordered = sorted(values)
    found = quantile(ordered, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) < share * len(values) + 1e-9


def test_without_a_sample_nothing_is_measured() -> None:
    with pytest.raises(NotMeasured, match="no sample"):
        quantiles([])
    with pytest.raises(NotMeasured, match="no round"):
        median_quantiles([])


def test_one_bad_round_of_three_does_not_move_the_median() -> None:
    good, bad = list(range(1, 101)), [10**6] * 100
    assert median_quantiles([good, bad, good]) == quantiles(good)


def test_a_slow_minute_that_hits_both_leaves_the_ratio_alone() -> None:
    assert ratio([20.0, 400.0, 22.0], [10.0, 200.0, 11.0]) == 2.0


@pytest.mark.parametrize(
    ("ours", "floor", "why"),
    [
        ([], [], "0 rounds"),
        ([1.0], [], "1 rounds of ours against 0"),
        ([1.0], [0.0], "took no time"),
    ],
)
def test_a_floor_that_was_not_run_is_no_ratio(
    ours: list[float], floor: list[float], why: str
) -> None:
    with pytest.raises(NotMeasured, match=why):
        ratio(ours, floor)
