"""Owns what leaves the mock and when: replies, frames and closings, each possibly delayed.

Deribit answers from separate queues for matching requests, other private requests, public requests and
notifications: order holds inside such a lane and not across lanes. A subscription's acknowledgement
travels in the lane of the frames it promises.
"""

from heapq import heappop, heappush

import msgspec

from shared.kernel import Nanos


class Reply(msgspec.Struct, frozen=True, gc=False):
    """Put one text frame on a socket."""

    conn: int
    data: bytes


class Close(msgspec.Struct, frozen=True):
    """End a socket. Code 1006 means without a close frame, as when a line is cut."""

    conn: int
    code: int
    reason: str


Effect = Reply | Close

CUT = 1006


class Outbox:
    """Everything on its way out."""

    def __init__(self) -> None:
        self._ready: list[Effect] = []
        self._waiting: list[tuple[Nanos, int, Effect]] = []
        self._lanes: dict[tuple[int, str], Nanos] = {}
        self._count = 0

    def slot(self, now: Nanos, conn: int, lane: str, delay: Nanos) -> Nanos:
        """When something put in a lane now will leave: after its delay and after its elders."""
        if not self._lanes:
            return Nanos(now + delay)
        return max(Nanos(now + delay), self._lanes.get((conn, lane), Nanos(0)))

    def put(self, now: Nanos, lane: str, due: Nanos, effect: Effect) -> None:
        """Let an effect leave at `due`."""
        if due <= now:
            self._ready.append(effect)
            return
        self._lanes[(effect.conn, lane)] = due
        self._count += 1
        heappush(self._waiting, (due, self._count, effect))

    @property
    def is_idle(self) -> bool:
        """Whether nothing was ever delayed, so that what has no delay leaves at once."""
        return not self._lanes

    def put_now(self, effect: Effect) -> None:
        """Let an effect leave at once; only where `is_idle`, or it would overtake its elders."""
        self._ready.append(effect)

    def due(self) -> Nanos | None:
        """When the next delayed effect leaves."""
        return self._waiting[0][0] if self._waiting else None

    def take(self, now: Nanos) -> list[Effect]:
        """Everything that leaves by now, in order."""
        late: list[Effect] = []
        while self._waiting and self._waiting[0][0] <= now:
            late.append(heappop(self._waiting)[2])
        ready, self._ready = self._ready, []
        return late + ready

    def forget(self, conn: int) -> None:
        """A socket is gone; nothing reaches it any more."""
        self._waiting = [entry for entry in self._waiting if entry[2].conn != conn]
        self._waiting.sort()
        self._lanes = {key: due for key, due in self._lanes.items() if key[0] != conn}
