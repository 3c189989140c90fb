"""Recordings of the venue's frames: a text, a line each, as our recorder writes them.

A header, then `[nanoseconds, kind, text]` where kind is `frame` (the text is the frame as it came), `up` or
`down` (the connection; the text is the reason).
"""

from typing import Literal

import msgspec

from shared.kernel import Nanos

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
