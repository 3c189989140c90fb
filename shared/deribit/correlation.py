"""Which reply belongs to which request, what is overdue, and what the round trips say of the clocks.

Clock offset as in NTP (RFC 5905): a request sent at t0 and received by the venue at t1, answered by it
at t2 and seen by us at t3, has the offset ((t1 - t0) + (t2 - t3)) / 2, wrong by at most half the round
trip; so the sample of the quickest of the last round trips is believed.
"""

from collections import deque
from collections.abc import Callable

import msgspec

from shared.deribit.envelope import Frame, encode_request
from shared.deribit.outputs import Answered, Output, Refused, Transmit, Unanswered
from shared.kernel import Nanos

Reply = Answered | Refused
Step = Callable[[Nanos, Reply], list[Output]]

_CLOCK_SAMPLES = 8
_LATE_MAX = 256
_US_MAX = 10**17
# A venue that says it took longer than the whole round trip is wrong, but for the grain of its clock.
_RESOLUTION = 1_000_000


class Pending(msgspec.Struct, frozen=True):
    """A request on its way: the owner's, with its context, or a step of the session itself."""

    request_id: int
    method: str
    sent: Nanos
    deadline: Nanos
    context: object
    step: Step | None
    vital: bool
    """A step without which the socket is worth nothing."""

    def reply(self, frame: Frame, *, late: bool) -> Reply:
        """The frame as the answer to this request."""
        if frame.error is None:
            return Answered(
                request_id=self.request_id,
                method=self.method,
                context=self.context,
                result=frame.result,
                late=late,
            )
        return Refused(
            request_id=self.request_id,
            method=self.method,
            context=self.context,
            code=frame.error.code,
            message=frame.error.message,
            data=frame.error.data,
            late=late,
        )

    def unanswered(self, why: str) -> Unanswered:
        """No usable answer will be waited for any longer."""
        return Unanswered(
            request_id=self.request_id, method=self.method, context=self.context, why=why
        )


class Correlation:
    """The open requests of one connection. Ids never repeat, not over reconnects either."""

    def __init__(self, timeout: Nanos) -> None:
        self.timeout = timeout
        """Of requests asked from now on."""
        self._pending: dict[int, Pending] = {}
        self._late: dict[int, Pending] = {}
        self._last_id = 0
        self._clock: deque[tuple[int, int]] = deque(maxlen=_CLOCK_SAMPLES)

    @property
    def last_id(self) -> int:
        """The id of the latest request."""
        return self._last_id

    @property
    def next_deadline(self) -> Nanos | None:
        """When the first open request is overdue."""
        if not self._pending:
            return None
        return min(pending.deadline for pending in self._pending.values())

    @property
    def clock_offset(self) -> Nanos | None:
        """Venue clock minus ours; None before the first round trip."""
        return Nanos(min(self._clock)[1]) if self._clock else None

    def ask(
        self,
        now: Nanos,
        method: str,
        params: dict[str, object],
        context: object = None,
        step: Step | None = None,
        *,
        vital: bool = True,
    ) -> Transmit:
        """A new request as a frame to send."""
        self._last_id += 1
        self._pending[self._last_id] = Pending(
            request_id=self._last_id,
            method=method,
            sent=now,
            deadline=Nanos(now + self.timeout),
            context=context,
            step=step,
            vital=vital,
        )
        return Transmit(encode_request(self._last_id, method, params))

    def replied(self, now: Nanos, request_id: int, frame: Frame) -> tuple[Pending | None, bool]:
        """The request a reply belongs to, and whether it had been given up; None: to none of ours."""
        pending, late = self._pending.pop(request_id, None), False
        if pending is None:
            pending, late = self._late.pop(request_id, None), True
        if pending is not None:
            self._measure(now, pending.sent, frame)
        return pending, late

    def give_up(self, now: Nanos) -> list[Pending]:
        """Requests that are overdue; their replies count as late from here."""
        overdue = [pending for pending in self._pending.values() if pending.deadline <= now]
        for pending in overdue:
            self._late[pending.request_id] = self._pending.pop(pending.request_id)
            if len(self._late) > _LATE_MAX:
                del self._late[next(iter(self._late))]
        return overdue

    def drop(self) -> list[Pending]:
        """The connection is gone: everything that was open, which no reply can settle any more."""
        dropped = list(self._pending.values())
        self._pending.clear()
        self._late.clear()
        return dropped

    def _measure(self, now: Nanos, sent: Nanos, frame: Frame) -> None:
        came, left = _venue_time(frame.us_in), _venue_time(frame.us_out)
        if came is None or left is None:
            return
        round_trip = (now - sent) - (left - came)
        if round_trip >= -_RESOLUTION:
            self._clock.append((round_trip, ((came - sent) + (left - now)) // 2))


def _venue_time(us: object) -> int | None:
    if isinstance(us, int | float) and 0 < us < _US_MAX:
        return round(us * 1000)
    return None
