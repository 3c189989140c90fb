"""The benchmark of the mock exchange: its core, its sockets, its start, each beside a floor."""

import msgspec

from bench import engine, sockets, start


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured."""

    engine: engine.Report
    sockets: sockets.Report
    start: start.Report


def measure(drive: sockets.Drive, million: int = 1_000_000) -> Report:
    """Run all three; raises `NotMeasured`, `ChildDied`."""
    return Report(
        start=start.measure(drive.rounds),
        sockets=sockets.measure(drive),
        engine=engine.measure(2 * drive.rounds, million),
    )
