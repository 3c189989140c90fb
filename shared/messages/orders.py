"""Orders, fills, positions and the account, as the OMS knows them; and the one command it takes."""

from enum import StrEnum

from shared.kernel import Message, Nanos
from shared.units import Side


class OrderState(StrEnum):
    """The life of one order of ours. The table of legal moves is in `services/oms/order.py`."""

    PENDING = "pending"
    """Sent, not answered."""
    OPEN = "open"
    EDITING = "editing"
    CANCELLING = "cancelling"
    UNKNOWN = "unknown"
    """The outcome of a request is not known; it counts in full until reconciled."""
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"

    @property
    def is_final(self) -> bool:
        """No further move but a late fill."""
        return self in (OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED)


class Purpose(StrEnum):
    """Why an order exists. Only hedges may take liquidity."""

    QUOTE = "quote"
    HEDGE = "hedge"


class OrderChanged(Message, frozen=True, kw_only=True):
    """An order moved in its life cycle. `ts` is the OMS's time, `venue_ts` the exchange's (0: none)."""

    instrument: str
    label: str
    order_id: str | None
    state: OrderState
    side: Side
    price: float
    amount: float
    filled: float
    purpose: Purpose
    layer: int
    quote_id: int
    reason: str
    venue_ts: Nanos
    tick_to_order_us: float | None = None
    """From the book frame at our socket to the order frame that follows from it, when one does."""


class Liquidity(StrEnum):
    """Which side of the trade was ours."""

    MAKER = "maker"
    TAKER = "taker"


class Filled(Message, frozen=True, kw_only=True):
    """One trade of ours, published once per trade id. `ts` is the exchange's time of the trade."""

    instrument: str
    trade_id: str
    trade_seq: int
    order_id: str
    label: str
    side: Side
    price: float
    amount: float
    fee: float
    """Settlement coin; positive is paid."""
    realized: float
    """Profit against the session basis as the exchange printed it, fees excluded."""
    liquidity: Liquidity
    purpose: Purpose
    mark_price: float
    index_price: float
    seen: Nanos
    recovered: bool = False
    """Found by asking for history rather than told on a channel."""


class Position(Message, frozen=True, kw_only=True):
    """One instrument's inventory after every known fill; published on change and as a heartbeat."""

    instrument: str
    amount: float
    """Signed, the instrument's unit; + long."""
    average_price: float
    """0 when flat."""
    realized: float
    """Sum of closed profit since the OMS's ledger began, settlement coin, fees excluded."""
    fees: float
    """Sum of fees paid, settlement coin."""
    fills: int
    working_buy: float
    working_sell: float
    """Worst-case amounts still working or in flight on each side."""
    version: int
    reconciled: Nanos
    """When this last agreed with the exchange; 0: never."""


class Account(Message, frozen=True, kw_only=True):
    """The exchange's own view of the account, in the settlement coin."""

    currency: str
    equity: float
    balance: float
    session_rpl: float
    session_upl: float
    initial_margin: float
    maintenance_margin: float
    available: float
    delta_total: float
    maker_fee: float | None = None
    taker_fee: float | None = None


class Hedge(Message, frozen=True, kw_only=True):
    """Command to the OMS from risk: one taker slice, reduce-only, never resting."""

    instrument: str
    hedge_id: int
    side: Side
    amount: float
    limit_price: float
    reason: str
    expires: Nanos
