"""Messages, events and effects to bytes, and messages back.

JSON on the bus, readable with the ordinary NATS tools; journals have the same encoding, so that two
runs can be compared byte for byte (fields in declared order, dicts in insertion order).
"""

import msgspec

from shared.kernel import Effect, Event, Message
from shared.messages import AnyMessage

_encoder = msgspec.json.Encoder()
_message_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(AnyMessage)


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
