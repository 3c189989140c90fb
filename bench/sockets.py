"""Sockets: many WebSocket clients that all follow a raw book which their own orders change.

Server and clients are a process each. The strict reading of the goal: 50 connections, together a thousand
order requests a second in, and a thousand book changes a second out *to each of them*. The floor is the same
ports with nothing behind them. When the exchange does not keep up, lower rates are tried until it does.
"""

import asyncio
import tempfile
from pathlib import Path
from statistics import median

import msgspec

from bench.crowd import Outcome
from bench.machine import Usage, usage
from bench.quantiles import NotMeasured, Quantiles, median_quantiles, ratio
from console.processes import Child, start

EXCHANGE, FLOOR = "exchange", "floor: empty sockets"
LOWER = (0.75, 0.5, 0.35, 0.25, 0.1)
"""Shares of the wanted rate that are tried in turn."""

_CROWD_S = 30.0


class Drive(msgspec.Struct, frozen=True, kw_only=True):
    """How hard, how long and how often."""

    clients: int = 50
    rate: float = 1_000.0
    seconds: float = 5.0
    rounds: int = 3


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One server at one rate over some rounds; times are medians, `late` the worst round's frames."""

    name: str
    rate: float
    frames_per_s: float
    lag_ms: Quantiles
    answer_ms: Quantiles
    late: int
    server_cpu: float
    clients_cpu: float
    server_us_per_frame: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The rows; the CPU ratio to the floor; the highest rate tried at which nothing was late."""

    drive: Drive
    rows: tuple[Row, ...]
    ratio: float
    keeps_up_at: float | None


class _Round(msgspec.Struct, frozen=True, kw_only=True):
    outcome: Outcome
    server_cpu_s: float


def measure(drive: Drive) -> Report:
    """Run it; raises `NotMeasured` or `ChildDied`."""
    return asyncio.run(_measure(drive))


async def _measure(drive: Drive) -> Report:
    with tempfile.TemporaryDirectory(prefix="mm-bench-") as folder:
        stage = _Stage(Path(folder), drive)
        wanted: dict[str, list[_Round]] = {EXCHANGE: [], FLOOR: []}
        for _ in range(drive.rounds):
            for name, rounds in wanted.items():
                rounds.append(await stage.play(name, drive.rate))
        ours, floor = ([_row(name, drive.rate, drive, rounds)] for name, rounds in wanted.items())
        for share in LOWER:
            if not ours[-1].late:
                break
            rate = drive.rate * share
            ours.append(_row(EXCHANGE, rate, drive, [await stage.play(EXCHANGE, rate)]))
    cpu = {name: [one.server_cpu_s for one in rounds] for name, rounds in wanted.items()}
    return Report(
        drive=drive,
        rows=(*ours, *floor),
        ratio=ratio(cpu[EXCHANGE], cpu[FLOOR]),
        keeps_up_at=next((row.rate for row in ours if not row.late), None),
    )


class _Stage:
    def __init__(self, folder: Path, drive: Drive) -> None:
        self._folder = folder
        self._drive = drive

    async def play(self, name: str, rate: float) -> _Round:
        """One server, one crowd."""
        drive = self._drive
        flags = ["--floor"] if name == FLOOR else []
        server, url = await start(
            "serving",
            "bench.serving",
            [f"--accounts={drive.clients}", *flags],
            {},
            self._folder,
            first_line=True,
        )
        crowd: Child | None = None
        try:
            before, outcome = _used(server), self._folder / "outcome.json"
            arguments = [
                url.strip(),
                f"--clients={drive.clients}",
                f"--rate={rate}",
                f"--seconds={drive.seconds}",
                f"--outcome={outcome}",
            ]
            wait_s = drive.seconds + _CROWD_S
            playing = start("crowd", "bench.crowd", arguments, {}, self._folder, first_line=True)
            crowd, _ = await asyncio.wait_for(playing, wait_s)
            server.check()
            return _Round(
                outcome=msgspec.json.decode(outcome.read_bytes(), type=Outcome),
                server_cpu_s=_used(server).cpu_s - before.cpu_s,
            )
        except TimeoutError:
            raise NotMeasured(f"{name}: the clients were not done within {wait_s:g} s") from None
        finally:
            if crowd is not None:
                await crowd.stop()
            await server.stop()


def _used(child: Child) -> Usage:
    used = usage(child.process.pid)
    if used is None:
        raise NotMeasured("this system does not say how much of the processor a process has used")
    return used


def _row(name: str, rate: float, drive: Drive, rounds: list[_Round]) -> Row:
    outcomes = [one.outcome for one in rounds]
    return Row(
        name=name,
        rate=rate,
        frames_per_s=rate * drive.clients,
        lag_ms=median_quantiles([[us / 1e3 for us in one.lags_us] for one in outcomes]),
        answer_ms=median_quantiles([[us / 1e3 for us in one.answers_us] for one in outcomes]),
        late=max(one.late for one in outcomes),
        server_cpu=median(one.server_cpu_s for one in rounds) / drive.seconds,
        clients_cpu=median(one.cpu_s for one in outcomes) / drive.seconds,
        server_us_per_frame=median(1e6 * one.server_cpu_s / one.outcome.frames for one in rounds),
    )
