"""Files of the recorder: segments written beside the running core, and read back for a replay.

On by MM_RECORD_DIR; MM_RECORD_MB_MAX bounds what is kept, in megabytes before compression (books compress
to a tenth). A disk that fails ends the recording with one line in the log, never the service.
"""

import gzip
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from services.marketdata.core import Marketdata
from services.marketdata.recorder import Rotation, entry_of
from shared.kernel import Effect, Event, Nanos, Wake
from shared.recordings.frames import HEADER, encode_entry, frame_entry
from shared.shell.settings import SettingsError

SEGMENT_MB = 64
KEPT_MB = 4096
_MB = 1_000_000
_FAST = 1

_log = logging.getLogger(__name__)


class Recording:
    """A market-data core with a recorder on its line; to the host it is the core."""

    name = Marketdata.name
    links = Marketdata.links
    remembers = Marketdata.remembers

    def __init__(self, core: Marketdata, folder: Path, rotation: Rotation) -> None:
        self._core = core
        self._folder = folder
        self._rotation = rotation
        self._file: gzip.GzipFile | None = None
        self._ended = False

    def handle(self, now: Nanos, event: Event) -> list[Effect]:
        """What the core answers; the event is written down first."""
        if not self._ended:
            try:
                self._record(now, event)
            except OSError as error:
                self._ended = True
                _log.error("the recording ends: %s", error)
        return self._core.handle(now, event)

    def _record(self, now: Nanos, event: Event) -> None:
        entry = entry_of(now, event)
        if entry is not None:
            if self._rotation.due:
                self._start_segment(now)
            self._write(encode_entry(entry))
        elif isinstance(event, Wake) and self._file is not None:
            if event.timer == "health":
                self._file.flush()
            elif event.timer == "stop":
                self._file.close()
                self._ended = True

    def _start_segment(self, now: Nanos) -> None:
        if self._file is not None:
            self._file.close()
        name, gone = self._rotation.start(now)
        self._file = gzip.GzipFile(self._folder / name, "wb", compresslevel=_FAST)
        for old in gone:
            (self._folder / old).unlink(missing_ok=True)
        self._write(HEADER)
        for channel, data in self._core.snapshots:
            self._write(encode_entry(frame_entry(now, channel, data)))

    def _write(self, line: bytes) -> None:
        assert self._file is not None
        self._file.write(line + b"\n")
        self._rotation.wrote(len(line) + 1)


def recorded(core: Marketdata, environ: Mapping[str, str]) -> Marketdata | Recording:
    """The core, recorded if the environment asks for it; raises `SettingsError`."""
    folder = environ.get("MM_RECORD_DIR", "")
    if not folder:
        return core
    text = environ.get("MM_RECORD_MB_MAX", str(KEPT_MB))
    if not text.isdecimal() or int(text) < SEGMENT_MB:
        raise SettingsError(
            f"MM_RECORD_MB_MAX: expected whole megabytes, at least {SEGMENT_MB}, came {text!r}"
        )
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        existing = tuple(file.name for file in path.glob("*.jsonl.gz"))
    except OSError as error:
        raise SettingsError(f"MM_RECORD_DIR {folder} cannot be used: {error.strerror}") from error
    rotation = Rotation(SEGMENT_MB * _MB, int(text) // SEGMENT_MB, existing)
    return Recording(core, path, rotation)


def lines_of(paths: Iterable[Path]) -> Iterator[bytes]:
    """The lines of recordings one after the other; one that ends in the middle is read so far."""
    for path in paths:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            try:
                for line in file:
                    if line.endswith(b"\n"):
                        yield line
            except EOFError:
                _log.warning("%s ends in the middle of a line", path)
