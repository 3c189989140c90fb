"""The verb `chaos`: the real services die, hang and are cut off, round after round, and lose nothing.

Starts a real nats-server, a real Redis-protocol server, the mock exchange and the five services, all of them
processes of its own, and ends only these. Exit code 0 when after every round each trade of the exchange's
ledger was heard exactly once, positions were equal, and no order had rested beyond the lease.
"""

import argparse
import asyncio
import contextlib
import logging
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from backtest.invariants import Auditor
from bench.quantiles import quantile
from console import demo
from console.cast import cast_of
from console.havoc import Broken, Havoc, Round, acts_of
from console.processes import ChildDied
from console.servers import NatsServer, ServerFailed, ValkeyServer, free_port
from shared.shell.host_nats import NatsHost
from shared.shell.settings import Settings, SettingsError, load_params

_ACTIVITY = "25"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` writes."""

    seed: str
    rounds: tuple[Round, ...]
    ended: dict[str, int]
    last_words: dict[str, str]
    broken: str
    wall_s: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many rounds of what."""
    parser.add_argument("--rounds", type=_whole, default=8, help="how many; each 5 to 60 s")
    parser.add_argument("--seed", default="1", help="of what happens in them")
    parser.add_argument("--keep", type=Path, help="keep logs and journals in this folder")
    parser.add_argument("--json", type=Path, help="write the report to this file")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 only if nothing was lost, doubled or left behind."""
    if args.json is not None and not args.json.resolve().parent.is_dir():
        print(f"chaos: --json {args.json}: its folder does not exist", file=sys.stderr)
        return 2
    try:
        report = asyncio.run(_chaos(args))
    except (SettingsError, ServerFailed, ChildDied) as error:
        print(f"chaos: {error}", file=sys.stderr)
        return 1
    if args.json is not None:
        args.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    return 1 if report.broken else 0


async def _chaos(args: argparse.Namespace) -> Report:
    with contextlib.ExitStack() as stack:
        folder = args.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mm-")))
        folder.mkdir(parents=True, exist_ok=True)
        async with standing(folder) as havoc:
            return await _rounds(args, havoc)


@contextlib.asynccontextmanager
async def standing(folder: Path) -> AsyncIterator[Havoc]:
    """The whole system as processes of their own, with an auditor who hears it."""
    parser = argparse.ArgumentParser()
    demo.add_arguments(parser)
    args = parser.parse_args(["--port", str(free_port()), "--activity", _ACTIVITY])
    params = load_params(args.config)
    logging.basicConfig(filename=folder / "auditor.log")
    auditor = Auditor(
        grace_ms=params.risk.lease_ms + 4_000,
        kill_heard_ms=params.risk.lease_ms + 4_000,
        unexplained_max_btc=1.0,
    )
    with (
        NatsServer(folder / "nats", free_port()) as nats,
        ValkeyServer(folder / "redis", free_port()) as redis,
    ):
        async with cast_of(folder, args, nats, redis) as cast:
            settings = Settings(
                nats_url=nats.url, redis_url=redis.url, run_dir=folder / "auditor", journal=False
            )
            host = NatsHost([auditor], settings)
            listening = asyncio.create_task(host.run())
            havoc = Havoc(cast, auditor, params, nats, redis)
            try:
                yield havoc
            finally:
                await havoc.close()
                host.stop()
                await listening


async def _rounds(args: argparse.Namespace, havoc: Havoc) -> Report:
    console = Console()
    began, rounds, broken = time.monotonic(), list[Round](), ""
    columns = (TextColumn("rounds"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("rounds", total=args.rounds)
        try:
            await havoc.begin()
            for number in range(1, args.rounds + 1):
                acts = acts_of(args.seed, number)
                try:
                    rounds.append(await havoc.round(number, acts))
                except* Broken as group:
                    raise Broken(
                        f"round {number} of seed {args.seed} "
                        f"({'; '.join(map(str, acts))}): {group.exceptions[0]}"
                    ) from group
                bar.console.print(_line(rounds[-1]), highlight=False, soft_wrap=True)
                bar.advance(task)
            await havoc.finish()
        except Broken as error:
            broken = str(error)
    report = Report(
        seed=args.seed,
        rounds=tuple(rounds),
        ended=havoc.ended,
        last_words=havoc.last_words,
        broken=broken,
        wall_s=round(time.monotonic() - began, 1),
    )
    _tell(console, report)
    return report


def _line(done: Round) -> str:
    gone = "" if done.gone_s is None else f"no order left after {done.gone_s:.2f} s, "
    acts = "; ".join(map(str, done.acts))
    return f"{done.number}: {acts}: {gone}quoting {done.back_s:.1f} s after, {done.trades} trades"


def _tell(console: Console, report: Report) -> None:
    def say(line: str) -> None:
        console.print(line, highlight=False, soft_wrap=True, markup=False)

    if report.rounds:
        back = sorted(one.back_s for one in report.rounds)
        say(
            f"{len(report.rounds)} rounds in {report.wall_s:.0f} s, {report.rounds[-1].trades} trades; "
            f"quoting again p50 {quantile(back, 0.5):.1f} s, worst {back[-1]:.1f} s"
        )
    for name, times in report.ended.items():
        say(f"{name} ended by itself {times} times and was started again; its last words:")
        say(report.last_words[name])
    say(report.broken or "no fill lost, none doubled, no order left behind")


def _whole(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to 100000, came {text}")
    return int(text)
