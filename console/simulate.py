"""The verb `simulate`: seeds of the whole system under faults, on every processor of the machine.

Exit code 0 when every invariant held in every seed; 1 when one broke, after printing the seed, the step, the
invariant and the smallest set of faults found that still breaks it. `--replay SEED` runs one seed in two
fresh interpreters with different hash seeds, compares every byte, and tells its whole plan.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from hashlib import blake2b
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from backtest.faults import Due, plan
from backtest.shrinking import shrink
from backtest.simulation import Run, adapted, simulate
from shared.journal import encode_effects
from shared.kernel import Effects, Event, Nanos
from shared.messages.codec import encode
from shared.params import Params
from shared.shell.settings import SettingsError, load_params

_CONFIG = Path(__file__).parents[1] / "config" / "demo.toml"
_ROOT = Path(__file__).parents[1]
_MINUTES_MIN = 1.5
"""The warm-up and the calm end take 80 seconds together."""
_SHRUNK_MAX = 3


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A seed that broke an invariant, and the smallest plan found that still does."""

    run: Run
    smallest: Run
    faults: tuple[Due, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` writes."""

    seeds: int
    minutes: float
    faults: int
    fills: int
    steps: int
    wall_s: float
    simulated_per_s: float
    runs: tuple[Run, ...]
    findings: tuple[Finding, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many, how long, or which one again."""
    parser.add_argument("--seeds", type=_whole, default=20, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--minutes", type=_minutes, default=10.0, help="simulated minutes of each")
    parser.add_argument("--replay", metavar="SEED", help="run this seed alone, twice, and tell all")
    parser.add_argument("--workers", type=_whole, help="processes; default: one a processor")
    parser.add_argument("--config", type=Path, default=_CONFIG, help="parameter file")
    parser.add_argument("--json", type=Path, help="write the report to this file")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 only if every invariant held in every seed."""
    try:
        params = adapted(load_params(args.config))
    except SettingsError as error:
        print(f"simulate: {error}", file=sys.stderr)
        return 2
    if args.json is not None and not args.json.resolve().parent.is_dir():
        print(f"simulate: --json {args.json}: its folder does not exist", file=sys.stderr)
        return 2
    console = Console()
    if args.replay is not None:
        return _replay(console, args.replay, args.minutes * 60.0, args.config)
    report = _sweep(console, args, params)
    if args.json is not None:
        args.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    return 1 if report.findings else 0


def _sweep(console: Console, args: argparse.Namespace, params: Params) -> Report:
    seeds = [str(args.first + n) for n in range(args.seeds)]
    seconds = args.minutes * 60.0
    began = time.monotonic()
    runs: list[Run] = []
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with ProcessPoolExecutor(args.workers) as pool, Progress(*columns, console=console) as bar:
        task = bar.add_task("seeds", total=len(seeds))
        work = partial(simulate, seconds=seconds, params=params)
        for done in as_completed([pool.submit(work, seed) for seed in seeds]):
            runs.append(done.result())
            bar.advance(task)
            if runs[-1].rule:
                bar.update(task, description=f"seeds ({sum(bool(r.rule) for r in runs)} broke)")
                bar.console.print(_line(runs[-1]), highlight=False, soft_wrap=True)
    wall_s = time.monotonic() - began
    runs.sort(key=lambda run: int(run.seed))
    report = Report(
        seeds=len(runs),
        minutes=args.minutes,
        faults=sum(run.faults for run in runs),
        fills=sum(run.fills for run in runs),
        steps=sum(run.steps for run in runs),
        wall_s=round(wall_s, 1),
        simulated_per_s=round(sum(run.simulated_s for run in runs) / wall_s, 1),
        runs=tuple(runs),
        findings=tuple(_findings(console, runs, seconds, params)),
    )
    broke = sum(bool(run.rule) for run in runs)
    console.print(
        f"{report.seeds} seeds of {args.minutes:g} simulated minutes: {report.faults} faults, "
        f"{report.fills} fills, {report.steps} steps in {wall_s:.0f} s "
        f"({report.simulated_per_s:.0f} simulated seconds a second); "
        + (f"{broke} broke an invariant" if broke else "every invariant held"),
        highlight=False,
        soft_wrap=True,
    )
    return report


def _findings(
    console: Console, runs: list[Run], seconds: float, params: Params
) -> Iterator[Finding]:
    """The first few that broke, each shrunk; one of every rule before a second of any."""
    broken = [run for run in runs if run.rule]
    first = {run.rule: run for run in reversed(broken)}
    chosen = [*first.values(), *(run for run in broken if run not in first.values())]
    for run in chosen[:_SHRUNK_MAX]:
        with console.status(f"seed {run.seed}: looking for the smallest set of faults"):
            again = partial(_again, run.seed, seconds, params)
            smallest, faults = shrink(run, plan(run.seed, seconds), again)
        console.print(
            f"\nseed {run.seed} again: ./mm simulate --replay {run.seed} "
            f"--minutes {seconds / 60.0:g}\nsmallest set of faults found:",
            highlight=False,
            soft_wrap=True,
        )
        for due in faults:
            console.print(f"  {due}", highlight=False, soft_wrap=True, markup=False)
        console.print(_line(smallest), highlight=False, soft_wrap=True)
        yield Finding(run=run, smallest=smallest, faults=faults)


def _again(seed: str, seconds: float, params: Params, dues: tuple[Due, ...]) -> Run:
    return simulate(seed, seconds, params, dues)


def _line(run: Run) -> str:
    return (
        f"seed {run.seed} ({run.setting}) broke {run.rule} at {run.broken_at_s:.3f} s, "
        f"step {run.steps}: {run.seen}".replace("[", r"\[")
    )


def _replay(console: Console, seed: str, seconds: float, config: Path) -> int:
    for due in plan(seed, seconds):
        console.print(str(due), highlight=False, soft_wrap=True, markup=False)
    told = [_in_fresh_interpreter(seed, seconds, config, hash_seed) for hash_seed in ("1", "2")]
    if told[0] != told[1]:
        console.print(f"simulate: two runs of seed {seed} differ: {told[0]} and {told[1]}")
        return 1
    run, digest = msgspec.json.decode(told[0], type=tuple[Run, str])
    console.print(f"the same bytes under two hash seeds: {digest}", highlight=False)
    if run.rule:
        console.print(_line(run), highlight=False, soft_wrap=True)
        return 1
    console.print(
        f"seed {seed} ({run.setting}): {run.faults} faults, {run.fills} fills, {run.steps} steps; "
        "every invariant held",
        highlight=False,
        soft_wrap=True,
    )
    return 0


def _in_fresh_interpreter(seed: str, seconds: float, config: Path, hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "console.simulate", seed, str(seconds), str(config.resolve())],
        cwd=_ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def journaled(seed: str, seconds: float, params: Params) -> tuple[Run, str]:
    """A run and the fingerprint of every event and effect of every core in it."""
    seen = blake2b(digest_size=16)

    def note(core: str, now: Nanos, event: Event, effects: Effects) -> None:
        seen.update(f"{core} {now} ".encode())
        seen.update(encode(event))
        seen.update(encode_effects(effects))

    return simulate(seed, seconds, params, journal=note), seen.hexdigest()


def _whole(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to 1000000, came {text}")
    return int(text)


def _minutes(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not _MINUTES_MIN <= value <= 240.0:
        raise argparse.ArgumentTypeError(
            f"expected minutes from {_MINUTES_MIN:g} (warm-up and calm end) to 240, came {text}"
        )
    return value


if __name__ == "__main__":
    _seed, _seconds, _file = sys.argv[1:]
    _told = journaled(_seed, float(_seconds), adapted(load_params(Path(_file))))
    sys.stdout.buffer.write(msgspec.json.encode(_told))
