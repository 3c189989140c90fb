"""What the OMS may want of the exchange. Only the gate can turn one of these into something sendable."""

import msgspec

from shared.kernel import Nanos
from shared.units import Side


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Rest a new post-only order."""

    instrument: str
    side: Side
    layer: int
    price: float
    amount: float
    quote_id: int


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """Move a resting order; `amount` is what shall be open after it, without past fills.

    `urgent`: it stands where it may be picked off, or is too large; otherwise it is merely not ideal.
    """

    label: str
    instrument: str
    side: Side
    layer: int
    price: float
    amount: float
    quote_id: int
    urgent: bool


class Cancel(msgspec.Struct, frozen=True, kw_only=True):
    """Take an order away, by its id or, where none is known, by its label."""

    label: str
    order_id: str | None
    reason: str


class Take(msgspec.Struct, frozen=True, kw_only=True):
    """Reduce at once: immediate or cancel, reduce-only, never resting."""

    instrument: str
    side: Side
    price: float
    amount: float
    hedge_id: int
    expires: Nanos
