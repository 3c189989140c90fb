"""Owns the words for everything an operator can do to the exchange: one struct each, named by `fault`.

The same words are used by the control API, by scenario files and by simulated runs (`core.fault`). Most act
at once. Those that wait for a frame, a request or a handshake are *armed*: they have a `count` (0: until
lifted) and, where it makes sense, a `probability`, drawn from a stream of their own.

Who is meant: `conn` is a connection's number, `account` a name; with neither, everybody.
"""

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.instruments import BookState
from shared.units import Side

_CLOSE_CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014)
_REASON_BYTES_MAX = 123
"""RFC 6455, sections 7.4 and 5.5: a close frame's codes, and the room for its reason."""

Count = Annotated[int, Meta(ge=0, description="how many; 0: until it is lifted")]
Share = Annotated[float, Meta(gt=0, le=1, description="of those that it is meant for")]
Milliseconds = Annotated[float, Meta(ge=0, le=600_000)]
Fee = Annotated[
    float, Meta(ge=-0.01, le=0.01, description="fraction of notional; negative: rebate")
]


def _tag(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


class _Word(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="fault",
    tag=_tag,
):
    """Anything an operator can say."""


class _Aimed(_Word, frozen=True, kw_only=True):
    """Something done to connections."""

    conn: Annotated[int, Meta(ge=1)] | None = None
    account: str | None = None


# -- frames on their way out ---------------------------------------------------------------------


class _Frames(_Aimed, frozen=True, kw_only=True):
    """Armed for frames of which `channel` begins the channel's name, the method's for an answer, or
    `heartbeat`; empty: every frame."""

    channel: str = ""
    count: Count = 1
    probability: Share = 1.0


class DropFrames(_Frames, frozen=True, kw_only=True):
    """Frames are lost."""


class DelayFrames(_Frames, frozen=True, kw_only=True):
    """Frames are late; what is behind them on the same connection and lane waits for them."""

    milliseconds: Milliseconds
    jitter_ms: Milliseconds = 0.0
    count: Count = 0


class DuplicateFrames(_Frames, frozen=True, kw_only=True):
    """Frames arrive twice."""


class ReorderFrames(_Frames, frozen=True, kw_only=True):
    """Frames are overtaken by everything that leaves within so many milliseconds."""

    milliseconds: Annotated[float, Meta(gt=0, le=600_000)] = 50.0


# -- connections ---------------------------------------------------------------------------------


class Cut(_Aimed, frozen=True, kw_only=True):
    """Sockets end at once, without a close frame."""


class CloseSockets(_Aimed, frozen=True, kw_only=True):
    """Sockets are closed with a close frame. A slow consumer's: 1008, `connection_too_slow`."""

    code: int = 1001
    reason: str = "going away"

    def __post_init__(self) -> None:
        if self.code not in _CLOSE_CODES and not 3000 <= self.code < 5000:
            known = ", ".join(map(str, _CLOSE_CODES))
            raise ValueError(f"expected a `code` that may be sent: {known}, 3000 to 4999")
        if len(self.reason.encode(errors="replace")) > _REASON_BYTES_MAX:
            raise ValueError(f"expected a `reason` of at most {_REASON_BYTES_MAX} bytes")


class HalfOpen(_Aimed, frozen=True, kw_only=True):
    """Lines that are up and dead: the exchange hears nothing, says nothing, or both, for good."""

    hears: bool = False
    speaks: bool = False


class RefuseHandshakes(_Word, frozen=True, kw_only=True):
    """New WebSockets get this HTTP status."""

    status: Literal[429, 503] = 429
    count: Count = 1


# -- requests and their answers ------------------------------------------------------------------


class _Requests(_Aimed, frozen=True, kw_only=True):
    """Armed for requests of which `method` begins the name; empty: every request."""

    method: str = ""
    count: Count = 1
    probability: Share = 1.0


class LoseRequest(_Requests, frozen=True, kw_only=True):
    """The socket is cut before the request is looked at."""


class LoseAnswer(_Requests, frozen=True, kw_only=True):
    """The request is carried out, then the socket is cut unanswered."""


class AnswerError(_Requests, frozen=True, kw_only=True):
    """The answer is this error (`message` empty: Deribit's word for the code); `executed`: although the
    request was carried out."""

    code: int
    message: str = ""
    executed: bool = False


# -- sessions ------------------------------------------------------------------------------------


class ExpireTokens(_Word, frozen=True, kw_only=True):
    """Access tokens are over; refresh tokens hold."""

    account: str | None = None


class DrainCredits(_Word, frozen=True, kw_only=True):
    """All request credits are spent; they come back at their rate."""

    account: str | None = None


# -- what is said of books -----------------------------------------------------------------------


class CrossedBook(_Word, frozen=True, kw_only=True):
    """The book channels are told of a bid at the best ask, by a frame that fits the chain."""

    instrument: str


class Gap(_Word, frozen=True, kw_only=True):
    """The book channels lose the thread: their next frame does not follow the last."""

    instrument: str


# -- the platform --------------------------------------------------------------------------------


class Lock(_Word, frozen=True, kw_only=True):
    """Books on an index are locked (cancels pass) or released."""

    index: str
    locked: bool = True


class Maintenance(_Word, frozen=True, kw_only=True):
    """The platform announces a break and closes every socket, or opens again."""

    on: bool = True


class Announce(_Word, frozen=True, kw_only=True):
    """Something is published on the channel `announcements`."""

    title: Annotated[str, Meta(min_length=1, max_length=200)]
    body: str = ""


class SetState(_Word, frozen=True, kw_only=True):
    """A book is opened, halted, locked or closed."""

    instrument: str
    state: BookState


class Settle(_Word, frozen=True, kw_only=True):
    """All books settle now, as at 08:00 UTC."""


class Expire(_Word, frozen=True, kw_only=True):
    """A dated future is delivered now."""

    instrument: str


class SetTick(_Word, frozen=True, kw_only=True):
    """An instrument has another tick; resting orders stay where they are."""

    instrument: str
    tick: Annotated[float, Meta(gt=0, le=1e6)]


class SetFees(_Word, frozen=True, kw_only=True):
    """An instrument has other fees; one that is not given stays."""

    instrument: str
    maker: Fee | None = None
    taker: Fee | None = None


class SetHold(_Word, frozen=True, kw_only=True):
    """Orders that would trade at once wait so long on one book; 0: they do not."""

    instrument: str
    milliseconds: Annotated[float, Meta(ge=0, le=10_000)]


# -- the market ----------------------------------------------------------------------------------


class MovePrice(_Word, frozen=True, kw_only=True):
    """News: what the coin is worth moves by so many basis points, and stays there."""

    bps: Annotated[float, Meta(ge=-5_000, le=5_000)]


class SetRegime(_Word, frozen=True, kw_only=True):
    """The market's weather changes."""

    regime: str


class Sweep(_Word, frozen=True, kw_only=True):
    """Somebody takes everything of a book's other side that is within so many basis points of its best."""

    instrument: str
    side: Side
    bps: Annotated[float, Meta(gt=0, le=5_000)] = 10.0


# -- accounts ------------------------------------------------------------------------------------


class Deposit(_Word, frozen=True, kw_only=True):
    """Coin comes in; negative: goes out."""

    account: str
    currency: Literal["BTC", "ETH", "USDC"]
    amount: Annotated[float, Meta(ge=-1e9, le=1e9)]


class Liquidate(_Word, frozen=True, kw_only=True):
    """The exchange closes an account's positions, whatever its margin."""

    account: str


FrameFault = DropFrames | DelayFrames | DuplicateFrames | ReorderFrames
RequestFault = LoseRequest | LoseAnswer | AnswerError
ArmedFault = FrameFault | RequestFault | RefuseHandshakes
SocketFault = Cut | CloseSockets | HalfOpen
MarketFault = MovePrice | SetRegime | Sweep
PlatformFault = (
    ExpireTokens
    | DrainCredits
    | CrossedBook
    | Gap
    | Lock
    | Maintenance
    | Announce
    | SetState
    | Settle
    | Expire
    | SetTick
    | SetFees
    | SetHold
    | Deposit
    | Liquidate
)
Fault = ArmedFault | SocketFault | MarketFault | PlatformFault
