"""Set-up: owns `.venv`, made from the lock files, and the stamp that says it is complete.

Standard library only, since a Python without any package runs it. The stamp is written last and names
everything the environment was made from, so an interrupted set-up, another Python, a changed lock or a
moved folder is seen and made anew. A file lock keeps two first runs apart; it dies with its holder.
"""

import argparse
import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from console.verbs import Dependencies

ROOT = Path(__file__).resolve().parent.parent
LOCKS: dict[Dependencies, str] = {"runtime": "requirements.lock", "dev": "requirements-dev.lock"}


class SetupFailed(Exception):
    """The environment could not be made; the message says why and what to do."""


class Environment:
    """The virtual environment beside the lock files in `root`, as `base_python` would make it."""

    def __init__(self, root: Path, base_python: str) -> None:
        self.root = root
        self.base_python = base_python
        self.folder = root / ".venv"
        self.python = self.folder / "bin" / "python"
        self.stamp = self.folder / "complete.json"

    def ensure(self, needs: Dependencies) -> None:
        """Make `needs` importable from `.venv`; costs milliseconds when it is already.

        Raises `SetupFailed`.
        """
        if self._has(needs):
            return
        with self._alone():
            if self._has(needs):
                return
            if not self._has("runtime"):
                self._create()
            self._install(needs)

    def _wanted(self) -> dict[str, str]:
        version = ".".join(map(str, sys.version_info[:3]))
        made_from = f"{version}\n{self.folder}\n".encode()
        return {
            name: hashlib.sha256(made_from + (self.root / lock).read_bytes()).hexdigest()
            for name, lock in LOCKS.items()
        }

    def _stamped(self) -> dict[str, str]:
        try:
            stamped = json.loads(self.stamp.read_text())
        except (OSError, ValueError):
            return {}
        return stamped if isinstance(stamped, dict) else {}

    def _has(self, needs: Dependencies) -> bool:
        return self.python.exists() and self._stamped().get(needs) == self._wanted()[needs]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.root / ".venv.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("another ./mm is setting up; waiting for it")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _create(self) -> None:
        say(f"making .venv with Python {sys.version_info.major}.{sys.version_info.minor}")
        if self.folder.is_dir():
            # The stamp goes first: a removal cut short must not look complete.
            self.stamp.unlink(missing_ok=True)
            shutil.rmtree(self.folder)
        self._run(
            [self.base_python, "-I", "-m", "venv", str(self.folder)],
            "could not make .venv; this Python needs its venv module (Debian: apt install python3-venv)",
        )

    def _install(self, needs: Dependencies) -> None:
        lock = LOCKS[needs]
        say(f"installing the dependencies of {lock}")
        self._run(
            [
                *(str(self.python), "-I", "-m", "pip", "install", "--disable-pip-version-check"),
                *("--no-input", "--no-compile", "--require-hashes", "--no-deps"),
                *("-r", str(self.root / lock)),
            ],
            f"could not install {lock}; check that a Python package index can be reached, then run it again",
        )
        wanted = self._wanted()
        done = {"runtime"} if needs == "runtime" else {"runtime", "dev"}
        complete = json.dumps({name: wanted[name] for name in sorted(done)})
        written = self.stamp.with_suffix(".new")
        written.write_text(complete)
        written.replace(self.stamp)

    def _run(self, command: list[str], failure: str) -> None:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode:
            raise SetupFailed(f"{done.stdout.rstrip()}\nmm: {failure}.")


def say(line: str) -> None:
    """Progress, on stderr so that a verb's own output stays clean."""
    print(f"mm: {line}", file=sys.stderr, flush=True)


def environment() -> Environment:
    """The project's own environment, to be made by the Python that is running."""
    return Environment(ROOT, getattr(sys, "_base_executable", None) or sys.executable)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Set-up has no options: everything it needs is in the lock files."""


def run(args: argparse.Namespace) -> int:
    """By the time a verb runs, its environment is there: nothing is left but to say so."""
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"ready: Python {version} in .venv")
    return 0
