"""The invariants that every demo, test, simulation and drill asserts, checked by an outsider.

`Auditor` is a core that hears the whole bus and says nothing. It trusts no service's own verdict: it
follows quotes, orders, fills, leases and books itself and notes every broken rule. At the end
`compare_with_exchange` holds what was heard against the exchange's own ledger, trade by trade.

A rule that was never put to the test is reported with zero checks, so that "held" cannot be mistaken
for "looked at".
"""

import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from shared.kernel import Effects, Event, LinkDown, LinkUp, Message, Nanos, Started, Wake, WakeAt
from shared.messages import (
    Account,
    Anomaly,
    Book,
    FeedState,
    FeedStatus,
    Filled,
    Health,
    Lease,
    Liquidity,
    Mode,
    ModeChanged,
    NoQuote,
    OrderChanged,
    OrderState,
    Pnl,
    Position,
    Purpose,
    Quote,
    QuoteLevel,
    Ticker,
    Trades,
)
from shared.units import MILLISECOND, SATOSHI, SECOND

RULES: dict[str, str] = {
    "book_continuous": "no published book is crossed, empty on a side or out of order",
    "quote_from_live_book": "no quote is computed from a book that was not live",
    "quote_adds_up": "the named parts of every quoted price add up to it exactly",
    "post_only": "no quote of ours ever took liquidity",
    "within_hard_limit": "net delta with every working order on one side stays within the limit",
    "lease_covers_orders": "no order rests longer than the lease and its grace allow",
    "kill_is_final": "after a kill no quote rests and no order is sent but reductions",
    "fills_once": "no trade is reported twice, unless found anew by an OMS whose predecessor died telling it",
    "pnl_adds_up": "the parts of profit and loss add up to the total",
    "equity_explained": "profit and loss explains the exchange's equity",
    "exchange_fills_equal": "every trade of ours on the exchange was reported, and no other",
    "exchange_positions_equal": "local positions equal the exchange's",
    "nothing_left_behind": "no order of ours is left on the exchange",
}

_TICK = 100 * MILLISECOND
_OMS_SILENT = 2_500 * MILLISECOND
_WITNESSES = 5
_LATENCIES = 100_000


class Verdict(msgspec.Struct, frozen=True):
    """One rule's outcome; `broken` holds the first few witnesses."""

    rule: str
    meaning: str
    checks: int
    broken: tuple[str, ...]

    @property
    def held(self) -> bool:
        """No witness against it."""
        return not self.broken


class ExchangeLedger(msgspec.Struct, frozen=True):
    """The exchange's own record of our account."""

    trade_ids: tuple[str, ...]
    positions: dict[str, float]
    """Signed amounts by instrument."""
    open_labels: tuple[str, ...]


def _figures(fill: Filled) -> tuple[object, ...]:
    """What a trade was."""
    return (fill.instrument, fill.ts, fill.side, fill.price, fill.amount, fill.fee, fill.label)


def ledger_of(account: Mapping[str, Any]) -> ExchangeLedger:
    """An account of the mock exchange's ledger, as far as it is compared."""
    return ExchangeLedger(
        trade_ids=tuple(fill["trade"]["trade_id"] for fill in account["trades"]),
        positions={place["instrument"]: place["size"] for place in account["positions"]},
        open_labels=tuple(order["label"] for order in account["open_orders"]),
    )


