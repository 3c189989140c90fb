"""`./mm` as a user meets it: from any folder, with and without a Python that will do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MM = Path(__file__).resolve().parents[2] / "mm"


def mm(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a copy-free `./mm` with nothing but the given environment."""
    return subprocess.run(
        [str(MM), *arguments],
        cwd=cwd,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )


def test_alone_it_explains_itself_from_any_folder(tmp_path: Path) -> None:
    told = mm(cwd=tmp_path, PATH=os.environ["PATH"])
    assert told.returncode == 0
    assert "usage: ./mm VERB" in told.stdout
    assert "./mm test" in told.stdout


def test_a_folder_with_modules_of_our_names_does_not_confuse_it(tmp_path: Path) -> None:
    (tmp_path / "console").mkdir()
    (tmp_path / "console" / "__init__.py").write_text("raise SystemExit('wrong console')\n")
    (tmp_path / "json.py").write_text("raise SystemExit('wrong json')\n")
    assert mm("check", "--help", cwd=tmp_path, PATH=os.environ["PATH"]).returncode == 0


def test_an_unknown_verb_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    told = mm("dmeo", cwd=tmp_path, PATH=os.environ["PATH"])
    assert told.returncode == 2
    assert told.stderr.startswith("mm: there is no verb 'dmeo'; ")
    assert told.stderr.count("\n") == 1


def test_a_wrong_option_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    told = mm("check", "--bla", cwd=tmp_path, PATH=os.environ["PATH"])
    assert told.returncode == 2
    assert (
        told.stderr == "mm: unrecognized arguments: --bla; './mm check --help' tells the options.\n"
    )


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A clone without an environment, as far as `mm` is concerned."""
    (tmp_path / "mm").symlink_to(MM)
    (tmp_path / "console").symlink_to(MM.parent / "console")
    return tmp_path


def fresh_mm(fresh: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["./mm"], cwd=fresh, env=environment, check=False, capture_output=True, text=True
    )


def test_without_any_python_it_says_what_to_install(fresh: Path) -> None:
    told = fresh_mm(fresh, PATH=str(fresh / "nothing here"))
    assert told.returncode == 1
    assert told.stderr.count("\n") == 1
    assert told.stderr.startswith("mm: needs Python 3.11 or newer and found none; install one")


def test_a_shim_that_does_not_run_is_passed_over(fresh: Path) -> None:
    shims = fresh / "shims"
    shims.mkdir()
    for name in ("python3.13", "python3.12", "python3.11"):
        (shims / name).write_text(
            "#!/bin/sh\necho no version of this name is set up >&2\nexit 127\n"
        )
        (shims / name).chmod(0o755)
    assert fresh_mm(fresh, PATH=str(shims)).returncode == 1
    (shims / "python3").symlink_to(sys.executable)
    assert fresh_mm(fresh, PATH=str(shims)).returncode == 0


def test_mm_python_is_obeyed_and_a_wrong_one_is_named(fresh: Path) -> None:
    assert fresh_mm(fresh, PATH="", MM_PYTHON=sys.executable).returncode == 0
    told = fresh_mm(fresh, PATH=os.environ["PATH"], MM_PYTHON="/bin/false")
    assert told.returncode == 1
    assert told.stderr.startswith("mm: MM_PYTHON is '/bin/false', not a Python 3.11")
