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
    """One instrument, by name. All of it is told by messages; nothing here decides."""

    def __init__(self, instrument: str) -> None:
        self.instrument = instrument
        self.spec: Instrument | None = None
        self.listed = Nanos(0)
        self.book: Book | None = None
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

    def hear_status(self, message: FeedStatus) -> bool:
        """Take the feed's state; a book from before a break is dropped. True when the state moved."""
        moved = self.status is None or self.status.state is not message.state
        self.status = message
        if message.state is not FeedState.LIVE:
            self.book = None
        return moved

    def hear_order(self, message: OrderChanged) -> None:
        """Remember what of ours rests in the book."""
        if message.state in _RESTING:
            self._own[message.label] = message
        else:
            self._own.pop(message.label, None)

    @property
    def best_bid(self) -> float | None:
        """Best bid of the others in USD; None without a book."""
        return self._best(Side.BUY, self.book.bids) if self.book is not None else None

    @property
    def best_ask(self) -> float | None:
        """Best ask of the others in USD; None without a book."""
        return self._best(Side.SELL, self.book.asks) if self.book is not None else None

    @property
    def mid(self) -> float | None:
        """Mid of the others in USD; None without a book."""
        bid, ask = self.best_bid, self.best_ask
        return (bid + ask) / 2.0 if bid is not None and ask is not None else None

    def moved_by(self) -> float:
        """How far the best bid or ask has moved since the last decision, in USD."""
        moves = [
            abs(now - before) if now is not None and before is not None else math.inf
            for now, before in zip(
                (self.best_bid, self.best_ask), self.evaluated_touch, strict=True
            )
        ]
        return max(moves)

    def _best(self, side: Side, levels: tuple[Level, ...]) -> float | None:
        if not self._own:
            return levels[0][0] if levels else None
        for price, amount in levels:
            ours = sum(
                order.amount - order.filled
                for order in self._own.values()
                if order.side is side and order.price == price
            )
            if amount > ours:
                return price
        return None
