"""★ The life of one order, as a table.

An order of ours has one state at a time, and every thing that can happen to it is a `Happening`. The
table says where each happening leads; what is not in the table is a mistake of ours, raises
`IllegalMove` and changes nothing.

              place              edit
    (sent) ──▶ PENDING ──▶ OPEN ◀────▶ EDITING          at most ONE request of an order is in flight:
                  │         │  ◀────▶ CANCELLING        PENDING, EDITING and CANCELLING are "asked and
                  │         │  cancel                   not answered", and nothing more is sent then
                  ▼         ▼
      UNKNOWN ◀── no usable answer: the order may rest, may have filled, may never have arrived
                  ▼
      FILLED · CANCELLED · REJECTED                     final, but a late fill is still counted

Four facts of the venue shape the rows (Deribit API: order management, error codes, user channels):

1. The reply and the channel race. A channel may show the order, or its fill, before the reply comes:
   `TOLD_OPEN` teaches its id and price and leaves the request open; only `ANSWERED_OPEN` closes it.
2. A refusal may mean that somebody was quicker. Cancel or edit answered 11044, 10010 or 10004 says that the
   order is closed, not how: `RACED` leads to UNKNOWN, and a look-up tells whether it filled. An edit of a
   post-only order that would take is answered 11054 and has *cancelled* the order.
3. A refusal may come from a queue on the way (10028, 10047, 10050, 13666, 13777, 13888): it says that
   nothing was done and is `DOUBTED`, which leads to UNKNOWN and a look-up. Of a new order, finding nothing
   is believed.
4. Silence proves nothing. A time-out, a lost socket or an internal error (11094, 13028) leads to UNKNOWN,
   which counts in full against the limits until the exchange is asked by label. A look-up that finds nothing
   (`NOT_FOUND`) is believed only after the request's `valid_until`, beyond which the venue drops it.

Reports are merged by the venue's time of last update: an older one is stale, and at equal times a final
state wins over an open one and a larger fill over a smaller.
"""

from enum import StrEnum

import msgspec

from shared.deribit.codec import VenueOrder
from shared.kernel import Nanos
from shared.messages import OrderState, Purpose
from shared.units import Side


class Happening(StrEnum):
    """Everything that can happen to an order once it was sent."""

    EDIT_SENT = "edit_sent"
    CANCEL_SENT = "cancel_sent"
    ANSWERED_OPEN = "answered_open"
    """The reply to our request, or a look-up, shows it resting."""
    TOLD_OPEN = "told_open"
    """A channel or a list shows it resting."""
    FILLED = "filled"
    CANCELLED = "cancelled"
    PLACE_REFUSED = "place_refused"
    """It was not placed."""
    CHANGE_REFUSED = "change_refused"
    """An edit or a cancel was not done; the order is as it was."""
    RACED = "raced"
    """An edit or a cancel came too late: the order is closed, or unknown to the exchange."""
    DOUBTED = "doubted"
    """The request is said not to have been done, by somebody who may not know."""
    UNCLEAR = "unclear"
    """No answer, an answer that says nothing, or missing where it should be listed."""
    NOT_FOUND = "not_found"
    """The exchange has no such order, and a request that would create it is void by now."""


class IllegalMove(RuntimeError):
    """A happening that the table does not allow in this state: a mistake of ours."""


_S, _H = OrderState, Happening

# What a final order shrugs off: answers and echoes of requests that were in flight when it closed.
_ECHOES = (
    _H.CHANGE_REFUSED,
    _H.RACED,
    _H.DOUBTED,
    _H.UNCLEAR,
    _H.NOT_FOUND,
    _H.PLACE_REFUSED,
)

