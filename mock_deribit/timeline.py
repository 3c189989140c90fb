"""Owns what is going to be said by itself: an operator's words, each at its time, once or again and again.

Entries of one moment are said in the order in which they are written.
"""

from collections.abc import Iterable

import msgspec

from mock_deribit.clock import ClockWord
from mock_deribit.faults import Fault
from shared.kernel import Nanos


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One word of a script. `at` counts from the opening unless it is `dated`; `times` 0: for ever."""

    number: int
    word: Fault | ClockWord
    at: Nanos
    dated: bool = False
    every: Nanos | None = None
    times: int = 1


class Timeline:
    """A script that is played from an exchange's opening."""

    def __init__(self, opened: Nanos, entries: Iterable[Entry]) -> None:
        """Raises ValueError for a moment that was before the opening."""
        self._plan: list[tuple[Nanos, int, int, Entry]] = []
        for entry in entries:
            at = entry.at if entry.dated else Nanos(opened + entry.at)
            if at < opened:
                raise ValueError(
                    f"timeline entry {entry.number}: its time is {(opened - at) / 1e9:g} s before the "
                    "exchange opens"
                )
            self._plan.append((at, entry.number, 1, entry))
        self._plan.sort(key=_when)

    @property
    def left(self) -> int:
        """Entries that still have something to say."""
        return len(self._plan)

    def due(self) -> Nanos | None:
        """When the next word is said."""
        return self._plan[0][0] if self._plan else None

    def take(self) -> Entry:
        """The next word; one that repeats is put back. Raises IndexError when none is left."""
        at, number, said, entry = self._plan.pop(0)
        if entry.every is not None and (entry.times == 0 or said < entry.times):
            self._plan.append((Nanos(at + entry.every), number, said + 1, entry))
            self._plan.sort(key=_when)
        return entry


def _when(planned: tuple[Nanos, int, int, Entry]) -> tuple[Nanos, int]:
    return planned[:2]
