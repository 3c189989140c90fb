"""Deribit's payloads as it spells them: the members this system reads, with the bounds they must keep.

Only `codec` sees these. Members that were recorded missing or null have defaults; unknown ones are
ignored. Decoded leniently (`strict=False`), because the venue prints integers as `10.0` or `6e4` and
documents some booleans as strings.
"""

from typing import Annotated, Literal

import msgspec

Price = Annotated[float, msgspec.Meta(gt=0, lt=1e12)]
Quantity = Annotated[float, msgspec.Meta(ge=0, lt=1e15)]
Signed = Annotated[float, msgspec.Meta(gt=-1e15, lt=1e15)]
Millis = Annotated[int, msgspec.Meta(ge=0, lt=10**15)]
TradeId = Annotated[str, msgspec.Meta(pattern=r"^([A-Z0-9_]+-)?[0-9]+$")]
"""Every documented and recorded form: 403691824, ETH-284830839, BTC_USDT-1097032, BLOCK-123."""
Some = Annotated[float, msgspec.Meta(gt=0, lt=1e15)]
Traded = Annotated[int, msgspec.Meta(ge=10**12, lt=10**15)]
"""Part of what a trade is known by: a time before the exchange existed is none."""
Serial = Annotated[int, msgspec.Meta(ge=0)]
Name = Annotated[str, msgspec.Meta(min_length=1)]
Direction = Literal["buy", "sell"]

Step = tuple[Literal["new", "change", "delete"], Price, Quantity]


class Book(msgspec.Struct):
    """`book.{instrument}.{interval}`."""

    instrument_name: Name
    timestamp: Millis
    change_id: Serial
    bids: list[Step]
    asks: list[Step]
    prev_change_id: Serial | None = None
    type: Literal["snapshot", "change"] | None = None


class Trade(msgspec.Struct):
    """An element of `trades.*`."""

    trade_id: Name
    trade_seq: Serial
    timestamp: Millis
    instrument_name: Name
    price: Price
    amount: Quantity
    direction: Direction


class Ticker(msgspec.Struct):
    """`ticker.*` and `public/ticker`."""

    instrument_name: Name
    timestamp: Millis
    state: str
    mark_price: Price
    index_price: Price
    min_price: Quantity
    max_price: Quantity
    last_price: Quantity | None = None
    settlement_price: Quantity | None = None
    open_interest: Quantity | None = None
    current_funding: Signed | None = None
    funding_8h: Signed | None = None


class Kind(msgspec.Struct):
    """What is read of a listed instrument before deciding whether it is one of ours."""

    kind: str
    instrument_type: str | None = None
    future_type: str | None = None


class TickStep(msgspec.Struct):
    """A larger tick above a price."""

    above_price: Quantity
    tick_size: Price


class Instrument(msgspec.Struct):
    """An element of `public/get_instruments`."""

    instrument_name: Name
    base_currency: Name
    settlement_period: str
    expiration_timestamp: Millis
    tick_size: Price
    contract_size: Price
    min_trade_amount: Price
    maker_commission: Signed
    taker_commission: Signed
    is_active: bool
    quote_currency: str = ""
    settlement_currency: str | None = None
    price_index: str | None = None
    tick_size_steps: list[TickStep] | None = None
    state: str | None = None


class Order(msgspec.Struct):
    """An order, wherever it appears."""

    order_id: Name
    order_state: str
    instrument_name: Name
    direction: Direction
    amount: Quantity
    creation_timestamp: Millis
    last_update_timestamp: Millis
    price: Signed | str | None = None
    filled_amount: Quantity | None = None
    average_price: Quantity | None = None
    label: str | None = None
    post_only: bool | None = None
    reduce_only: bool | None = None
    cancel_reason: str | None = None


