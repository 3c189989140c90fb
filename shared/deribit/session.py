"""One socket's conversation with Deribit, without the socket.

Owns: the opening sequence, heartbeat, tokens, subscriptions, and which reply belongs to which request.

    HEARTBEAT  public/set_heartbeat (and hello)          refused: distrust
    LOGIN      public/auth, if private or asked for      refused, or no right to trade: distrust
    GUARD      enable cancel-on-disconnect for the account,  not active: distrust
               read it back, for this connection too
    SUBSCRIBE  chunks of channels, granted against asked refused channels: NotGranted
    READY      token renewed at `refresh_share` of its life; a refused renewal logs in anew

What protects orders when a machine vanishes is the venue's cancel-on-disconnect, so it is believed only
when read back. What notices a half-open socket here is silence: with a heartbeat of h seconds the venue
speaks at least every 1.26 h (measured), so 1.5 h of silence is distrusted.
"""

from enum import IntEnum
from functools import partial
from typing import TypeVar

import msgspec

from shared.deribit.correlation import Correlation, Pending, Reply
from shared.deribit.envelope import ABSENT, Frame, decode_frame
from shared.deribit.errors import RAW_NEEDS_LOGIN, UNAUTHORIZED
from shared.deribit.outputs import (
    Distrust,
    Malformed,
    NotGranted,
    Notified,
    Output,
    Ready,
    Refused,
    SessionConfig,
    Transmit,
)
from shared.deribit.subscriptions import Chunk, Subscriptions
from shared.deribit.vault import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from shared.kernel import Nanos
from shared.units import from_seconds, to_seconds

T = TypeVar("T")

_HEARTBEAT_MIN_S = 10
_SILENCE_HEARTBEATS = 1.5
_TOKEN_LIFE_MAX_S = 31_536_000.0
_NEVER = Nanos(2**63 - 1)
_LOGIN_LOST = (b"invalid_token", b"session_not_found")
# Of the account: this socket and every new one. Of the connection: what this socket has in fact.
_ACCOUNT: dict[str, object] = {"scope": "account"}
_CONNECTION: dict[str, object] = {"scope": "connection"}


class _Stage(IntEnum):
    CLOSED = 0
    HEARTBEAT = 1
    LOGIN = 2
    GUARD = 3
    SUBSCRIBE = 4
    READY = 5
    DISTRUSTED = 6


class _Grant(msgspec.Struct):
    expires_in: float | None = None
    scope: str | None = None


class _Guard(msgspec.Struct):
    enabled: bool = False


