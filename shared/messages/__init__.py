"""Every message on the bus, by kind: data (a noun), events (past participle), commands (imperative)."""

from shared.kernel import Message
from shared.messages.control import Kill, ParamsApplied, ParamsChanged, Pause, Resume, Swept
from shared.messages.health import Anomaly, Health, Severity
from shared.messages.market import (
    Book,
    FeedState,
    FeedStatus,
    InstrumentListed,
    Level,
    Ticker,
    Trade,
    Trades,
)
from shared.messages.orders import (
    Account,
    Filled,
    Hedge,
    Liquidity,
    OrderChanged,
    OrderState,
    Position,
    Purpose,
)
from shared.messages.quoting import NoQuote, Quote, QuoteLevel
from shared.messages.risk import Lease, Mode, ModeChanged, Pnl

AnyMessage = (
    InstrumentListed
    | Book
    | Trades
    | Ticker
    | FeedStatus
    | Quote
    | NoQuote
    | OrderChanged
    | Filled
    | Position
    | Account
    | Hedge
    | Lease
    | ModeChanged
    | Pnl
    | Pause
    | Resume
    | Kill
    | Swept
    | ParamsChanged
    | ParamsApplied
    | Health
    | Anomaly
)
"""The closed set: what is not in here does not travel."""

__all__ = [
    "Account",
    "Anomaly",
    "AnyMessage",
    "Book",
    "FeedState",
    "FeedStatus",
    "Filled",
    "Health",
    "Hedge",
    "InstrumentListed",
    "Kill",
    "Lease",
    "Level",
    "Liquidity",
    "Message",
    "Mode",
    "ModeChanged",
    "NoQuote",
    "OrderChanged",
    "OrderState",
    "ParamsApplied",
    "ParamsChanged",
    "Pause",
    "Pnl",
    "Position",
    "Purpose",
    "Quote",
    "QuoteLevel",
    "Resume",
    "Severity",
    "Swept",
    "Ticker",
    "Trade",
    "Trades",
]
