"""What the exchange writes down about an account and a contract: the transaction log, settlements,
deliveries, and the margin an order needs.

Money is in the settlement coin, times nanoseconds. `change` of a log entry is what the balance moved by,
so that the entries of an account in one currency sum to its balance.
"""

from enum import StrEnum

import msgspec

from mock_deribit.exchange.messages import UserTrade
from shared.kernel import Nanos
from shared.units import Side


class LogType(StrEnum):
    """Why an account's balance, position or session moved."""

    TRADE = "trade"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    SETTLEMENT = "settlement"
    DELIVERY = "delivery"
    LIQUIDATION = "liquidation"
    BANKRUPTCY = "socialized_fund"


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the transaction log. Members that do not apply to its type are None.

    `amount` is signed like the position's change, `position` is the size afterwards, `cash_flow` the
    profit a trade realised (it reaches the balance at settlement), `commission` positive is paid.
    """

    id: int
    ts: Nanos
    type: LogType
    currency: str
    change: float
    balance: float
    equity: float
    commission: float = 0.0
    cash_flow: float = 0.0
    instrument: str | None = None
    side: Side | None = None
    amount: float | None = None
    price: float | None = None
    position: float | None = None
    mark_price: float | None = None
    index_price: float | None = None
    order_id: str | None = None
    trade_id: str | None = None
    maker: bool | None = None
    session_rpl: float | None = None
    session_upl: float | None = None
    interest: float | None = None


class Noted(msgspec.Struct, frozen=True, gc=False):
    """A fill as it is kept until somebody asks for its row: with the quanta and the size it left."""

    id: int
    fill: UserTrade
    balance: int
    equity: int
    position: float

    @property
    def ts(self) -> Nanos:
        """When it was."""
        return self.fill.trade.ts

    @property
    def currency(self) -> str:
        """Which balance it moved."""
        return self.fill.fee_currency


class SettlementType(StrEnum):
    """What kind of settlement a record tells of."""

    SETTLEMENT = "settlement"
    DELIVERY = "delivery"
    BANKRUPTCY = "bankruptcy"


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """One settlement of one instrument: an account's, or the venue's as a whole.

    `position` is the account's size (the venue's open interest), `session_profit_loss` what was moved to
    the balance without funding, `funding` the session's funding, `profit_loss` since entry.
    """

    ts: Nanos
    type: SettlementType
    instrument: str
    position: float
    mark_price: float
    index_price: float
    session_profit_loss: float
    profit_loss: float
    funding: float


class DeliveryPrice(msgspec.Struct, frozen=True, kw_only=True):
    """The average of an index over the half hour before a settlement."""

    ts: Nanos
    index: str
    price: float


class Margins(msgspec.Struct, frozen=True, kw_only=True):
    """Initial margin that an order of an amount at a price would need on each side, and the band."""

    instrument: str
    currency: str
    buy: float
    sell: float
    min_price: float
    max_price: float
    maker_fee: float
    taker_fee: float


class OrderMargin(msgspec.Struct, frozen=True, kw_only=True):
    """Initial margin that one order would need by itself."""

    order_id: str
    currency: str
    initial_margin: float
