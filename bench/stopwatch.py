"""The stopwatch: which order answers which frame, and how long it took.

A move is known by its centre. The first order for a centre stops the time of the move to it; the order of
the other side comes a moment later and counts as further. An order for a centre that is not the present
one is late: it stops the time of its own move, however long ago that was, and never of a younger one. A
move whose centre comes round again unanswered is missed.
"""

from collections.abc import Sequence

import msgspec

from bench.tape import BASE, CENTRE_STEP, TOUR, centre_price

PRICE_TOLERANCE = 1.0
"""USD between an order and the price expected of it: one tick of rounding, and half of another."""


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What one round came to; latencies in nanoseconds, in order of arrival."""

    latencies: tuple[int, ...]
    moves: int
    late: int
    missed: int
    further: int
    unmatched: int


class Stopwatch:
    """Told when frames leave and orders arrive, on one clock, in nanoseconds."""

    def __init__(self) -> None:
        self._running: dict[int, int] = {}
        self._present: int | None = None
        self._latencies: list[int] = []
        self._moves = self._late = self._missed = self._further = self._unmatched = 0

    def moved(self, centre: int, at: int) -> None:
        """A frame that moves to this centre leaves now."""
        self._moves += 1
        self._missed += centre in self._running
        self._running[centre] = at
        self._present = centre

    def ordered(self, centre: int | None, at: int) -> None:
        """An order for this centre has arrived; None when its price belongs to none."""
        if centre is None:
            self._unmatched += 1
            return
        begun = self._running.pop(centre, None)
        if begun is None:
            self._further += 1
            return
        self._latencies.append(at - begun)
        self._late += centre != self._present

    def tally(self) -> Tally:
        """What was seen so far; a move still unanswered counts as missed."""
        return Tally(
            latencies=tuple(self._latencies),
            moves=self._moves,
            late=self._late,
            missed=self._missed + len(self._running),
            further=self._further,
            unmatched=self._unmatched,
        )


def centre_of(price: float, half_spread: float) -> int | None:
    """The centre around which a quote at this price stands, bid or ask; None: around none of them.

    `half_spread` in USD must exceed the span of the centres, so that a bid is no ask of another centre.
    """
    mid = price + half_spread if price < BASE else price - half_spread
    centre = TOUR[len(TOUR) // 2] + round((mid - BASE) / CENTRE_STEP)
    if centre not in TOUR or abs(mid - centre_price(centre)) > PRICE_TOLERANCE:
        return None
    return centre


def tallied(tallies: Sequence[Tally]) -> Tally:
    """All rounds as one."""
    return Tally(
        latencies=tuple(one for tally in tallies for one in tally.latencies),
        moves=sum(tally.moves for tally in tallies),
        late=sum(tally.late for tally in tallies),
        missed=sum(tally.missed for tally in tallies),
        further=sum(tally.further for tally in tallies),
        unmatched=sum(tally.unmatched for tally in tallies),
    )
