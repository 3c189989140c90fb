"""Approved commands to requests, and the venue's answers to happenings.

Owns the request in flight of every order: what it was, when the venue will no longer execute it, and
what each way of answering it means. Takes nothing but what the gate approved, cancels included.
"""

from enum import StrEnum

import msgspec

from services.oms.commands import Cancel, Edit, Place, Take
from services.oms.gate import Approved
from services.oms.order import Happening, Order
from services.oms.orders import Orders
from services.oms.outbox import Outbox
from services.oms.protection import Protection
from services.oms.session import Line
from shared.deribit import requests
from shared.deribit.codec import (
    VenueFault,
    VenueOrder,
    VenueTrade,
    decode_cancel_count,
    decode_order,
    decode_order_result,
    decode_orders,
)
from shared.deribit.credits import Priority
from shared.deribit.errors import MMP_TRIGGER, Meaning, classify, name_of
from shared.deribit.outputs import Answered, Refused, Unanswered
from shared.kernel import Nanos
from shared.messages import OrderState, Purpose, Severity
from shared.units import MILLISECOND, SECOND

VALID_FOR = 2 * SECOND
"""A request waits no longer than this in the venue's queues."""
SETTLING = 1 * SECOND
"""Beyond a request's deadline, to allow for clocks: from then on it cannot be executed any more."""
LOOK_EVERY = 1 * SECOND
RETRY_AFTER = 250 * MILLISECOND
"""After a refusal that changed nothing, e.g. during settlement, or one that a look-up belies."""

_REPORTED = (Meaning.NEVER_RETRY, Meaning.UNKNOWN_OUTCOME)


class Verb(StrEnum):
    """What a request was to do."""

    PLACE = "place"
    EDIT = "edit"
    CANCEL = "cancel"
    CANCEL_LABEL = "cancel_label"
    LOOK_UP = "look_up"


class ForOrder(msgspec.Struct, frozen=True):
    """The context of a request about one order."""

    label: str
    verb: Verb


class Outcome(msgspec.Struct, frozen=True):
    """What an answer brought: the order it was about, trades to book, whether it must not rest there."""

    order: Order | None
    trades: tuple[VenueTrade, ...] = ()
    rejected: bool = False


