"""Where Deribit's own words die: payloads to our types.

Every `decode_*` takes the raw JSON of a result or a channel's `data` and either returns our type or
raises `VenueFault`, whose text says the field, what was expected and what came. Unknown members are
ignored, optional ones may be missing or null, numbers may be `10.0` or `6e4`.
"""

from shared.deribit.codec.account import (
    AccountLock,
    Changes,
    OrderResult,
    TradePage,
    VenueOrder,
    VenuePosition,
    VenueTrade,
    decode_account,
    decode_account_lock,
    decode_cancel_count,
    decode_changes,
    decode_freezes,
    decode_limits,
    decode_mmp_enabled,
    decode_order,
    decode_order_result,
    decode_orders,
    decode_positions,
    decode_protection,
    decode_trade_page,
    decode_user_trades,
)
from shared.deribit.codec.market import (
    BookFrame,
    InstrumentState,
    PlatformState,
    decode_book,
    decode_instrument_state,
    decode_instruments,
    decode_platform_state,
    decode_ticker,
    decode_trades,
)
from shared.deribit.codec.reading import (
    RawJson,
    VenueFault,
)

__all__ = [
    "AccountLock",
    "BookFrame",
    "Changes",
    "InstrumentState",
    "OrderResult",
    "PlatformState",
    "RawJson",
    "TradePage",
    "VenueFault",
    "VenueOrder",
    "VenuePosition",
    "VenueTrade",
    "decode_account",
    "decode_account_lock",
    "decode_book",
    "decode_cancel_count",
    "decode_changes",
    "decode_freezes",
    "decode_instrument_state",
    "decode_instruments",
    "decode_limits",
    "decode_mmp_enabled",
    "decode_order",
    "decode_order_result",
    "decode_orders",
    "decode_platform_state",
    "decode_positions",
    "decode_protection",
    "decode_ticker",
    "decode_trade_page",
    "decode_trades",
    "decode_user_trades",
]
