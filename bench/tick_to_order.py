"""Tick to order: from a book frame on its way to marketdata to the order frame that it caused.

Both times are taken in one process, the venue's. Product and floor take turns round by round, in an order
that turns as well, so that a slow minute of the machine hits both; what is compared is their ratio.
"""

import asyncio
import gc
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import msgspec

from bench.machine import header
from bench.quantiles import NotMeasured, Quantiles, median_quantiles, quantiles, ratio
from bench.stacks import (
    LOCAL,
    LOCAL_FLOOR,
    MATCHING_PER_S,
    NATS,
    NATS_FLOOR,
    POLL_S,
    Stack,
    Stage,
    stage_of,
)
from bench.stopwatch import Stopwatch, Tally, tallied
from bench.tape import Frame
from shared.shell.service import loop_factory

LEAD_IN_S = 0.5
LINGER_S = 0.2
HEARD_S = 3.0
ORDERS_PER_MOVE = 2
"""Both sides follow a move: the product may drive half as many moves as requests."""
PAIRS = ((NATS, NATS_FLOOR), (LOCAL, LOCAL_FLOOR))


class Drive(msgspec.Struct, frozen=True, kw_only=True):
    """How hard: book frames and moves a second, for how long, how often."""

    rate: float
    moves: float
    seconds: float
    rounds: int
    seed: str = "1"


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One stack, played to once. `behind` are frames that marketdata had not read a moment later."""

    tally: Tally
    latency_us: Quantiles
    rate: float
    cpu_us_per_frame: dict[str, float]
    behind: float | None
    loop_lag_ms: dict[str, float]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One stack over all rounds: medians of the rounds' quantiles, sums of their counts."""

    name: str
    latency_us: Quantiles
    moves: int
    answered: int
    late: int
    missed: int
    unmatched: int
    cpu_us_per_frame: dict[str, float]
    rate: float
    behind: float | None
    loop_lag_ms: dict[str, float]
    rss_mb: dict[str, float]


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """Product over floor, p50 and p99: the median of the rounds, and the p50 of each round."""

    product: str
    floor: str
    p50: float
    p99: float
    rounds_p50: tuple[float, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured."""

    header: dict[str, str]
    drive: Drive
    rows: tuple[Row, ...]
    ratios: tuple[Ratio, ...]


def measure(drive: Drive) -> Report:
    """Run it; raises `NotMeasured`, `ChildDied`, `ServerFailed`."""
    if drive.moves * ORDERS_PER_MOVE > 0.9 * MATCHING_PER_S:
        raise NotMeasured(
            f"{drive.moves:g} moves a second need {drive.moves * ORDERS_PER_MOVE:g} requests; the OMS "
            f"takes {MATCHING_PER_S:g}, so drive at most {0.45 * MATCHING_PER_S:g}"
        )
    about = header()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_measure(drive, about))


async def _measure(drive: Drive, about: dict[str, str]) -> Report:
    with tempfile.TemporaryDirectory(prefix="mm-bench-") as folder:
        async with stage_of(Path(folder), drive.seed) as stage:
            rounds = await _rounds(stage, drive)
            rows = tuple(_row(stack, rounds[stack.name]) for stack in stage.stacks)
    ratios = tuple(_ratio(ours, floor, rounds) for ours, floor in PAIRS)
    return Report(header=about, drive=drive, rows=rows, ratios=ratios)


async def _rounds(stage: Stage, drive: Drive) -> dict[str, list[Round]]:
    rounds: dict[str, list[Round]] = {stack.name: [] for stack in stage.stacks}
    for number in range(drive.rounds):
        turn = number % len(stage.stacks)
        for stack in stage.stacks[turn:] + stage.stacks[:turn]:
            rounds[stack.name].append(await _round(stack, drive))
    return rounds


async def _round(stack: Stack, drive: Drive) -> Round:
    venue = stack.venue
    lead_in = _tape(stack, drive, LEAD_IN_S)
    frames = _tape(stack, drive, drive.seconds)
    gc.collect()
    gc.disable()
    try:
        await _play(stack, lead_in, drive.rate)
        venue.stopwatch = Stopwatch()
        before = stack.used()
        took = await _play(stack, frames, drive.rate)
    finally:
        gc.enable()
    after = stack.used()
    sent = venue.frames_sent
    await asyncio.sleep(LINGER_S)
    stack.check()
    tally = venue.stopwatch.tally()
    if not tally.latencies:
        raise NotMeasured(f"{stack.name}: none of {tally.moves} moves was answered")
    behind = await _behind(stack, sent)
    return Round(
        tally=tally,
        latency_us=quantiles([nanos / 1e3 for nanos in tally.latencies]),
        rate=len(frames) / took,
        cpu_us_per_frame={
            name: (used.cpu_s - before[name].cpu_s) * 1e6 / len(frames)
            for name, used in after.items()
        },
        behind=behind,
        loop_lag_ms=_latest(stack, "loop_lag_ms_max"),
    )


def _tape(stack: Stack, drive: Drive, seconds: float) -> list[Frame]:
    count = max(round(drive.rate * seconds), 1)
    return stack.venue.tape_of(count, min(round(drive.moves * seconds), count), drive.rate)


async def _play(stack: Stack, frames: Sequence[Frame], rate: float) -> float:
    """Send each frame when it is due, or at once if that has passed; the seconds that it took."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for index, frame in enumerate(frames):
        wait = begun + index / rate - loop.time()
        if wait > 0.0:
            await asyncio.sleep(wait)
        stack.venue.play(frame)
    return loop.time() - begun


async def _behind(stack: Stack, sent: int) -> float | None:
    """Frames not yet read by marketdata when it tells of itself next; None: the stack tells nothing."""
    stack.listen()
    if not stack.health:
        return None

    def missing() -> float:
        stack.listen()
        return sent - _latest(stack, "frames_in").get("marketdata", 0.0)

    for _ in range(round(HEARD_S / POLL_S)):
        if missing() <= 0.0:
            break
        await asyncio.sleep(POLL_S)
    return max(0.0, missing())


def _latest(stack: Stack, counter: str) -> dict[str, float]:
    """A counter of every service, as it told it last."""
    return {
        health.source: health.counters[counter]
        for health in stack.health
        if counter in health.counters
    }


def _row(stack: Stack, rounds: Sequence[Round]) -> Row:
    tally = tallied([one.tally for one in rounds])
    behind = [one.behind for one in rounds if one.behind is not None]
    return Row(
        name=stack.name,
        latency_us=median_quantiles(
            [[nanos / 1e3 for nanos in one.tally.latencies] for one in rounds]
        ),
        moves=tally.moves,
        answered=len(tally.latencies),
        late=tally.late,
        missed=tally.missed,
        unmatched=tally.unmatched,
        cpu_us_per_frame=_each_process(median, [one.cpu_us_per_frame for one in rounds]),
        rate=median(one.rate for one in rounds),
        behind=sum(behind) if behind else None,
        loop_lag_ms=_each_process(max, [one.loop_lag_ms for one in rounds]),
        rss_mb={name: used.rss_mb for name, used in stack.used().items()},
    )


def _each_process(
    condense: Callable[[list[float]], float], rounds: Sequence[dict[str, float]]
) -> dict[str, float]:
    names = dict.fromkeys(name for one in rounds for name in one)
    return {name: condense([one[name] for one in rounds if name in one]) for name in names}


def _ratio(ours: str, floor: str, rounds: dict[str, list[Round]]) -> Ratio:
    def each(name: str, which: str) -> list[float]:
        return [float(getattr(one.latency_us, which)) for one in rounds[name]]

    return Ratio(
        product=ours,
        floor=floor,
        p50=ratio(each(ours, "p50"), each(floor, "p50")),
        p99=ratio(each(ours, "p99"), each(floor, "p99")),
        rounds_p50=tuple(
            mine / least for mine, least in zip(each(ours, "p50"), each(floor, "p50"), strict=True)
        ),
    )
