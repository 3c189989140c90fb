"""Grids, sides and times."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import units
from shared.units import Side

TICKS = (0.5, 2.5, 0.05, 0.01, 0.0001, 10.0)


@pytest.mark.parametrize(
    ("value", "step", "down", "up"),
    [
        (60029.5, 0.5, 60029.5, 60029.5),
        (60029.74, 0.5, 60029.5, 60030.0),
        (0.3, 0.1, 0.3, 0.3),
        (2973.55, 0.05, 2973.55, 2973.55),
        (1705.9, 10.0, 1700.0, 1710.0),
        (-0.3, 0.5, -0.5, 0.0),
    ],
)
def test_rounding_goes_to_the_neighbouring_step(
    value: float, step: float, down: float, up: float
) -> None:
    assert units.round_down(value, step) == down
    assert units.round_up(value, step) == up


@given(st.sampled_from(TICKS), st.integers(min_value=0, max_value=2_000_000))
def test_a_value_on_the_grid_is_left_alone(step: float, steps: int) -> None:
    value = units.on_grid(steps, step)
    assert units.is_multiple(value, step)
    assert units.round_down(value, step) == value == units.round_up(value, step)


@given(
    st.sampled_from(TICKS),
    st.floats(min_value=0, max_value=200_000, allow_nan=False, allow_infinity=False),
)
def test_rounding_never_moves_further_than_one_step(step: float, value: float) -> None:
    slack = step * 2e-6
    down, up = units.round_down(value, step), units.round_up(value, step)
    assert down <= value + slack
    assert value - slack <= up
    assert up - down <= step + slack
    assert Fraction(round(down / step)) * Fraction(str(step)) == Fraction(str(down))


@given(
    st.sampled_from((*TICKS, 0.1, 0.3, 1e-5, 1 / 3, 2**-11)),
    st.integers(min_value=-(10**9), max_value=10**9),
)
def test_a_value_on_the_grid_has_ten_decimals(step: float, steps: int) -> None:
    assert units.on_grid(steps, step) == round(steps * step, 10)


def test_a_price_between_two_ticks_is_no_multiple() -> None:
    assert not units.is_multiple(60029.6, 0.5)


def test_sides_are_signed() -> None:
    assert (Side.BUY.sign, Side.SELL.sign) == (1, -1)


def test_times_convert_between_the_venues_milliseconds_and_ours() -> None:
    assert units.from_ms(1_790_000_000_123) == 1_790_000_000_123_000_000
    assert units.to_ms(units.from_ms(1_790_000_000_123)) == 1_790_000_000_123
    assert units.from_ms(1.79e12) == 1_790_000_000_000_000_000
    assert math.isclose(units.to_seconds(units.from_seconds(0.3)), 0.3)


def test_a_value_beyond_counting_lies_on_no_grid() -> None:
    assert not units.is_multiple(1e308, 0.5)
    assert not units.is_multiple(math.inf, 0.5)
