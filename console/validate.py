"""`./mm validate`: is the simulated market like a real one, and honest? Facts, ranges, recordings, verdicts.

Seeds run on every processor. Exit code 0 when the report was made, whatever it says; 1 with `--strict` when
a judged fact does not hold.
"""

import argparse
import gzip
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from backtest.trial import FACTS, PARTS, Plan, perform, plans
from calibration import facts, honesty
from calibration.reading import records_of
from calibration.report import Source, lines, report
from calibration.tally import Tally
from mock_deribit.market.regime import REGIMES, regime_of

_ENDINGS = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz")
_LEAST_SECONDS = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much, of what, beside what."""
    parser.add_argument("--regime", choices=REGIMES, default="NORMAL", help="default NORMAL")
    parser.add_argument("--seeds", type=_whole, default=4, help="how many, default 4")
    parser.add_argument("--hours", type=_hours, default=1.0, help="of each, default 1")
    parser.add_argument("--first", default="1", help="name of the first seed's set, default 1")
    parser.add_argument("--jobs", type=_whole, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--no-probes", action="store_true", help="facts only: a sixth of the time")
    parser.add_argument("--recordings", type=Path, help="a folder of recorded tapes and frames")
    parser.add_argument("--json", type=Path, help="write the report to this file as well")
    parser.add_argument("--strict", action="store_true", help="1 when a judged fact does not hold")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    if args.json is not None and not args.json.resolve().parent.is_dir():
        print(f"validate: --json {args.json}: its folder does not exist", file=sys.stderr)
        return 2
    if args.recordings is not None and not args.recordings.is_dir():
        print(f"validate: --recordings {args.recordings}: no such folder", file=sys.stderr)
        return 2
    sources = measured(args.recordings) if args.recordings is not None else []
    seeds = [f"{args.first}.{number}" for number in range(1, args.seeds + 1)]
    parts = (FACTS,) if args.no_probes else PARTS
    tally = _simulated(plans(seeds, args.hours, args.regime, parts), args.jobs)
    listed = facts.facts_of(regime_of(args.regime).volatility)
    if not args.no_probes:
        listed = (*listed, *honesty.facts())
    what = f"{args.regime}, {args.seeds} seeds of {args.hours:g} h"
    done = report(what, listed, tally, sources)
    for line in lines(done):
        print(line)
    if args.json is not None:
        args.json.write_bytes(msgspec.json.format(msgspec.json.encode(done)) + b"\n")
    return 1 if args.strict and done.failed else 0


def measured(folder: Path) -> list[Source]:
    """Every recording below a folder that can be read, the longest first; others are named."""
    sources = []
    for path in sorted(folder.rglob("*")):
        if not path.name.endswith(_ENDINGS):
            continue
        try:
            records = records_of(_lines(path))
        except (OSError, EOFError, ValueError) as error:
            print(f"validate: {path}: left out: {error}", file=sys.stderr)
            continue
        for record in records:
            if record.seconds >= _LEAST_SECONDS:
                name = f"{path.relative_to(folder)} {record.instrument}"
                sources.append(Source(name, record.seconds, facts.measure(record)))
    return sorted(sources, key=lambda source: -source.seconds)


def _lines(path: Path) -> Iterator[bytes]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        yield from file


def _simulated(work: Sequence[Plan], jobs: int) -> Tally:
    """Everything all parts tell, added in the order of the plans."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total:.0f} runs"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    tally = Tally()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("simulating", total=len(work))
        with ProcessPoolExecutor(jobs) as pool:
            running = [pool.submit(perform, plan) for plan in work]
            for _ in as_completed(running):
                progress.advance(task)
            for each in running:
                tally.merge(each.result())
    return tally


def _whole(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to 1000, came {text}")
    return int(text)


def _hours(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.05 <= value <= 24.0:
        raise argparse.ArgumentTypeError(f"expected hours from 0.05 to 24, came {text}")
    return value
