"""How a process is: time taken by its cores, memory, lag of its loop; and the file that says it lives.

Owns: `Measured` (a core with a stopwatch), `Figures` (what a `Health` message is given on its way out)
and the heartbeat file that `shared.shell.probe` reads.
"""

import asyncio
import json
import os
import resource
import sys
import time
from pathlib import Path

import msgspec

from shared.kernel import Core, Effects, Event, Nanos

BEAT_S = 1.0
LAG_PERIOD_S = 0.1
_BUCKETS = 40


class Durations:
    """A histogram of nanoseconds in powers of two, with its greatest value."""

    def __init__(self) -> None:
        self.count = 0
        self.longest = 0
        self._buckets = [0] * _BUCKETS

    def add(self, nanos: int) -> None:
        """Count one."""
        self.count += 1
        self.longest = max(self.longest, nanos)
        self._buckets[min(nanos.bit_length(), _BUCKETS - 1)] += 1

    def quantile(self, share: float) -> int:
        """An upper bound, to a factor of two, of that share of the values; 0 when there are none."""
        wanted, seen = share * self.count, 0
        for bits, count in enumerate(self._buckets):
            seen += count
            if count and seen >= wanted:
                return min(1 << bits, self.longest)
        return 0


class Measured:
    """A core whose `handle` is timed."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.name = core.name
        self.links = core.links
        self.remembers = core.remembers
        self.durations = Durations()

    def handle(self, now: Nanos, event: Event) -> Effects:
        """The core's own answer."""
        start = time.perf_counter_ns()
        effects = self.core.handle(now, event)
        self.durations.add(time.perf_counter_ns() - start)
        return effects


class Lag:
    """How late the loop is: the longest delay of a timer in the last ten to twenty seconds."""

    def __init__(self) -> None:
        self._recent = 0.0
        self._before = 0.0

    @property
    def longest_ms(self) -> float:
        """Milliseconds."""
        return max(self._recent, self._before) * 1e3

    async def watch(self) -> None:
        """Measure for ever."""
        loop = asyncio.get_running_loop()
        while True:
            self._before, self._recent = self._recent, 0.0
            for _ in range(round(10 / LAG_PERIOD_S)):
                start = loop.time()
                await asyncio.sleep(LAG_PERIOD_S)
                self._recent = max(self._recent, loop.time() - start - LAG_PERIOD_S)


def rss_mb() -> float:
    """Memory of this process that is in RAM, MB."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 2**10)
    return pages * resource.getpagesize() / 2**20


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """The heartbeat file's content."""

    pid: int
    cores: tuple[str, ...]
    ready: bool
    detail: str
    written: float
    """Seconds since the epoch."""


def beat_path(run_dir: Path, cores: tuple[str, ...]) -> Path:
    """Where the process with these cores writes its heartbeat."""
    return run_dir / "health" / f"{'+'.join(cores)}.json"


def write_beat(run_dir: Path, cores: tuple[str, ...], *, ready: bool, detail: str) -> None:
    """Replace the heartbeat file; a reader never sees half of one."""
    path = beat_path(run_dir, cores)
    path.parent.mkdir(parents=True, exist_ok=True)
    beat = Beat(pid=os.getpid(), cores=cores, ready=ready, detail=detail, written=time.time())
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.write_bytes(msgspec.json.encode(beat))
    fresh.replace(path)


def remove_beat(run_dir: Path, cores: tuple[str, ...]) -> None:
    """The process ends as it should."""
    beat_path(run_dir, cores).unlink(missing_ok=True)


def read_beats(run_dir: Path) -> list[Beat]:
    """Every heartbeat there is; one that cannot be read is left out."""
    beats = []
    for path in sorted((run_dir / "health").glob("*.json")):
        try:
            beats.append(msgspec.json.decode(path.read_bytes(), type=Beat))
        except (OSError, msgspec.DecodeError, json.JSONDecodeError):
            continue
    return beats
