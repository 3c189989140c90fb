"""The quote formula: arithmetic by hand, and what must hold for any input."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.quoter.formula import Market, price, stance
from shared.params import QuoterParams
from shared.units import BPS, Side, is_multiple
from tests.unit.quoter.scene import DATED, spec_of

PERPETUAL_SPEC = spec_of()
HARD = 0.3


def market_of(mid: float = 85_000.25, spread: float = 0.5) -> Market:
    return Market(
        best_bid=mid - spread / 2,
        best_ask=mid + spread / 2,
        min_price=mid * 0.97,
        max_price=mid * 1.03,
    )


def test_half_spread_is_the_move_before_we_can_follow_plus_what_every_fill_costs() -> None:
    # 35 % a year at 85,000 is 5.3 USD/sqrt(s); 1.5 bp fee and 1 bp mark-out of 85,000 USD.
    ours = stance(85_000.0, 5.3, 0.0, 0.00015, QuoterParams(), HARD)
    assert ours.vol_half_spread == pytest.approx(5.3 * math.sqrt(2.0), abs=1e-6)
    assert ours.fee_floor == pytest.approx(12.75, abs=1e-6)
    assert ours.adverse_selection == pytest.approx(8.5, abs=1e-6)
    assert ours.min_spread_lift == 0.0
    assert ours.half_spread == pytest.approx(7.495 + 12.75 + 8.5, abs=1e-3)


def test_a_half_spread_below_the_least_is_lifted_to_it() -> None:
    ours = stance(85_000.0, 0.1, 0.0, -0.0001, QuoterParams(), HARD)
    assert ours.half_spread == pytest.approx(2.0 * BPS * 85_000.0, abs=1e-6)
    assert ours.min_spread_lift > 0.0


def test_a_long_inventory_moves_the_centre_down_by_gamma_sigma_squared_tau() -> None:
    ours = stance(85_000.0, 5.3, 0.1, 0.0, QuoterParams(), HARD)
    assert ours.inventory_shift == pytest.approx(-0.02 * 5.3**2 * 60 * 0.1, abs=1e-6)
    assert ours.reservation == 85_000.0 + ours.inventory_shift


def test_in_a_storm_the_shift_is_bounded_to_five_quarters_of_the_half_spread() -> None:
    ours = stance(85_000.0, 60.0, HARD, 0.0, QuoterParams(), HARD)
    assert ours.inventory_shift == pytest.approx(-1.25 * ours.half_spread, abs=1e-5)
    beyond = stance(85_000.0, 60.0, 2 * HARD, 0.0, QuoterParams(), HARD)
    assert beyond.inventory_shift == ours.inventory_shift


def test_prices_stand_at_the_half_spread_from_the_centre_and_round_away_from_the_market() -> None:
    ours = stance(85_000.25, 2.0, 0.0, 0.0, QuoterParams(), HARD)
    half = 2.0 * BPS * 85_000.25
    bid = price(Side.BUY, ours, market_of(), PERPETUAL_SPEC)
    ask = price(Side.SELL, ours, market_of(), PERPETUAL_SPEC)
    assert bid is not None
    assert ask is not None
    assert bid.price == math.floor((85_000.25 - half) * 2) / 2
    assert ask.price == math.ceil((85_000.25 + half) * 2) / 2


def test_a_narrow_market_is_joined_and_never_improved() -> None:
    tight = QuoterParams(half_spread_min_bps=0.06, adverse_selection_bps=0, volatility_weight=0)
    narrow = market_of(85_000.5, 1.0)
    leaning_up = stance(85_000.5, 40.0, -HARD, 0.0, tight, HARD)
    assert leaning_up.reservation - leaning_up.half_spread > narrow.best_bid
    bid = price(Side.BUY, leaning_up, narrow, PERPETUAL_SPEC)
    assert bid is not None
    assert bid.price == narrow.best_bid


def test_a_wide_market_is_improved_by_one_tick_at_most() -> None:
    ours = stance(85_000.0, 2.0, 0.0, 0.0, QuoterParams(), HARD)
    wide = market_of(85_000.0, 100.0)
    bid = price(Side.BUY, ours, wide, PERPETUAL_SPEC)
    ask = price(Side.SELL, ours, wide, PERPETUAL_SPEC)
    assert bid is not None
    assert ask is not None
    assert (bid.price, ask.price) == (84_950.5, 85_049.5)
    assert dict(bid.parts)["clamp"] < 0 < dict(ask.parts)["clamp"]


def test_a_side_that_the_band_does_not_allow_is_left_out() -> None:
    ours = stance(85_000.0, 2.0, 0.0, 0.0, QuoterParams(), HARD)
    lifted = Market(best_bid=84_999.5, best_ask=85_000.5, min_price=84_999.0, max_price=90_000.0)
    assert price(Side.BUY, ours, lifted, PERPETUAL_SPEC) is None
    assert price(Side.SELL, ours, lifted, PERPETUAL_SPEC) is not None


def test_a_band_that_only_pushes_outward_clamps() -> None:
    ours = stance(85_000.0, 2.0, 0.0, 0.0, QuoterParams(), HARD)
    lowered = Market(best_bid=84_999.5, best_ask=85_000.5, min_price=80_000.0, max_price=84_900.0)
    bid = price(Side.BUY, ours, lowered, PERPETUAL_SPEC)
    assert bid is not None
    assert bid.price == 84_900.0


prices = st.floats(5_000.0, 200_000.0, allow_nan=False)


@given(
    mid=prices,
    spread_ticks=st.integers(1, 40),
    sigma=st.floats(0.5, 60.0),
    delta=st.floats(-0.5, 0.5),
    fee=st.floats(-0.0005, 0.001),
    tick=st.sampled_from((0.01, 0.1, 0.25, 0.5, 2.5)),
    gamma=st.floats(0.0005, 0.2),
)
def test_parts_add_up_exactly_and_sides_never_cross(
    mid: float,
    spread_ticks: int,
    sigma: float,
    delta: float,
    fee: float,
    tick: float,
    gamma: float,
) -> None:
    spec = spec_of(DATED, tick=tick)
    best_bid = round(math.floor(mid / tick) * tick, 10)
    best_ask = round(best_bid + spread_ticks * tick, 10)
    market = Market(best_bid=best_bid, best_ask=best_ask, min_price=mid * 0.9, max_price=mid * 1.1)
    params = QuoterParams(gamma=gamma, half_spread_min_bps=0.06)
    ours = stance(market.mid, sigma, delta, fee, params, HARD)
    bid = price(Side.BUY, ours, market, spec)
    ask = price(Side.SELL, ours, market, spec)
    assert bid is not None
    assert ask is not None
    for quoted in (bid, ask):
        total = 0.0
        for _, part in quoted.parts:
            total += part
        assert total == quoted.price
        assert math.fsum(part for _, part in quoted.parts) == quoted.price
        assert is_multiple(quoted.price, tick)
    assert bid.price < ask.price
    assert bid.price < best_ask
    assert ask.price > best_bid
    assert abs(ours.inventory_shift) <= 1.25 * ours.half_spread + 1e-5
