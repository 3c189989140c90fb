"""What the quoter wants to rest in the market, and why."""

import msgspec

from shared.kernel import Message, Nanos
from shared.units import Side


class QuoteLevel(msgspec.Struct, frozen=True, kw_only=True):
    """One wanted order. `parts` are named terms in USD that add up exactly to `price`, in order."""

    side: Side
    layer: int
    price: float
    amount: float
    parts: tuple[tuple[str, float], ...]


class Quote(Message, frozen=True, kw_only=True):
    """The wanted ladder of one instrument; it replaces the previous one whole.

    `ts` is the decision time; `book_ts` and `book_seen` are the times of the frame that led to it, at
    the venue and at our socket, and travel on to the order so that tick-to-order is measured live.
    """

    instrument: str
    quote_id: int
    levels: tuple[QuoteLevel, ...]
    fair: float
    reservation: float
    half_spread: float
    sigma: float
    """USD per square root of a second."""
    valid_until: Nanos
    change_id: int
    book_ts: Nanos
    book_seen: Nanos
    params_version: int
    trigger: str = "book"
    """What made the quoter think: `book`, `beat`, `position`, `lease`, `status`, `listing`, …"""
    withheld: tuple[tuple[str, str], ...] = ()
    """(side, reason) of each side that is not quoted although the quote stands."""


class NoQuote(Message, frozen=True, kw_only=True):
    """Nothing is wanted here, and why. The OMS pulls what rests."""

    instrument: str
    quote_id: int
    reason: str
    detail: str
    book_seen: Nanos = Nanos(0)
