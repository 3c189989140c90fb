"""The verb `check`: every check on the code runs, whatever the one before said; a table tells all.

A tool that is missing is a failed check, never a skipped one.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from console.setup import ROOT

BIN = Path(sys.executable).parent


class Check(NamedTuple):
    """A name and the command that fails when it does not hold."""

    name: str
    command: tuple[str, ...]


class Outcome(NamedTuple):
    """How a check ended; `output` is what it printed."""

    name: str
    passed: bool
    seconds: float
    output: str


CHECKS = (
    Check("format", (str(BIN / "ruff"), "format", "--check", "--quiet", ".")),
    Check("lint", (str(BIN / "ruff"), "check", "--quiet", "--output-format=concise", ".")),
    Check("types", (str(BIN / "mypy"),)),
    Check("imports", (str(BIN / "lint-imports"), "--no-logo")),
    Check("source rules", (sys.executable, "-m", "console.sourcerules")),
)


def perform(check: Check) -> Outcome:
    """Run one check in the project's root."""
    started = perf_counter()
    try:
        done = subprocess.run(
            check.command,
            cwd=ROOT,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        passed, output = done.returncode == 0, done.stdout
    except FileNotFoundError:
        passed, output = False, f"{check.command[0]} is not there; './mm setup' installs it"
    return Outcome(check.name, passed, perf_counter() - started, output.strip())


def table(outcomes: list[Outcome]) -> str:
    """One line per check."""
    width = max(len(outcome.name) for outcome in outcomes)
    lines = []
    for outcome in outcomes:
        verdict = "ok" if outcome.passed else "FAILED"
        lines.append(f"{outcome.name:<{width}}  {verdict:<6} {outcome.seconds:5.1f} s")
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options: there is one set of rules."""


def run(args: argparse.Namespace) -> int:
    """0 when every check passed, else 1."""
    outcomes = []
    for check in CHECKS:
        outcome = perform(check)
        outcomes.append(outcome)
        if not outcome.passed:
            print(f"--- {outcome.name}\n{outcome.output}\n", flush=True)
    print(table(outcomes))
    return 0 if all(outcome.passed for outcome in outcomes) else 1
