"""What is asked of the exchange and what it answers; `events` holds what it tells.

Owns: requests (`OrderRequest`, `OrderEdit`), refusals (`Refused`) and views (orders, trades, positions,
portfolios, books, tickers). All frozen. Prices are USD per coin, amounts the instrument's own
unit (USD for inverse, base coin for linear), times nanoseconds. Names follow the exchange's documents,
so that a wire layer has only to rename and serialise.
"""

from enum import StrEnum

import msgspec

from shared.instruments import BookState
from shared.kernel import Nanos
from shared.units import Side


class OrderType(StrEnum):
    """How an order is priced."""

    LIMIT = "limit"
    MARKET = "market"
    MARKET_LIMIT = "market_limit"


class TimeInForce(StrEnum):
    """How long an order lives."""

    GTC = "good_til_cancelled"
    GTD = "good_til_day"
    IOC = "immediate_or_cancel"
    FOK = "fill_or_kill"


class OrderState(StrEnum):
    """Where an order stands; a partly filled one is open."""

    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"


class SelfMatch(StrEnum):
    """What happens when an account would trade with itself."""

    REJECT_TAKER = "reject_taker"
    CANCEL_MAKER = "cancel_maker"


class Refused(msgspec.Struct, frozen=True):
    """The exchange says no: nothing changed. `data` is the error object's free-form member."""

    code: int
    message: str
    data: dict[str, str] | None = None


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A new order. `price` is required for limit orders and ignored for the others; of an iceberg only
    `display_amount` is shown at a time; `mmp` puts it under the account's protection."""

    instrument: str
    side: Side
    amount: float
    price: float | None = None
    order_type: OrderType = OrderType.LIMIT
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reject_post_only: bool = False
    reduce_only: bool = False
    label: str = ""
    valid_until: Nanos | None = None
    display_amount: float | None = None
    mmp: bool = False


class OrderEdit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A change of a resting order. `amount` is the new total, fills included; None keeps a value.
    `mmp` may be sent only unchanged."""

    amount: float | None = None
    price: float | None = None
    post_only: bool | None = None
    reject_post_only: bool | None = None
    reduce_only: bool | None = None
    valid_until: Nanos | None = None
    display_amount: float | None = None
    mmp: bool | None = None


class OrderView(msgspec.Struct, frozen=True, gc=False):
    """An order as it stands. `cancel_reason` is set only when cancelled, `display_amount` (the size of
    a slice) and `refresh_amount` (what is left of the present one) only of icebergs, the last three
    members only of quotes, `original_order_type` when a market order has come to rest."""

    order_id: str
    state: OrderState
    order_type: OrderType
    instrument: str
    side: Side
    price: float
    amount: float
    filled_amount: float
    average_price: float
    time_in_force: TimeInForce
    post_only: bool
    reject_post_only: bool
    reduce_only: bool
    replaced: bool
    label: str
    created: Nanos
    updated: Nanos
    cancel_reason: str | None = None
    original_order_type: OrderType | None = None
    risk_reducing: bool = False
    is_liquidation: bool = False
    display_amount: float | None = None
    refresh_amount: float | None = None
    mmp: bool = False
    mmp_cancelled: bool = False
    mmp_group: str | None = None
    quote_set_id: str | None = None
    quote_id: str | None = None


class PublicTrade(msgspec.Struct, frozen=True, gc=False):
    """One match. `side` is the taker's; `tick_direction` 0 plus, 1 zero-plus, 2 minus, 3 zero-minus;
    `liquidation` says which side was liquidated: M, T or MT."""

    trade_id: str
    trade_seq: int
    ts: Nanos
    instrument: str
    side: Side
    price: float
    amount: float
    tick_direction: int
    mark_price: float
    index_price: float
    liquidation: str | None = None


class UserTrade(msgspec.Struct, frozen=True, gc=False):
    """One account's half of a match. `side` is its own; `fee` positive is paid; `state` the order's."""

    trade: PublicTrade
    order_id: str
    side: Side
    maker: bool
    fee: float
    fee_currency: str
    profit_loss: float
    state: OrderState
    order_type: OrderType
    post_only: bool
    reduce_only: bool
    label: str
    mmp: bool = False
    risk_reducing: bool = False
    is_liquidation: bool = False
    quote_set_id: str | None = None
    quote_id: str | None = None


class Placed(msgspec.Struct, frozen=True, gc=False):
    """The answer to a new or edited order: as it stands now, and what it took at once."""

    order: OrderView
    trades: tuple[UserTrade, ...]


class Held(msgspec.Struct, frozen=True):
    """The request waits in the hold of its book; `HoldEnded` with this ticket brings its answer."""

    ticket: int


class PositionView(msgspec.Struct, frozen=True, kw_only=True):
    """A position with every number the exchange shows. `size` is signed; `realized_profit_loss`
    is the session's, funding included, fees not. Funding members are 0 for dated futures."""

    instrument: str
    size: float
    size_currency: float
    average_price: float
    mark_price: float
    index_price: float
    settlement_price: float
    delta: float
    initial_margin: float
    maintenance_margin: float
    open_orders_margin: float
    floating_profit_loss: float
    realized_profit_loss: float
    total_profit_loss: float
    leverage: int
    realized_funding: float
    interest_value: float
    estimated_liquidation_price: float | None


class PortfolioView(msgspec.Struct, frozen=True, kw_only=True):
    """An account in one currency (margin model segregated_sm, futures only)."""

    currency: str
    balance: float
    equity: float
    margin_balance: float
    available_funds: float
    available_withdrawal_funds: float
    initial_margin: float
    maintenance_margin: float
    projected_initial_margin: float
    projected_maintenance_margin: float
    session_rpl: float
    session_upl: float
    total_pl: float
    futures_pl: float
    delta_total: float
    delta_total_map: dict[str, float]
    projected_delta_total: float


class BookView(msgspec.Struct, frozen=True, kw_only=True):
    """A whole book: (price, amount) best first on both sides. `ts` is the time of its last change."""

    instrument: str
    ts: Nanos
    change_id: int
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """The last 24 hours. `volume` in base coin; `price_change` in percent; None: nothing traded."""

    high: float | None
    low: float | None
    price_change: float | None
    volume: float
    volume_usd: float


class TickerView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything `public/ticker` names. An empty side is None and amount 0. Funding members are
    None for dated futures; `delivery_price` only after delivery."""

    instrument: str
    ts: Nanos
    state: BookState
    best_bid_price: float | None
    best_bid_amount: float
    best_ask_price: float | None
    best_ask_amount: float
    last_price: float | None
    mark_price: float
    index_price: float
    min_price: float
    max_price: float
    estimated_delivery_price: float
    settlement_price: float
    delivery_price: float | None
    open_interest: float
    current_funding: float | None
    funding_8h: float | None
    interest_value: float | None
    stats: Stats


class FundingHour(msgspec.Struct, frozen=True, kw_only=True):
    """One row of funding history, at the end of an hour; rates as fractions."""

    ts: Nanos
    index_price: float
    prev_index_price: float
    interest_1h: float
    interest_8h: float
