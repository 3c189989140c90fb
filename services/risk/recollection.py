"""Whether trading was killed before this start, where shared state itself may have been lost.

Owns the second witness. The latch lives in shared state; should that come back without it, our own last
lease, which the event stream still holds, says what was in force. Where shared state is empty and the
stream has forgotten as well, or cannot be read, nobody knows, and a person has to confirm. Two witnesses
that are both new are a new system.
"""

from shared.kernel import Nanos, Restored
from shared.messages import Kill, Lease, Mode
from shared.state import EVENTS, KILL_LATCH, MODE, PNL_DAY

_OURS = (KILL_LATCH, MODE, PNL_DAY)


class Recollection:
    """What is remembered from before the start. Each answer is the reason to latch; empty: none."""

    def __init__(self) -> None:
        self._is_blank = True
        self._heard_to = Nanos(0)

    def restored(self, event: Restored) -> str:
        """A key of shared state, or the word that the event stream recalls nothing."""
        if event.key in _OURS and event.value is not None:
            self._is_blank = False
        if event.key != EVENTS or not self._is_blank:
            return ""
        return f"shared state is empty and {event.value}: confirm that trading may go on"

    def recalled(self, lease: Lease) -> str:
        """The last lease of the process before this one."""
        self._heard_to = lease.ts
        if lease.mode is not Mode.KILLED:
            return ""
        return f"{lease.reason} (shared state had lost this kill)"

    def knows(self, kill: Kill) -> bool:
        """Whether that last lease was said after the kill, and so says what became of it."""
        return kill.ts <= self._heard_to
