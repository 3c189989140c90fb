"""Owns one socket's own state: login, heartbeat, cancel on disconnect, what it subscribed to.

Heartbeat timing, measured on production with an interval of 10 s: the first `test_request` after 12.0 s,
the following every 10.6 s; one left unanswered for 10.0 s closes the socket with 4000. Other intervals
are taken to scale. A socket that never asked for anything lasting is dropped without a close frame after
a while that the rules say. Source: recorded production sessions of September 2026.
"""

import msgspec

from mock_deribit.rpc.grants import Grant
from shared.kernel import Nanos
from shared.units import SECOND

_FIRST_TEST = 1.2
_NEXT_TEST = 1.06


class Session:
    """Everything the exchange knows about one connection."""

    def __init__(self, conn: int, peer: str, now: Nanos, idle_after: Nanos) -> None:
        self._idle_after = idle_after
        self.conn = conn
        self.peer = peer
        self.grant: Grant | None = None
        self.cancel_on_disconnect = False
        self.orders: dict[str, str] = {}
        self.channels: dict[str, str] = {}
        self.heard = now
        self.heartbeat: Heartbeat | None = None

    def due(self) -> Nanos | None:
        """When this session next needs looking at, if ever."""
        if self.heartbeat is not None:
            return self.heartbeat.due()
        return None if self.channels else Nanos(self.heard + self._idle_after)

    def put_off(self, by: Nanos) -> None:
        """This much time does not count."""
        self.heard = Nanos(self.heard + by)
        if self.heartbeat is not None:
            self.heartbeat.put_off(by)

    def idle(self, now: Nanos) -> bool:
        """Whether nothing keeps this connection alive any more."""
        lasting = self.heartbeat is not None or self.channels
        return not lasting and now >= self.heard + self._idle_after


class Beat(msgspec.Struct, frozen=True):
    """What the heartbeat wants now: frames of these types, or the end of the connection."""

    frames: tuple[str, ...] = ()
    dead: bool = False


class Heartbeat:
    """The server's side of `public/set_heartbeat`."""

    def __init__(self, interval_s: int, now: Nanos) -> None:
        self._interval = interval_s * SECOND
        self._test_at = Nanos(now + round(self._interval * _FIRST_TEST))
        self._deadline: Nanos | None = None
        self._quiet = True

    def due(self) -> Nanos:
        """The next test or, if one is unanswered, its deadline when that comes first."""
        return self._test_at if self._deadline is None else min(self._test_at, self._deadline)

    def put_off(self, by: Nanos) -> None:
        """Test, and wait for its answer, so much later."""
        self._test_at = Nanos(self._test_at + by)
        if self._deadline is not None:
            self._deadline = Nanos(self._deadline + by)

    def answered(self) -> None:
        """`public/test` arrived."""
        self._deadline = None

    def busy(self) -> None:
        """Another frame went out; a busy socket gets tests but no plain heartbeats."""
        self._quiet = False

    def beat(self, now: Nanos) -> Beat:
        """Advance to `now`."""
        if self._deadline is not None and now >= self._deadline:
            return Beat(dead=True)
        if now < self._test_at:
            return Beat()
        frames = ("heartbeat", "test_request") if self._quiet else ("test_request",)
        self._quiet = True
        if self._deadline is None:
            self._deadline = Nanos(now + self._interval)
        self._test_at = Nanos(now + round(self._interval * _NEXT_TEST))
        return Beat(frames)
