"""The verb `test`: the whole suite with its coverage floors, or what pytest is told to run."""

import argparse
import subprocess
import sys
from typing import NamedTuple

from console.setup import ROOT


class Floor(NamedTuple):
    """The least share of a part, in percent of lines and branches, that the suite must run through."""

    what: str
    files: str
    percent: int


# Beside the floor of the whole in pyproject.toml: these two must not hide in an average, the one
# because it is what stands between a mistake and the account, the other because tests believe it.
FLOORS = (
    Floor(
        "kill switch, limits, lease and gate",
        "services/risk/*,services/oms/gate.py,services/oms/permission.py",
        95,
    ),
    Floor("simulator", "backtest/*,mock_deribit/*", 93),
)


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module of this environment in the project's root; what it says is seen at once."""
    return subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, check=False, text=True)


def share(files: str) -> float:
    """What the last measured run covered of them, percent."""
    told = subprocess.run(
        [sys.executable, "-m", "coverage", "report", "--format=total", f"--include={files}"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    return float(told.stdout) if told.stdout.strip() else 0.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is not listed here goes to pytest as it stands."""
    parser.epilog = "Without arguments: everything, with the coverage floors."


def run(args: argparse.Namespace) -> int:
    """pytest's exit code, or 1 below a floor. A selection of tests is not measured."""
    if args.further:
        return python("pytest", *args.further).returncode
    code = python("pytest", "--cov", "--cov-report=term:skip-covered").returncode
    if code:
        return code
    low = False
    for floor in FLOORS:
        covered = share(floor.files)
        low = low or covered < floor.percent
        print(f"coverage of the {floor.what}: {covered:.0f} % (at least {floor.percent} %)")
    return 1 if low else 0
