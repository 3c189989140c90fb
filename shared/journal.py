"""The journal's format: what one core heard, when, and what it answered.

Owns: the bytes of a journal's header line and of its records, one JSON line each. A record is
`[now, event, [effect, ...]]` with the encoding of the bus, so two runs can be compared byte for byte.
Files, rotation and compression are the shell's business.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from shared.kernel import Effects, Event, HostEvent, Nanos
from shared.messages import AnyMessage

FORMAT = 1


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of every file. Part 0 begins with the core's first event; a replay needs it."""

    core: str
    version: str
    """Of the program that wrote it."""
    incarnation: int
    part: int
    config: dict[str, Any]
    """What the core was built from: enough to build it again."""
    format: int = FORMAT


class Record(msgspec.Struct, frozen=True, array_like=True):
    """One event of one core. `effects` is the JSON array as written, for comparison."""

    now: int
    event: HostEvent | AnyMessage
    effects: msgspec.Raw


class MalformedJournal(ValueError):
    """A line that is no header or record of ours; says what was wrong."""


_encoder = msgspec.json.Encoder()
_records = msgspec.json.Decoder(Record)
_headers = msgspec.json.Decoder(Header)


def encode_header(header: Header) -> bytes:
    """The header as a line."""
    return _encoder.encode(header) + b"\n"


def encode_effects(effects: Effects) -> bytes:
    """Effects as they stand in a record."""
    return _encoder.encode(list(effects))


def encode_record(now: Nanos, event: Event, effects: Effects) -> bytes:
    """One record as a line."""
    return _encoder.encode((now, event, list(effects))) + b"\n"


def decode_header(line: bytes) -> Header:
    """The header of a file; raises `MalformedJournal`, also for a format this program cannot read."""
    try:
        header = _headers.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedJournal(f"not a journal header: {error}; got {line[:120]!r}") from error
    if header.format != FORMAT:
        raise MalformedJournal(
            f"journal format {FORMAT} is read here, the file has {header.format}"
        )
    return header


def decode_record(line: bytes) -> Record:
    """A record; raises `MalformedJournal`."""
    try:
        return _records.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedJournal(f"not a journal record: {error}; got {line[:120]!r}") from error


def decode_records(lines: Iterable[bytes]) -> Iterator[Record]:
    """The records of lines; a last line torn by a crash (no line end) is left out."""
    for line in lines:
        if line.endswith(b"\n"):
            yield decode_record(line)
