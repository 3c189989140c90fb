"""Inverse and linear arithmetic against published figures and against exact fractions."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.instruments import Instrument, Payoff, TickStep
from shared.kernel import Nanos
from shared.units import Side


def future(payoff: Payoff = Payoff.INVERSE, **changes: object) -> Instrument:
    """BTC-PERPETUAL, or with some members changed."""
    members: dict[str, object] = {
        "name": "BTC-PERPETUAL",
        "payoff": payoff,
        "base": "BTC",
        "settlement": "BTC" if payoff is Payoff.INVERSE else "USDC",
        "index": "btc_usd",
        "perpetual": True,
        "expiry": Nanos(32_503_708_800_000_000_000),
        "tick": 0.5,
        "contract_size": 10.0,
        "amount_step": 10.0,
        "maker_fee": 0.00015,
        "taker_fee": 0.00035,
    }
    return Instrument(**{**members, **changes})  # type: ignore[arg-type]  # members are listed above


prices = st.floats(min_value=1_000, max_value=500_000).map(lambda price: round(price * 2) / 2)
lots = st.integers(min_value=1, max_value=100_000).map(lambda count: count * 10.0)


def test_the_published_example_of_a_long_position() -> None:
    """185,160 USD at 15,000 marked at 17,391: Deribit prints these figures."""
    perpetual = future()
    assert perpetual.delta(185_160, 17_391) == pytest.approx(10.646886321, abs=5e-10)
    assert perpetual.pnl(185_160, 15_000, 17_391) == pytest.approx(1.69711368, abs=5e-9)
    assert perpetual.pnl(185_160, 16_025.83, 17_391) == pytest.approx(0.906961435, abs=5e-9)


def test_a_long_gains_less_from_a_rise_than_it_loses_in_a_fall() -> None:
    """0.3 BTC long at 85,000: +5 % gives +0.01429, -5 % gives -0.01579 BTC (inverse convexity)."""
    perpetual = future()
    amount = 0.3 * 85_000
    assert perpetual.pnl(amount, 85_000, 85_000 * 1.05) == pytest.approx(0.01429, abs=5e-6)
    assert perpetual.pnl(amount, 85_000, 85_000 * 0.95) == pytest.approx(-0.01579, abs=5e-6)


def test_a_maker_fee_is_a_fraction_of_the_value_in_btc() -> None:
    assert future().fee(40, 60_030, 0.00015) == pytest.approx(9.995e-8, abs=1e-11)
    assert future().fee(-40, 60_030, -0.00015) == pytest.approx(-9.995e-8, abs=1e-11)


@given(lots, prices, lots, prices)
def test_the_average_entry_is_harmonic(first: float, p1: float, second: float, p2: float) -> None:
    average = future().average_entry(first, p1, second, p2)
    exact = (Fraction(first) + Fraction(second)) / (
        Fraction(first) / Fraction(p1) + Fraction(second) / Fraction(p2)
    )
    assert average == pytest.approx(float(exact), rel=1e-12)


@given(lots, prices, lots, prices, prices)
def test_a_merged_position_is_worth_what_its_pieces_are(
    first: float, p1: float, second: float, p2: float, mark: float
) -> None:
    perpetual = future()
    average = perpetual.average_entry(first, p1, second, p2)
    merged = perpetual.pnl(first + second, average, mark)
    pieces = perpetual.pnl(first, p1, mark) + perpetual.pnl(second, p2, mark)
    scale = (first + second) / min(p1, p2, mark)
    assert merged == pytest.approx(pieces, abs=1e-12 * scale)


@given(lots, prices, prices)
def test_a_short_is_the_mirror_of_a_long(amount: float, entry: float, mark: float) -> None:
    for payoff in Payoff:
        instrument = future(payoff)
        long, short = (
            instrument.pnl(amount, entry, mark),
            instrument.pnl(-amount, entry, mark),
        )
        assert long == -short


def test_a_linear_contract_counts_in_the_quote_coin() -> None:
    linear = future(Payoff.LINEAR, contract_size=0.0001, amount_step=0.0001)
    assert linear.delta(0.02, 60_000) == 0.02
    assert linear.pnl(0.02, 60_000, 60_100) == pytest.approx(2.0)
    assert linear.average_entry(0.01, 60_000, 0.03, 60_400) == pytest.approx(60_300)
    assert linear.fee(0.02, 60_000, 0.00015) == pytest.approx(0.18)
    assert linear.round_amount(0.02005) == 0.02


@given(lots, prices)
def test_a_delta_converts_back_to_its_amount(amount: float, price: float) -> None:
    perpetual = future()
    assert perpetual.amount_for(perpetual.delta(amount, price), price) == pytest.approx(amount)


def test_prices_round_away_from_the_market_on_the_tick_in_force() -> None:
    stepped = future(tick=0.5, tick_steps=(TickStep(above_price=100_000, tick=5.0),))
    assert stepped.passive_price(Side.BUY, 60_029.9) == 60_029.5
    assert stepped.passive_price(Side.SELL, 60_029.6) == 60_030.0
    assert stepped.passive_price(Side.BUY, 100_004.0) == 100_000.0
    assert stepped.is_on_tick(100_000.5) is False
    assert stepped.is_on_tick(99_999.5) is True
    assert stepped.round_amount(1_709.0) == 1_700.0
