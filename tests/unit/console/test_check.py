"""`check` runs every check, shows what failed, and counts a missing tool as a failure."""

import argparse
import sys

import pytest

from console import check
from console.check import Check, perform

HOLDS = Check("holds", (sys.executable, "-c", "print('quiet please')"))
BROKEN = Check("broken", (sys.executable, "-c", "print('line 7 is wrong'); raise SystemExit(3)"))
MISSING = Check("missing", ("no-such-tool-anywhere",))


def test_a_check_that_exits_with_0_has_passed() -> None:
    assert perform(HOLDS).passed


def test_a_check_that_exits_otherwise_has_failed_and_its_output_is_kept() -> None:
    outcome = perform(BROKEN)
    assert not outcome.passed
    assert outcome.output == "line 7 is wrong"


def test_a_missing_tool_is_a_failed_check_that_says_how_to_get_it() -> None:
    outcome = perform(MISSING)
    assert not outcome.passed
    assert "no-such-tool-anywhere is not there; './mm setup' installs it" in outcome.output


def test_all_checks_run_after_a_failure_and_only_failures_are_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "CHECKS", (BROKEN, MISSING, HOLDS))
    assert check.run(argparse.Namespace()) == 1
    told = capsys.readouterr().out
    assert "line 7 is wrong" in told
    assert "quiet please" not in told
    verdicts = [line.split()[:2] for line in told.splitlines()[-3:]]
    assert verdicts == [["broken", "FAILED"], ["missing", "FAILED"], ["holds", "ok"]]


def test_it_succeeds_when_every_check_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "CHECKS", (HOLDS, HOLDS))
    assert check.run(argparse.Namespace()) == 0
