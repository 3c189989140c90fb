"""Our side: orders, trades, positions, the account and its limits."""

import msgspec

from shared.deribit.codec import words
from shared.deribit.codec.reading import RawJson, Reader, VenueFault
from shared.deribit.credits import Limit, RateLimits
from shared.kernel import Nanos
from shared.messages import Account, Liquidity, OrderState
from shared.units import Side, from_ms


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


class AccountLock(msgspec.Struct, frozen=True):
    """The own account is locked or released; `currency` is ALL for every one."""

    currency: str
    locked: bool


_ORDER_STATES = {
    "open": OrderState.OPEN,
    "untriggered": OrderState.OPEN,
    "triggered": OrderState.OPEN,
    "filled": OrderState.FILLED,
    "cancelled": OrderState.CANCELLED,
    "rejected": OrderState.REJECTED,
}
_LIQUIDITY = {"M": Liquidity.MAKER, "T": Liquidity.TAKER}

_ORDER = Reader("order", msgspec.json.Decoder(words.Order, strict=False))
_ORDERS: Reader[list[words.Order] | words.Order] = Reader(
    "orders", msgspec.json.Decoder(list[words.Order] | words.Order, strict=False)
)
_ORDER_RESULT = Reader("order result", msgspec.json.Decoder(words.OrderResult, strict=False))
_USER_TRADES = Reader("user trades", msgspec.json.Decoder(list[words.UserTrade], strict=False))
_TRADE_PAGE: Reader[list[words.UserTrade] | words.TradePage] = Reader(
    "trade page", msgspec.json.Decoder(list[words.UserTrade] | words.TradePage, strict=False)
)
_CHANGES = Reader("changes", msgspec.json.Decoder(words.Changes, strict=False))
_POSITIONS: Reader[list[words.Position] | words.Position] = Reader(
    "positions", msgspec.json.Decoder(list[words.Position] | words.Position, strict=False)
)
_ACCOUNT = Reader("account", msgspec.json.Decoder(words.Account, strict=False))
_SUMMARY = Reader("limits", msgspec.json.Decoder(words.Summary, strict=False))
_MATCHING = Reader("limits", msgspec.json.Decoder(words.Matching, strict=False))
_COUNT = Reader("cancelled", msgspec.json.Decoder(int, strict=False))
_FREEZES: Reader[list[words.Freeze] | words.Freeze] = Reader(
    "frozen protections", msgspec.json.Decoder(list[words.Freeze] | words.Freeze, strict=False)
)
_PROTECTIONS: Reader[list[words.Protection] | words.Protection] = Reader(
    "protection", msgspec.json.Decoder(list[words.Protection] | words.Protection, strict=False)
)
_ACCOUNT_LOCK = Reader("account lock", msgspec.json.Decoder(words.AccountLock, strict=False))


def decode_order(data: RawJson) -> VenueOrder:
    """One order: the answer to cancel and get_order_state."""
    return _order(_ORDER(data))


def decode_orders(data: RawJson) -> tuple[VenueOrder, ...]:
    """An array of orders, or the single one of `user.orders.*.raw`."""
    orders = _ORDERS(data)
    return tuple(_order(order) for order in (orders if isinstance(orders, list) else [orders]))


def decode_order_result(data: RawJson) -> OrderResult:
    """The answer to buy, sell and edit."""
    result = _ORDER_RESULT(data)
    return OrderResult(_order(result.order), _trades(result.trades))


def decode_user_trades(data: RawJson) -> tuple[VenueTrade, ...]:
    """A frame of `user.trades.*`."""
    return _trades(_USER_TRADES(data))


def decode_trade_page(data: RawJson) -> TradePage:
    """The answer to `get_user_trades*`, of which one is documented to be a bare array."""
    page = _TRADE_PAGE(data)
    if isinstance(page, list):
        return TradePage(_trades(page), has_more=False)
    return TradePage(_trades(page.trades), page.has_more)


def decode_changes(data: RawJson) -> Changes:
    """A frame of `user.changes.*`."""
    changes = _CHANGES(data)
    return Changes(
        instrument=changes.instrument_name,
        orders=tuple(_order(order) for order in changes.orders or ()),
        trades=_trades(changes.trades),
        positions=tuple(_position(position) for position in changes.positions or ()),
    )


def decode_positions(data: RawJson) -> tuple[VenuePosition, ...]:
    """The answer to `get_positions`; a single position is taken as well."""
    positions = _POSITIONS(data)
    every = positions if isinstance(positions, list) else [positions]
    return tuple(_position(position) for position in every)


def decode_account(data: RawJson, ts: Nanos) -> Account:
    """The answer to `get_account_summary`, or a frame of `user.portfolio.*`; `ts` is when it came.

    Fees are the account's own for perpetuals where it has any; None: the instrument's apply.
    """
    account = _ACCOUNT(data)
    fees = account.fees if isinstance(account.fees, dict) else {}
    kinds = fees.get(f"{account.currency.lower()}_usd", {})
    fee = kinds["perpetual"].default if "perpetual" in kinds else None
    own = fee if fee is not None and fee.type == "fixed" else None
    return Account(
        ts=ts,
        currency=account.currency.upper(),
        equity=account.equity,
        balance=account.balance,
        session_rpl=account.session_rpl or 0.0,
        session_upl=account.session_upl or 0.0,
        initial_margin=account.initial_margin,
        maintenance_margin=account.maintenance_margin,
        available=account.available_funds,
        delta_total=account.delta_total or 0.0,
        maker_fee=own.maker if own is not None else None,
        taker_fee=own.taker if own is not None else None,
    )


