"""Every order of ours that may matter, found by label or id, and the telling of each move."""

from collections.abc import Iterator

from services.oms.label import Label, read_label, write_label
from services.oms.order import Happening, Order
from services.oms.outbox import Outbox
from shared.deribit.codec import VenueOrder, VenueTrade
from shared.kernel import Nanos
from shared.messages import OrderChanged, OrderState, Purpose, Severity
from shared.units import MINUTE, Side

_FINAL_KEPT = 2 * MINUTE


class Superseded(RuntimeError):
    """Another instance of us, started later, trades on the account: this one must not."""


class Orders:
    """The orders of one label prefix. Iterating gives those that may still fill or be booked.

    The others are kept a while, to be found by late frames.
    """

    def __init__(self, out: Outbox, prefix: str) -> None:
        self._out = out
        self._prefix = prefix
        self._orders: dict[str, Order] = {}
        self._matter: dict[str, Order] = {}
        self._labels: dict[str, str] = {}
        """Order id to label."""
        self._incarnation = 0
        self._began = Nanos(0)
        self._number = 0

    def __iter__(self) -> Iterator[Order]:
        return iter(tuple(self._matter.values()))

    def begin(self, now: Nanos, incarnation: int) -> None:
        """A new life of the process: labels never repeat."""
        self._began, self._incarnation = now, incarnation

    def get(self, label: str) -> Order | None:
        """The order with this label."""
        return self._orders.get(label)

    def known(self, label: str) -> Order:
        """The order that a command speaks of, which must be there."""
        order = self._orders.get(label)
        if order is None:
            raise RuntimeError(f"no order {label!r} to act upon")
        return order

    def find(self, order_id: str, label: str) -> Order | None:
        """The order that a frame speaks of: trades without a label of ours are known by the id."""
        return self._orders.get(label) or self._orders.get(self._labels.get(order_id, ""))

    def is_ours(self, label: str) -> Label | None:
        """The label taken apart if it is one of ours."""
        return read_label(self._prefix, label)

    def alive(self, instrument: str | None = None) -> list[Order]:
        """Orders that may rest, oldest first."""
        return [
            order
            for order in self._matter.values()
            if order.alive and instrument in (None, order.instrument)
        ]

    def next_label(self, instrument: str, side: Side, purpose: Purpose, layer: int) -> str:
        """The label of the next order; it is used up by `add`."""
        label = Label(
            incarnation=self._incarnation,
            instrument=instrument,
            side=side,
            purpose=purpose,
            layer=layer,
            number=self._number,
        )
        return write_label(self._prefix, label)

    def add(self, now: Nanos, order: Order, tick_to_order_us: float | None) -> None:
        """An order was sent."""
        self._number += 1
        self._orders[order.label] = order
        self.told(now, order, tick_to_order_us)

    def adopt(self, now: Nanos, seen: VenueOrder, untold: float = 0.0) -> Order | None:
        """Take in an order that bears our prefix and that nobody here sent; None: not ours.

        `untold`: what of its fills comes as trades beside it, to be booked next. Raises `Superseded`.
        """
        label = self.is_ours(seen.label)
        if label is None or seen.price is None:
            return None
        if label.incarnation > self._incarnation and seen.created > self._began:
            raise Superseded(
                f"{seen.label} was sent by a later instance of this service: two act on one account; "
                "this one ends, look for where the other was started"
            )
        order = Order(
            label=seen.label,
            instrument=seen.instrument,
            side=seen.side,
            layer=label.layer,
            purpose=label.purpose,
            price=seen.price,
            amount=seen.amount,
            placed=seen.created,
            deadline=now,
            state=OrderState.UNKNOWN,
            order_id=seen.order_id,
            # Its other fills until now are in the position that the exchange reports.
            booked=max(0.0, seen.filled - untold),
        )
        self._orders[order.label] = order
        self.observe(now, order, seen, answers=True)
        return order

    def observe(self, now: Nanos, order: Order, seen: VenueOrder, *, answers: bool) -> None:
        """Merge what the exchange shows, and tell if it moved."""
        was_final = order.state.is_final
        changed = order.observe(seen, answers=answers)
        self._labels[seen.order_id] = order.label
        if was_final and order.alive:
            detail = f"{order.label} rests although it was taken for closed"
            self._out.anomaly(now, "order_revived", Severity.WARNING, detail, order.instrument)
        if changed:
            self.told(now, order)

    def happen(
        self,
        now: Nanos,
        order: Order,
        happening: Happening,
        reason: str = "",
        tick_to_order_us: float | None = None,
    ) -> None:
        """Move an order by the table, and tell."""
        if order.move(happening, reason):
            self.told(now, order, tick_to_order_us)

    def told(self, now: Nanos, order: Order, tick_to_order_us: float | None = None) -> None:
        """Publish an order as it stands now."""
        order.changed = now
        self._file(order)
        self._out.say(
            OrderChanged(
                ts=now,
                instrument=order.instrument,
                label=order.label,
                order_id=order.order_id,
                state=order.state,
                side=order.side,
                price=order.price,
                amount=order.amount,
                filled=order.filled,
                purpose=order.purpose,
                layer=order.layer,
                quote_id=order.quote_id,
                reason=order.reason,
                venue_ts=order.updated,
                tick_to_order_us=tick_to_order_us,
            )
        )

    def booked(self, trade: VenueTrade) -> Order | None:
        """A trade was counted: its order no longer has that amount to come."""
        order = self.find(trade.order_id, trade.label)
        if order is not None:
            order.booked = round(order.booked + trade.amount, 8)
            order.filled = max(order.filled, order.booked)
            self._file(order)
        return order

    def _file(self, order: Order) -> None:
        if order.alive or order.exposed > 0.0:
            self._matter[order.label] = order
        else:
            self._matter.pop(order.label, None)

    def prune(self, now: Nanos) -> None:
        """Forget orders that closed a while ago and whose fills are all counted."""
        for order in tuple(self._orders.values()):
            if order.label not in self._matter and now - order.changed > _FINAL_KEPT:
                del self._orders[order.label]
                if order.order_id is not None:
                    self._labels.pop(order.order_id, None)
