"""The exchange: one object that owns books, accounts, orders, prices and the events they cause.

Owns: the public face of the engine. Every method that acts takes `now` (which never runs back), returns
a value or `Refused`, and leaves events to be `drain`ed in the order in which they happened. Within one
request: order updates, user trades, public trades, book changes, position and portfolio changes, ticker
changes. An unknown account is a programmer's error (KeyError); an unknown instrument is `Refused`.
"""

from collections.abc import Mapping, Sequence

from mock_deribit.exchange.listing import Listing
from mock_deribit.exchange.messages import (
    BookView,
    Event,
    FundingHour,
    OrderEdit,
    OrderRequest,
    OrderType,
    OrderView,
    Placed,
    PortfolioView,
    PositionView,
    PublicTrade,
    Refused,
    SelfMatch,
    TickerView,
    UserTrade,
)
from shared.instruments import BookState
from shared.kernel import Nanos


class Exchange:
    """Deribit's engine, told the time. `index_prices` must name every index listed."""

    def __init__(
        self, now: Nanos, listings: Sequence[Listing], index_prices: Mapping[str, float], seed: str
    ) -> None: ...

    def open_account(
        self,
        name: str,
        deposits: Mapping[str, float],
        *,
        house: bool = False,
        self_match: SelfMatch = SelfMatch.REJECT_TAKER,
    ) -> None:
        """Open an account. A `house` account stands for the rest of the world: no margin, no price
        band, no private events, no order history. Raises ValueError if the name is taken."""

    def deposit(self, now: Nanos, account: str, currency: str, amount: float) -> None:
        """Add coin to an account's balance (negative withdraws)."""

    def set_self_match(self, account: str, mode: SelfMatch) -> None:
        """How the account wants its own crossings handled."""

    def place(self, now: Nanos, account: str, request: OrderRequest) -> Placed | Refused:
        """Take a new order: check, match, rest."""

    def edit(self, now: Nanos, account: str, order_id: str, edit: OrderEdit) -> Placed | Refused:
        """Change a resting order. A post-only reject cancels it and comes back as a cancelled order
        with `cancel_reason` edit_post_only_reject."""

    def edit_by_label(
        self, now: Nanos, account: str, instrument: str, label: str, edit: OrderEdit
    ) -> Placed | Refused:
        """Change the one open order with this label (10004 none, 13032 several)."""

    def cancel(
        self, now: Nanos, account: str, order_id: str, reason: str = "user_request"
    ) -> OrderView | Refused:
        """Cancel one order (10004 unknown, 11044 already closed)."""

    def cancel_all(
        self,
        now: Nanos,
        account: str,
        *,
        instrument: str | None = None,
        currency: str | None = None,
        label: str | None = None,
        reason: str = "user_request",
    ) -> tuple[OrderView, ...]:
        """Cancel every open order that fits the filters; books that allow no cancel are left out."""

    def close_position(
        self, now: Nanos, account: str, instrument: str, order_type: OrderType, price: float | None
    ) -> Placed | Refused:
        """A reduce-only order of the position's full size."""

    def open_orders(
        self,
        account: str,
        *,
        instrument: str | None = None,
        currency: str | None = None,
        label: str | None = None,
    ) -> tuple[OrderView, ...]:
        """Resting orders, oldest first."""

    def closed_orders(
        self,
        account: str,
        *,
        instrument: str | None = None,
        currency: str | None = None,
        label: str | None = None,
    ) -> tuple[OrderView, ...]:
        """Orders closed within the last 30 minutes, oldest first."""

    def order(self, account: str, order_id: str) -> OrderView | Refused:
        """One order, open or closed within the last 30 minutes (10004 otherwise)."""

    def user_trades(
        self,
        account: str,
        *,
        instrument: str | None = None,
        currency: str | None = None,
        order_id: str | None = None,
    ) -> tuple[UserTrade, ...]:
        """Every fill of the account since it was opened, oldest first."""

    def position(self, account: str, instrument: str) -> PositionView:
        """One position, flat if never traded. Raises KeyError for an unknown instrument."""

    def positions(self, account: str, currency: str | None = None) -> tuple[PositionView, ...]:
        """Positions ever held and not yet expired, flat ones included, in listing order."""

    def portfolio(self, account: str, currency: str) -> PortfolioView:
        """Balance, equity, margin and profit in one settlement currency."""

    def fees_paid(self, currency: str) -> float:
        """Net trading and delivery fees the exchange has taken since it opened."""

    @property
    def accounts(self) -> tuple[str, ...]:
        """Names of all accounts in order of opening."""

    @property
    def listings(self) -> tuple[Listing, ...]:
        """Everything listed, with its current state in `instrument.state`."""

    def listing(self, instrument: str) -> Listing | None:
        """One listing with its current state."""

    def book(self, instrument: str) -> BookView:
        """The full book. Raises KeyError for an unknown instrument."""

    def best(self, instrument: str) -> tuple[float | None, float | None]:
        """Best bid and ask, None where a side is empty."""

    def ticker(self, instrument: str) -> TickerView:
        """Prices, band, funding and statistics. Raises KeyError for an unknown instrument."""

    def trades(self, instrument: str) -> Sequence[PublicTrade]:
        """The last 10,000 matches, oldest first."""

    def index_price(self, index: str) -> float:
        """The last published index. Raises KeyError for an unknown one."""

    def is_locked(self, index: str) -> bool:
        """Whether books on this index are locked."""

    def funding_value(self, instrument: str, start: Nanos, end: Nanos) -> float:
        """Funding rate summed over a window, fraction of position value; minute resolution."""

    def funding_history(self, instrument: str, start: Nanos, end: Nanos) -> tuple[FundingHour, ...]:
        """Hourly rows that end within the window, oldest first."""

    def set_index(self, now: Nanos, index: str, price: float) -> None:
        """Publish an index price."""

    def set_state(self, now: Nanos, instrument: str, state: BookState) -> None:
        """Move a book to a state; inactive and delivered cancel all its orders."""

    def set_locked(self, now: Nanos, index: str, locked: bool) -> None:
        """Lock or release every book on an index (cancels stay possible)."""

    def advance(self, now: Nanos) -> None:
        """Let time pass: mark, funding, settlement at 08:00 UTC, expiry, forgetting of orders."""

    def next_wake(self) -> Nanos:
        """When `advance` is due next if nothing else happens."""

    def drain(self) -> list[Event]:
        """Take the events since the last drain, oldest first."""
