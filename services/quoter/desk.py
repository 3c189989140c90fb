"""Desks: what the quoter knows of each instrument, and what it last said about it."""

import math

from services.quoter.signals import Momentum, Volatility
from shared.instruments import Instrument
from shared.kernel import Nanos
from shared.messages import (
    Book,
    FeedState,
    FeedStatus,
    InstrumentListed,
    Level,
    NoQuote,
    OrderChanged,
    OrderState,
    Quote,
    Ticker,
)
from shared.units import Side

_RESTING = (OrderState.OPEN, OrderState.EDITING, OrderState.CANCELLING, OrderState.UNKNOWN)


class Desk:
    """One instrument, by name. All of it is told by messages; nothing here decides.

    `best_bid` and `best_ask` are those of the others in USD, None without a book; they are asked for
    far more often than told, and so kept.
    """

    def __init__(self, instrument: str) -> None:
        self.instrument = instrument
        self.spec: Instrument | None = None
        self.listed = Nanos(0)
        self.book: Book | None = None
        self.best_bid: float | None = None
        self.best_ask: float | None = None
        self.status: FeedStatus | None = None
        self.ticker: Ticker | None = None
        self.volatility = Volatility()
        self.momentum = Momentum()
        self.said: Quote | NoQuote | None = None
        self.evaluated_touch: tuple[float | None, float | None] = (None, None)
        self.evaluated_pulls: tuple[Side, ...] = ()
        self._own: dict[str, OrderChanged] = {}

    def hear_listing(self, message: InstrumentListed) -> None:
        """The instrument is tradable and followed as of this message."""
        self.spec = message.spec
        self.listed = message.ts

    def hear_book(self, message: Book | None) -> None:
        """The top of the book, or that there is none to be believed."""
        self.book = message
        self._look()

    def hear_status(self, message: FeedStatus) -> bool:
        """Take the feed's state; a book from before a break is dropped. True when the state moved."""
        moved = self.status is None or self.status.state is not message.state
        self.status = message
        if message.state is not FeedState.LIVE:
            self.hear_book(None)
        return moved

    def hear_order(self, message: OrderChanged) -> None:
        """Remember what of ours rests in the book."""
        if message.state in _RESTING:
            self._own[message.label] = message
        else:
            self._own.pop(message.label, None)
        self._look()

    @property
    def mid(self) -> float | None:
        """Mid of the others in USD; None without a book."""
        bid, ask = self.best_bid, self.best_ask
        return (bid + ask) / 2.0 if bid is not None and ask is not None else None

    def moved_by(self) -> float:
        """How far the best bid or ask has moved since the last decision, in USD."""
        bid, ask = self.evaluated_touch
        if self.best_bid is None or self.best_ask is None or bid is None or ask is None:
            return math.inf
        return max(abs(self.best_bid - bid), abs(self.best_ask - ask))

    def _look(self) -> None:
        book = self.book
        self.best_bid = self._best(Side.BUY, book.bids) if book is not None else None
        self.best_ask = self._best(Side.SELL, book.asks) if book is not None else None

    def _best(self, side: Side, levels: tuple[Level, ...]) -> float | None:
        own = [order for order in self._own.values() if order.side is side]
        for price, amount in levels:
            ours = sum([order.amount - order.filled for order in own if order.price == price])
            if amount > ours:
                return price
        return None
