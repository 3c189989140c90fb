"""The verb `test`: the whole suite with its coverage floor, or what pytest is told to run."""

import argparse
import subprocess
import sys

from console.setup import ROOT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is not listed here goes to pytest as it stands."""
    parser.epilog = "Without arguments: everything, with the coverage floor of pyproject.toml."


def run(args: argparse.Namespace) -> int:
    """pytest's exit code. A selection of tests cannot reach the floor, so it is not measured."""
    chosen: list[str] = args.further or ["--cov", "--cov-report=term:skip-covered"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *chosen], cwd=ROOT, check=False
    ).returncode
