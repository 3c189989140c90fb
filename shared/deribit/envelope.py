"""The JSON-RPC envelope: requests out, replies and notifications in, payloads left undecoded."""

import msgspec

ABSENT = msgspec.Raw(b"")
_NULL = msgspec.Raw(b"null")


class Failure(msgspec.Struct):
    """`error` of a reply. `data` is free-form and left raw."""

    code: int
    message: str = ""
    data: msgspec.Raw = _NULL


class Params(msgspec.Struct):
    """`params` of a notification: a channel's frame, or a heartbeat's `type`."""

    channel: str = ""
    data: msgspec.Raw = ABSENT
    type: str = ""


class Frame(msgspec.Struct):
    """Anything the venue sends. `us_in` and `us_out` are its clock in microseconds."""

    id: int | str | None = None
    method: str | None = None
    params: Params | None = None
    result: msgspec.Raw = ABSENT
    error: Failure | None = None
    us_in: object = msgspec.field(default=None, name="usIn")
    us_out: object = msgspec.field(default=None, name="usOut")


_decoder = msgspec.json.Decoder(Frame, strict=False)
_encoder = msgspec.json.Encoder()


def decode_frame(data: bytes) -> Frame | str:
    """A frame, or the sentence that says why these bytes are none."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return f"frame: {error}; came {data[:160]!r}"


def encode_request(request_id: int, method: str, params: dict[str, object]) -> bytes:
    """One request as the venue wants it: named parameters, an id of our own."""
    return _encoder.encode({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})
