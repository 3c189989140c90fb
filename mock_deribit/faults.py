"""Owns the faults an operator can order: what the world does to an exchange's connections.

Reached by `POST /mock/faults` on the control port, one JSON object each, named by `fault`:

    {"fault": "cut"}                                               every socket, without a close frame
    {"fault": "drop_frames", "channel": "book.", "count": 1}       the next frames of channels so named
    {"fault": "crossed_book", "instrument": "BTC-PERPETUAL"}       one frame that crosses the book
    {"fault": "delay", "milliseconds": 500}                        every frame from now on; 0 ends it
    {"fault": "lose_answer", "method": "private/buy", "count": 1}  done, but cut before answering
    {"fault": "lock", "index": "btc_usd", "locked": true}          trading frozen, cancels pass
    {"fault": "maintenance", "on": true}                           announced, then every socket closed
"""

import msgspec


class CutAll(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="fault", tag="cut"):
    """Every socket ends at once, without a close frame."""


class DropFrames(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="fault", tag="drop_frames"
):
    """The next `count` frames of channels whose name starts with `channel` are lost."""

    channel: str
    count: int = 1


class CrossedBook(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="fault", tag="crossed_book"
):
    """The instrument's book channels are told of a bid at the best ask."""

    instrument: str


class Delay(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="fault", tag="delay"
):
    """Everything that leaves is late by this much."""

    milliseconds: float


class LoseAnswer(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="fault", tag="lose_answer"
):
    """The next `count` calls of a method are carried out, then the socket is cut unanswered."""

    method: str
    count: int = 1


class Lock(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="fault", tag="lock"):
    """Books on an index are locked or released."""

    index: str
    locked: bool


class Maintenance(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="fault", tag="maintenance"
):
    """The platform closes, or opens again."""

    on: bool


Fault = CutAll | DropFrames | CrossedBook | Delay | LoseAnswer | Lock | Maintenance

_decoder: msgspec.json.Decoder[Fault] = msgspec.json.Decoder(Fault)


def decode(body: bytes) -> Fault:
    """A fault from its JSON. Raises msgspec.DecodeError that says what was expected."""
    return _decoder.decode(body)


class Faults:
    """The ordered faults that wait for their moment."""

    def __init__(self) -> None:
        self.delay_ms = 0.0
        self._drops: dict[str, int] = {}
        self._losses: dict[str, int] = {}

    def order_drop(self, fault: DropFrames) -> None:
        """Lose frames."""
        self._drops[fault.channel] = self._drops.get(fault.channel, 0) + fault.count

    def order_loss(self, fault: LoseAnswer) -> None:
        """Lose answers."""
        self._losses[fault.method] = self._losses.get(fault.method, 0) + fault.count

    def drops(self, channel: str) -> bool:
        """Whether this frame is lost; counts it."""
        for prefix, left in self._drops.items():
            if left > 0 and channel.startswith(prefix):
                self._drops[prefix] = left - 1
                return True
        return False

    def loses(self, method: str) -> bool:
        """Whether this answer is lost; counts it."""
        left = self._losses.get(method, 0)
        self._losses[method] = max(0, left - 1)
        return left > 0
