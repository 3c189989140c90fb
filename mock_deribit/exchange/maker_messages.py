"""What a market maker tells the exchange beyond single orders, and what it is told: protection and mass
quotes.

Quantities are in base coin, times nanoseconds. `group` is the mass-quote group's name, and "" stands for
plain orders sent with `mmp`.
"""

import msgspec

from mock_deribit.exchange.messages import OrderView, Refused, UserTrade
from shared.kernel import Nanos
from shared.units import Side


class Protection(msgspec.Struct, frozen=True, kw_only=True):
    """A protection's whole configuration; an `interval_s` of 0 removes it. None: that limit is off.

    The window starts at the first trade and lasts `interval_s`; `frozen_time_s` 0 freezes until reset.
    """

    index: str
    group: str = ""
    interval_s: int
    frozen_time_s: int
    max_quote_quantity: float
    quantity_limit: float | None = None
    delta_limit: float | None = None
    vega_limit: float | None = None


class Frozen(msgspec.Struct, frozen=True, kw_only=True):
    """A protection that has triggered. `frozen_until` 0: until it is reset by hand."""

    index: str
    group: str
    frozen_until: Nanos


class QuoteSide(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a quote; None keeps what rests (an amend). An amount of 0 cancels."""

    price: float | None = None
    amount: float | None = None
    post_only: bool = False
    reject_post_only: bool = False


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides, or one, on an instrument."""

    instrument: str
    quote_set_id: str = ""
    bid: QuoteSide | None = None
    ask: QuoteSide | None = None


class MassQuote(msgspec.Struct, frozen=True, kw_only=True):
    """Quotes of one group on one index. `guarded`: the asker has cancel on disconnect switched on."""

    quote_id: str
    group: str
    quotes: tuple[Quote, ...]
    guarded: bool
    valid_until: Nanos | None = None


class QuoteError(msgspec.Struct, frozen=True, kw_only=True):
    """A side that was refused; what it had resting is gone."""

    instrument: str
    side: Side
    refused: Refused


class HeldSide(msgspec.Struct, frozen=True, kw_only=True):
    """A side that waits in the hold, under this ticket."""

    instrument: str
    side: Side
    ticket: int


class MassQuoted(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a mass quote, side by side."""

    orders: tuple[OrderView, ...]
    trades: tuple[UserTrade, ...]
    errors: tuple[QuoteError, ...]
    held: tuple[HeldSide, ...] = ()


class QuoteFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which quotes to cancel: all that fit every member given. `delta` is a range of absolute deltas
    and fits options only, so that on futures it finds nothing."""

    quote_set_id: str | None = None
    instrument: str | None = None
    currency: str | None = None
    index: str | None = None
    delta: tuple[float, float] | None = None
