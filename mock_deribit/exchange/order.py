"""One order inside the exchange: a mutable record in ticks and lots, and its frozen view."""

import msgspec
from msgspec.structs import replace

from mock_deribit.exchange.messages import OrderState, OrderType, OrderView, TimeInForce
from shared.instruments import Instrument
from shared.kernel import Nanos
from shared.units import Side, on_grid

_BUY, _SELL = Side.BUY, Side.SELL
_FILLED, _CANCELLED = OrderState.FILLED, OrderState.CANCELLED


class Order(msgspec.Struct, eq=False, gc=False):
    """An order's whole life. `lots` is the total, fills included; `number` orders arrivals.

    `sign` is +1 for a buy and -1 for a sell; `tick` is the price on the contract's grid, sizes are
    multiples of the instrument's amount step. An iceberg shows `display` lots at a time and keeps
    `hidden` ones back; `refilled` says that the slice shown came from those. `group` names the
    protection the order stands under ("" plain, None not at all).

    `latest` is the view as it was drawn last, None when the order has changed since: the outbox, which is
    told of every change, sees to that.
    """

    number: int
    order_id: str
    account: str
    instrument: Instrument
    sign: int
    tick: int
    price: float
    lots: int
    order_type: OrderType
    time_in_force: TimeInForce
    post_only: bool
    reject_post_only: bool
    reduce_only: bool
    label: str
    created: Nanos
    updated: Nanos
    filled: int = 0
    average_price: float = 0.0
    replaced: bool = False
    state: OrderState = OrderState.OPEN
    cancel_reason: str | None = None
    original_order_type: OrderType | None = None
    display: int = 0
    hidden: int = 0
    refilled: bool = False
    group: str | None = None
    mmp_cancelled: bool = False
    risk_reducing: bool = False
    is_liquidation: bool = False
    quote_set_id: str | None = None
    quote_id: str | None = None
    latest: OrderView | None = None

    @property
    def remaining(self) -> int:
        """Lots not yet filled."""
        return self.lots - self.filled

    @property
    def visible(self) -> int:
        """Lots the book shows of it while it rests."""
        return self.lots - self.filled - self.hidden

    @property
    def side(self) -> Side:
        """The side as a word."""
        return _BUY if self.sign > 0 else _SELL

    def hide(self) -> None:
        """Keep back all but the next slice of an iceberg; any other order shows whole."""
        if self.display:
            self.hidden, self.latest = max(0, self.remaining - self.display), None

    def take_fill(self, lots: int, price: float, now: Nanos) -> None:
        """Book a fill: filled amount, average price (as the payoff averages) and state."""
        filled = self.filled
        self.average_price = (
            self.instrument.average_entry(filled, self.average_price, lots, price)
            if filled
            else price
        )
        self.filled = filled = filled + lots
        self.updated, self.latest = now, None
        if filled == self.lots:
            self.state = _FILLED

    def close(self, reason: str, now: Nanos) -> OrderView:
        """Cancel it, which changes nothing else of its view."""
        before, state = self.view(), _CANCELLED
        self.state, self.cancel_reason, self.updated = state, reason, now
        self.latest = replace(before, state=state, cancel_reason=reason, updated=now)
        return self.latest

    def redraw(self) -> OrderView:
        """The view of an order that has changed."""
        self.latest = view = self._drawn()
        return view

    def view(self) -> OrderView:
        """The order as it stands. A quote's amount is what is left of it."""
        if self.latest is None:
            self.latest = self._drawn()
        return self.latest

    def _drawn(self) -> OrderView:
        instrument = self.instrument
        step, filled = instrument.amount_step, self.filled
        iceberg = self.display > 0
        return OrderView(
            self.order_id,
            self.state,
            self.order_type,
            instrument.name,
            _BUY if self.sign > 0 else _SELL,
            self.price,
            on_grid(self.lots if self.quote_id is None else self.remaining, step),
            on_grid(filled, step) if filled else 0.0,
            round(self.average_price, 4) if filled else 0.0,
            self.time_in_force,
            self.post_only,
            self.reject_post_only,
            self.reduce_only,
            self.replaced,
            self.label,
            self.created,
            self.updated,
            self.cancel_reason,
            self.original_order_type,
            self.risk_reducing,
            self.is_liquidation,
            on_grid(self.display, step) if iceberg else None,
            on_grid(self.visible, step) if iceberg else None,
            self.group is not None,
            self.mmp_cancelled,
            self.group or None,
            self.quote_set_id,
            self.quote_id,
        )
