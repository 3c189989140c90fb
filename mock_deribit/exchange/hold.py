"""★ The hold: requests that would trade at once wait a moment, so that makers can move first.

On a book that is not exempt, an order, edit or quote that would match on arrival is checked, put aside for
the book's hold time and then carried out as if it had just arrived, whatever the book is by then. Within a
book the order of arrival is kept. Cancels and requests that only rest are never delayed; a cancel-all takes
the requests that still wait (13666), and a newer edit of the same order, or a newer quote of the same side,
those that wait for it (13777), whether it has to wait itself or not.

Source: Deribit's speed bump announcement of 2026 and the error table.
"""

from collections.abc import Callable
from heapq import heappop, heappush

from mock_deribit.exchange import checks
from mock_deribit.exchange.contract import Contract
from mock_deribit.exchange.events import HoldEnded
from mock_deribit.exchange.messages import Held, Placed, Refused
from mock_deribit.exchange.outbox import Outbox
from shared.kernel import Nanos

Act = Callable[[Nanos], Placed | Refused]


class _Waiting:
    """A request in the hold."""

    __slots__ = ("account", "act", "contract", "label", "size", "target")

    def __init__(
        self,
        account: str,
        contract: Contract,
        act: Act,
        label: str,
        target: str,
        size: tuple[str, int, float] | None,
    ) -> None:
        self.account = account
        self.contract = contract
        self.act = act
        self.label = label
        self.target = target
        self.size = size


class Hold:
    """Every request that waits, over all books; `waiting` by ticket."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._due: list[tuple[Nanos, int]] = []
        self.waiting: dict[int, _Waiting] = {}
        self._last: dict[str, Nanos] = {}
        self._tickets = 0

    def put(
        self,
        now: Nanos,
        account: str,
        contract: Contract,
        act: Act,
        *,
        label: str = "",
        target: str = "",
        size: tuple[str, int, float] | None = None,
    ) -> Held:
        """Let a request wait. `target`: what it changes, see `supersede`; `size`: (group, sign, base
        coins) of a protected one, which count as open while they wait."""
        self._tickets += 1
        due = Nanos(max(now + contract.hold, self._last.get(contract.name, 0)))
        self._last[contract.name] = due
        self.waiting[self._tickets] = _Waiting(account, contract, act, label, target, size)
        heappush(self._due, (due, self._tickets))
        return Held(self._tickets)

    def due(self) -> Nanos | None:
        """When the next request is to be carried out."""
        while self._due and self._due[0][1] not in self.waiting:
            heappop(self._due)
        return self._due[0][0] if self._due else None

    def release(self, now: Nanos) -> None:
        """Carry out the next request. Its answer is told before what it caused."""
        _, ticket = heappop(self._due)
        waiting = self.waiting.pop(ticket)
        place = self._outbox.place()
        answer = waiting.act(now)
        ended = HoldEnded(ts=now, account=waiting.account, ticket=ticket, answer=answer)
        self._outbox.tell_at(place, ended)

    def supersede(self, now: Nanos, target: str) -> None:
        """A newer request changes the same order or quote: what waits to do so gives way."""
        for ticket, waiting in list(self.waiting.items()):
            if waiting.target == target:
                self._end(now, ticket, checks.SUPERSEDED)

    def withdraw(
        self,
        now: Nanos,
        account: str,
        instrument: str | None,
        currency: str | None,
        label: str | None,
    ) -> None:
        """Take back an account's waiting requests that fit the filters of a cancel-all."""
        for ticket, waiting in list(self.waiting.items()):
            if (
                waiting.account == account
                and instrument in (None, waiting.contract.name)
                and currency in (None, waiting.contract.instrument.settlement)
                and label in (None, waiting.label)
            ):
                self._end(now, ticket, checks.WITHDRAWN)

    def protected_size(self, account: str, instrument: str, group: str, sign: int) -> float:
        """Base coins of protected orders that wait on one side."""
        return sum(
            waiting.size[2]
            for waiting in self.waiting.values()
            if waiting.size is not None
            and waiting.account == account
            and waiting.contract.name == instrument
            and waiting.size[:2] == (group, sign)
        )

    def _end(self, now: Nanos, ticket: int, answer: Refused) -> None:
        waiting = self.waiting.pop(ticket)
        ended = HoldEnded(ts=now, account=waiting.account, ticket=ticket, answer=answer)
        self._outbox.tell(ended)
