"""The witness: the invariants as they can be seen only from the exchange's side.

Beside the `Auditor`, who believes what is said on the bus, the witness sees what really is: every order and
trade of ours in the engine, every change of its books, every frame. So it can say at any step whether an
order rests that nobody answers for, whether a book that was published ever existed, whether a fill was
invented. The first broken rule raises `Breach` and ends the run.

How long an order may rest: until the last granted lease has run out, and a grace for the cancel to travel.
Only while the OMS itself can neither see nor act (it hangs, or its line is silent, which nobody can
know) it is the exchange that must act: by its heartbeat, which closes a socket that does not answer and
cancels with it. On Deribit that takes up to 12 s for the first test and 10 s for its answer.
"""

from collections import deque

from backtest.invariants import Auditor
from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.events import (
    BookChanged,
    LevelChange,
    OrderUpdated,
    StateChanged,
    UserTraded,
)
from mock_deribit.exchange.events import Event as EngineEvent
from mock_deribit.exchange.messages import OrderState, OrderView
from shared.instruments import BookState
from shared.kernel import Effects, Event, Nanos
from shared.messages import (
    Book,
    FeedState,
    FeedStatus,
    Filled,
    Kill,
    Lease,
    Mode,
    ModeChanged,
    Quote,
    Resume,
    Ticker,
)
from shared.params import Params
from shared.units import MILLISECOND, SECOND

GRACE = Nanos(SECOND)
HEARTBEAT_BOUND = Nanos(23 * SECOND)
QUOTE_SLACK = Nanos(2 * SECOND)
FOREVER = Nanos(2**62)
MARKS_KEPT = Nanos(5 * SECOND)
BOOKS_KEPT = 2_000
TOO_MANY_REQUESTS = b'"code":10028'
_HAIR = 1e-9


class Breach(AssertionError):
    """An invariant that was broken: the rule and what was seen."""

    def __init__(self, rule: str, seen: str) -> None:
        super().__init__(f"{rule}: {seen}")
        self.rule = rule
        self.seen = seen


class _Levels:
    """One book of the engine, rebuilt from its changes, and its recent states by change id."""

    def __init__(self) -> None:
        self.sides: tuple[dict[float, float], dict[float, float]] = ({}, {})
        self.known: dict[int, tuple[tuple[tuple[float, float], ...], ...]] = {}

    def change(self, change: BookChanged) -> None:
        for side, levels in zip(self.sides, (change.bids, change.asks), strict=True):
            for level in levels:
                _put(side, level)
        self.remember(change.change_id)

    def remember(self, change_id: int) -> None:
        bids, asks = self.sides
        self.known[change_id] = (
            tuple(sorted(bids.items(), reverse=True)),
            tuple(sorted(asks.items())),
        )
        if len(self.known) > BOOKS_KEPT:
            del self.known[next(iter(self.known))]


def _put(side: dict[float, float], level: LevelChange) -> None:
    if level.action == "delete":
        side.pop(level.price, None)
    else:
        side[level.price] = level.amount


