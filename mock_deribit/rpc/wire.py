"""Owns the translation of the exchange's views into Deribit's objects, member by member.

Account numbers carry 8 decimals, position numbers 9, rates and prices what the exchange computed. Times
become milliseconds. Source: Deribit's object schemas and recorded production frames.
"""

from mock_deribit.exchange.events import LevelChange
from mock_deribit.exchange.listing import Listing
from mock_deribit.exchange.messages import (
    BookView,
    FundingHour,
    OrderState,
    OrderView,
    PortfolioView,
    PositionView,
    PublicTrade,
    TickerView,
    UserTrade,
)
from shared.instruments import BookState, Payoff
from shared.kernel import Nanos
from shared.units import to_ms

Json = dict[str, object]

KIND = "future"


def _money(value: float) -> float:
    return round(value, 8) + 0.0


def _position(value: float) -> float:
    return round(value, 9) + 0.0


def contracts(listing: Listing, amount: float) -> float:
    """An amount as a number of contracts."""
    return round(amount / listing.instrument.contract_size, 8)


def instrument(listing: Listing) -> Json:
    """The object of `public/get_instrument`."""
    future = listing.instrument
    inverse = future.payoff is Payoff.INVERSE
    payoff = "reversed" if inverse else "linear"
    quote = "USD" if inverse else future.settlement
    steps = [{"above_price": s.above_price, "tick_size": s.tick} for s in future.tick_steps]
    return {
        "instrument_name": future.name,
        "instrument_id": listing.instrument_id,
        "kind": KIND,
        "instrument_type": payoff,
        "future_type": payoff,
        "underlying_type": "crypto",
        "base_currency": future.base,
        "quote_currency": quote,
        "counter_currency": quote,
        "settlement_currency": future.settlement,
        "price_index": future.index,
        "settlement_period": listing.settlement_period,
        "tick_size": future.tick,
        "tick_size_steps": steps,
        "contract_size": future.contract_size,
        "min_trade_amount": future.amount_step,
        "lot_size": 1,
        "max_leverage": listing.max_leverage,
        "max_non_default_leverage": 5.0,
        "maker_commission": future.maker_fee,
        "taker_commission": future.taker_fee,
        "max_liquidation_commission": 0.01,
        "block_trade_commission": future.taker_fee,
        "block_trade_tick_size": 0.01,
        "block_trade_min_trade_amount": 200000,
        "creation_timestamp": to_ms(listing.created),
        "expiration_timestamp": to_ms(future.expiry),
        "is_active": future.state is not BookState.ARCHIVIZED,
        "state": future.state.value,
        "product_group": future.base,
    }


def order(view: OrderView, listing: Listing, user_id: int) -> Json:
    """The order object of every reply and of `user.orders`."""
    body: Json = {
        "label": view.label,
        "price": view.price,
        "user_id": user_id,
        "amount": view.amount,
        "direction": view.side.value,
        "time_in_force": view.time_in_force.value,
        "instrument_name": view.instrument,
        "web": False,
        "api": True,
        "order_id": view.order_id,
        "creation_timestamp": to_ms(view.created),
        "replaced": view.replaced,
        "filled_amount": view.filled_amount,
        "last_update_timestamp": to_ms(view.updated),
        "post_only": view.post_only,
        "reduce_only": view.reduce_only,
        "average_price": view.average_price,
        "mmp": view.mmp,
        "contracts": contracts(listing, view.amount),
        "reject_post_only": view.reject_post_only,
        "order_state": view.state.value,
        "order_type": view.order_type.value,
        "is_liquidation": view.is_liquidation,
        "risk_reducing": view.risk_reducing,
    }
    if view.state is OrderState.CANCELLED and view.cancel_reason is not None:
        body["cancel_reason"] = view.cancel_reason
    if view.original_order_type is not None:
        body["original_order_type"] = view.original_order_type.value
    if view.mmp_cancelled:
        body["mmp_cancelled"] = True
    if view.display_amount is not None:
        body["display_amount"] = view.display_amount
        body["refresh_amount"] = view.refresh_amount
    return body | _quote(view) if view.quote_id is not None else body


def _quote(view: OrderView) -> Json:
    """The members that only quotes have."""
    return {
        "quote": True,
        "quote_id": view.quote_id,
        "quote_set_id": view.quote_set_id,
        "mmp_group": view.mmp_group,
    }


