"""What a session is told to be (`SessionConfig`) and everything it can answer (`Output`)."""

import msgspec

from shared.kernel import Nanos
from shared.units import SECOND


class SessionConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One socket. A private session always logs in; a public one only when `login` is set.

    `login` on a public socket is what raw public channels need. `request_timeout` is in nanoseconds,
    `heartbeat_s` at least 10 (the venue's minimum), `refresh_share` the share of a token's life after
    which it is renewed.
    """

    link: str
    private: bool
    channels: tuple[str, ...] = ()
    login: bool = False
    heartbeat_s: int = 10
    request_timeout: Nanos = Nanos(3 * SECOND)
    cancel_on_disconnect: bool = False
    client_name: str = "market-maker"
    client_version: str = "1"
    refresh_share: float = 0.8


class Transmit(msgspec.Struct, frozen=True):
    """Put this frame on the socket. Secrets are placeholders; the host's `Vault` fills them in."""

    data: bytes


class Ready(msgspec.Struct, frozen=True):
    """Heartbeat, login, cancel-on-disconnect and subscriptions stand; requests may be sent."""


class Notified(msgspec.Struct, frozen=True):
    """A frame of a channel; `data` is the undecoded payload for `codec`."""

    channel: str
    data: msgspec.Raw


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """A request succeeded. `late`: it had been reported `Unanswered` before."""

    request_id: int
    method: str
    context: object
    result: msgspec.Raw
    late: bool = False


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A request got an error; see `errors.classify(code)` for what that means. `data` is raw JSON."""

    request_id: int
    method: str
    context: object
    code: int
    message: str
    data: msgspec.Raw
    late: bool = False


class Unanswered(msgspec.Struct, frozen=True, kw_only=True):
    """No usable answer: time-out, socket lost or an unreadable reply. The outcome is unknown."""

    request_id: int
    method: str
    context: object
    why: str


class NotGranted(msgspec.Struct, frozen=True):
    """Channels that were asked for and refused. `want` again to ask again."""

    channels: tuple[str, ...]
    reason: str


class Distrust(msgspec.Struct, frozen=True):
    """Cut this socket: it cannot be relied upon. Said once per connection; `ready` is False from here."""

    reason: str


class Malformed(msgspec.Struct, frozen=True):
    """The venue sent something that cannot be understood; nothing was changed by it."""

    detail: str


Output = (
    Transmit
    | Ready
    | Notified
    | Answered
    | Refused
    | Unanswered
    | NotGranted
    | Distrust
    | Malformed
)
