"""The recorder: what of the public socket is recorded, and how it is cut into bounded segments.

A recording is in the format of `shared/recordings/frames.py`. Every segment starts with the whole books
of that moment, so that it can be replayed by itself and the oldest may go.
"""

from shared.kernel import Event, FrameIn, LinkDown, LinkUp, Nanos
from shared.recordings.frames import Entry
from shared.units import to_ms


def entry_of(now: Nanos, event: Event) -> Entry | None:
    """What of an event is recorded; None: nothing."""
    match event:
        case FrameIn(link="public"):
            return Entry(now, "frame", event.data.decode(errors="replace"))
        case LinkUp(link="public"):
            return Entry(now, "up", "")
        case LinkDown(link="public"):
            return Entry(now, "down", event.reason)
        case _:
            return None


class Rotation:
    """Decides when a new segment starts and which old ones go. Sizes are bytes before compression."""

    def __init__(self, segment_bytes: int, segments: int, existing: tuple[str, ...] = ()) -> None:
        if segment_bytes <= 0 or segments <= 0:
            raise ValueError(
                f"expected sizes above 0, came {segment_bytes} bytes, {segments} segments"
            )
        self._segment_bytes = segment_bytes
        self._segments = segments
        self._names = sorted(existing)
        self._written = segment_bytes

    @property
    def due(self) -> bool:
        """The next entry belongs into a new segment."""
        return self._written >= self._segment_bytes

    def start(self, now: Nanos) -> tuple[str, tuple[str, ...]]:
        """The name of the segment that starts now, and the names that must go."""
        name = f"{to_ms(now)}.jsonl.gz"
        self._names.append(name)
        gone = tuple(self._names[: -self._segments])
        self._names = self._names[-self._segments :]
        self._written = 0
        return name, gone

    def wrote(self, size: int) -> None:
        """So many bytes went into the present segment."""
        self._written += size
