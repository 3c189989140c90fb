"""Attribution: whatever the path of fills and prices, the parts sum to the mark-to-market profit."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.risk.pnl import Attribution
from shared.kernel import Nanos
from shared.messages import Liquidity
from shared.units import HOUR, Side
from tests.unit.risk.scene import NOON, PERPETUAL, fill, position, spec, ticker

SPEC = spec()
PRICES = st.floats(min_value=10_000, max_value=200_000)
FILLS = st.tuples(
    st.sampled_from(Side),
    st.integers(1, 10_000).map(lambda contracts: contracts * 10.0),
    PRICES,
    PRICES,
    st.floats(min_value=-1e-5, max_value=1e-5),
    st.sampled_from(Liquidity),
)
Drawn = tuple[Side, float, float, float, float, Liquidity]
STEPS = st.lists(st.one_of(PRICES, FILLS), max_size=40)


def opened(amount: float = 0.0, mark: float = 60_000.0) -> Attribution:
    attribution = Attribution()
    attribution.reported(position(NOON, amount=amount), None)
    attribution.marked(ticker(NOON, mark), SPEC)
    return attribution


@given(start=st.integers(-1_000, 1_000), first=PRICES, steps=STEPS, last=PRICES)
def test_the_parts_sum_to_the_mark_to_market_total(
    start: int, first: float, steps: list[float | Drawn], last: float
) -> None:
    attribution = opened(start * 10.0, first)
    # The reference knows nothing of parts: every piece held, from what it cost to the last mark.
    expected = start * 10.0 * (1 / first - 1 / last)
    for step in steps:
        if isinstance(step, float):
            attribution.marked(ticker(NOON, step), SPEC)
        else:
            side, amount, price, mid, fee, liquidity = step
            trade = fill(NOON, side, amount, price, fee=fee, liquidity=liquidity)
            attribution.filled(trade, SPEC, mid)
            expected += side.sign * amount * (1 / price - 1 / last) - fee
    attribution.marked(ticker(NOON, last), SPEC)

    assert attribution.parts.total == pytest.approx(expected, abs=1e-9, rel=1e-9)


def test_a_maker_buying_below_the_mid_earns_spread_and_a_taker_pays_hedge() -> None:
    attribution = opened()

    attribution.filled(fill(NOON, Side.BUY, 6_000.0, 59_990.0, fee=1e-6), SPEC, 60_000.0)
    taken = fill(NOON, Side.SELL, 6_000.0, 59_995.0, liquidity=Liquidity.TAKER)
    attribution.filled(taken, SPEC, 60_000.0)

    assert attribution.parts.spread == pytest.approx(6_000 * (1 / 59_990 - 1 / 60_000))
    assert attribution.parts.hedge == pytest.approx(-6_000 * (1 / 59_995 - 1 / 60_000))
    assert attribution.parts.fees == 1e-6
    assert attribution.parts.inventory == pytest.approx(0.0, abs=1e-15)


def test_a_fill_that_a_new_oms_finds_anew_is_counted_once() -> None:
    attribution = opened()
    told = fill(NOON, Side.BUY, 6_000.0, 59_990.0, fee=1e-6)
    attribution.filled(told, SPEC, 60_000.0)
    attribution.filled(msgspec.structs.replace(told, recovered=True), SPEC, 60_000.0)
    assert attribution.holdings[PERPETUAL].amount == 6_000.0
    assert attribution.parts.fees == 1e-6


def test_a_mark_that_differs_from_the_mid_is_inventory_and_not_spread() -> None:
    attribution = opened(mark=60_100.0)

    attribution.filled(fill(NOON, Side.BUY, 6_000.0, 59_990.0), SPEC, 60_000.0)

    assert attribution.parts.inventory == pytest.approx(6_000 * (1 / 60_000 - 1 / 60_100))


def test_a_long_pays_positive_funding_as_in_the_reference_example() -> None:
    attribution = opened(12_000.0, 60_030.0)
    attribution.marked(ticker(NOON, 60_030.0, current_funding=0.00025), SPEC)
    attribution.marked(ticker(Nanos(NOON + HOUR), 60_030.0), SPEC)

    # 12000 USD at 60030, 0.025 % per 8 h, one hour; the published example says 6.25e-6 at the index.
    assert attribution.parts.funding == pytest.approx(-6.25e-6, rel=1e-3)
    assert attribution.parts.inventory == 0.0


def test_one_report_may_overtake_its_fill_but_two_mean_it_was_lost() -> None:
    attribution = opened()

    assert attribution.reported(position(NOON, amount=50.0), None) is None
    attribution.filled(fill(NOON, Side.BUY, 50.0, 60_000.0), SPEC, 60_000.0)
    assert attribution.reported(position(NOON, amount=50.0), None) is None
    assert attribution.holdings[PERPETUAL].amount == 50.0

    assert attribution.reported(position(NOON, amount=90.0), None) is None
    assert attribution.reported(position(NOON, amount=90.0), None) == 40.0
    assert attribution.holdings[PERPETUAL].amount == 90.0


def test_an_adopted_amount_earns_nothing_before_it_was_adopted() -> None:
    attribution = opened(mark=60_000.0)
    attribution.marked(ticker(NOON, 61_000.0), SPEC)
    attribution.reported(position(NOON, amount=100.0), None)
    attribution.reported(position(NOON, amount=100.0), None)

    assert attribution.parts.total == 0.0
    attribution.marked(ticker(NOON, 62_000.0), SPEC)
    assert attribution.parts.inventory == pytest.approx(100 * (1 / 61_000 - 1 / 62_000))
