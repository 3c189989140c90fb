"""A plan that breaks something is cut down to what is needed for it."""

import msgspec

from backtest.faults import Due, Word
from backtest.shrinking import shrink
from backtest.simulation import Run
from shared.kernel import Nanos
from shared.units import SECOND


def due(second: int) -> Due:
    """Something at a time."""
    return Due(Nanos(second * SECOND), Word("pause"))


def run_of(dues: tuple[Due, ...], rule: str, at_s: float = 0.0) -> Run:
    """The outcome of a plan."""
    return Run(
        seed="1",
        setting="evening",
        simulated_s=600.0,
        steps=100 * len(dues),
        faults=len(dues),
        fills=0,
        digest="",
        rule=rule,
        broken_at_s=at_s,
    )


class Bench:
    """Breaks when two certain faults meet, and counts how often it was asked."""

    def __init__(self, *culprits: int) -> None:
        self.culprits = [due(second) for second in culprits]
        self.tries = 0

    def again(self, dues: tuple[Due, ...]) -> Run:
        self.tries += 1
        guilty = all(culprit in dues for culprit in self.culprits)
        return run_of(dues, "fills_once" if guilty else "", 50.5 if guilty else 0.0)


def test_only_the_faults_that_are_needed_are_left() -> None:
    dues = tuple(due(second) for second in range(1, 65))
    bench = Bench(13, 50)
    smallest, left = shrink(bench.again(dues), dues, bench.again)
    assert left == (due(13), due(50))
    assert smallest.faults == 2
    assert smallest.rule == "fills_once"


def test_what_was_due_after_the_breach_goes_first() -> None:
    dues = tuple(due(second) for second in range(1, 1_000))
    bench = Bench(50)
    _, left = shrink(bench.again(dues), dues, bench.again, tries_max=2)
    assert max(left, key=lambda it: it.at) == due(50)
    assert len(left) <= 50


def test_the_tries_are_bounded() -> None:
    dues = tuple(due(second) for second in range(1, 50))
    bench = Bench(*range(1, 50))
    shrink(run_of(dues, "fills_once", 50.5), dues, bench.again, tries_max=7)
    assert bench.tries == 7


def test_a_breach_of_another_rule_is_not_the_one_that_is_looked_for() -> None:
    dues = (due(1), due(2))

    def again(fewer: tuple[Due, ...]) -> Run:
        rule = "fills_once" if len(fewer) == 2 else "post_only"
        return run_of(fewer, rule, 2.5)

    broken = again(dues)
    assert shrink(broken, dues, again) == (msgspec.structs.replace(broken), dues)
