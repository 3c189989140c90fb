"""Shrinking: from a plan of faults that breaks an invariant to a smallest one that still breaks the same.

Delta debugging (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002): leave out
halves, then quarters, down to single faults, and keep every omission after which the same rule breaks. The
run itself ends at the breach, so its last step is the shortest prefix. The number of tries is bounded,
since each is a whole simulation; what is left then is small, though perhaps not the smallest.
"""

from collections.abc import Callable

from backtest.faults import Due
from backtest.simulation import Run

TRIES_MAX = 60


def shrink(
    broken: Run,
    dues: tuple[Due, ...],
    again: Callable[[tuple[Due, ...]], Run],
    tries_max: int = TRIES_MAX,
) -> tuple[Run, tuple[Due, ...]]:
    """The run of the smallest plan found, and that plan. `again` runs the same seed with another plan."""
    tries = 0

    def breaks(fewer: tuple[Due, ...]) -> bool:
        nonlocal broken, tries
        tries += 1
        run = again(fewer)
        if run.rule != broken.rule:
            return False
        broken = run
        return True

    # What was due after the breach had no part in it.
    needed = tuple(due for due in dues if due.at <= broken.broken_at_s * 1e9)
    if len(needed) < len(dues) and breaks(needed):
        dues = needed
    pieces = 2
    while dues and tries < tries_max:
        size = max(1, len(dues) // pieces)
        for first in range(0, len(dues), size):
            fewer = dues[:first] + dues[first + size :]
            if tries < tries_max and breaks(fewer):
                dues, pieces = fewer, max(2, pieces - 1)
                break
        else:
            if size == 1:
                break
            pieces *= 2
    return broken, dues
