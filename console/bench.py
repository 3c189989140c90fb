"""The verb `bench`: our speed beside a floor measured in the same run.

Exit code 0 when everything was measured, whatever the numbers; 1, and "not measured", when ours or its
floor could not be run. Nothing here passes or fails by a time: machines differ, and ratios are for people.
"""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec

from bench import exchange, per_message, printing, safety, sockets, tick_to_order
from bench.quantiles import NotMeasured
from console import rescue
from console.havoc import Broken
from console.processes import ChildDied
from console.servers import ServerFailed

_BENCHES = {
    "tick-to-order": "book frame to order frame: over NATS and in one process, beside empty hops",
    "core": "CPU of one message, from the frame's bytes to a quote, beside a bare decode",
    "exchange": "the mock exchange: its core, its sockets, its start, beside floors",
    "safety": "kill, death, hang, gap, cut: how long until nothing rests and until quotes are back",
    "list": "these lines",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which one, and how hard."""
    parser.add_argument("bench", choices=_BENCHES, help="; ".join(map(": ".join, _BENCHES.items())))
    parser.add_argument(
        "--rate", type=_positive, default=1000.0, help="book frames a second; requests"
    )
    parser.add_argument("--moves", type=_positive, default=40.0, help="requotes a second, up to 45")
    parser.add_argument("--seconds", type=_positive, default=6.0, help="length of a round")
    parser.add_argument("--rounds", type=_whole, help="rounds of every row; default 3, core 15")
    parser.add_argument(
        "--samples", type=_whole, default=100, help="safety: of every row, simulated"
    )
    parser.add_argument(
        "--real",
        type=_whole_or_none,
        default=1,
        help="safety: of every row, real processes; 0: none",
    )
    parser.add_argument("--json", type=Path, help="write the report to this file as well")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    if args.bench == "list":
        for name, summary in _BENCHES.items():
            print(f"{name:<15}{summary}")
        return 0
    if args.json is not None and not args.json.resolve().parent.is_dir():
        print(f"bench: --json {args.json}: its folder does not exist", file=sys.stderr)
        return 2
    try:
        report, lines = _measure(args)
    except (NotMeasured, ChildDied, ServerFailed, Broken) as error:
        print(f"bench: not measured: {error}", file=sys.stderr)
        return 1
    for line in lines:
        print(line)
    if args.json is not None:
        args.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    return 0


def _measure(
    args: argparse.Namespace,
) -> tuple[
    tick_to_order.Report | per_message.Report | exchange.Report | safety.Report, Iterable[str]
]:
    if args.bench == "safety":
        gone = rescue.measure(args.samples, args.real)
        return gone, printing.safety_lines(gone)
    if args.bench == "core":
        cores = per_message.measure(args.rounds or 15)
        return cores, printing.per_message_lines(cores)
    if args.bench == "exchange":
        hard = sockets.Drive(rate=args.rate, seconds=args.seconds, rounds=args.rounds or 3)
        mock = exchange.measure(hard)
        return mock, printing.exchange_lines(mock)
    drive = tick_to_order.Drive(
        rate=args.rate, moves=args.moves, seconds=args.seconds, rounds=args.rounds or 3
    )
    report = tick_to_order.measure(drive)
    return report, printing.tick_to_order_lines(report)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"expected a number above 0, below 1e6, came {text}")
    return value


def _whole_or_none(text: str) -> int:
    return 0 if text == "0" else _whole(text)


def _whole(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to 1000, came {text}")
    return int(text)
