"""Where Deribit's own words die: payloads to our types.

Every `decode_*` takes the raw JSON of a result or a channel's `data` and either returns our type or
raises `VenueFault`, whose text says the field, what was expected and what came. Unknown members are
ignored, optional ones may be missing or null, numbers may be `10.0` or `6e4`.
"""

import msgspec

from shared.deribit.credits import RateLimits
from shared.instruments import BookState, Instrument
from shared.kernel import Nanos
from shared.messages import Account, Level, Liquidity, OrderState, Ticker, Trades
from shared.units import Side

RawJson = bytes | msgspec.Raw


class VenueFault(ValueError):
    """The venue sent a payload that cannot be used; the text says field, expected and came."""


class BookFrame(msgspec.Struct, frozen=True, kw_only=True):
    """One frame of a full-depth book channel. An amount of 0 deletes the level.

    A change continues the book whose `change_id` equals its `prev_change_id`; ids jump.
    """

    instrument: str
    ts: Nanos
    change_id: int
    prev_change_id: int | None
    snapshot: bool
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class VenueOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the exchange describes it. `price` is None for market-type triggers."""

    order_id: str
    label: str
    instrument: str
    side: Side
    state: OrderState
    """OPEN, FILLED, CANCELLED or REJECTED."""
    price: float | None
    amount: float
    """The total, including what has filled."""
    filled: float
    average_price: float
    post_only: bool
    reduce_only: bool
    cancel_reason: str
    created: Nanos
    updated: Nanos


class VenueTrade(msgspec.Struct, frozen=True, kw_only=True):
    """One trade of ours. `side` is our own; `fee` positive is paid; `realized` excludes fees.

    `mark_price` and `index_price` fall back to the trade's price where missing: a fill is never lost
    over them.
    """

    trade_id: str
    trade_seq: int
    order_id: str
    label: str
    instrument: str
    ts: Nanos
    side: Side
    price: float
    amount: float
    fee: float
    realized: float
    liquidity: Liquidity
    mark_price: float
    index_price: float


class VenuePosition(msgspec.Struct, frozen=True, kw_only=True):
    """A position as the exchange holds it; BTC figures for inverse contracts."""

    instrument: str
    amount: float
    """Signed, the instrument's unit; + long."""
    average_price: float
    mark_price: float
    settlement_price: float | None
    delta: float
    realized: float
    """Profit of the session, funding included, fees excluded."""
    floating: float
    realized_funding: float | None
    interest_value: float | None


class OrderResult(msgspec.Struct, frozen=True):
    """Answer to buy, sell and edit."""

    order: VenueOrder
    trades: tuple[VenueTrade, ...]


class Changes(msgspec.Struct, frozen=True):
    """One frame of `user.changes`."""

    instrument: str
    orders: tuple[VenueOrder, ...]
    trades: tuple[VenueTrade, ...]
    positions: tuple[VenuePosition, ...]


class TradePage(msgspec.Struct, frozen=True):
    """One page of own trades; `has_more` asks for the next."""

    trades: tuple[VenueTrade, ...]
    has_more: bool


class InstrumentState(msgspec.Struct, frozen=True):
    """A book state changed."""

    instrument: str
    state: BookState
    ts: Nanos


class PlatformState(msgspec.Struct, frozen=True):
    """A lock of one index, or maintenance ahead (then `index` is empty)."""

    index: str
    locked: bool
    maintenance: bool


class AccountLock(msgspec.Struct, frozen=True):
    """The own account is locked or released; `currency` is ALL for every one."""

    currency: str
    locked: bool


def decode_book(data: RawJson) -> BookFrame:
    """A frame of `book.{instrument}.{interval}`; grouped books are a fault."""
    raise NotImplementedError


def decode_trades(data: RawJson, seen: Nanos) -> Trades:
    """A frame of `trades.{instrument}.{interval}`, oldest first; `ts` is the last trade's."""
    raise NotImplementedError


def decode_ticker(data: RawJson, seen: Nanos) -> Ticker:
    """A ticker, from the channel or the method."""
    raise NotImplementedError


def decode_instruments(data: RawJson) -> tuple[Instrument, ...]:
    """Futures and perpetuals of `get_instruments` in the venue's order; other kinds are left out."""
    raise NotImplementedError


def decode_order(data: RawJson) -> VenueOrder:
    """One order: the answer to cancel and get_order_state."""
    raise NotImplementedError


def decode_orders(data: RawJson) -> tuple[VenueOrder, ...]:
    """An array of orders, or the single one of `user.orders.*.raw`."""
    raise NotImplementedError


def decode_order_result(data: RawJson) -> OrderResult:
    """The answer to buy, sell and edit."""
    raise NotImplementedError


def decode_user_trades(data: RawJson) -> tuple[VenueTrade, ...]:
    """A frame of `user.trades.*`."""
    raise NotImplementedError


def decode_trade_page(data: RawJson) -> TradePage:
    """The answer to `get_user_trades*`."""
    raise NotImplementedError


def decode_changes(data: RawJson) -> Changes:
    """A frame of `user.changes.*`."""
    raise NotImplementedError


def decode_positions(data: RawJson) -> tuple[VenuePosition, ...]:
    """The answer to `get_positions`, or a single position."""
    raise NotImplementedError


def decode_account(data: RawJson, ts: Nanos) -> Account:
    """The answer to `get_account_summary`, or a frame of `user.portfolio.*`; `ts` is when it came."""
    raise NotImplementedError


def decode_limits(data: RawJson, currency: str) -> RateLimits | None:
    """The rate limits inside an account summary; None where it has none (user.portfolio)."""
    raise NotImplementedError


def decode_cancel_count(data: RawJson) -> int:
    """How many orders a `cancel_all*` or `cancel_by_label` cancelled."""
    raise NotImplementedError


def decode_instrument_state(data: RawJson) -> InstrumentState:
    """A frame of `instrument.state.*`."""
    raise NotImplementedError


def decode_platform_state(data: RawJson) -> PlatformState:
    """A frame of `platform_state`."""
    raise NotImplementedError


def decode_account_lock(data: RawJson) -> AccountLock:
    """A frame of `user.lock`."""
    raise NotImplementedError
