"""What should rest against what does rest, at every moment that may have changed the answer.

`steer` may be called at any time and as often as one likes: it looks at permission, quote, orders and
exposure as they are, and sends what is missing. Nothing is queued, so nothing stale is ever sent.
"""

import msgspec

from services.oms import gate
from services.oms.commands import Cancel, Edit, Place, Take
from services.oms.diff import diff
from services.oms.exposure import Exposure, exposure_of, working_of
from services.oms.inventory import Inventory
from services.oms.order import Order
from services.oms.orders import Orders
from services.oms.outbox import Outbox
from services.oms.permission import Permission
from services.oms.protection import Protection
from services.oms.session import Line
from services.oms.wire import Wire
from shared.kernel import Nanos
from shared.messages import Hedge, OrderState, Purpose, Quote, Severity, Ticker
from shared.params import OmsParams
from shared.units import SECOND, Side

_HEDGES_REMEMBERED = 1_000
_REJECTS_IN_A_ROW = 3
_HOLD = 1 * SECOND


class Rejection(msgspec.Struct, frozen=True):
    """The last quote of which an order was refused on a side, how many in a row, and until when to wait."""

    quote_id: int
    in_a_row: int
    until: Nanos


class Desk:
    """Decides; the gate judges; the wire sends."""

    def __init__(
        self,
        out: Outbox,
        orders: Orders,
        inventory: Inventory,
        permission: Permission,
        line: Line,
        protection: Protection,
        params: OmsParams,
    ) -> None:
        self._out = out
        self._orders = orders
        self._inventory = inventory
        self._permission = permission
        self._line = line
        self.params = params
        self.wire = Wire(out, orders, line, protection)
        self.tickers: dict[str, Ticker] = {}
        self.marks: dict[str, float] = {}
        self._rejections: dict[tuple[str, Side], Rejection] = {}
        self._denied: dict[tuple[str, Side], str] = {}
        self._hedges: dict[int, None] = {}

    def steer_all(self, now: Nanos) -> None:
        """Every instrument that is followed or has an order."""
        names = (*self._inventory.specs, *(order.instrument for order in self._orders.alive()))
        for instrument in dict.fromkeys(names):
            self.steer(now, instrument)

    def steer(self, now: Nanos, instrument: str, tick: Nanos | None = None) -> None:
        """Bring one instrument's orders to what is wanted and allowed now.

        `tick`: when the book frame was seen that this follows from; None: another cause.
        """
        if not self._line.ready:
            return
        refusal = self._permission.refusal(now, instrument)
        orders = self._orders.alive(instrument)
        for order in orders:
            if order.state is OrderState.UNKNOWN and order.request is None:
                self._resolve(now, order, refusal)
        quotes = [order for order in orders if order.purpose is Purpose.QUOTE]
        if refusal is not None:
            for order in quotes:
                self._pull(now, order, refusal)
            return
        exposure = self.exposure()
        mode, limit = self._permission.mode, self._hard_limit()
        for order in gate.offenders(quotes, exposure, mode, limit):
            self._pull(now, order, "limit")
        quote = self._permission.wanted[instrument]
        if isinstance(quote, Quote):
            for change in diff(now, quote, quotes, self.params, exposure.net):
                self._change(now, quote, change, tick)

    def hedge(self, now: Nanos, hedge: Hedge) -> None:
        """Carry out a hedge once, or say why not."""
        if hedge.hedge_id in self._hedges:
            self._ignore(now, hedge, "it was carried out before")
            return
        self._hedges[hedge.hedge_id] = None
        if len(self._hedges) > _HEDGES_REMEMBERED:
            del self._hedges[next(iter(self._hedges))]
        if not self._line.ready or self._permission.starting:
            self._ignore(now, hedge, "the exchange is not connected or not reconciled")
            return
        command = Take(
            instrument=hedge.instrument,
            side=hedge.side,
            price=self._within_band(hedge),
            amount=hedge.amount,
            hedge_id=hedge.hedge_id,
            expires=hedge.expires,
        )
        approved = gate.approve(command, self._scene(now, hedge.instrument, hedging=True))
        if isinstance(approved, gate.Denied):
            self._ignore(now, hedge, f"{approved.reason}: {approved.detail}")
            return
        # Executed in the order they are sent: the own quote is gone before the hedge could meet it.
        for order in self._orders.alive(hedge.instrument):
            reach = hedge.side.sign * (command.price - order.price)
            if order.side is not hedge.side and order.idle and reach >= 0.0:
                self._pull(now, order, "hedge")
        if self.wire.take(now, approved) is None:
            self._ignore(now, hedge, "no request credit left")

    def _within_band(self, hedge: Hedge) -> float:
        """Its limit, or the band's edge where that is nearer: at the edge there may still be takers."""
        spec = self._inventory.specs.get(hedge.instrument)
        ticker = self.tickers.get(hedge.instrument)
        if spec is None or ticker is None:
            return hedge.limit_price
        if hedge.side is Side.BUY:
            return spec.passive_price(hedge.side, min(hedge.limit_price, ticker.max_price))
        return spec.passive_price(hedge.side, max(hedge.limit_price, ticker.min_price))

    def rejected(self, now: Nanos, order: Order) -> None:
        """The venue refused to place or move it: not again for the same quote."""
        if order.purpose is not Purpose.QUOTE:
            return
        key = (order.instrument, order.side)
        before = self._rejections.get(key)
        in_a_row = before.in_a_row + 1 if before is not None else 1
        hold = _HOLD if in_a_row >= _REJECTS_IN_A_ROW else 0
        self._rejections[key] = Rejection(order.quote_id, in_a_row, Nanos(now + hold))

    def accepted(self, order: Order) -> None:
        """The venue let it rest."""
        self._rejections.pop((order.instrument, order.side), None)

    def exposure(self, hedging: bool = False) -> Exposure:
        """Net delta and worst cases now; `hedging`: as if the hedges in flight had filled."""
        working = working_of(self._orders)
        return exposure_of(self._held(hedging), working, self.marks, self._inventory.specs)

    def _held(self, hedging: bool) -> dict[str, float]:
        """Signed positions by instrument."""
        positions = self._inventory.ledger.amounts()
        if hedging:
            for order in self._orders:
                if order.purpose is Purpose.HEDGE:
                    held = positions.get(order.instrument, 0.0)
                    positions[order.instrument] = held + order.side.sign * order.exposed
        return positions

    def _resolve(self, now: Nanos, order: Order, refusal: str | None) -> None:
        """Settle an unknown outcome: by cancelling where it must go anyway, else by asking."""
        pulling = refusal is not None and order.purpose is Purpose.QUOTE
        if pulling and not order.closed_by_word:
            if now >= order.not_before:
                self._cancel(now, order, refusal or "")
        elif now >= order.look_after:
            self.wire.look_up(now, order)

    def _pull(self, now: Nanos, order: Order, reason: str) -> None:
        if order.idle and now >= order.not_before:
            self._cancel(now, order, reason)

    def _cancel(self, now: Nanos, order: Order, reason: str) -> None:
        command = Cancel(label=order.label, order_id=order.order_id, reason=reason)
        self.wire.cancel(now, gate.approve_cancel(command))

    def _change(
        self, now: Nanos, quote: Quote, change: Place | Edit | Cancel, tick: Nanos | None
    ) -> None:
        match change:
            case Cancel():
                self._pull(now, self._orders.known(change.label), change.reason)
            case Place():
                self._place(now, quote, change, tick)
            case Edit():
                self._edit(now, quote, change, tick)

    def _place(self, now: Nanos, quote: Quote, change: Place, tick: Nanos | None) -> None:
        if self._is_held(now, change):
            return
        approved = gate.approve(change, self._scene(now, change.instrument))
        if isinstance(approved, gate.Denied):
            self._deny(now, change, approved)
            return
        self._denied.pop((change.instrument, change.side), None)
        self.wire.place(now, approved, self._until(quote), tick)

    def _edit(self, now: Nanos, quote: Quote, change: Edit, tick: Nanos | None) -> None:
        order = self._orders.known(change.label)
        if not order.idle or now < max(order.not_before, order.not_moved_before):
            return
        approved = gate.approve(
            change, self._scene(now, change.instrument, open_amount=order.open_amount)
        )
        if isinstance(approved, gate.Denied):
            self._deny(now, change, approved)
            done = False
        else:
            done = self.wire.edit(now, approved, self._until(quote), tick)
        # What cannot be moved out of danger is taken away: a cancel has credits of its own.
        if not done and change.urgent:
            self._cancel(now, order, "cannot be moved")

    def _is_held(self, now: Nanos, change: Place) -> bool:
        rejection = self._rejections.get((change.instrument, change.side))
        return rejection is not None and (
            rejection.quote_id == change.quote_id or now < rejection.until
        )

    def _deny(self, now: Nanos, change: Place | Edit, denied: gate.Denied) -> None:
        self._out.count("denied")
        key = (change.instrument, change.side)
        if self._denied.get(key) != denied.reason:
            self._denied[key] = denied.reason
            detail = f"{change.side} {change.amount} at {change.price}: {denied.detail}"
            kind = f"denied_{denied.reason}"
            self._out.anomaly(now, kind, Severity.INFO, detail, change.instrument)

    def _ignore(self, now: Nanos, hedge: Hedge, why: str) -> None:
        detail = f"hedge {hedge.hedge_id} {hedge.side} {hedge.amount}: {why}"
        self._out.anomaly(now, "hedge_ignored", Severity.WARNING, detail, hedge.instrument)

    def _scene(
        self, now: Nanos, instrument: str, *, open_amount: float = 0.0, hedging: bool = False
    ) -> gate.Scene:
        latch = self._permission.latch
        return gate.Scene(
            now=now,
            refusal=self._permission.refusal(now, instrument),
            mode=self._permission.mode,
            killed=latch is not None,
            flatten=latch is not None and latch.flatten,
            hard_limit=self._hard_limit(),
            spec=self._inventory.specs.get(instrument),
            ticker=self.tickers.get(instrument),
            held=self._held(hedging).get(instrument, 0.0),
            exposure=self.exposure(hedging),
            open_amount=open_amount,
        )

    def _hard_limit(self) -> float:
        lease = self._permission.lease
        return 0.0 if lease is None else lease.hard_limit

    def _until(self, quote: Quote) -> Nanos:
        lease = self._permission.lease
        return quote.valid_until if lease is None else min(quote.valid_until, lease.until)