def public_trade(trade: PublicTrade, listing: Listing) -> Json:
    """One match as everybody sees it."""
    return {
        "timestamp": to_ms(trade.ts),
        "price": trade.price,
        "amount": trade.amount,
        "direction": trade.side.value,
        "index_price": trade.index_price,
        "instrument_name": trade.instrument,
        "trade_seq": trade.trade_seq,
        "mark_price": trade.mark_price,
        "tick_direction": trade.tick_direction,
        "trade_id": trade.trade_id,
        "contracts": contracts(listing, trade.amount),
    }


def user_trade(fill: UserTrade, listing: Listing, user_id: int) -> Json:
    """One match as a party to it sees it: own side, fee, realised profit."""
    body = public_trade(fill.trade, listing)
    body |= {
        "direction": fill.side.value,
        "order_id": fill.order_id,
        "liquidity": "M" if fill.maker else "T",
        "fee": _money(fill.fee),
        "fee_currency": fill.fee_currency,
        "profit_loss": _money(fill.profit_loss),
        "state": fill.state.value,
        "order_type": "liquidation" if fill.is_liquidation else fill.order_type.value,
        "matching_id": None,
        "self_trade": False,
        "post_only": fill.post_only,
        "reduce_only": fill.reduce_only,
        "mmp": fill.mmp,
        "api": True,
        "risk_reducing": fill.risk_reducing,
        "user_id": user_id,
    }
    if fill.label:
        body["label"] = fill.label
    if fill.trade.liquidation is not None:
        body["liquidation"] = fill.trade.liquidation
    if fill.quote_id is not None:
        body["quote_id"], body["quote_set_id"] = fill.quote_id, fill.quote_set_id
    return body


def position(view: PositionView, perpetual: bool) -> Json:
    """A position as `user.changes` carries it."""
    direction = "zero" if view.size == 0 else "buy" if view.size > 0 else "sell"
    body: Json = {
        "instrument_name": view.instrument,
        "kind": KIND,
        "direction": direction,
        "size": view.size,
        "size_currency": _position(view.size_currency),
        "average_price": view.average_price,
        "mark_price": view.mark_price,
        "index_price": view.index_price,
        "settlement_price": view.settlement_price,
        "delta": _position(view.delta),
        "initial_margin": _position(view.initial_margin),
        "maintenance_margin": _position(view.maintenance_margin),
        "floating_profit_loss": _position(view.floating_profit_loss),
        "realized_profit_loss": _position(view.realized_profit_loss),
        "total_profit_loss": _position(view.total_profit_loss),
        "leverage": view.leverage,
    }
    if perpetual:
        body["realized_funding"] = _position(view.realized_funding)
        body["interest_value"] = view.interest_value
    return body


def asked_position(view: PositionView, perpetual: bool) -> Json:
    """A position as `get_position(s)` answers it: two members more.

    Where nothing would liquidate it, recordings show -1 for a position and 0 for none.
    """
    body = position(view, perpetual)
    body["open_orders_margin"] = _position(view.open_orders_margin)
    nowhere = -1.0 if view.size else 0.0
    liquidation = view.estimated_liquidation_price
    body["estimated_liquidation_price"] = nowhere if liquidation is None else liquidation
    return body


def portfolio(view: PortfolioView) -> Json:
    """The members `user.portfolio` and the account summary share."""
    money = {
        "balance": view.balance,
        "equity": view.equity,
        "margin_balance": view.margin_balance,
        "available_funds": view.available_funds,
        "available_withdrawal_funds": view.available_withdrawal_funds,
        "initial_margin": view.initial_margin,
        "maintenance_margin": view.maintenance_margin,
        "projected_initial_margin": view.projected_initial_margin,
        "projected_maintenance_margin": view.projected_maintenance_margin,
        "session_rpl": view.session_rpl,
        "session_upl": view.session_upl,
        "total_pl": view.total_pl,
        "futures_pl": view.futures_pl,
        "futures_session_rpl": view.session_rpl,
        "futures_session_upl": view.session_upl,
        "delta_total": view.delta_total,
        "projected_delta_total": view.projected_delta_total,
    }
    body: Json = {"currency": view.currency}
    body |= {name: _money(value) for name, value in money.items()}
    body["delta_total_map"] = {name: _money(v) for name, v in view.delta_total_map.items()}
    for name in ("delta", "gamma", "theta", "vega", "value", "pl", "session_rpl", "session_upl"):
        body[f"options_{name}"] = 0.0
    for name in ("gamma", "theta", "vega"):
        body[f"options_{name}_map"] = {}
    for name in ("fee_balance", "spot_reserve", "additional_reserve", "locked_balance"):
        body[name] = 0.0
    body["margin_model"] = "segregated_sm"
    body["portfolio_margining_enabled"] = False
    body["cross_collateral_enabled"] = False
    return body


