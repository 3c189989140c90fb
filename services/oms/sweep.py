"""What must go goes, by whichever way answers; and the exchange itself says that it is gone.

While nothing may rest anywhere (killed, stopping, no lease, a link down) the desk cancels every quote over
the socket. This watches that it happens: an order that has not gone after `SILENCE`, or at once when the
socket is dead, is cancelled over HTTP by its label as well, and again until the exchange has counted it
or cannot execute anything for it any more. Only labels of ours are ever named: no other order is touched.

After a kill, a lost socket and a start there is *doubt*: what rests is not known. It ends with the
exchange's own list of open orders, asked for once none of ours is believed to be left; a list that still
shows one takes it in, to be cancelled, and is asked for again. Under a kill the end of the doubt is told as
`Swept`: that, and not our belief, is what an operator is shown. A hedge never rests; it is not looked at.
"""

from services.oms import gate
from services.oms.commands import Cancel
from services.oms.order import Happening, Order
from services.oms.orders import Orders
from services.oms.outbox import Outbox
from services.oms.permission import Permission
from services.oms.second import ForCancel, ForListing, SecondWay
from services.oms.session import Line
from services.oms.wire import SETTLING
from shared.deribit import requests
from shared.deribit.codec import VenueFault, VenueOrder, decode_cancel_count, decode_orders
from shared.deribit.correlation import Reply
from shared.deribit.credits import Priority
from shared.deribit.outputs import Answered, Refused, Unanswered
from shared.kernel import Nanos
from shared.messages import Purpose, Severity, Swept
from shared.units import MILLISECOND, SECOND

SOCKET, HTTP = "socket", "http"
"""The two ways, as `Swept` names them."""
SILENCE = Nanos(250 * MILLISECOND)
"""A socket that has not taken an order away by now gets help."""
AGAIN = Nanos(1 * SECOND)
LIST_AGAIN = Nanos(200 * MILLISECOND)


