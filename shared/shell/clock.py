"""The clock: the only place where time is read.

Follows the machine's wall clock without its jumps: it runs on the monotonic clock and is drawn towards
the wall clock by at most 1 % of the time passed, so it never runs back and timers keep their length. A
step forward of more than a second (a machine that slept) is taken at once: leases must not outlive it.
"""

import time
from collections.abc import Callable

from shared.kernel import Nanos

STEP_MAX = 1_000_000_000
SLEW = 100
"""One part in this many of the time passed is the most by which a correction moves the clock."""


class Clock:
    """Nanoseconds since the epoch, never running back. Calling it reads it."""

    def __init__(
        self,
        wall: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._corrected = monotonic()
        self._offset = wall() - self._corrected
        self._latest = 0

    def __call__(self) -> Nanos:
        self._latest = max(self._latest, self._monotonic() + self._offset)
        return Nanos(self._latest)

    def correct(self) -> int:
        """Draw near the wall clock; how far off it still is in nanoseconds. Call it now and then."""
        now = self._monotonic()
        passed, self._corrected = now - self._corrected, now
        error = self._wall() - (now + self._offset)
        if error > STEP_MAX:
            self._offset += error
        else:
            reach = passed // SLEW
            self._offset += max(-reach, min(reach, error))
        return self._wall() - self()