TABLE: dict[OrderState, dict[Happening, OrderState]] = {
    _S.PENDING: {
        _H.ANSWERED_OPEN: _S.OPEN,
        _H.TOLD_OPEN: _S.PENDING,  # real world: the channel is quicker than the reply
        _H.FILLED: _S.FILLED,  # real world: filled before the reply, or on arrival
        _H.CANCELLED: _S.CANCELLED,  # the rest of an immediate order; self-match; another path
        _H.PLACE_REFUSED: _S.REJECTED,  # 11054: it would have taken, an ordinary outcome
        _H.DOUBTED: _S.UNKNOWN,
        _H.UNCLEAR: _S.UNKNOWN,
    },
    _S.OPEN: {
        _H.EDIT_SENT: _S.EDITING,
        _H.CANCEL_SENT: _S.CANCELLING,
        _H.TOLD_OPEN: _S.OPEN,  # a partial fill
        _H.FILLED: _S.FILLED,
        _H.CANCELLED: _S.CANCELLED,  # by the venue: disconnect, settlement, risk
        _H.UNCLEAR: _S.UNKNOWN,  # real world: not among the open orders, and nobody told us why
    },
    _S.EDITING: {
        _H.ANSWERED_OPEN: _S.OPEN,
        _H.TOLD_OPEN: _S.EDITING,
        _H.FILLED: _S.FILLED,  # real world: the fill was quicker than the edit
        _H.CANCELLED: _S.CANCELLED,  # real world: edit_post_only_reject takes the order away
        _H.CHANGE_REFUSED: _S.OPEN,
        _H.RACED: _S.UNKNOWN,
        _H.DOUBTED: _S.UNKNOWN,
        _H.UNCLEAR: _S.UNKNOWN,
    },
    _S.CANCELLING: {
        _H.ANSWERED_OPEN: _S.OPEN,
        _H.TOLD_OPEN: _S.CANCELLING,  # real world: a partial fill while the cancel travels
        _H.FILLED: _S.FILLED,  # real world: the fill was quicker than the cancel
        _H.CANCELLED: _S.CANCELLED,
        _H.CHANGE_REFUSED: _S.OPEN,  # settlement, a lock: it still rests
        _H.RACED: _S.UNKNOWN,
        _H.DOUBTED: _S.UNKNOWN,
        _H.UNCLEAR: _S.UNKNOWN,
    },
    _S.UNKNOWN: {
        # Executed after whatever is still queued for it: requests of a user keep their order.
        _H.CANCEL_SENT: _S.CANCELLING,
        _H.ANSWERED_OPEN: _S.OPEN,  # the look-up, or a reply after its time-out
        _H.TOLD_OPEN: _S.UNKNOWN,  # perhaps from before the request whose outcome is unknown
        _H.FILLED: _S.FILLED,
        _H.CANCELLED: _S.CANCELLED,
        _H.PLACE_REFUSED: _S.REJECTED,  # a refusal after its time-out
        _H.CHANGE_REFUSED: _S.OPEN,
        _H.RACED: _S.UNKNOWN,
        _H.DOUBTED: _S.UNKNOWN,
        _H.UNCLEAR: _S.UNKNOWN,  # the look-up was lost as well
        _H.NOT_FOUND: _S.CANCELLED,
    },
    _S.FILLED: dict.fromkeys(
        (_H.FILLED, _H.CANCELLED, _H.TOLD_OPEN, _H.ANSWERED_OPEN, *_ECHOES), _S.FILLED
    ),
    # Closed by inference, a later report of the exchange is believed over it: it lives, or filled.
    _S.CANCELLED: {
        _H.TOLD_OPEN: _S.OPEN,
        _H.ANSWERED_OPEN: _S.OPEN,
        _H.FILLED: _S.FILLED,
        _H.CANCELLED: _S.CANCELLED,
        **dict.fromkeys(_ECHOES, _S.CANCELLED),
    },
    _S.REJECTED: {
        _H.TOLD_OPEN: _S.OPEN,
        _H.ANSWERED_OPEN: _S.OPEN,
        _H.FILLED: _S.FILLED,
        _H.CANCELLED: _S.CANCELLED,
        **dict.fromkeys(_ECHOES, _S.REJECTED),
    },
}

_CLOSING = {
    OrderState.FILLED: Happening.FILLED,
    OrderState.CANCELLED: Happening.CANCELLED,
    OrderState.REJECTED: Happening.CANCELLED,
}


