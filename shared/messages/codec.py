"""Messages, events and effects to bytes and back.

JSON on the bus, readable with the ordinary NATS tools; the same encoder writes journals, so that two
runs can be compared byte for byte (fields in declared order, dicts in insertion order).
"""

import msgspec

from shared.kernel import Effect, Event, HostEvent, Message
from shared.messages import AnyMessage

_encoder = msgspec.json.Encoder()
_message_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(AnyMessage)
_event_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(HostEvent | AnyMessage)


class MalformedMessage(ValueError):
    """Bytes on the bus that are no message of ours; says what was wrong and where."""


def encode(value: Event | Effect) -> bytes:
    """A message, event or effect as JSON."""
    return _encoder.encode(value)


def decode_message(data: bytes) -> Message:
    """Bytes from the bus as a message; raises `MalformedMessage`."""
    try:
        return _message_decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedMessage(f"not a message: {error}; got {data[:120]!r}") from error


def decode_event(data: bytes) -> Event:
    """Bytes from a journal as an event; raises `MalformedMessage`."""
    try:
        return _event_decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedMessage(f"not an event: {error}; got {data[:120]!r}") from error
