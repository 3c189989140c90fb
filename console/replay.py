"""`./mm replay FILE`: recorded books through the market-data service, and what it found in them."""

import argparse
import sys
from pathlib import Path

from services.marketdata.replay import Summary, replay
from services.marketdata.shell import lines_of
from shared.recordings.frames import MalformedRecording

ANOMALIES_SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The recordings, oldest first."""
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="segments of one recording in order, or a tardis-node book stream; .gz or plain",
    )


def run(args: argparse.Namespace) -> int:
    """0: no gap, no crossed book, nothing unreadable; 1 otherwise."""
    try:
        summary = replay(lambda: lines_of(args.files))
    except OSError as error:
        print(f"mm: {error.filename or args.files[0]}: {error.strerror or error}", file=sys.stderr)
        return 1
    except MalformedRecording as error:
        print(f"mm: not a recording: {error}", file=sys.stderr)
        return 1
    print(report(summary))
    return 0 if summary.is_clean else 1


def report(summary: Summary) -> str:
    """The figures as lines of text."""
    names = ("books", "trades", "gaps", "crossed", "malformed", "missed_trades")
    lines = [f"{'seconds':<16}{summary.seconds:>12.1f}", f"{'frames':<16}{summary.frames:>12d}"]
    lines += [f"{name:<16}{summary.counters.get(name, 0):>12.0f}" for name in names]
    for name, spread in summary.spreads.items():
        lines.append(
            f"{name:<16}{spread.books:>12d} tops published, spread in USD: "
            f"least {spread.least:g}, mean {spread.mean:.3f}, greatest {spread.greatest:g}"
        )
    lines += summary.anomalies[:ANOMALIES_SHOWN]
    if len(summary.anomalies) > ANOMALIES_SHOWN:
        lines.append(f"and {len(summary.anomalies) - ANOMALIES_SHOWN} more")
    if not summary.spreads:
        lines.append("no book of a BTC future or perpetual was ever complete")
    return "\n".join(lines)
