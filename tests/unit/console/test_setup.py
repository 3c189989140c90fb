"""Set-up makes a working environment once, and never mistakes a broken one for a complete one.

The lock files name one wheel made here, so that no package index is asked.
"""

import hashlib
import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from console.setup import Environment, SetupFailed, base_python


def wheel(folder: Path, name: str) -> str:
    """A wheel with one module; gives its line for a lock file."""
    path = folder / f"{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", "here = True\n")
        info = f"{name}-1.dist-info"
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        archive.writestr(f"{info}/RECORD", "")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{name} @ {path.as_uri()} --hash=sha256:{digest}\n"


@pytest.fixture
def ours(tmp_path: Path) -> Environment:
    root = tmp_path / "a project"
    root.mkdir()
    alpha, beta = wheel(tmp_path, "alpha"), wheel(tmp_path, "beta")
    (root / "requirements.lock").write_text(alpha)
    (root / "requirements-dev.lock").write_text(alpha + beta)
    return Environment(root, base_python())


def has(environment: Environment, module: str) -> bool:
    done = subprocess.run(
        [str(environment.python), "-I", "-c", f"import {module}"], check=False, capture_output=True
    )
    return done.returncode == 0


def test_the_runtime_comes_first_the_tools_are_added_and_nothing_is_done_twice(
    ours: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    ours.ensure("runtime")
    assert has(ours, "alpha")
    assert not has(ours, "beta")

    capsys.readouterr()
    ours.ensure("dev")
    assert has(ours, "beta")
    assert "making .venv" not in capsys.readouterr().err

    ours.ensure("dev")
    ours.ensure("runtime")
    assert capsys.readouterr().err == ""


def test_an_interrupted_set_up_is_made_anew(ours: Environment) -> None:
    (ours.folder / "bin").mkdir(parents=True)
    ours.python.symlink_to("/nowhere/python")
    (ours.folder / "half-done").touch()
    ours.ensure("runtime")
    assert has(ours, "alpha")
    assert not (ours.folder / "half-done").exists()


def test_a_changed_lock_is_made_anew(ours: Environment, tmp_path: Path) -> None:
    ours.ensure("runtime")
    (ours.root / "requirements.lock").write_text(wheel(tmp_path, "gamma"))
    ours.ensure("runtime")
    assert has(ours, "gamma")
    assert not has(ours, "alpha")


def test_a_wrong_hash_fails_with_the_reason_and_leaves_nothing_that_looks_complete(
    ours: Environment,
) -> None:
    lock = ours.root / "requirements.lock"
    sound = lock.read_text()
    lock.write_text(sound[:-5] + ("0000\n" if sound[-5:-1] != "0000" else "1111\n"))
    with pytest.raises(SetupFailed, match=r"could not install requirements\.lock; see to it"):
        ours.ensure("runtime")
    assert not ours.stamp.exists()
    lock.write_text(sound)
    ours.ensure("runtime")
    assert has(ours, "alpha")


def test_a_python_that_cannot_make_an_environment_is_one_clear_line(ours: Environment) -> None:
    broken = Environment(ours.root, "/bin/false")
    with pytest.raises(SetupFailed, match="this Python lacks its venv module"):
        broken.ensure("runtime")


def test_a_missing_lock_file_is_named(ours: Environment) -> None:
    (ours.root / "requirements.lock").unlink()
    with pytest.raises(SetupFailed, match=r"set-up needs to read and write .*requirements\.lock"):
        ours.ensure("runtime")


def test_two_first_runs_at_once_make_one_environment(
    ours: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Environment(ours.root, base_python())
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(each.ensure, "runtime") for each in (ours, other)]:
            done.result()
    assert has(ours, "alpha")
    assert capsys.readouterr().err.count("making .venv") == 1


def test_other_peoples_packages_stay_in_an_environment_of_their_own(
    ours: Environment, tmp_path: Path
) -> None:
    (ours.root / "requirements-others.lock").write_text(wheel(tmp_path, "delta"))
    ours.ensure("runtime")
    others = Environment(
        ours.root, base_python(), ".venv/others", {"runtime": "requirements-others.lock"}
    )
    others.ensure("runtime")
    assert has(others, "delta")
    assert not has(others, "alpha")
    assert not has(ours, "delta")
