"""The recorder: which lines a recording holds, and how it is cut into bounded segments.

A recording is text, a line each: a header, then `[nanoseconds, kind, text]` where kind is `frame` (the
text is the frame as it came), `up` or `down` (the connection; the text is the reason). Every segment
starts with the whole books of that moment, so that it can be replayed by itself and the oldest may go.
"""

from typing import Literal

import msgspec

from shared.kernel import Event, FrameIn, LinkDown, LinkUp, Nanos
from shared.units import to_ms

HEADER = b'{"format":"venue-frames","version":1}'

_encoder = msgspec.json.Encoder()


class MalformedRecording(ValueError):
    """A line that is no line of a recording; the text says which and why."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One thing that reached the public socket, and when."""

    at: Nanos
    kind: Literal["frame", "up", "down"]
    text: str


_decoder = msgspec.json.Decoder(Entry)


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


def frame_entry(now: Nanos, channel: str, data: bytes) -> Entry:
    """A channel's data in the frame in which the venue sends it."""
    params = {"channel": channel, "data": msgspec.Raw(data)}
    frame = {"jsonrpc": "2.0", "method": "subscription", "params": params}
    return Entry(now, "frame", _encoder.encode(frame).decode())


def encode_entry(entry: Entry) -> bytes:
    """The entry as a line without its end."""
    return _encoder.encode(entry)


def decode_entry(line: bytes) -> Entry:
    """A line back to its entry; raises `MalformedRecording`."""
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedRecording(
            f"expected [time, kind, text]: {error}; came {line[:80]!r}"
        ) from error


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
