"""Set-up: owns `.venv`, made from the lock files, and the stamp that says it is complete.

Standard library only, since a Python without any package runs it. The stamp is written last and
names all that the environment was made from, so that an interrupted set-up, another Python, a
changed lock or a moved folder is seen and made anew. A file lock keeps two first runs apart; the
operating system drops it when its holder dies.
"""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from console.verbs import Dependencies

ROOT = Path(__file__).resolve().parent.parent
LOCKS: dict[Dependencies, str] = {"runtime": "requirements.lock", "dev": "requirements-dev.lock"}
CLIENTS: dict[Dependencies, str] = {"runtime": "requirements-clients.lock"}
"""Other people's clients of Deribit, for the tests that let them talk to the mock. They are in an environment
of their own, made when those tests first run: what they need is their business and not small."""


class SetupFailed(Exception):
    """The environment could not be made; the message says why and what to do."""


class Environment:
    """The virtual environment made from lock files in `root` by `base_python`; `.venv` unless it is told
    otherwise."""

    def __init__(
        self,
        root: Path,
        base_python: str,
        name: str = ".venv",
        locks: Mapping[Dependencies, str] = LOCKS,
    ) -> None:
        self.root = root
        self.base_python = base_python
        self.name = name
        self.locks = locks
        self.folder = root / name
        self.python = self.folder / "bin" / "python"
        self.stamp = self.folder / "complete.json"

    def ensure(self, needs: Dependencies) -> None:
        """Make `needs` importable from `.venv`, in milliseconds when it is already.

        Raises `SetupFailed`.
        """
        try:
            if self._has(needs):
                return
            with self._alone():
                if self._has(needs):
                    return
                if not self._has("runtime"):
                    self._create()
                self._install(needs)
        except OSError as error:
            raise SetupFailed(f"mm: set-up needs to read and write {self.root}: {error}") from error

    def _wanted(self) -> dict[str, str]:
        made_from = f"{python_version()}\n{self.folder}\n".encode()
        return {
            name: hashlib.sha256(made_from + (self.root / lock).read_bytes()).hexdigest()
            for name, lock in self.locks.items()
        }

    def _stamped(self) -> dict[str, str]:
        try:
            stamped = json.loads(self.stamp.read_text())
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return {}
        return stamped if isinstance(stamped, dict) else {}

    def _has(self, needs: Dependencies) -> bool:
        return self._wanted()[needs] == self._stamped().get(needs) and self.python.exists()

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
        say(f"making {self.name} with Python {python_version()}")
        # The stamp goes first: a removal cut short must not look complete.
        self.stamp.unlink(missing_ok=True)
        if self.folder.exists():
            shutil.rmtree(self.folder)
        _run(
            [self.base_python, "-I", "-m", "venv", "--without-pip", str(self.folder)],
            f"could not make {self.name}; this Python lacks its venv module "
            "(on Debian and Ubuntu: apt-get install python3-venv)",
        )

    def _pip(self) -> list[str]:
        # The base Python's own pip saves the five seconds of installing another into .venv.
        if _finish([self.base_python, "-I", "-m", "pip", "--version"]).returncode == 0:
            return [self.base_python, "-I", "-m", "pip", "--python", str(self.python)]
        _run(
            [str(self.python), "-I", "-m", "ensurepip"],
            "could not find or make a pip; this Python lacks its ensurepip module "
            "(on Debian and Ubuntu: apt-get install python3-venv)",
        )
        return [str(self.python), "-I", "-m", "pip"]

    def _install(self, needs: Dependencies) -> None:
        lock = self.locks[needs]
        say(f"installing {lock} (only this once)")
        quiet = ("--disable-pip-version-check", "--no-input", "--no-compile")
        locked = ("--no-deps", "--require-hashes", "-r", str(self.root / lock))
        _run(
            [*self._pip(), "install", *quiet, *locked],
            f"could not install {lock}; see to it that pip reaches a package index, then try again",
        )
        # On all cores, unlike pip, and once, also where PYTHONDONTWRITEBYTECODE would have every
        # process compile for itself. What a package ships that does not compile is its own affair.
        _finish(
            [str(self.python), "-I", "-m", "compileall", "-qq", "-j0", str(self.folder / "lib")]
        )
        # The dev lock contains the runtime lock.
        complete: tuple[Dependencies, ...] = (
            ("runtime",) if needs == "runtime" else ("runtime", "dev")
        )
        wanted = self._wanted()
        written = self.stamp.with_suffix(".new")
        written.write_text(json.dumps({name: wanted[name] for name in complete}))
        written.replace(self.stamp)


def _finish(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run quietly to the end, in an environment where only the command's own packages count."""
    return subprocess.run(
        command,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _run(command: list[str], failure: str) -> None:
    """Run what must succeed; what it printed is shown only when it did not."""
    done = _finish(command)
    if done.returncode:
        raise SetupFailed(f"{done.stdout.rstrip()}\nmm: {failure}.")


def python_version() -> str:
    """Of the Python that is running: "3.12.1"."""
    return ".".join(map(str, sys.version_info[:3]))


def say(line: str) -> None:
    """Tell the progress, on stderr so that a verb's own output stays clean."""
    print(f"mm: {line}", file=sys.stderr, flush=True)


def base_python() -> str:
    """The Python that is running, or the one that its virtual environment was made with."""
    return str(getattr(sys, "_base_executable", sys.executable))


def project() -> Environment:
    """The project's own environment, as the Python that is running would make it."""
    return Environment(ROOT, base_python())


def clients() -> Environment:
    """The environment of other people's clients; it goes with the project's own, inside which it lies."""
    return Environment(ROOT, base_python(), ".venv/clients", CLIENTS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Set-up has no options: all it needs stands in the lock files."""


def run(args: argparse.Namespace) -> int:
    """Say that it is done: the dispatcher prepared the environment before it called us."""
    print(f"ready: Python {python_version()} in .venv")
    return 0