class Wire:
    """Sends for orders and reads their answers."""

    def __init__(self, out: Outbox, orders: Orders, line: Line, protection: Protection) -> None:
        self._out = out
        self._orders = orders
        self._line = line
        self._protection = protection

    def place(
        self, now: Nanos, approved: Approved[Place], until: Nanos, tick: Nanos | None
    ) -> Order | None:
        """Rest a quote, void unless executed before `until`; None: no credit.

        `tick`: when the book frame was seen that leads to this order at once; None: another cause.
        """
        command = approved.command
        order = self._drafted(command, Purpose.QUOTE, command.layer, now, until)
        order.quote_id = command.quote_id
        request = requests.post(
            instrument=order.instrument,
            side=order.side,
            amount=order.amount,
            price=order.price,
            label=order.label,
            valid_until=self._line.venue_time(order.deadline),
            mmp=self._protection.is_on,
        )
        return self._sent(now, order, request, Priority.QUOTE, _since(now, tick))

    def take(self, now: Nanos, approved: Approved[Take]) -> Order | None:
        """Reduce at once; None: no credit."""
        command = approved.command
        order = self._drafted(command, Purpose.HEDGE, 0, now, command.expires)
        order.quote_id = command.hedge_id
        request = requests.take(
            instrument=order.instrument,
            side=order.side,
            amount=order.amount,
            price=order.price,
            label=order.label,
            valid_until=self._line.venue_time(order.deadline),
        )
        return self._sent(now, order, request, Priority.HEDGE, None)

    def _drafted(
        self, command: Place | Take, purpose: Purpose, layer: int, now: Nanos, until: Nanos
    ) -> Order:
        return Order(
            label=self._orders.next_label(command.instrument, command.side, purpose, layer),
            instrument=command.instrument,
            side=command.side,
            layer=layer,
            purpose=purpose,
            price=command.price,
            amount=command.amount,
            placed=now,
            deadline=Nanos(min(now + VALID_FOR, until)),
        )

    def _sent(
        self,
        now: Nanos,
        order: Order,
        request: requests.Request,
        priority: Priority,
        tick_to_order_us: float | None,
    ) -> Order | None:
        context = ForOrder(order.label, Verb.PLACE)
        order.request = self._line.ask(now, request, priority, context)
        if order.request is None:
            return None
        self._out.count("hedges_sent" if order.purpose is Purpose.HEDGE else "orders_placed")
        self._orders.add(now, order, tick_to_order_us)
        return order

    def edit(self, now: Nanos, approved: Approved[Edit], until: Nanos, tick: Nanos | None) -> bool:
        """Move a resting quote; False: no credit. `tick` as in `place`."""
        command = approved.command
        order = self._orders.known(command.label)
        if order.order_id is None:
            raise RuntimeError(f"{order.label} rests without an order id")
        total = round(order.filled + command.amount, 8)
        deadline = Nanos(min(now + VALID_FOR, until))
        request = requests.edit(
            order_id=order.order_id,
            amount=total,
            price=command.price,
            valid_until=self._line.venue_time(deadline),
        )
        request_id = self._line.ask(now, request, Priority.QUOTE, ForOrder(order.label, Verb.EDIT))
        if request_id is None:
            return False
        order.request = request_id
        order.deadline, order.placed = deadline, now
        order.aim_price, order.aim_amount = command.price, total
        order.layer, order.quote_id = command.layer, command.quote_id
        self._out.count("edits")
        self._orders.happen(now, order, Happening.EDIT_SENT, tick_to_order_us=_since(now, tick))
        return True

    def cancel(self, now: Nanos, approved: Approved[Cancel]) -> bool:
        """Take an order away; False: no credit."""
        command = approved.command
        order = self._orders.known(command.label)
        if command.order_id is None:
            request = requests.cancel_by_label(command.label, self._line.currency)
            context = ForOrder(command.label, Verb.CANCEL_LABEL)
        else:
            request = requests.cancel(command.order_id)
            context = ForOrder(command.label, Verb.CANCEL)
        request_id = self._line.ask(now, request, Priority.CANCEL, context)
        if request_id is None:
            return False
        order.request = request_id
        self._out.count("cancels")
        self._orders.happen(now, order, Happening.CANCEL_SENT, command.reason)
        return True

    def look_up(self, now: Nanos, order: Order) -> None:
        """Ask what became of an order whose outcome is unknown."""
        request = requests.get_order_state_by_label(order.label, self._line.currency)
        context = ForOrder(order.label, Verb.LOOK_UP)
        order.request = self._line.ask(now, request, Priority.CANCEL, context)
        order.look_after = Nanos(now + LOOK_EVERY)

    def answered(self, now: Nanos, answer: Answered, context: ForOrder) -> Outcome:
        """A request succeeded."""
        order, current = self._settle(answer.request_id, context)
        try:
            match context.verb:
                case Verb.PLACE | Verb.EDIT:
                    result = decode_order_result(answer.result)
                    order = self._seen(now, order, result.order, current)
                    lost = result.order.cancel_reason == "edit_post_only_reject"
                    return Outcome(order, result.trades, lost)
                case Verb.CANCEL:
                    order = self._seen(now, order, decode_order(answer.result), current)
                case Verb.CANCEL_LABEL:
                    if order is not None and current:
                        some = decode_cancel_count(answer.result) > 0
                        happening = Happening.CANCELLED if some else Happening.RACED
                        self._orders.happen(now, order, happening)
                case Verb.LOOK_UP:
                    self._looked_up(now, order, decode_orders(answer.result))
        except VenueFault as fault:
            self._out.anomaly(now, "venue_fault", Severity.WARNING, str(fault))
            self._unclear(now, order, current, "unreadable answer")
        return Outcome(order)

    def refused(self, now: Nanos, refusal: Refused, context: ForOrder) -> Outcome:
        """A request got an error."""
        order, current = self._settle(refusal.request_id, context)
        meaning, name = classify(refusal.code), name_of(refusal.code)
        self._out.count("refusals")
        if meaning in _REPORTED:
            detail = f"{context.verb} of {context.label}: {refusal.code} {refusal.message}"
            critical = name == "not_enough_funds"
            severity = Severity.CRITICAL if critical else Severity.WARNING
            kind = name if critical else "refused"
            instrument = order.instrument if order is not None else None
            self._out.anomaly(now, kind, severity, detail, instrument)
        if refusal.code == MMP_TRIGGER:
            self._protection.refused(now)
        if order is None:
            return Outcome(None)
        unanswered_still = refusal.late and order.state is OrderState.UNKNOWN
        if context.verb is Verb.LOOK_UP:
            self._unclear(now, order, current, name)
        elif current or unanswered_still:
            happening = _happening(context.verb, meaning)
            if happening is Happening.PLACE_REFUSED and order.order_id is not None:
                # A channel has shown it resting: one of the two is wrong.
                happening = Happening.DOUBTED
            if happening in (Happening.DOUBTED, Happening.CHANGE_REFUSED):
                self._pause(now, order, context.verb)
            if happening is Happening.CHANGE_REFUSED and order.order_id is None:
                # That it was not cancelled does not prove that it was ever placed.
                happening = Happening.UNCLEAR
            self._orders.happen(now, order, happening, name)
        wanted = context.verb in (Verb.PLACE, Verb.EDIT)
        return Outcome(order, rejected=wanted and meaning is not Meaning.UNKNOWN_OUTCOME)

    def unanswered(self, now: Nanos, silence: Unanswered, context: ForOrder) -> Outcome:
        """A request timed out, or the socket was lost."""
        order, current = self._settle(silence.request_id, context)
        self._out.count("unanswered")
        self._unclear(now, order, current, silence.why)
        return Outcome(order)

    def _settle(self, request_id: int, context: ForOrder) -> tuple[Order | None, bool]:
        """The order, and whether this answers its request in flight (else it is late news)."""
        order = self._orders.get(context.label)
        if order is None or order.request != request_id:
            return order, False
        order.request = None
        return order, True

    def _seen(
        self, now: Nanos, order: Order | None, seen: VenueOrder, current: bool
    ) -> Order | None:
        if order is None:
            return self._orders.adopt(now, seen)
        # A reply after its time-out settles the doubt that the time-out left.
        settles = current or order.state is OrderState.UNKNOWN
        self._orders.observe(now, order, seen, answers=settles)
        return order

    def _looked_up(self, now: Nanos, order: Order | None, found: tuple[VenueOrder, ...]) -> None:
        if order is None or order.state is not OrderState.UNKNOWN:
            return
        matches = [seen for seen in found if seen.label == order.label]
        if matches:
            contradicted = order.closed_by_word
            newest = max(matches, key=lambda seen: seen.updated)
            self._orders.observe(now, order, newest, answers=True)
            if contradicted and order.alive:
                self._pause(now, order, Verb.LOOK_UP)
        elif order.closed_by_word or now >= order.deadline + SETTLING:
            self._orders.happen(now, order, Happening.NOT_FOUND, "not found at the exchange")

    def _pause(self, now: Nanos, order: Order, verb: Verb) -> None:
        """The venue does not do it now: not again at once. A move that came too late delays no cancel."""
        later = Nanos(now + RETRY_AFTER)
        if verb is Verb.EDIT:
            order.not_moved_before = later
        else:
            order.not_before = later
        self._out.wake("retry", later)

    def _unclear(self, now: Nanos, order: Order | None, current: bool, why: str) -> None:
        if order is not None and current and order.alive:
            self._orders.happen(now, order, Happening.UNCLEAR, why)


def _happening(verb: Verb, meaning: Meaning) -> Happening:
    """What a refusal says about the order."""
    if meaning is Meaning.UNKNOWN_OUTCOME:
        return Happening.UNCLEAR
    if meaning is Meaning.UNPROVEN or (verb is Verb.PLACE and meaning is Meaning.RETRY_LATER):
        return Happening.DOUBTED
    if verb is Verb.PLACE:
        return Happening.PLACE_REFUSED
    # 11054 too: an edit that would take has cancelled its order.
    if meaning is Meaning.NORMAL:
        return Happening.RACED
    return Happening.CHANGE_REFUSED


def _since(now: Nanos, tick: Nanos | None) -> float | None:
    """Microseconds from a tick to now."""
    return None if tick is None else (now - tick) / 1_000