class Order(msgspec.Struct, kw_only=True):
    """One order of ours. Amounts in the instrument's unit, `amount` and `aim_amount` with fills in."""

    label: str
    instrument: str
    side: Side
    layer: int
    purpose: Purpose
    price: float
    amount: float
    placed: Nanos
    """When its price was last chosen."""
    deadline: Nanos
    """Our time after which the venue no longer executes the last request that could create or move it."""
    quote_id: int = 0
    state: OrderState = OrderState.PENDING
    order_id: str | None = None
    filled: float = 0.0
    """By the order's own reports."""
    booked: float = 0.0
    """By trades that the ledger has counted."""
    updated: Nanos = Nanos(0)
    """The venue's time of the newest report."""
    changed: Nanos = Nanos(0)
    """Our time of the last move or report."""
    reason: str = ""
    request: int | None = None
    """The one request in flight."""
    closed_by_word: bool = False
    """A refusal said that it is no longer open: only a look-up can say more."""
    not_before: Nanos = Nanos(0)
    """Nothing is asked of it again before this: it was refused a moment ago."""
    not_moved_before: Nanos = Nanos(0)
    """It is not moved again before this; an edit that was refused keeps no cancel waiting."""
    look_after: Nanos = Nanos(0)
    """It is not looked up again before this."""
    aim_price: float | None = None
    aim_amount: float | None = None

    @property
    def alive(self) -> bool:
        """It may rest on the exchange."""
        return not self.state.is_final

    @property
    def idle(self) -> bool:
        """It rests and nothing is asked of it."""
        return self.state is OrderState.OPEN and self.request is None

    @property
    def open_amount(self) -> float:
        """What is left of it by its own reports."""
        return max(0.0, self.amount - self.filled)

    @property
    def exposed(self) -> float:
        """The most by which it may still change the ledger's position, fills on their way included."""
        if self.alive:
            return max(0.0, max(self.amount, self.aim_amount or 0.0) - self.booked)
        return max(0.0, self.filled - self.booked)

    def move(self, happening: Happening, reason: str = "") -> bool:
        """Make the move the table allows; whether the state is another one now. Raises `IllegalMove`."""
        after = TABLE[self.state].get(happening)
        if after is None:
            raise IllegalMove(f"{self.label}: {happening} cannot happen to a {self.state} order")
        unplaced = happening is Happening.DOUBTED and self.state is OrderState.PENDING
        moved, self.state = after is not self.state, after
        self.closed_by_word = (
            happening is Happening.RACED
            or unplaced
            or (self.closed_by_word and after is OrderState.UNKNOWN)
        )
        if reason:
            self.reason = reason
        if after.is_final:
            self.request = None
        if after is OrderState.OPEN or after.is_final:
            self.aim_price = self.aim_amount = None
        return moved

    def observe(self, seen: VenueOrder, *, answers: bool) -> bool:
        """Merge what the exchange shows of it; whether anything is different now.

        `answers`: it is the reply to this order's request in flight, or a look-up that settles it.
        """
        before = (self.state, self.price, self.amount, self.filled, self.order_id)
        stale = self._is_stale(seen)
        self.order_id = seen.order_id
        self.filled = max(self.filled, seen.filled)
        if not stale:
            self._learn(seen)
        if seen.state is OrderState.OPEN:
            settles = answers and self.alive and self.state is not OrderState.OPEN
            if settles or not stale:
                self.move(Happening.ANSWERED_OPEN if settles else Happening.TOLD_OPEN)
        else:
            # We asked for it: our own reason says more than the venue's.
            ours = seen.cancel_reason == "user_request"
            self.move(_CLOSING[seen.state], "" if ours else seen.cancel_reason)
        return before != (self.state, self.price, self.amount, self.filled, self.order_id)

    def _is_stale(self, seen: VenueOrder) -> bool:
        if seen.updated != self.updated:
            return seen.updated < self.updated
        if seen.state is OrderState.OPEN and not self.alive:
            return True
        return seen.filled < self.filled

    def _learn(self, seen: VenueOrder) -> None:
        self.updated = seen.updated
        self.amount = seen.amount
        if seen.price is not None:
            self.price = seen.price