class Sweep:
    """Steered after every event; does nothing while orders may rest."""

    def __init__(self, out: Outbox, orders: Orders, permission: Permission, line: Line) -> None:
        self._out = out
        self._orders = orders
        self._permission = permission
        self._line = line
        self._second = SecondWay(out, line)
        self._since: dict[str, Nanos] = {}
        """Since when an order should be gone, by label."""
        self._asked: dict[str, Nanos] = {}
        self._gone: dict[str, None] = {}
        """Labels of which the exchange knows nothing, now or ever."""
        self._is_silent = False
        """The socket is open and did not do what it was asked."""
        self._doubt: Nanos | None = None
        self._command_id = ""
        self._listings = 0
        self._listing: ForListing | None = None
        self._list_after = Nanos(0)

    def doubt(self, now: Nanos, command_id: str = "") -> None:
        """What rests is not known from here on; `command_id`: the kill that wants to know."""
        self._doubt = now if self._doubt is None else self._doubt
        self._command_id = command_id or self._command_id
        # A list that was asked for before proves nothing about now.
        self._listing, self._is_silent = None, False

    def steer(self, now: Nanos) -> None:
        """Look after everything that should be gone."""
        refusal = self._permission.refusal_anywhere(now)
        if refusal is None:
            if self._doubt is not None or self._since:
                self._doubt, self._command_id, self._is_silent = None, "", False
                self._since, self._asked, self._gone = {}, {}, {}
            return
        quotes = [order for order in self._orders.alive() if order.purpose is Purpose.QUOTE]
        for order in quotes:
            since = self._since.setdefault(order.label, now)
            if not self._line.ready or now - since >= SILENCE:
                self._cancel(now, order, refusal)
            elif since == now:
                self._out.wake("sweep", Nanos(now + SILENCE))
        if self._doubt is not None and all(order.label in self._gone for order in quotes):
            self._ask_what_rests(now, self._doubt)

    def received(self, now: Nanos, data: bytes) -> None:
        """An answer over HTTP."""
        self._take(now, self._second.received(now, data))

    def overdue(self, now: Nanos) -> None:
        """Requests over HTTP that were never answered."""
        self._take(now, self._second.overdue(now))

    def listed(self, now: Nanos, reply: Reply | Unanswered, context: ForListing) -> None:
        """The exchange's list of open orders, by either way, or that there is none."""
        if context != self._listing:
            return
        self._listing, self._list_after = None, Nanos(now + LIST_AGAIN)
        if not isinstance(reply, Answered):
            self._is_silent |= isinstance(reply, Unanswered) and context.way == SOCKET
            self._out.wake("sweep", self._list_after)
            return
        self._judge(now, decode_orders(reply.result), context.way)

    def _cancel(self, now: Nanos, order: Order, reason: str) -> None:
        again = Nanos(self._asked.get(order.label, Nanos(-AGAIN)) + AGAIN)
        if order.label in self._gone or now < again:
            return
        command = Cancel(label=order.label, order_id=order.order_id, reason=reason)
        if self._second.cancel(now, gate.approve_cancel(command)):
            self._asked[order.label] = now
            self._is_silent = True
        self._out.wake("sweep", Nanos(now + AGAIN))

    def _take(self, now: Nanos, replies: list[Reply | Unanswered]) -> None:
        for reply in replies:
            try:
                match reply.context:
                    case ForListing() as context:
                        self.listed(now, reply, context)
                    case ForCancel() as context:
                        self._cancelled(now, reply, context)
            except VenueFault as fault:
                self._out.anomaly(now, "venue_fault", Severity.WARNING, f"over HTTP: {fault}")

    def _cancelled(self, now: Nanos, reply: Reply | Unanswered, context: ForCancel) -> None:
        order = self._orders.get(context.label)
        if isinstance(reply, Refused):
            detail = f"cancel of {context.label} over HTTP: {reply.code} {reply.message}"
            self._out.anomaly(now, "refused", Severity.WARNING, detail)
        if not isinstance(reply, Answered) or order is None or not order.alive:
            return
        if decode_cancel_count(reply.result) > 0:
            self._orders.happen(now, order, Happening.CANCELLED, "cancelled over HTTP")
        elif self._asked.get(order.label, now) >= order.deadline + SETTLING:
            # Whether it filled is for the socket to find out; it does not rest.
            self._gone[order.label] = None

    def _ask_what_rests(self, now: Nanos, since: Nanos) -> None:
        if self._listing is not None or now < self._list_after:
            return
        if not self._line.ready and now < since + SILENCE:
            self._out.wake("sweep", Nanos(since + SILENCE))
            return
        self._listings += 1
        way = SOCKET if self._line.ready and not self._is_silent else HTTP
        context = ForListing(self._listings, way)
        if way == SOCKET:
            request = requests.get_open_orders(self._line.currency)
            sent = self._line.ask(now, request, Priority.CANCEL, context) is not None
        else:
            sent = self._second.list_open(now, context)
        if sent:
            self._listing = context
        else:
            self._list_after = Nanos(now + LIST_AGAIN)
            self._out.wake("sweep", self._list_after)

    def _judge(self, now: Nanos, listed: tuple[VenueOrder, ...], way: str) -> None:
        ours = [seen for seen in listed if self._orders.is_ours(seen.label) is not None]
        for seen in ours:
            order = self._orders.get(seen.label)
            if order is not None:
                self._orders.observe(now, order, seen, answers=False)
            elif self._orders.adopt(now, seen) is not None:
                detail = f"{seen.label} rests and was not sent by this process: cancelled"
                self._out.anomaly(now, "unknown_order", Severity.WARNING, detail, seen.instrument)
            self._gone.pop(seen.label, None)
        if ours:
            self._out.wake("sweep", self._list_after)
            return
        self._doubt = None
        latch = self._permission.latch
        if latch is not None:
            swept = Swept(
                ts=now,
                command_id=self._command_id,
                killed=latch.ts,
                way=way,
                foreign_orders=len(listed),
            )
            self._out.say(swept)
