"""`test` hands a selection to pytest as it stands, and holds the whole suite to its floors.

It is run on a project of two functions and two tests, one of which is left out by a selection.
"""

import argparse
from pathlib import Path

import pytest

from console import setup, test
from console.test import FLOORS, Floor

HALF_TESTED = "def tested() -> int:\n    return 1\n\n\ndef untested() -> int:\n    return 2\n"
TESTS = "from part import tested\n\n\ndef test_it() -> None:\n    assert tested() == {}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "part.py").write_text(HALF_TESTED)
    (tmp_path / "test_part.py").write_text(TESTS.format(1))
    (tmp_path / "pyproject.toml").write_text('[tool.coverage.run]\nsource = ["."]\n')
    monkeypatch.setattr(test, "ROOT", tmp_path)
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    monkeypatch.delenv("COVERAGE_PROCESS_START", raising=False)
    return tmp_path


def run(*further: str) -> int:
    return test.run(argparse.Namespace(further=list(further)))


def test_a_selection_is_not_measured_and_gives_pytests_own_exit_code(project: Path) -> None:
    assert run("-q", "-k", "it") == 0
    assert run("-q", "-k", "nothing") == pytest.ExitCode.NO_TESTS_COLLECTED
    assert not (project / ".coverage").exists()


@pytest.mark.parametrize(("percent", "code"), [(75, 0), (76, 1)])
def test_a_part_three_quarters_tested_stands_at_75_and_fails_below_76(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    percent: int,
    code: int,
) -> None:
    monkeypatch.setattr(test, "FLOORS", (Floor("part", "part.py", percent),))
    assert run() == code
    assert f"coverage of the part: 75 % (at least {percent} %)" in capsys.readouterr().out


def test_a_failed_test_fails_whatever_the_coverage(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(test, "FLOORS", ())
    (project / "test_part.py").write_text(TESTS.format(2))
    assert run() == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize("floor", FLOORS, ids=lambda floor: floor.what)
def test_every_floor_is_of_files_that_are_there(floor: Floor) -> None:
    assert all(list(setup.ROOT.glob(pattern)) for pattern in floor.files.split(","))