def ticker(view: TickerView) -> Json:
    """The members of `public/ticker` and the ticker channel."""
    volume_usd = view.stats.volume_usd
    body: Json = {
        "timestamp": to_ms(view.ts),
        "state": view.state.value,
        "stats": {
            "high": view.stats.high,
            "low": view.stats.low,
            "price_change": view.stats.price_change,
            "volume": _money(view.stats.volume),
            "volume_usd": volume_usd,
            "volume_notional": volume_usd,
        },
        "index_price": view.index_price,
        "instrument_name": view.instrument,
        "last_price": view.last_price,
        "settlement_price": view.settlement_price,
        "min_price": view.min_price,
        "max_price": view.max_price,
        "open_interest": view.open_interest,
        "mark_price": view.mark_price,
        "estimated_delivery_price": view.estimated_delivery_price,
        "best_ask_price": view.best_ask_price,
        "best_bid_price": view.best_bid_price,
        "best_ask_amount": view.best_ask_amount,
        "best_bid_amount": view.best_bid_amount,
    }
    if view.current_funding is not None and view.funding_8h is not None:
        body["current_funding"] = _money(view.current_funding)
        body["funding_8h"] = _money(view.funding_8h)
        body["interest_value"] = view.interest_value
    if view.delivery_price is not None:
        body["delivery_price"] = view.delivery_price
    return body


def difference(before: Json, after: Json) -> Json:
    """The members that changed, of nested objects too."""
    changed: Json = {}
    for name, value in after.items():
        known = before.get(name)
        if isinstance(value, dict) and isinstance(known, dict):
            inner = difference(known, value)
            if inner:
                changed[name] = inner
        elif known != value:
            changed[name] = value
    return changed


def order_book(book: BookView, view: TickerView, depth: int) -> Json:
    """The object of `public/get_order_book`."""
    body = ticker(view)
    body["timestamp"] = to_ms(book.ts)
    body["change_id"] = book.change_id
    body["bids"] = [list(level) for level in book.bids[:depth]]
    body["asks"] = [list(level) for level in book.asks[:depth]]
    return body


def snapshot(book: BookView, change_id: int) -> Json:
    """The first frame of a book channel."""
    return {
        "timestamp": to_ms(book.ts),
        "type": "snapshot",
        "change_id": change_id,
        "instrument_name": book.instrument,
        "bids": [["new", price, amount] for price, amount in book.bids],
        "asks": [["new", price, amount] for price, amount in book.asks],
    }


def book_change(
    instrument_name: str,
    ts: Nanos,
    ids: tuple[int, int],
    bids: list[LevelChange],
    asks: list[LevelChange],
) -> Json:
    """A following frame of a book channel; `ids` are the previous frame's and this one's."""
    return {
        "timestamp": to_ms(ts),
        "type": "change",
        "change_id": ids[1],
        "instrument_name": instrument_name,
        "bids": [[level.action, level.price, level.amount] for level in bids],
        "asks": [[level.action, level.price, level.amount] for level in asks],
        "prev_change_id": ids[0],
    }


def quote(view: TickerView) -> Json:
    """The best prices, as the quote channel carries them."""
    return {
        "timestamp": to_ms(view.ts),
        "instrument_name": view.instrument,
        "best_ask_price": view.best_ask_price,
        "best_bid_price": view.best_bid_price,
        "best_ask_amount": view.best_ask_amount,
        "best_bid_amount": view.best_bid_amount,
    }


def funding_hour(row: FundingHour) -> Json:
    """One row of `public/get_funding_rate_history`."""
    return {
        "timestamp": to_ms(row.ts),
        "index_price": row.index_price,
        "prev_index_price": row.prev_index_price,
        "interest_1h": row.interest_1h,
        "interest_8h": row.interest_8h,
    }
