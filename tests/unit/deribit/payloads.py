"""One well-formed sample of every payload, and ways to spell and to break one."""

import json
from typing import Any

BOOK = {
    "type": "change",
    "timestamp": 1790000000200,
    "instrument_name": "BTC-PERPETUAL",
    "prev_change_id": 136069961946,
    "change_id": 136069962003,
    "bids": [["change", 60029.5, 11000.0], ["delete", 60029.0, 0.0]],
    "asks": [["new", 60030.5, 20.0]],
}
TICKER = {
    "timestamp": 1790000000086,
    "instrument_name": "BTC-PERPETUAL",
    "state": "open",
    "mark_price": 60035.4,
    "index_price": 60035.2,
    "min_price": 59100.0,
    "max_price": 60900.0,
    "last_price": 60030.0,
    "settlement_price": 59900.0,
    "open_interest": 1.1e9,
    "current_funding": 0.0,
    "funding_8h": 1.7e-05,
}
PUBLIC_TRADE = {
    "trade_seq": 271252854,
    "trade_id": "403691824",
    "timestamp": 1790000000452,
    "price": 60030.5,
    "amount": 10.0,
    "direction": "sell",
    "instrument_name": "BTC-PERPETUAL",
}
LISTED = {
    "kind": "future",
    "instrument_type": "reversed",
    "instrument_name": "BTC-27MAR26",
    "base_currency": "BTC",
    "quote_currency": "USD",
    "settlement_currency": "BTC",
    "price_index": "btc_usd",
    "settlement_period": "month",
    "expiration_timestamp": 1774598400000,
    "tick_size": 2.5,
    "tick_size_steps": [{"above_price": 100000.0, "tick_size": 5.0}],
    "contract_size": 10.0,
    "min_trade_amount": 10.0,
    "maker_commission": -0.0001,
    "taker_commission": 5e-4,
    "is_active": True,
    "state": "open",
}
ORDER = {
    "order_id": "74000000001",
    "order_state": "open",
    "order_type": "limit",
    "direction": "buy",
    "price": 6.01e4,
    "amount": 40.0,
    "filled_amount": 10.0,
    "average_price": 60037.0,
    "creation_timestamp": 1790000000849,
    "last_update_timestamp": 1790000000949,
    "label": "mm-1",
    "instrument_name": "BTC-PERPETUAL",
    "post_only": True,
    "reduce_only": False,
}
TRADE = {
    "trade_id": "208000001",
    "trade_seq": 123000001,
    "order_id": "74000000001",
    "timestamp": 1790000000849,
    "price": 60037.0,
    "amount": 10.0,
    "direction": "buy",
    "liquidity": "T",
    "fee": 6e-8,
    "fee_currency": "BTC",
    "profit_loss": -4.0e-7,
    "mark_price": 60035.4,
    "index_price": 60035.2,
    "matching_id": None,
    "label": "mm-1",
    "instrument_name": "BTC-PERPETUAL",
}
POSITION = {
    "instrument_name": "BTC-PERPETUAL",
    "kind": "future",
    "direction": "sell",
    "size": -40.0,
    "average_price": 60037.0,
    "mark_price": 60035.4,
    "settlement_price": 59900.0,
    "delta": -0.000666,
    "floating_profit_loss": 1e-9,
    "realized_profit_loss": -3.97e-7,
    "realized_funding": 0.0,
    "interest_value": 0.27,
}
ACCOUNT = {
    "currency": "BTC",
    "equity": 0.9,
    "balance": 0.8,
    "initial_margin": 0.01,
    "maintenance_margin": 0.005,
    "available_funds": 0.89,
    "session_rpl": 0.1,
    "session_upl": 0.0,
    "delta_total": -0.5,
}
GROUPS = {
    "trading": {"total": {"rate": 5, "burst": 20}, "perpetuals": {"rate": 3, "burst": 15}},
    "spot": {"rate": 5, "burst": 20},
    "cancel_all": {"rate": 4, "burst": 10},
}


def raw(payload: object) -> bytes:
    """As the venue would write it."""
    return json.dumps(payload).encode()


def without(payload: dict[str, Any], *names: str) -> dict[str, Any]:
    """The payload with members left out."""
    return {name: value for name, value in payload.items() if name not in names}
