"""Exposure is exact: reciprocals at mark, worst case by side, nothing silently left out."""

import pytest

from services.risk.exposure import measure
from tests.unit.risk.scene import FUTURE, NOON, PERPETUAL, position, spec

SPECS = {PERPETUAL: spec(PERPETUAL), FUTURE: spec(FUTURE)}
MARKS = {PERPETUAL: 50_000.0, FUTURE: 40_000.0}


def test_net_delta_is_the_sum_of_amounts_over_their_own_marks() -> None:
    held = {
        PERPETUAL: position(NOON, amount=10_000.0, average_price=50_000.0),
        FUTURE: position(NOON, name=FUTURE, amount=-2_000.0, average_price=40_000.0),
    }

    exposure = measure(held, SPECS, MARKS)

    assert exposure.deltas == {PERPETUAL: 0.2, FUTURE: -0.05}
    assert exposure.net == pytest.approx(0.15)
    assert exposure.open_loss == 0.0


def test_the_worst_case_fills_all_working_orders_of_one_side() -> None:
    held = {
        PERPETUAL: position(NOON, amount=5_000.0, working_buy=5_000.0, working_sell=15_000.0),
        FUTURE: position(NOON, name=FUTURE, working_buy=4_000.0),
    }

    # 0.1 held; buying 0.1 and 0.1 more gives 0.3, selling 0.3 gives -0.2.
    assert measure(held, SPECS, MARKS).worst == pytest.approx(0.3)
    held[PERPETUAL] = position(NOON, amount=5_000.0, working_sell=25_000.0)
    assert measure(held, SPECS, MARKS).worst == pytest.approx(0.4)


def test_a_holding_without_a_mark_is_named_and_a_flat_one_is_not() -> None:
    held = {PERPETUAL: position(NOON, amount=10.0), FUTURE: position(NOON, name=FUTURE)}

    exposure = measure(held, SPECS, {})

    assert exposure.unmarked == (PERPETUAL,)
    assert exposure.deltas == {}


def test_open_loss_is_measured_against_the_average_entry() -> None:
    held = {PERPETUAL: position(NOON, amount=185_160.0, average_price=17_391.0)}

    loss = measure(held, SPECS, {PERPETUAL: 15_000.0}).open_loss

    assert loss == pytest.approx(1.69711368, abs=1e-8)
