"""One order inside the exchange: a mutable record in ticks and lots, and its frozen view."""

import msgspec

from mock_deribit.exchange.messages import OrderState, OrderType, OrderView, TimeInForce
from shared.instruments import Instrument
from shared.kernel import Nanos
from shared.units import Side, on_grid


class Order(msgspec.Struct, eq=False, kw_only=True):
    """An order's whole life. `lots` is the total, fills included; `number` orders arrivals.

    `sign` is +1 for a buy and -1 for a sell; prices are multiples of the instrument's tick, sizes
    multiples of its amount step.
    """

    number: int
    order_id: str
    account: str
    instrument: Instrument
    sign: int
    tick: int
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

    @property
    def remaining(self) -> int:
        """Lots not yet filled."""
        return self.lots - self.filled

    @property
    def price(self) -> float:
        """The limit in USD per coin."""
        return on_grid(self.tick, self.instrument.tick)

    @property
    def side(self) -> Side:
        """The side as a word."""
        return Side.BUY if self.sign > 0 else Side.SELL

    def take_fill(self, lots: int, price: float, now: Nanos) -> None:
        """Book a fill: filled amount, average price (as the payoff averages) and state."""
        self.average_price = self.instrument.average_entry(
            float(self.filled), self.average_price, float(lots), price
        )
        self.filled += lots
        self.updated = now
        if self.filled == self.lots:
            self.state = OrderState.FILLED

    def view(self) -> OrderView:
        """The order as it stands."""
        instrument = self.instrument
        step = instrument.amount_step
        return OrderView(
            self.order_id,
            self.state,
            self.order_type,
            instrument.name,
            self.side,
            self.price,
            on_grid(self.lots, step),
            on_grid(self.filled, step) if self.filled else 0.0,
            round(self.average_price, 4) if self.filled else 0.0,
            self.time_in_force,
            self.post_only,
            self.reject_post_only,
            self.reduce_only,
            self.replaced,
            self.label,
            self.created,
            self.updated,
            self.cancel_reason,
        )