class Auditor:
    """Hears everything; `verdicts()` says what held. `grace_ms` is allowed beyond the lease's end.

    Where messages are late on purpose, an OMS may hear of a kill by `kill_heard_ms` later than we, and a
    mark may `drift` by a larger share between an order's approval and the position that shows it.
    """

    name = "auditor"
    links: tuple[str, ...] = ()
    remembers: tuple[str, ...] = ()

    def __init__(
        self,
        grace_ms: int = 1_500,
        unexplained_max_btc: float = 1e-5,
        kill_heard_ms: int = 0,
        drift: float = 0.01,
    ) -> None:
        self.grace = Nanos(grace_ms * MILLISECOND)
        self.first_broken: tuple[str, str] | None = None
        self._kill_heard = Nanos(kill_heard_ms * MILLISECOND)
        self._drift = drift
        self.unexplained_max_btc = unexplained_max_btc
        self.counts: dict[str, int] = {}
        self.tick_to_order_us: deque[float] = deque(maxlen=_LATENCIES)
        self.positions: dict[str, Position] = {}
        self.fills: dict[str, Filled] = {}
        self.anomalies: dict[str, int] = {}
        self.refusals: dict[str, int] = {}
        self.books: dict[str, Book] = {}
        self.quotes: dict[str, Quote | NoQuote] = {}
        self.orders: dict[str, OrderChanged] = {}
        self.health: dict[str, Health] = {}
        self.lease: Lease | None = None
        self.last_anomaly: Anomaly | None = None
        self.pnl: Pnl | None = None
        self.account: Account | None = None
        self.mode = Mode.PAUSED
        self._checks = dict.fromkeys(RULES, 0)
        self._broken: dict[str, list[str]] = {rule: [] for rule in RULES}
        self._feed: dict[str, FeedStatus] = {}
        self._marks: dict[str, float] = {}
        self._covered_until = Nanos(0)
        self._killed_at: Nanos | None = None
        self._deaf = False

    def handle(self, now: Nanos, event: Event) -> Effects:
        """Take note; ask only to be woken."""
        match event:
            case Started():
                self._covered_until = now
                return [WakeAt("audit", Nanos(now + _TICK))]
            case Wake():
                self._look(now)
                return [WakeAt("audit", Nanos(now + _TICK))]
            case LinkDown(link="bus"):
                self._deaf = True
            case LinkUp(link="bus"):
                self._deaf, self._covered_until = False, now
            case Message():
                self._count(type(event).__name__)
                self._hear(now, event)
            case _:
                pass
        return []

    def _hear(self, now: Nanos, message: Message) -> None:
        match message:
            case Book():
                self._book(message)
            case FeedStatus():
                self._feed[message.instrument] = message
            case Ticker():
                self._marks[message.instrument] = message.mark_price
            case Trades():
                self._count("trades", len(message.trades))
            case Quote():
                self.quotes[message.instrument] = message
                self._quote(message)
            case NoQuote():
                self.quotes[message.instrument] = message
                self.refusals[message.reason] = self.refusals.get(message.reason, 0) + 1
            case OrderChanged():
                self._order(now, message)
            case Filled():
                self._fill(message)
            case Position():
                self.positions[message.instrument] = message
                self._exposure()
            case Account():
                self.account = message
            case Lease():
                self.lease = message
                self._covered_until = message.until if message.granted else message.ts
            case ModeChanged():
                self._mode(now, message)
            case Pnl():
                self._profit(message)
            case Anomaly():
                key = f"{message.source}:{message.kind}"
                self.anomalies[key] = self.anomalies.get(key, 0) + 1
                self.last_anomaly = message
            case Health():
                self.health[message.source] = message
                if message.source == "oms" and message.ready:
                    self._forget_orders_before(message.started)
            case _:
                pass

    def _book(self, book: Book) -> None:
        self.books[book.instrument] = book
        bids, asks = [price for price, _ in book.bids], [price for price, _ in book.asks]
        sound = (
            bool(bids and asks)
            and bids[0] < asks[0]
            and bids == sorted(bids, reverse=True)
            and asks == sorted(asks)
        )
        self._check(
            "book_continuous", sound, lambda: f"{book.instrument} at change {book.change_id}"
        )

    def _quote(self, quote: Quote) -> None:
        feed = self._feed.get(quote.instrument)
        # A book seen before the feed fell is honest; one seen while it was down is not.
        live = feed is None or feed.state is FeedState.LIVE or quote.book_seen <= feed.ts
        self._check(
            "quote_from_live_book",
            live,
            lambda: f"{quote.instrument} quote {quote.quote_id} while {feed and feed.state}",
        )
        for level in quote.levels:
            self._parts(level)

    def _parts(self, level: QuoteLevel) -> None:
        total = math.fsum(value for _, value in level.parts)
        self._check(
            "quote_adds_up",
            abs(total - level.price) < 1e-9,
            lambda: f"{level.side} {level.price} is not {total}",
        )

    def _order(self, now: Nanos, order: OrderChanged) -> None:
        known = self.orders.get(order.label)
        self.orders[order.label] = order
        if order.state.is_final:
            self.orders.pop(order.label)
        if order.tick_to_order_us is not None:
            self.tick_to_order_us.append(order.tick_to_order_us)
        if known is None and order.state is OrderState.PENDING:
            self._count("orders_placed")
            if self._killed_at is not None:
                heard = self._killed_at + self._kill_heard
                allowed = order.purpose is not Purpose.QUOTE or order.ts <= heard
                self._check("kill_is_final", allowed, lambda: f"{order.label} at {now}")

    def _forget_orders_before(self, started: Nanos) -> None:
        """A new OMS that is ready has found or cancelled everything that an earlier one left."""
        for label in [o.label for o in self.orders.values() if o.ts < started]:
            del self.orders[label]

    def _fill(self, fill: Filled) -> None:
        known = self.fills.get(fill.trade_id)
        # Said again with the same figures, it can be told from another; whoever counts must do so.
        again = known is not None and fill.recovered and _figures(known) == _figures(fill)
        if again:
            self._count("fills_told_again")
        self._check("fills_once", known is None or again, lambda: f"trade {fill.trade_id}")
        self.fills[fill.trade_id] = fill
        if fill.purpose is Purpose.QUOTE:
            self._check(
                "post_only",
                fill.liquidity is Liquidity.MAKER,
                lambda: f"{fill.label} took liquidity in trade {fill.trade_id}",
            )

    def _mode(self, now: Nanos, change: ModeChanged) -> None:
        self.mode = change.mode
        self._killed_at = now if change.mode is Mode.KILLED else None

    def _profit(self, pnl: Pnl) -> None:
        self.pnl = pnl
        total = pnl.spread + pnl.inventory + pnl.hedge - pnl.fees + pnl.funding
        self._check(
            "pnl_adds_up",
            abs(total - pnl.total) < SATOSHI,
            lambda: f"parts give {total:.10f}, total says {pnl.total:.10f}",
        )

    def worst_delta(self) -> float:
        """BTC: the larger net delta if every working order on one side filled at the marks."""
        longest = shortest = 0.0
        for instrument, position in self.positions.items():
            mark = self._marks.get(instrument, 0.0)
            if mark > 0.0:
                longest += (position.amount + position.working_buy) / mark
                shortest += (position.amount - position.working_sell) / mark
        return max(abs(longest), abs(shortest))

    def _exposure(self) -> None:
        if self.lease is None or not self._marks:
            return
        worst, limit = self.worst_delta(), self.lease.hard_limit
        # An amount fixed in USD drifts in BTC with the mark between two evaluations.
        self._check(
            "within_hard_limit",
            worst <= limit * (1.0 + self._drift),
            lambda: f"{worst:.4f} beyond {limit} BTC",
        )

    def _look(self, now: Nanos) -> None:
        if self._deaf or self.lease is None:
            return
        oms = self.health.get("oms")
        if oms is None or now - oms.ts > _OMS_SILENT:
            return  # What a silent OMS left is for the exchange's own ledger to say.
        # So it is with an order whose outcome nobody knows.
        resting = [
            order
            for order in self.orders.values()
            if order.purpose is Purpose.QUOTE and order.state is not OrderState.UNKNOWN
        ]
        late = now > self._covered_until + self.grace
        self._check(
            "lease_covers_orders",
            not (late and resting),
            lambda: f"{[o.label for o in resting]} {(now - self._covered_until) / SECOND:.2f} s on",
        )

        if self._killed_at is not None and now > self._killed_at + self.grace:
            self._check("kill_is_final", not resting, lambda: f"{[o.label for o in resting]}")

    def compare_with_exchange(self, ledger: ExchangeLedger) -> None:
        """Hold everything heard against the exchange's own record, after the last order is gone."""
        ours, theirs = sorted(self.fills), sorted(ledger.trade_ids)
        missing = [trade for trade in theirs if trade not in self.fills]
        invented = [trade for trade in ours if trade not in ledger.trade_ids]
        self._check(
            "exchange_fills_equal", ours == theirs, lambda: f"missed {missing}, invented {invented}"
        )
        for instrument in sorted(ledger.positions.keys() | self.positions.keys()):
            self._position_equal(instrument, ledger.positions.get(instrument, 0.0))
        self._check(
            "nothing_left_behind", not ledger.open_labels, lambda: f"open: {ledger.open_labels}"
        )
        if self.pnl is not None:
            gap = self.pnl.unexplained
            self._check(
                "equity_explained",
                abs(gap) <= self.unexplained_max_btc,
                lambda: f"{gap:.8f} BTC unexplained",
            )

    def _position_equal(self, instrument: str, real: float) -> None:
        heard = self.positions.get(instrument)
        local = heard.amount if heard else 0.0
        self._check(
            "exchange_positions_equal",
            local == real,
            lambda: f"{instrument}: here {local}, exchange {real}",
        )

    def verdicts(self) -> list[Verdict]:
        """Every rule with its number of checks and its witnesses."""
        return [
            Verdict(rule, meaning, self._checks[rule], tuple(self._broken[rule]))
            for rule, meaning in RULES.items()
        ]

    def _count(self, what: str, by: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + by

    def _check(self, rule: str, held: bool, witness: Callable[[], str]) -> None:
        self._checks[rule] += 1
        if held:
            return
        if self.first_broken is None:
            self.first_broken = (rule, witness())
        if len(self._broken[rule]) < _WITNESSES:
            self._broken[rule].append(witness())