class Session:
    """Told what happened on the socket, answers with what to do. Never raises on what the venue sends.

    The owner turns `Transmit` into `Send` and `Distrust` into `Cut`, and asks for a wake whenever
    `next_wake` has changed after a call; it does not change with every frame.
    """

    def __init__(self, config: SessionConfig) -> None:
        if config.heartbeat_s < _HEARTBEAT_MIN_S:
            raise ValueError(
                f"heartbeat_s: expected at least {_HEARTBEAT_MIN_S} (the venue's minimum), "
                f"came {config.heartbeat_s}"
            )
        if config.cancel_on_disconnect and not config.private:
            raise ValueError("cancel_on_disconnect: expected a private session, came a public one")
        self.config = config
        self._stage = _Stage.CLOSED
        self._subscriptions = Subscriptions(config.channels)
        self._requests = Correlation(config.request_timeout)
        self._silence = from_seconds(_SILENCE_HEARTBEATS * config.heartbeat_s)
        self._silence_check = _NEVER
        self._heard = Nanos(0)
        self._refresh_at = _NEVER
        self._guards_read = 0

    @property
    def ready(self) -> bool:
        """The opening sequence is through and the socket is not distrusted."""
        return self._stage is _Stage.READY

    @property
    def next_wake(self) -> Nanos | None:
        """When `woke` must be called next; None: nothing is due."""
        due = self._silence_check if self._silence_check < self._refresh_at else self._refresh_at
        deadline = self._requests.next_deadline
        if deadline is not None and deadline < due:
            return deadline
        return None if due == _NEVER else due

    def wait(self, timeout: Nanos) -> None:
        """How long answers to later requests are waited for, in place of the configured time."""
        self._requests.timeout = timeout

    @property
    def clock_offset(self) -> Nanos | None:
        """Venue clock minus ours, of the quickest of the last round trips; None before the first."""
        return self._requests.clock_offset

    def opened(self, now: Nanos) -> list[Output]:
        """The socket is open: start the opening sequence."""
        lost = self.closed(now, "reopened")
        self._stage = _Stage.HEARTBEAT
        self._heard = now
        self._silence_check = Nanos(now + self._silence)
        hello: dict[str, object] = {
            "client_name": self.config.client_name,
            "client_version": self.config.client_version,
        }
        heartbeat: dict[str, object] = {"interval": self.config.heartbeat_s}
        return [
            *lost,
            self._requests.ask(now, "public/set_heartbeat", heartbeat, step=self._heartbeat_set),
            self._requests.ask(now, "public/hello", hello, step=_ignore, vital=False),
        ]

    def closed(self, now: Nanos, reason: str) -> list[Output]:
        """The socket is gone: every open request is `Unanswered`."""
        self._stage = _Stage.CLOSED
        self._subscriptions.reset()
        self._silence_check = self._refresh_at = _NEVER
        return [
            pending.unanswered(f"socket lost: {reason}")
            for pending in self._requests.drop()
            if pending.step is None
        ]

    def received(self, now: Nanos, data: bytes) -> list[Output]:
        """One text frame."""
        if self._stage is _Stage.CLOSED:
            return []
        self._heard = now
        frame = decode_frame(data)
        if isinstance(frame, str):
            return [Malformed(frame)]
        if frame.method is not None:
            return self._told(now, frame)
        if isinstance(frame.id, int) and (frame.error is not None or frame.result != ABSENT):
            return self._replied(now, frame.id, frame)
        if frame.error is not None:
            return [
                Malformed(
                    f"a refusal without an id of ours: {frame.error.code} {frame.error.message}"
                )
            ]
        return [Malformed(f"neither notification nor reply: came {data[:160]!r}")]

    def woke(self, now: Nanos) -> list[Output]:
        """Time-outs, token refresh and the silence limit."""
        outputs: list[Output] = []
        for pending in self._requests.give_up(now):
            outputs += self._given_up(pending)
        if self._silence_check <= now:
            self._silence_check = Nanos(self._heard + self._silence)
            if self._silence_check <= now:
                self._silence_check = _NEVER
                outputs += self._distrust(
                    f"nothing heard for {to_seconds(now - self._heard):.1f} s"
                )
        if self._refresh_at <= now:
            self._refresh_at = _NEVER
            outputs.append(self._refresh(now))
        return outputs

    def request(
        self, now: Nanos, method: str, params: dict[str, object], context: object = None
    ) -> tuple[int, list[Output]]:
        """Ask the venue; the answer comes as Answered, Refused or Unanswered with this id and context.

        Raises RuntimeError when the session is not `ready`.
        """
        if not self.ready:
            raise RuntimeError(
                f"{method}: expected a ready session, came one that is {self._stage.name.lower()}; "
                "ask `ready` first"
            )
        transmit = self._requests.ask(now, method, params, context)
        return self._requests.last_id, [transmit]

    def want(self, now: Nanos, channels: tuple[str, ...]) -> list[Output]:
        """Replace the set of wanted channels; refused ones among them are asked for again."""
        self._subscriptions.want(channels)
        return self._synced(now)

    def renew(self, now: Nanos, channel: str) -> list[Output]:
        """Unsubscribe, then subscribe: the only way to a new snapshot on an open socket.

        Nothing is sent where a snapshot is on its way already. Raises ValueError for a channel that is
        not wanted.
        """
        if channel not in self._subscriptions:
            raise ValueError(f"renew: expected a wanted channel, came {channel!r}")
        if self._stage not in (_Stage.SUBSCRIBE, _Stage.READY):
            return []
        return [self._unsubscribe(now, chunk) for chunk in self._subscriptions.leave(channel)]

    def _told(self, now: Nanos, frame: Frame) -> list[Output]:
        params = frame.params
        if frame.method == "subscription" and params is not None and params.channel:
            return [Notified(params.channel, params.data)]
        if frame.method == "heartbeat" and params is not None:
            if params.type != "test_request":
                return []
            return [self._requests.ask(now, "public/test", {}, step=_ignore, vital=False)]
        return [Malformed(f"an unknown notification: method {frame.method!r}, params {params}")]

    def _replied(self, now: Nanos, request_id: int, frame: Frame) -> list[Output]:
        pending, late = self._requests.replied(now, request_id, frame)
        if pending is None:
            return [Malformed(f"a reply to no open request: id {request_id}")]
        reply = pending.reply(frame, late=late)
        if pending.step is None:
            return [reply, *self._login_kept(reply)]
        return [] if self._stage is _Stage.DISTRUSTED else pending.step(now, reply)

    def _given_up(self, pending: Pending) -> list[Output]:
        why = f"no answer within {to_seconds(pending.deadline - pending.sent):g} s"
        if pending.step is None:
            return [pending.unanswered(why)]
        return self._distrust(f"{pending.method}: {why}") if pending.vital else []

    def _distrust(self, reason: str) -> list[Output]:
        if self._stage is _Stage.DISTRUSTED:
            return []
        self._stage = _Stage.DISTRUSTED
        self._refresh_at = _NEVER
        return [Distrust(reason)]

    def _login_kept(self, reply: Reply) -> list[Output]:
        if not isinstance(reply, Refused) or reply.code != UNAUTHORIZED:
            return []
        if any(reason in bytes(reply.data) for reason in _LOGIN_LOST):
            return self._distrust(f"the login is lost: {reply.code} {reply.message}")
        return []

    def _heartbeat_set(self, now: Nanos, reply: Reply) -> list[Output]:
        if isinstance(reply, Refused):
            return self._distrust(f"heartbeat refused: {reply.code} {reply.message}")
        if not (self.config.private or self.config.login):
            return self._subscribe(now)
        self._stage = _Stage.LOGIN
        return [self._login(now)]

    def _login(self, now: Nanos) -> Transmit:
        grant: dict[str, object] = {
            "grant_type": "client_credentials",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
        }
        return self._requests.ask(now, "public/auth", grant, step=self._logged_in)

    def _refresh(self, now: Nanos) -> Transmit:
        grant: dict[str, object] = {
            "grant_type": "refresh_token",
            "refresh_token": REFRESH_TOKEN,
        }
        return self._requests.ask(now, "public/auth", grant, step=self._refreshed)

    def _logged_in(self, now: Nanos, reply: Reply) -> list[Output]:
        if isinstance(reply, Refused):
            return self._distrust(f"login refused: {reply.code} {reply.message}")
        grant = _read(reply, _Grant)
        if grant is None:
            return self._distrust("login answered with something that is no grant")
        scope = grant.scope
        if self.config.private and scope is not None and "trade:read_write" not in scope.split():
            return self._distrust(f"login: expected the scope trade:read_write, came {scope!r}")
        if grant.expires_in is not None and grant.expires_in > 0:
            life = min(grant.expires_in, _TOKEN_LIFE_MAX_S)
            self._refresh_at = Nanos(now + from_seconds(life * self.config.refresh_share))
        if self._stage is not _Stage.LOGIN:
            return []
        return self._guard(now) if self.config.cancel_on_disconnect else self._subscribe(now)

    def _refreshed(self, now: Nanos, reply: Reply) -> list[Output]:
        if isinstance(reply, Refused):
            return [self._login(now)]
        return self._logged_in(now, reply)

    def _guard(self, now: Nanos) -> list[Output]:
        self._stage, self._guards_read = _Stage.GUARD, 0
        method = "private/enable_cancel_on_disconnect"
        return [self._requests.ask(now, method, _ACCOUNT, step=self._guard_asked)]

    def _guard_asked(self, now: Nanos, reply: Reply) -> list[Output]:
        # A key may lack the right to enable it and still have it from the account's default.
        asked = f"{reply.code} {reply.message}" if isinstance(reply, Refused) else "accepted"
        return [self._guard_question(now, scope, asked) for scope in (_CONNECTION, _ACCOUNT)]

    def _guard_question(self, now: Nanos, scope: dict[str, object], asked: str) -> Transmit:
        method = "private/get_cancel_on_disconnect"
        step = partial(self._guard_read, str(scope["scope"]), asked)
        return self._requests.ask(now, method, scope, step=step)

    def _guard_read(self, scope: str, asked: str, now: Nanos, reply: Reply) -> list[Output]:
        guard = _read(reply, _Guard)
        if guard is None or not guard.enabled:
            return self._distrust(
                f"cancel-on-disconnect is not active for the {scope} (enabling it: {asked})"
            )
        self._guards_read += 1
        return self._subscribe(now) if self._guards_read == 2 else []

    def _subscribe(self, now: Nanos) -> list[Output]:
        self._stage = _Stage.SUBSCRIBE
        return self._synced(now)

    def _synced(self, now: Nanos) -> list[Output]:
        if self._stage not in (_Stage.SUBSCRIBE, _Stage.READY):
            return []
        method = f"{self._side}/subscribe"
        outputs: list[Output] = [
            self._unsubscribe(now, chunk) for chunk in self._subscriptions.to_leave()
        ]
        for chunk in self._subscriptions.to_ask():
            step = partial(self._subscribed, chunk)
            outputs.append(self._requests.ask(now, method, {"channels": chunk}, step=step))
        if self._stage is _Stage.SUBSCRIBE and self._subscriptions.settled:
            self._stage = _Stage.READY
            outputs.append(Ready())
        return outputs

    @property
    def _side(self) -> str:
        return "private" if self.config.private else "public"

    def _unsubscribe(self, now: Nanos, chunk: Chunk) -> Transmit:
        method = f"{self._side}/unsubscribe"
        step = partial(self._unsubscribed, chunk)
        return self._requests.ask(now, method, {"channels": chunk}, step=step)

    def _subscribed(self, asked: Chunk, now: Nanos, reply: Reply) -> list[Output]:
        granted = _read(reply, list[str])
        refused = self._subscriptions.answered(asked, granted or [])
        was_ready = self._stage is _Stage.READY
        outputs = self._synced(now)
        if not refused:
            return outputs
        if isinstance(reply, Refused):
            told = [NotGranted(refused, f"{reply.code} {reply.message}"), *outputs]
            if reply.code == RAW_NEEDS_LOGIN and was_ready:
                # It was granted before: asking again on this socket would be refused for ever.
                told += self._distrust(f"the login is lost: {reply.code} {reply.message}")
            return told
        return [NotGranted(refused, "left out of the granted channels"), *outputs]

    def _unsubscribed(self, chunk: Chunk, now: Nanos, reply: Reply) -> list[Output]:
        self._subscriptions.left(chunk)
        return self._synced(now)


def _read(reply: Reply, kind: type[T]) -> T | None:
    """The result as this type; None where it was refused or is something else."""
    if isinstance(reply, Refused):
        return None
    try:
        return msgspec.json.decode(reply.result, type=kind, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _ignore(now: Nanos, reply: Reply) -> list[Output]:
    return []
