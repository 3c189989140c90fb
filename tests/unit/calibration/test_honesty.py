"""A short seeded run of the simulated market: what is stable within minutes holds, and probes are judged."""

import pytest

from backtest.trial import FACTS, OPENING, Plan, perform, plans
from calibration import facts, honesty
from calibration.record import Path, Print
from calibration.tally import Tally
from shared.kernel import Nanos
from shared.units import HOUR, SECOND

STABLE = (
    "one tick, share of time", "mean, ticks", "within 1.2 bp, k USD", "within 6 bp, M USD",
    "within 12 bp, M USD", "prints an order", "75 %, USD", "autocorrelation at lag 1",
    "correlation with next 1 s",
    "R2 of OFI, 1 s", "within 3 deviations of its carry",
)  # fmt: skip


def plan(part: str, hours: float = 0.2) -> Plan:
    start = Nanos(OPENING + 11 * HOUR)
    return Plan(seed="short", start=start, hours=hours, regime="NORMAL", part=part)


def test_what_is_stable_within_minutes_holds_in_the_simulated_market() -> None:
    tally = Tally()
    for each in plans(["short.1", "short.2", "short.3"], 0.25, "NORMAL", (FACTS,)):
        tally.merge(perform(each))
    missed = []
    for fact in facts.facts_of(0.35):
        value = fact.formula(tally)
        if fact.name in STABLE and (value is None or not fact.holds(value)):
            missed.append((fact.name, value))
    assert missed == []


def test_the_same_plan_tells_the_same_to_the_last_digit() -> None:
    assert perform(plan(FACTS, 0.05)) == perform(plan(FACTS, 0.05))


def test_a_naive_maker_at_the_touch_is_filled_and_loses() -> None:
    tally = perform(plan("touch", 0.4))
    assert tally.sums[f"{honesty.TOUCH}/fills"] > 30
    assert (tally.mean(f"{honesty.TOUCH}/markout 5") or 0.0) < -0.2


def test_a_probe_is_judged_by_its_own_side_and_in_coin() -> None:
    tally = Tally()
    path = Path([Nanos(0), Nanos(4 * SECOND), Nanos(100 * SECOND)], [100.0, 101.0, 102.0])
    fills = [Print(Nanos(SECOND), 1, 100.0, 1_000.0), Print(Nanos(SECOND), -1, 100.0, 500.0)]
    honesty.judge("me", fills, path, tally)
    assert tally.samples["me/gross"] == [pytest.approx(500.0 * (1 / 100.0 - 1 / 102.0))]
    assert tally.mean("me/markout 5") == pytest.approx(0.0)
    assert tally.sums["me/fills"] == 2


def test_gross_profit_counts_only_when_it_stands_out_from_its_noise() -> None:
    named = {fact.name: fact for fact in honesty.facts()}
    fact = named["2 bp, skew: gross, deviations over 0"]
    sure, unsure = Tally(), Tally()
    for value in (1.0, 1.1, 0.9, 1.0):
        sure.sample("benign/2 bp, skew/gross", value)
    for value in (3.0, -3.0, 2.0, -1.0):
        unsure.sample("benign/2 bp, skew/gross", value)
    assert fact.holds(fact.formula(sure) or 0.0)
    assert not fact.holds(fact.formula(unsure) or 0.0)
    assert fact.formula(Tally()) is None