def decode_limits(data: RawJson, currency: str) -> RateLimits | None:
    """The rate limits inside an account summary; None where it has none (user.portfolio).

    Of the order limits the strictest is taken; with limits per currency, this currency's.
    """
    limits = _SUMMARY(data).limits
    if limits is None:
        return None
    matching = limits.matching_engine
    if currency.lower() in matching:
        group = _MATCHING(matching[currency.lower()])
    else:
        group = _MATCHING(msgspec.json.encode(matching))
    trading = group.trading or words.Trading()
    order_rates = [rate for rate in (trading.total, trading.perpetuals, trading.futures) if rate]
    defaults = RateLimits()
    return RateLimits(
        trading=_limit(min(order_rates, key=_strictness, default=None), defaults.trading),
        cancel_all=_limit(group.cancel_all, defaults.cancel_all),
        queries=_limit(limits.non_matching_engine, defaults.queries),
    )


def decode_mmp_enabled(data: RawJson) -> bool | None:
    """Whether an account summary says that the account has market maker protection; None: it is silent."""
    return _SUMMARY(data).mmp_enabled


def decode_freezes(data: RawJson) -> dict[str, Nanos]:
    """Frozen indices and until when (0: until reset); a frame of `user.mmp_trigger` or the status.

    Groups are for mass quotes, of which we have none.
    """
    freezes = _FREEZES(data)
    every = freezes if isinstance(freezes, list) else [freezes]
    return {each.index_name: from_ms(each.frozen_until) for each in every if not each.mmp_group}


def decode_protection(data: RawJson, index: str) -> dict[str, float | None]:
    """The protection of an index, by the names of `set_mmp_config`; empty where there is none."""
    found = _PROTECTIONS(data)
    for each in found if isinstance(found, list) else [found]:
        if each.index_name == index and not each.mmp_group:
            return {
                "interval": each.interval,
                "frozen_time": each.frozen_time,
                "quantity_limit": each.quantity_limit,
                "delta_limit": each.delta_limit,
                "max_quote_quantity": each.max_quote_quantity,
            }
    return {}


def decode_cancel_count(data: RawJson) -> int:
    """How many orders a `cancel_all*` or `cancel_by_label` cancelled."""
    return _COUNT(data)


def decode_account_lock(data: RawJson) -> AccountLock:
    """A frame of `user.lock`."""
    lock = _ACCOUNT_LOCK(data)
    return AccountLock(lock.currency, lock.locked)


def _order(order: words.Order) -> VenueOrder:
    state = _ORDER_STATES.get(order.order_state)
    if state is None:
        raise VenueFault(
            f"order {order.order_id}: order_state expected one of {list(_ORDER_STATES)}, "
            f"came {order.order_state!r}"
        )
    return VenueOrder(
        order_id=order.order_id,
        label=order.label or "",
        instrument=order.instrument_name,
        side=Side(order.direction),
        state=state,
        price=None if isinstance(order.price, str) else order.price,
        amount=order.amount,
        filled=order.filled_amount or 0.0,
        average_price=order.average_price or 0.0,
        post_only=bool(order.post_only),
        reduce_only=bool(order.reduce_only),
        cancel_reason=order.cancel_reason or "",
        created=from_ms(order.creation_timestamp),
        updated=from_ms(order.last_update_timestamp),
    )


def _trades(trades: list[words.UserTrade] | None) -> tuple[VenueTrade, ...]:
    return tuple(
        VenueTrade(
            trade_id=trade.trade_id,
            trade_seq=trade.trade_seq or 0,
            order_id=trade.order_id,
            label=trade.label or "",
            instrument=trade.instrument_name,
            ts=from_ms(trade.timestamp),
            side=Side(trade.direction),
            price=trade.price,
            amount=trade.amount,
            fee=trade.fee,
            realized=trade.profit_loss or 0.0,
            liquidity=_LIQUIDITY[trade.liquidity],
            mark_price=trade.mark_price or trade.price,
            index_price=trade.index_price or trade.price,
        )
        for trade in trades or ()
    )


def _position(position: words.Position) -> VenuePosition:
    if position.direction == "sell" and position.size > 0:
        raise VenueFault(
            f"position {position.instrument_name}: size expected negative for a short, "
            f"came {position.size}"
        )
    return VenuePosition(
        instrument=position.instrument_name,
        amount=position.size,
        average_price=position.average_price or 0.0,
        mark_price=position.mark_price or 0.0,
        settlement_price=position.settlement_price,
        delta=position.delta or 0.0,
        realized=position.realized_profit_loss or 0.0,
        realized_funding=position.realized_funding,
        interest_value=position.interest_value,
    )


def _strictness(rate: words.Rate) -> float:
    return rate.rate


def _limit(rate: words.Rate | None, default: Limit) -> Limit:
    return default if rate is None else Limit(rate.rate, rate.burst)
