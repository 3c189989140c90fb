"""Owns the faults that wait: which frame, request or handshake each of them meets, and how often still.

Every armed fault draws from a stream of its own, named by the exchange's seed and the fault's number, so
that one more of them shifts no other's draws.
"""

from collections.abc import Iterator

import msgspec

from mock_deribit.faults.vocabulary import (
    ArmedFault,
    DelayFrames,
    DropFrames,
    DuplicateFrames,
    FrameFault,
    RefuseHandshakes,
    ReorderFrames,
    RequestFault,
)
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import MILLISECOND


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """An armed fault as it is shown; `left` is None for one that stays until it is lifted."""

    number: int
    fault: ArmedFault
    met: int
    left: int | None


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to one frame."""

    copies: int = 1
    late: Nanos = Nanos(0)
    overtaken: Nanos = Nanos(0)


_UNTOUCHED = Fate()


class _Trap:
    def __init__(self, number: int, fault: ArmedFault, draws: Stream) -> None:
        self.number = number
        self.fault = fault
        self.draws = draws
        self.met = 0

    @property
    def over(self) -> bool:
        return 0 < self.fault.count <= self.met

    def hits(self, fault: FrameFault | RequestFault, conn: int | None, account: str) -> bool:
        """Whether one that is meant is met; counts it."""
        if fault.conn not in (None, conn) or fault.account not in (None, account):
            return False
        if fault.probability < 1.0 and not self.draws.chance(fault.probability):
            return False
        self.met += 1
        return True


class Armed:
    """All faults that wait."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._traps: dict[int, _Trap] = {}
        self._count = 0
        self.on_frames = False
        self.on_requests = False

    def arm(self, fault: ArmedFault) -> int:
        """Let it wait; its number."""
        self._count += 1
        draws = Stream(f"{self._seed}|fault|{self._count}")
        self._traps[self._count] = _Trap(self._count, fault, draws)
        self._look()
        return self._count

    def lift(self, number: int) -> bool:
        """Let one wait no more; False when there is none of that number."""
        found = self._traps.pop(number, None) is not None
        self._look()
        return found

    def lift_all(self) -> int:
        """Let none wait; how many there were."""
        count = len(self._traps)
        self._traps.clear()
        self._look()
        return count

    def standing(self) -> tuple[Standing, ...]:
        """Everything that waits, in the order in which it was armed."""
        return tuple(
            Standing(
                number=trap.number,
                fault=trap.fault,
                met=trap.met,
                left=trap.fault.count - trap.met if trap.fault.count else None,
            )
            for trap in self._traps.values()
        )

    def frame(self, conn: int, account: str, name: str) -> Fate:
        """What becomes of a frame: a channel's, a method's answer, or a heartbeat."""
        copies, late, overtaken = 1, 0.0, 0.0
        for trap in self._living():
            fault = trap.fault
            if not isinstance(fault, FrameFault) or not name.startswith(fault.channel):
                continue
            if not trap.hits(fault, conn, account):
                continue
            match fault:
                case DropFrames():
                    copies = 0
                case DuplicateFrames():
                    copies *= 2
                case DelayFrames(milliseconds=delay, jitter_ms=jitter):
                    late += delay + (trap.draws.exponential(jitter) if jitter else 0.0)
                case ReorderFrames(milliseconds=held):
                    overtaken += held
        self._look()
        if copies == 1 and not late and not overtaken:
            return _UNTOUCHED
        return Fate(copies=copies, late=_nanos(late), overtaken=_nanos(overtaken))

    def request(self, conn: int | None, account: str, method: str) -> RequestFault | None:
        """The first armed fault that a request meets; `conn` is None over HTTP."""
        for trap in self._living():
            fault = trap.fault
            if not isinstance(fault, RequestFault) or not method.startswith(fault.method):
                continue
            if trap.hits(fault, conn, account):
                self._look()
                return fault
        return None

    def handshake(self) -> int | None:
        """The HTTP status with which a new WebSocket is refused, if it is."""
        for trap in self._living():
            if isinstance(trap.fault, RefuseHandshakes):
                trap.met += 1
                self._look()
                return trap.fault.status
        return None

    def _living(self) -> Iterator[_Trap]:
        return iter(list(self._traps.values()))

    def _look(self) -> None:
        """Forget what is over; note what is worth asking about."""
        self._traps = {n: trap for n, trap in self._traps.items() if not trap.over}
        faults = [trap.fault for trap in self._traps.values()]
        self.on_frames = any(isinstance(fault, FrameFault) for fault in faults)
        self.on_requests = any(isinstance(fault, RequestFault) for fault in faults)


def _nanos(milliseconds: float) -> Nanos:
    return Nanos(round(milliseconds * MILLISECOND))