class Witness:
    """A core that hears the bus as the auditor, and the engine as nobody else."""

    name = Auditor.name
    links: tuple[str, ...] = ()
    remembers: tuple[str, ...] = ()

    def __init__(self, auditor: Auditor, params: Params, account: str) -> None:
        self.auditor = auditor
        self.resting: dict[str, OrderView] = {}
        self.trades: dict[str, Nanos] = {}
        self._params = params
        self._account = account
        self._engine: Exchange
        self._lease = Nanos(params.risk.lease_ms * MILLISECOND)
        self.covered_until = Nanos(0)
        self._blind: tuple[Nanos, Nanos] = (Nanos(0), Nanos(0))
        self._drained_until = Nanos(0)
        self._killed_at: Nanos | None = None
        self._live_at: dict[str, Nanos] = {}
        self._refusing: dict[str, Nanos] = {}
        self._marks: dict[str, deque[tuple[Nanos, float]]] = {}
        self._books: dict[str, _Levels] = {}
        self._breach: Breach | None = None

    def take_place(self, engine: Exchange) -> None:
        """Look at the engine as it is before anything happens."""
        self._engine = engine
        for listing in engine.listings:
            view, levels = engine.book(listing.name), _Levels()
            for side, rows in zip(levels.sides, (view.bids, view.asks), strict=True):
                side.update(rows)
            levels.remember(view.change_id)
            self._books[listing.name] = levels

    def excuse(self, now: Nanos, until: Nanos) -> None:
        """The OMS can neither see nor act for a time."""
        began, ends = self._blind
        self._blind = (began if now <= ends + GRACE else now, max(ends, until))

    def spare_credits(self, until: Nanos) -> None:
        """The exchange has taken our credits away for a while."""
        self._drained_until = until

    # -- what is said ----------------------------------------------------------------------------

    def handle(self, now: Nanos, event: Event) -> Effects:
        """Let the auditor hear it, and hold it against the engine."""
        effects = self.auditor.handle(now, event)
        match event:
            case Book():
                self._published(event)
            case Quote():
                self._quoted(now, event)
            case Filled(trade_id=trade_id):
                if trade_id not in self.trades:
                    self._note("fill_exists", f"{event.label} was told trade {trade_id}")
            case Ticker():
                marks = self._marks.setdefault(event.instrument, deque())
                marks.append((now, event.mark_price))
                while marks[0][0] < now - MARKS_KEPT:
                    marks.popleft()
            case FeedStatus(state=FeedState.LIVE):
                self._live_at[event.instrument] = now
            case Lease(granted=True):
                until = min(event.until, Nanos(now + self._lease))
                self.covered_until = max(self.covered_until, until)
            case Kill() | ModeChanged(mode=Mode.KILLED):
                self._killed_at = now if self._killed_at is None else self._killed_at
            case Resume(instrument=None, confirm=True):
                self._killed_at = None
            case _:
                pass
        return effects

    def _published(self, book: Book) -> None:
        true = self._books[book.instrument].known.get(book.change_id)
        if true is None:
            return
        for side, ours, theirs in zip(("bids", "asks"), (book.bids, book.asks), true, strict=True):
            if tuple(ours) != theirs[: len(ours)]:
                seen = (
                    f"{book.instrument} {side} at change {book.change_id}: {ours} is not {theirs}"
                )
                self._note("book_true", seen)

    def _quoted(self, now: Nanos, quote: Quote) -> None:
        stale = Nanos(self._params.marketdata.stale_ms * MILLISECOND)
        # A quote said while the bus was away is told when it is back: what counts is when it was made.
        age = min(now, quote.ts) - self._live_at.get(quote.instrument, Nanos(0))
        if age > stale + QUOTE_SLACK:
            self._note(
                "quote_from_fresh_feed", f"{quote.instrument}, live {age / SECOND:.2f} s ago"
            )

    # -- what happens ----------------------------------------------------------------------------

    def observe(self, event: EngineEvent) -> None:
        """An event of the engine, at its own time."""
        match event:
            case BookChanged():
                self._books[event.instrument].change(event)
            case StateChanged(instrument=instrument):
                taken = event.state in (BookState.OPEN, BookState.LOCKED)
                self._refusing[instrument] = event.ts if taken else FOREVER
            case OrderUpdated(account=self._account):
                self._ordered(event.ts, event.order)
            case UserTraded(account=self._account):
                for fill in event.trades:
                    self.trades[fill.trade.trade_id] = event.ts
                    # Without a label it is a liquidation: nobody's order.
                    if fill.label and not (fill.maker or fill.reduce_only):
                        self._note("post_only", f"{fill.label} took in trade {fill.trade.trade_id}")
            case _:
                pass

    def frame(self, now: Nanos, data: bytes) -> None:
        """A frame between us and the exchange."""
        if TOO_MANY_REQUESTS in data and now > self._drained_until:
            self._note("credits_kept", data.decode(errors="replace"))

    def _ordered(self, now: Nanos, order: OrderView) -> None:
        before = self.resting.get(order.order_id)
        if order.state is not OrderState.OPEN:
            self.resting.pop(order.order_id, None)
            return
        self.resting[order.order_id] = order
        if order.reduce_only:
            return
        if not order.post_only:
            self._note("post_only", f"{order.label} is neither post-only nor reduce-only")
        if before is None and self._is_killed(now):
            self._note("kill_is_final", f"{order.label} was placed")
        if before is None or _open(order) > _open(before):
            self._exposed(order)

    def _exposed(self, added: OrderView) -> None:
        """With every order of this side filled, the position must stay within the hard limit."""
        delta = 0.0
        for position in self._engine.positions(self._account):
            delta += self._delta(position.instrument, position.size)
        for order in self.resting.values():
            if order.side is added.side and not order.reduce_only:
                delta += self._delta(order.instrument, order.side.sign * _open(order))
        worst = delta * added.side.sign
        if worst > self._params.risk.hard_limit_btc * 1.005 + _HAIR:
            self._note("within_hard_limit", f"{added.label} makes {worst:.5f} BTC possible")

    def _delta(self, instrument: str, amount: float) -> float:
        # The order was approved at a mark of a moment ago: the one that is kindest to it counts.
        marks = [mark for _, mark in self._marks.get(instrument, ())]
        return amount / max(marks) if marks else 0.0

    def _is_killed(self, now: Nanos) -> bool:
        return self._killed_at is not None and now > self._killed_at + self._lease + GRACE

    # -- after every step ------------------------------------------------------------------------

    def look(self, now: Nanos) -> None:
        """Raise the first breach there is."""
        if self._breach is None and self.auditor.first_broken is not None:
            self._breach = Breach(*self.auditor.first_broken)
        if self._breach is None and self.resting:
            self._rests(now)
        if self._breach is not None:
            raise self._breach

    def _rests(self, now: Nanos) -> None:
        late = now > self.covered_until + GRACE
        if not (late or self._is_killed(now)):
            return
        began, ends = self._blind
        if now <= min(ends + GRACE, began + HEARTBEAT_BOUND):
            return
        # A book that takes no cancels keeps its orders; what is left when it does again must go.
        quotes = [
            order.label
            for order in self.resting.values()
            if not order.reduce_only
            and now > self._refusing.get(order.instrument, Nanos(0)) + GRACE
        ]
        if quotes:
            rule = "lease_covers_orders" if late else "kill_is_final"
            beyond = (now - self.covered_until) / SECOND
            self._note(rule, f"{quotes} rest {beyond:.2f} s after the lease")

    def _note(self, rule: str, seen: str) -> None:
        if self._breach is None:
            self._breach = Breach(rule, seen)


def _open(order: OrderView) -> float:
    return order.amount - order.filled_amount
