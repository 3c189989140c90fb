"""Chaos in the suite: a few rounds of real processes that die, hang and are cut off, and nothing is lost."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from console.chaos import Report

ROOT = Path(__file__).parents[2]
ROUNDS = 5


def mm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The verb, as a person calls it."""
    return subprocess.run(
        [sys.executable, "-m", "console", "chaos", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(400)
def test_rounds_of_kills_hangs_and_cuts_lose_nothing_and_leave_nothing(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    done = mm("--rounds", str(ROUNDS), "--seed", "4", "--json", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    report = msgspec.json.decode(file.read_bytes(), type=Report)
    assert (report.broken, len(report.rounds)) == ("", ROUNDS)
    assert report.rounds[-1].trades > 0
    assert "no fill lost, none doubled, no order left behind" in done.stdout


def test_what_cannot_be_done_is_refused_with_a_reason() -> None:
    none, nowhere = mm("--rounds", "0"), mm("--json", "nowhere/report.json")
    assert (none.returncode, nowhere.returncode) == (2, 2)
    assert "expected a whole number from 1" in none.stderr
    assert "its folder does not exist" in nowhere.stderr
