"""The hedge: bring the net delta back with taker slices, reduce-only, by the cheapest route.

Theory. Inside the limits inventory is worked off by quoting, since a taker pays fee and spread; waiting
costs `gamma * sigma^2 / 2 * q^2` a second, and the two balance at a band edge. So nothing happens below the
trigger, and a hedge goes back to the band edge (`hedge_target_btc`) and not to zero. It starts when the
trigger was exceeded for `hedge_delay_s`, or at once beyond the breach limit, or when a kill asks to flatten
(then the goal is zero).

A slice is an immediate-or-cancel order that can only reduce the position it is sent against; so a route is
an instrument whose own position lies in the direction of the deviation, and its cost is taker fee + what
walking the visible book costs against the mid. One slice is in flight at a time. Flattening brings the net
delta to zero: legs that offset each other are left to the operator, because reducing one of them would add
to the net delta, which no hedge may.

Source: the no-trade band of proportional costs, and the project's hedging rules.
"""

from collections import deque
from collections.abc import Sequence

import msgspec

from shared.instruments import Instrument
from shared.kernel import Nanos
from shared.messages import Book, Hedge, Level, OrderChanged, OrderState, Position, Purpose
from shared.params import RiskParams
from shared.units import BPS, MILLISECOND, MINUTE, SECOND, Side, from_ms, from_seconds

COOL_DOWN = Nanos(10 * SECOND)
SLICES_PER_MINUTE = 20
EXPIRY = SECOND
ANSWER_WAIT = SECOND
SETTLE = Nanos(100 * MILLISECOND)
"""After an answer: the position report follows in the same breath of the OMS."""
DUST_BTC = 0.0005
"""A rest above the target that is smaller than this is not worth an order, nor always tradable."""


class Venue(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument that a hedge could go through: open, live, reconciled and with a position."""

    spec: Instrument
    position: Position
    book: Book
    mark: float
    taker_fee: float


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A slice that could be sent; `cost` is a fraction of notional."""

    instrument: str
    amount: float
    limit_price: float
    cost: float


def route(venue: Venue, side: Side, delta: float, slippage_bps: float) -> Route | None:
    """The slice of at most `delta` BTC that this instrument offers, or None.

    Nothing when its position would not shrink, or when less than the smallest order is on the book
    within the slippage.
    """
    spec, held = venue.spec, venue.position.amount
    if held * side.sign >= 0:
        return None
    levels = venue.book.asks if side is Side.BUY else venue.book.bids
    touch, mid = levels[0][0], venue.book.mid
    limit = spec.passive_price(side, touch * (1 + side.sign * slippage_bps * BPS))
    wanted = spec.round_amount(min(spec.amount_for(delta, venue.mark), abs(held)))
    amount, average = _walk(levels, side, limit, wanted)
    amount = spec.round_amount(amount)
    if amount <= 0:
        return None
    cost = venue.taker_fee + side.sign * (average - mid) / mid
    return Route(instrument=spec.name, amount=amount, limit_price=limit, cost=cost)


def _walk(levels: Sequence[Level], side: Side, limit: float, wanted: float) -> tuple[float, float]:
    """What can be had of `wanted` within the limit, and its average price (the limit if nothing)."""
    got = paid = 0.0
    for price, amount in levels:
        if got >= wanted or (price - limit) * side.sign > 0:
            break
        part = min(amount, wanted - got)
        got += part
        paid += part * price
    return got, paid / got if got else limit


class Hedger:
    """When to send the next slice, and which."""

    def __init__(self) -> None:
        self._over_since: Nanos | None = None
        self._active = False
        self._cool_until = Nanos(0)
        self._next_at = Nanos(0)
        self._sent: deque[Nanos] = deque(maxlen=SLICES_PER_MINUTE)
        self._pending: Hedge | None = None

    @property
    def busy(self) -> bool:
        """Whether time alone can make the next slice due, so that someone must come and ask again."""
        return self._active or self._over_since is not None

    def step(
        self,
        now: Nanos,
        net_delta: float,
        venues: Sequence[Venue],
        params: RiskParams,
        flatten: bool,
    ) -> Hedge | None:
        """The slice that is due now, if any; it is taken as sent."""
        goal = 0.0 if flatten else params.hedge_target_btc
        self._decide(now, abs(net_delta), goal, params, flatten)
        if not self._active or not self._may_send(now, venues):
            return None
        side = Side.SELL if net_delta > 0 else Side.BUY
        size = min(params.hedge_slice_btc, abs(net_delta) - goal)
        offers = [route(venue, side, size, params.hedge_slippage_bps) for venue in venues]
        routes = [offer for offer in offers if offer is not None]
        if not routes:
            return None
        best = min(routes, key=lambda offer: (offer.cost, offer.instrument))
        self._pending = Hedge(
            ts=now,
            instrument=best.instrument,
            hedge_id=now,
            side=side,
            amount=best.amount,
            limit_price=best.limit_price,
            reason="flatten" if flatten else f"net delta {net_delta:+.4f} BTC",
            expires=Nanos(now + EXPIRY),
        )
        self._next_at = Nanos(now + from_ms(params.hedge_interval_ms))
        self._sent.append(now)
        return self._pending

    def answered(self, now: Nanos, order: OrderChanged) -> None:
        """The life of a slice's order: free for the next one when it has ended."""
        pending = self._pending
        if pending is None or order.purpose is Purpose.QUOTE:
            return
        if order.quote_id == pending.hedge_id and order.state.is_final:
            self._pending = None
            if order.state is not OrderState.REJECTED:
                self._next_at = Nanos(max(self._next_at, now + SETTLE))

    def _decide(
        self, now: Nanos, size: float, goal: float, params: RiskParams, flatten: bool
    ) -> None:
        if size <= goal + (0.0 if flatten else DUST_BTC):
            if self._active:
                self._cool_until = Nanos(now + COOL_DOWN)
            self._active = False
        if flatten and size > goal:
            self._active = True
        if size > params.breach_limit_btc:
            self._active = True
        if size <= params.hedge_trigger_btc:
            self._over_since = None
            return
        if self._over_since is None:
            self._over_since = now
        if now - self._over_since >= from_seconds(params.hedge_delay_s) and now >= self._cool_until:
            self._active = True

    def _may_send(self, now: Nanos, venues: Sequence[Venue]) -> bool:
        if self._pending is not None and not self._is_forgotten(now, self._pending, venues):
            return False
        self._pending = None
        full = len(self._sent) == SLICES_PER_MINUTE and now - self._sent[0] < MINUTE
        return now >= self._next_at and not full

    def _is_forgotten(self, now: Nanos, pending: Hedge, venues: Sequence[Venue]) -> bool:
        """An unanswered slice counts until a reconciliation after its expiry shows what became of it."""
        settled = pending.expires + ANSWER_WAIT
        return now > settled and all(venue.position.reconciled > settled for venue in venues)
