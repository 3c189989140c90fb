"""Journals on disk: rotating gzip files per core, of bounded total size, written behind.

Owns: folders `journal/<core>/` with files `<incarnation>-<part>.jsonl.gz`. Records are kept as objects
until the loop is idle, encoded in short slices, compressed and written in a thread. A torn end, from a
crash, costs the last quarter of a second and no more. A full disk ends the journal, not the trading.
"""

import asyncio
import gzip
import logging
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from shared.journal import (
    Header,
    Record,
    decode_header,
    decode_records,
    encode_header,
    encode_record,
)
from shared.kernel import Effects, Event, Nanos

JOURNAL_FOLDER = "journal"
FLUSH_S = 0.25
SLICE = 50
PENDING_MAX = 200_000
PARTS = 8
"""A core's share of the disk is cut into about this many files, so that rotation drops an eighth."""

_log = logging.getLogger(__name__)


class JournalWriter:
    """The journal of one core's incarnation. `append` is cheap; `flush` does the work."""

    def __init__(self, folder: Path, header: Header, bytes_max: int) -> None:
        self._folder = folder / header.core
        self._header = header
        self._bytes_max = bytes_max
        self._pending: list[tuple[Nanos, Event, Effects]] = []
        self._path: Path | None = None
        self._file: gzip.GzipFile | None = None
        self._part = header.part
        self._failed = False

    @property
    def pending(self) -> int:
        """Records not yet written."""
        return len(self._pending)

    def append(self, now: Nanos, event: Event, effects: Effects) -> None:
        """Keep one record for the next flush."""
        if self._failed:
            return
        self._pending.append((now, event, tuple(effects)))
        if len(self._pending) > PENDING_MAX:
            self._give_up(f"{PENDING_MAX} records wait to be written; the disk is too slow")

    async def flush(self) -> None:
        """Write what is pending, without holding the loop for longer than a slice."""
        pending, self._pending = self._pending, []
        lines: list[bytes] = []
        for start in range(0, len(pending), SLICE):
            lines.extend(encode_record(*record) for record in pending[start : start + SLICE])
            await asyncio.sleep(0)
        if lines and not self._failed:
            try:
                await asyncio.to_thread(self._write, b"".join(lines))
            except OSError as error:
                self._give_up(f"cannot write {self._folder}: {error.strerror}")

    async def close(self) -> None:
        """Write everything and end the file."""
        await self.flush()
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:
                self._give_up(f"cannot end {self._folder}: {error.strerror}")

    def _give_up(self, reason: str) -> None:
        self._failed = True
        self._pending.clear()
        _log.error("journal ended", extra={"fields": {"core": self._header.core, "reason": reason}})

    def _write(self, lines: bytes) -> None:
        if self._file is None or self._path is None:
            self._file, self._path = self._open()
        self._file.write(lines)
        self._file.flush(zlib.Z_SYNC_FLUSH)
        if self._path.stat().st_size * PARTS >= self._bytes_max:
            self._file.close()
            self._file = None
            self._part += 1
            self._make_room()

    def _open(self) -> tuple[gzip.GzipFile, Path]:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._make_room()
        path = self._folder / f"{self._header.incarnation:014d}-{self._part:05d}.jsonl.gz"
        fresh = path.with_suffix(".fresh")
        file = gzip.GzipFile(fresh, "wb", compresslevel=1)
        header = Header(
            core=self._header.core,
            version=self._header.version,
            incarnation=self._header.incarnation,
            part=self._part,
            config=self._header.config,
        )
        file.write(encode_header(header))
        file.flush(zlib.Z_SYNC_FLUSH)
        fresh.replace(path)  # under its name a file has a header, whoever looks and whenever
        return file, path

    def _make_room(self) -> None:
        files = sorted(self._folder.glob("*.jsonl.gz"))
        sizes = [path.stat().st_size for path in files]
        excess = sum(sizes) - self._bytes_max * (PARTS - 1) // PARTS
        for path, size in zip(files, sizes, strict=True):
            if excess <= 0:
                break
            path.unlink()
            excess -= size


class Journals:
    """The journals of a process' cores, which share `bytes_max`."""

    def __init__(self, folder: Path, headers: Sequence[Header], bytes_max: int) -> None:
        share = bytes_max // len(headers)
        self._writers = {header.core: JournalWriter(folder, header, share) for header in headers}
        self._flushing: asyncio.Task[None] | None = None

    @property
    def pending(self) -> int:
        """Records not yet written."""
        return sum(writer.pending for writer in self._writers.values())

    def note(self, core: str, now: Nanos, event: Event, effects: Effects) -> None:
        """A `shared.dispatch.Journal`."""
        self._writers[core].append(now, event, effects)

    async def keep(self) -> None:
        """Flush for ever."""
        while True:
            await asyncio.sleep(FLUSH_S)
            # Cut short it would lose what it had taken; `close` waits for its end instead.
            self._flushing = asyncio.create_task(self._flush())
            await asyncio.shield(self._flushing)

    async def _flush(self) -> None:
        for writer in self._writers.values():
            await writer.flush()

    async def close(self) -> None:
        """Write everything."""
        if self._flushing is not None:
            await asyncio.wait((self._flushing,))
        for writer in self._writers.values():
            await writer.close()


def journal_parts(folder: Path, core: str, incarnation: int | None = None) -> list[Path]:
    """The files of one incarnation (default: the latest) of a core, in order."""
    files = sorted((folder / core).glob("*.jsonl.gz"))
    if not files:
        return []
    wanted = files[-1].name.split("-")[0] if incarnation is None else f"{incarnation:014d}"
    return [path for path in files if path.name.startswith(f"{wanted}-")]


def read_journal(path: Path) -> tuple[Header, Iterator[Record]]:
    """Header and records of one file; a torn end is left out. Raises `MalformedJournal`, OSError."""
    lines = _lines(path)
    header = decode_header(next(lines, b""))
    return header, decode_records(lines)


def read_parts(paths: list[Path]) -> tuple[Header, Iterator[Record]]:
    """The first file's header and the records of all files in a row. `paths` must not be empty."""
    header, first = read_journal(paths[0])

    def records() -> Iterator[Record]:
        yield from first
        for path in paths[1:]:
            yield from read_journal(path)[1]

    return header, records()


def _lines(path: Path) -> Iterator[bytes]:
    with gzip.open(path, "rb") as file:
        while True:
            try:
                line = file.readline()
            except (EOFError, zlib.error):
                return
            if not line:
                return
            yield line
