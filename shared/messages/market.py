"""Market data on the bus. Data is lossy: the latest message of a subject replaces the one before."""

from enum import StrEnum

import msgspec

from shared.instruments import BookState, Instrument
from shared.kernel import Message, Nanos
from shared.units import Side

Level = tuple[float, float]
"""(price, amount): USD per BTC, and the instrument's amount unit."""


class InstrumentListed(Message, frozen=True, kw_only=True):
    """An instrument this system trades, repeated every few seconds for whoever came late."""

    instrument: str
    spec: Instrument
    role: str
    """`perpetual`, `near` or `far`: which of the followed instruments it is."""


class Book(Message, frozen=True, kw_only=True):
    """The top of a continuous, uncrossed book; best first on both sides. `ts` is the venue's time."""

    instrument: str
    change_id: int
    seen: Nanos
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]

    @property
    def mid(self) -> float:
        """Half way between best bid and best ask. A published book always has both."""
        return (self.bids[0][0] + self.asks[0][0]) / 2.0


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One public trade; `side` is the taker's."""

    trade_id: str
    trade_seq: int
    ts: Nanos
    price: float
    amount: float
    side: Side


class Trades(Message, frozen=True, kw_only=True):
    """The trades of one frame, oldest first."""

    instrument: str
    seen: Nanos
    trades: tuple[Trade, ...]


class Ticker(Message, frozen=True, kw_only=True):
    """Mark, index, funding and the price band. Rates are fractions per 8 hours, None when dated."""

    instrument: str
    seen: Nanos
    state: BookState
    mark_price: float
    index_price: float
    last_price: float | None = None
    min_price: float
    max_price: float
    settlement_price: float | None = None
    open_interest: float = 0.0
    current_funding: float | None = None
    funding_8h: float | None = None


class FeedState(StrEnum):
    """What a consumer may believe of a book."""

    LIVE = "live"
    SYNCING = "syncing"
    GAP = "gap"
    CROSSED = "crossed"
    STALE = "stale"
    DOWN = "down"
    CLOSED = "closed"


class FeedStatus(Message, frozen=True, kw_only=True):
    """Whether an instrument's book is to be trusted, repeated as a heartbeat.

    `heard` is when the connection last gave any frame: a quiet book on a live connection is fine.
    """

    instrument: str
    state: FeedState
    reason: str
    heard: Nanos
    clock_offset_ms: float = 0.0
    """Venue clock minus ours, measured on request round trips."""
