"""The second way to the exchange: requests over HTTP, for when the socket is dead or does not answer.

Owns which answer belongs to which request of the link `http`, and how long one is waited for. Cancels go by
label without a currency: the exchange counts those in a pool of their own, so that a socket that has
spent trading's credits leaves this way open. Takes nothing but what the gate approved, and questions.
"""

import msgspec

from services.oms.commands import Cancel
from services.oms.gate import Approved
from services.oms.outbox import Outbox
from services.oms.session import Line
from shared.deribit import requests
from shared.deribit.correlation import Correlation, Reply
from shared.deribit.credits import Priority, pool_name
from shared.deribit.envelope import decode_frame
from shared.deribit.errors import TOO_MANY_REQUESTS
from shared.deribit.outputs import Refused, Unanswered
from shared.deribit.requests import Request
from shared.kernel import Nanos, Send
from shared.messages import Severity
from shared.units import SECOND

LINK = "http"
TIMEOUT = Nanos(1 * SECOND)


class ForCancel(msgspec.Struct, frozen=True):
    """The context of a cancel by the second way."""

    label: str


class ForListing(msgspec.Struct, frozen=True):
    """The context of the question what rests, by either way."""

    number: int
    way: str


class SecondWay:
    """Asks over HTTP within the account's credits."""

    def __init__(self, out: Outbox, line: Line) -> None:
        self._out = out
        self._line = line
        self._requests = Correlation(TIMEOUT)

    def cancel(self, now: Nanos, approved: Approved[Cancel]) -> bool:
        """Take an order away by its label; False: no credit."""
        label = approved.command.label
        sent = self._ask(now, requests.cancel_label_anywhere(label), ForCancel(label))
        if sent:
            self._out.count("cancels_http")
        return sent

    def list_open(self, now: Nanos, context: ForListing) -> bool:
        """Ask what rests; False: no credit."""
        return self._ask(now, requests.get_open_orders(self._line.currency), context)

    def received(self, now: Nanos, data: bytes) -> list[Reply | Unanswered]:
        """An answer came."""
        frame = decode_frame(data)
        if isinstance(frame, str) or not isinstance(frame.id, int):
            detail = frame if isinstance(frame, str) else f"no answer of ours: came {data[:160]!r}"
            self._out.anomaly(now, "malformed_answer", Severity.WARNING, f"over HTTP: {detail}")
            return []
        pending, late = self._requests.replied(now, frame.id, frame)
        if pending is None:
            return []
        if not late:
            self._line.returned(pending.method)
        reply = pending.reply(frame, late=late)
        if isinstance(reply, Refused) and reply.code == TOO_MANY_REQUESTS:
            self._line.exhausted(now, pool_name(pending.method, {}))
        return [reply]

    def overdue(self, now: Nanos) -> list[Reply | Unanswered]:
        """What was waited for long enough."""
        silent = self._requests.give_up(now)
        for pending in silent:
            self._line.returned(pending.method)
        return [pending.unanswered("no answer over HTTP") for pending in silent]

    def _ask(self, now: Nanos, request: Request, context: ForCancel | ForListing) -> bool:
        if not self._line.grant(now, request, Priority.RESCUE):
            return False
        method, params = request
        self._out.do(Send(LINK, self._requests.ask(now, method, params, context).data))
        self._out.wake("http", Nanos(now + TIMEOUT))
        return True