class UserTrade(msgspec.Struct):
    """A trade of ours, wherever it appears."""

    trade_id: TradeId
    order_id: Name
    instrument_name: Name
    timestamp: Traded
    price: Price
    amount: Some
    direction: Direction
    liquidity: Literal["M", "T"]
    fee: Signed
    trade_seq: Serial | None = None
    profit_loss: Signed | None = None
    mark_price: Quantity | None = None
    index_price: Quantity | None = None
    label: str | None = None


class Position(msgspec.Struct):
    """A position, wherever it appears."""

    instrument_name: Name
    size: Signed
    direction: str = "zero"
    kind: str = "future"
    average_price: Quantity | None = None
    mark_price: Quantity | None = None
    settlement_price: Quantity | None = None
    delta: Signed | None = None
    realized_profit_loss: Signed | None = None
    floating_profit_loss: Signed | None = None
    realized_funding: Signed | None = None
    interest_value: Signed | None = None


class OrderResult(msgspec.Struct):
    """Answer to buy, sell and edit."""

    order: Order
    trades: list[UserTrade] | None = None


class Changes(msgspec.Struct):
    """`user.changes.*`."""

    instrument_name: Name
    orders: list[Order] | None = None
    trades: list[UserTrade] | None = None
    positions: list[Position] | None = None


class TradePage(msgspec.Struct):
    """Answer to the `get_user_trades` family."""

    trades: list[UserTrade]
    has_more: bool = False


class Fee(msgspec.Struct):
    """A pair of fees; of type `fixed` they are fractions of the notional."""

    type: str = ""
    maker: Signed | None = None
    taker: Signed | None = None


class Fees(msgspec.Struct):
    """What an account summary's `fees` have for one index and kind of instrument."""

    default: Fee | None = None


class Account(msgspec.Struct):
    """`get_account_summary` and `user.portfolio.*`."""

    currency: Name
    equity: Signed
    balance: Signed
    initial_margin: Signed
    maintenance_margin: Signed
    available_funds: Signed
    session_rpl: Signed | None = None
    session_upl: Signed | None = None
    delta_total: Signed | None = None
    fees: dict[str, dict[str, Fees]] | list[msgspec.Raw] | None = None
    """By index, then kind of instrument; there only for accounts with a discount. Before December 2025
    a list, whose form no text describes any more."""


class Rate(msgspec.Struct):
    """One rate limit: requests per second and in one burst."""

    rate: Price
    burst: Serial


class Trading(msgspec.Struct):
    """Limits of order requests; an account may have one for all or one per product."""

    total: Rate | None = None
    perpetuals: Rate | None = None
    futures: Rate | None = None


class Matching(msgspec.Struct):
    """`matching_engine` of one currency, or of all."""

    trading: Trading | None = None
    cancel_all: Rate | None = None


class Limits(msgspec.Struct):
    """`limits` of an account summary; `matching_engine` is keyed by group, or by currency then group."""

    matching_engine: dict[str, msgspec.Raw]
    non_matching_engine: Rate | None = None


class Summary(msgspec.Struct):
    """What is read of an account summary for the request budget."""

    limits: Limits | None = None
    mmp_enabled: bool | None = None


class Freeze(msgspec.Struct):
    """`user.mmp_trigger.*`, and a member of the answer to `get_mmp_status`. 0: until it is reset."""

    index_name: Name
    frozen_until: int
    mmp_group: str | None = None


class Protection(msgspec.Struct):
    """A market maker protection as the exchange has it."""

    index_name: Name
    interval: int
    frozen_time: int
    max_quote_quantity: float | None = None
    quantity_limit: float | None = None
    delta_limit: float | None = None
    mmp_group: str | None = None


class InstrumentState(msgspec.Struct):
    """`instrument.state.*`."""

    instrument_name: Name
    state: str
    timestamp: Millis


class PlatformState(msgspec.Struct):
    """`platform_state`: a lock of one index, or maintenance."""

    locked: bool | None = None
    price_index: str | None = None
    maintenance: bool | None = None


class AccountLock(msgspec.Struct):
    """`user.lock`."""

    currency: Name
    locked: bool
