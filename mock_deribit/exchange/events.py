"""What the exchange tells: the events that a request or the passing of time brings about.

Private ones name the account; the rest are for everybody. All frozen, in the units of `messages`. Many are
made a second and none is ever part of a cycle, so the collector of cycles is told not to look (`gc=False`).
"""

import msgspec

from mock_deribit.exchange.messages import (
    OrderView,
    Placed,
    PublicTrade,
    Refused,
    UserTrade,
)
from shared.instruments import BookState
from shared.kernel import Nanos


class LevelChange(msgspec.Struct, frozen=True, gc=False):
    """One level of a book: `action` is new, change or delete; `amount` the new total (0 deleted)."""

    action: str
    price: float
    amount: float


class OrderUpdated(msgspec.Struct, frozen=True, gc=False):
    """Private: an order changed. An order filled on arrival is told once, as filled."""

    ts: Nanos
    account: str
    order: OrderView


class UserTraded(msgspec.Struct, frozen=True, gc=False):
    """Private: the fills one request brought this account in one instrument, oldest first."""

    ts: Nanos
    account: str
    instrument: str
    trades: tuple[UserTrade, ...]


class Traded(msgspec.Struct, frozen=True, gc=False):
    """Public: the matches of one request, oldest first."""

    ts: Nanos
    instrument: str
    trades: tuple[PublicTrade, ...]


class BookChanged(msgspec.Struct, frozen=True, gc=False):
    """Public: one change of one book, never empty; bids descending, asks ascending."""

    ts: Nanos
    instrument: str
    prev_change_id: int
    change_id: int
    bids: tuple[LevelChange, ...]
    asks: tuple[LevelChange, ...]


class PositionChanged(msgspec.Struct, frozen=True, gc=False):
    """Private: told after every order event of the account too, even for a flat position; ask
    `Exchange.position` for the numbers."""

    ts: Nanos
    account: str
    instrument: str


class PortfolioChanged(msgspec.Struct, frozen=True, gc=False):
    """Private: balance, margin or funds moved; ask `Exchange.portfolio` for the numbers."""

    ts: Nanos
    account: str
    currency: str


class TickerChanged(msgspec.Struct, frozen=True, gc=False):
    """Public: best prices, last, mark, index or state moved; ask `Exchange.ticker` for the numbers."""

    ts: Nanos
    instrument: str


class IndexChanged(msgspec.Struct, frozen=True, gc=False):
    """Public: an index was published."""

    ts: Nanos
    index: str
    price: float


class StateChanged(msgspec.Struct, frozen=True, gc=False):
    """Public: a book opened, closed, settled or was delivered."""

    ts: Nanos
    instrument: str
    state: BookState


class LockChanged(msgspec.Struct, frozen=True, gc=False):
    """Public: every book on an index was locked (cancel only) or released."""

    ts: Nanos
    index: str
    locked: bool


class MmpTriggered(msgspec.Struct, frozen=True, gc=False):
    """Private: a protection triggered; `frozen_until` 0: until it is reset. `group` "": plain orders."""

    ts: Nanos
    account: str
    index: str
    group: str
    frozen_until: Nanos


class AccountLocked(msgspec.Struct, frozen=True, gc=False):
    """Private: the account is being liquidated and may not act, or may act again."""

    ts: Nanos
    account: str
    locked: bool


class HoldEnded(msgspec.Struct, frozen=True, gc=False):
    """Private: a held request was carried out, superseded (13777) or withdrawn (13666).

    It comes before the other events of the request it answers.
    """

    ts: Nanos
    account: str
    ticket: int
    answer: Placed | Refused


class Listed(msgspec.Struct, frozen=True, gc=False):
    """Public: an instrument was listed, or its tick or fees were changed."""

    ts: Nanos
    instrument: str
    created: bool


Event = (
    OrderUpdated
    | UserTraded
    | Traded
    | BookChanged
    | PositionChanged
    | PortfolioChanged
    | TickerChanged
    | IndexChanged
    | StateChanged
    | LockChanged
    | MmpTriggered
    | AccountLocked
    | HoldEnded
    | Listed
)
