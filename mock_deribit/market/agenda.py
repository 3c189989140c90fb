"""An agenda: acts in order of (time, order of asking), for agents that act later than they decide."""

from collections.abc import Callable
from heapq import heappop, heappush

from mock_deribit.market.market import NEVER
from shared.kernel import Nanos

Act = Callable[[Nanos], None]


class Agenda:
    """Acts waiting for their time; each is called with the time it is done at."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Nanos, int, Act]] = []
        self._asked = 0

    def at(self, when: Nanos, act: Act) -> None:
        """Do this then."""
        self._asked += 1
        heappush(self._waiting, (when, self._asked, act))

    def forget(self) -> None:
        """Do nothing of what is waiting."""
        self._waiting.clear()

    def put_off(self, by: Nanos) -> Nanos:
        """Do everything so much later; the time of the next act."""
        self._waiting = [(Nanos(when + by), number, act) for when, number, act in self._waiting]
        return self.next()

    def next(self) -> Nanos:
        """The time of the next act."""
        return self._waiting[0][0] if self._waiting else NEVER

    def run(self, now: Nanos, earliest: Nanos) -> Nanos:
        """Do what is due, each at its own time but not before `earliest`; the time of the next act."""
        while self._waiting and self._waiting[0][0] <= now:
            when, _, act = heappop(self._waiting)
            act(max(when, earliest))
        return self.next()
