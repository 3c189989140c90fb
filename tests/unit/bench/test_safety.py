"""The safety figures: each measure gives one, the same seed the same one, and they keep their bounds."""

import tomllib
from pathlib import Path

import pytest

from bench.printing import safety_lines
from bench.quantiles import NotMeasured
from bench.safety import MEASURES, Report, Sample, row_of, sample
from shared.params import change_params, parse_params

ROOT = Path(__file__).parents[3]
PARAMS = parse_params(tomllib.loads((ROOT / "config" / "demo.toml").read_text()))
SEEDS = tuple(f"safety {n}" for n in (5, 8, 16, 19, 31))
"""Among them those in which an edit was on its way when the word ended."""
ROUND_TRIP_S = 0.024
EDIT_AND_CANCEL_S = 0.037
HEARTBEAT_S = 23.0


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_gives_a_figure_and_the_same_one_again(name: str) -> None:
    first = sample(name, "1", PARAMS)
    assert first.seconds > 0.0
    assert sample(name, "1", PARAMS) == first


@pytest.mark.parametrize("name", ["kill -> empty book", "gap seen -> its quotes gone"])
def test_what_the_oms_hears_of_costs_a_cancel_behind_an_edit_in_flight_at_most(name: str) -> None:
    assert max(sample(name, str(seed), PARAMS).seconds for seed in range(5)) < EDIT_AND_CANCEL_S


@pytest.mark.parametrize("lease_ms", [500, 800, 2_000])
@pytest.mark.parametrize("part", ["marketdata", "quoter", "risk"])
def test_without_a_part_nothing_rests_beyond_the_lease(part: str, lease_ms: int) -> None:
    renewal_ms = lease_ms // 5
    params = change_params(PARAMS, {"risk.lease_ms": lease_ms, "risk.lease_renewal_ms": renewal_ms})
    for state in ("dies", "hangs"):
        for seed in SEEDS:
            took = sample(f"{part} {state} -> empty book", seed, params)
            assert took.seconds < lease_ms / 1e3


def test_an_oms_that_hangs_is_left_to_the_exchanges_heartbeat() -> None:
    assert sample("oms hangs -> empty book", "3", PARAMS).seconds < HEARTBEAT_S
    assert sample("oms dies -> empty book", "3", PARAMS).seconds < ROUND_TRIP_S


def test_a_row_condenses_its_samples_and_no_samples_are_no_row() -> None:
    row = row_of("x", [Sample(n / 1e3, n / 10) for n in range(1, 101)])
    assert (row.samples, row.p50_ms, row.p90_ms, row.p99_ms, row.worst_ms) == (100, 50, 90, 99, 100)
    assert row.orphan_s == 10.0
    with pytest.raises(NotMeasured):
        row_of("x", [])


def test_the_table_shows_every_row_under_its_kind() -> None:
    row = row_of("kill -> empty book", [Sample(0.0115, 0.0)])
    report = Report(header={"cores": "2"}, lease_ms=2_000, simulated=(row,), real=())
    text = "\n".join(safety_lines(report))
    assert "lease of 2000 ms" in text
    assert "kill -> empty book" in text
    assert "real processes" not in text
