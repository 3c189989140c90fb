"""Volatility and momentum against slow references."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.quoter.signals import FAST_S, SLOW_S, Momentum, Volatility
from shared.kernel import Nanos
from shared.units import MILLISECOND, SECOND, Side


def slow_sigma(samples: list[tuple[float, float]]) -> float:
    """The definition, summed from scratch: weights exp(-age/T) of every (dt, rate), normalised."""

    def mean(horizon: float) -> float:
        total = weight_sum = age = 0.0
        for dt, rate in reversed(samples):
            weight = (1.0 - math.exp(-dt / horizon)) * math.exp(-age / horizon)
            total += weight * rate
            weight_sum += weight
            age += dt
        return total / weight_sum

    return math.sqrt(0.5 * mean(FAST_S) + 0.5 * mean(SLOW_S))


@given(
    st.lists(
        st.tuples(st.integers(1, 50), st.floats(-200, 200, allow_nan=False)),
        min_size=1,
        max_size=60,
    )
)
def test_volatility_equals_the_slow_definition(steps: list[tuple[int, float]]) -> None:
    volatility, now, mid = Volatility(), Nanos(0), 85_000.0
    volatility.observe(now, mid)
    samples = []
    for seconds, move in steps:
        now, mid = Nanos(now + seconds * SECOND), mid + move
        volatility.observe(now, mid)
        samples.append((float(seconds), move**2 / seconds))
    assert volatility.sigma == pytest.approx(slow_sigma(samples), rel=1e-6, abs=1e-6)
    assert volatility.observed_s == sum(seconds for seconds, _ in steps)


def test_a_steady_walk_of_5_usd_a_second_has_sigma_5_at_once_and_later() -> None:
    volatility = Volatility()
    for second in range(2_000):
        volatility.observe(Nanos(second * SECOND), 85_000.0 + (5.0 if second % 2 else 0.0))
        if second > 0:
            assert volatility.sigma == pytest.approx(5.0)


def test_moves_inside_a_second_do_not_count() -> None:
    volatility = Volatility()
    for tenth in range(101):
        bounce = 50.0 if tenth % 10 else 0.0
        volatility.observe(Nanos(tenth * 100 * MILLISECOND), 85_000.0 + bounce)
    assert volatility.sigma == 0.0
    assert volatility.observed_s == pytest.approx(10.0)


def test_after_a_minute_of_silence_the_estimate_starts_again() -> None:
    volatility = Volatility()
    for second in range(100):
        volatility.observe(Nanos(second * SECOND), 85_000.0 + 5.0 * second)
    assert volatility.sigma > 0
    volatility.observe(Nanos(300 * SECOND), 90_000.0)
    assert volatility.sigma == 0.0
    assert volatility.observed_s == 0.0


def test_a_calm_market_forgets_a_jump_faster_in_the_fast_leg() -> None:
    volatility = Volatility()
    for second in range(400):
        volatility.observe(Nanos(second * SECOND), 85_000.0 + (100.0 if second >= 100 else 0.0))
    # 100 USD once in 400 s: the plain mean would be 100/sqrt(400) = 5 USD/sqrt(s).
    assert 0.0 < volatility.sigma < 5.0


SIGMA = 5.0


def falling(momentum: Momentum, usd: float) -> Nanos:
    """Two calm seconds, then a fall within one."""
    for tenth in range(21):
        momentum.observe(Nanos(tenth * 100 * MILLISECOND), 85_000.0, SIGMA)
    now = Nanos(3 * SECOND)
    momentum.observe(now, 85_000.0 - usd, SIGMA)
    return now


def test_a_fall_beyond_three_sigma_pulls_the_bids_for_three_seconds() -> None:
    momentum = Momentum()
    threshold = 3.0 * SIGMA * math.sqrt(2.0)
    now = falling(momentum, threshold + 0.5)
    assert momentum.pulled(now) == (Side.BUY,)
    assert momentum.pulled(Nanos(now + 3 * SECOND - 1)) == (Side.BUY,)
    assert momentum.pulled(Nanos(now + 3 * SECOND)) == ()


def test_a_fall_within_three_sigma_pulls_nothing() -> None:
    momentum = Momentum()
    now = falling(momentum, 3.0 * SIGMA * math.sqrt(2.0) - 0.5)
    assert momentum.pulled(now) == ()


def test_a_rise_pulls_the_asks() -> None:
    momentum = Momentum()
    assert momentum.pulled(falling(momentum, -100.0)) == (Side.SELL,)


def test_a_pull_lasts_while_the_fall_goes_on_more_slowly() -> None:
    momentum = Momentum()
    now, price = falling(momentum, 30.0), 85_000.0 - 30.0
    slower = 2.0 * SIGMA * math.sqrt(2.0) / 20
    for _ in range(80):
        now, price = Nanos(now + 100 * MILLISECOND), price - slower
        momentum.observe(now, price, SIGMA)
    assert momentum.pulled(now) == (Side.BUY,)
