"""Fault simulation in the suite: a bounded number of seeds, and each seed that once found a bug."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from backtest.simulation import Run, adapted, simulate
from console.simulate import Report
from shared.shell.settings import load_params

ROOT = Path(__file__).parents[2]
PARAMS = adapted(load_params(ROOT / "config" / "demo.toml"))
SEEDS = 24
MINUTES = 2.0

FOUND: tuple[tuple[str, float, str], ...] = (
    ("2065", 150.0, "a restarted marketdata forgot a future in which a position was held"),
    ("5020", 150.0, "a book whose login had expired was asked for in vain for ever"),
)
"""Seed, simulated seconds, and the bug that it found."""


def mm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The verb, as a person calls it."""
    return subprocess.run(
        [sys.executable, "-m", "console", "simulate", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(600)
def test_every_invariant_holds_in_every_seed(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    done = mm("--seeds", str(SEEDS), "--minutes", str(MINUTES), "--json", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    report = msgspec.json.decode(file.read_bytes(), type=Report)
    assert [run.rule for run in report.runs] == [""] * SEEDS
    assert report.faults > 5 * SEEDS
    assert report.fills > 10 * SEEDS


@pytest.mark.parametrize(("seed", "seconds", "bug"), FOUND, ids=[found[2] for found in FOUND])
def test_a_seed_that_found_a_bug_finds_it_no_more(seed: str, seconds: float, bug: str) -> None:
    run = simulate(seed, seconds, PARAMS)
    assert (run.rule, run.seen) == ("", ""), bug


def test_a_replay_gives_the_same_bytes_under_two_hash_seeds() -> None:
    done = mm("--replay", "7", "--minutes", "1.5")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the same bytes under two hash seeds" in done.stdout


def test_two_seeds_differ_in_their_bytes() -> None:
    first, second = simulate("1", 3.0, PARAMS), simulate("2", 3.0, PARAMS)
    assert isinstance(first, Run)
    assert first.digest != second.digest


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--minutes", "1"), "expected minutes from 1.5"),
        (("--seeds", "0"), "expected a whole number from 1"),
        (("--config", "nowhere.toml"), "nowhere.toml"),
        (("--json", "nowhere/report.json"), "its folder does not exist"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_reason(
    arguments: tuple[str, ...], complaint: str
) -> None:
    done = mm(*arguments)
    assert done.returncode == 2
    assert complaint in done.stderr
