"""Local belief against the exchange's record, in rounds.

A round asks four things at once: own trades since the last complete one, positions, open orders, the account.
When all have answered, trades that nobody had told are booked first, because they explain most
differences; then positions must be equal to the last unit, orders are held against each other, and the
balance against the fees that were paid (`balance`).

Answers are taken at slightly different moments, so one round that differs proves nothing: it is repeated
at once, and only the third in a row is a dispute: a critical anomaly, and nothing rests until a round agrees
again, be it because the missing trades were found or because an operator confirmed that the exchange is
right (an exchange that was set up anew, a correction by hand). `reconciled` moves on only with a round that
agrees, so a difference that stays takes the lease away as well.

Before the first agreement the exchange is simply right: its positions are adopted, with their average price.
Orders that bear our prefix and that this process did not send are taken into the book of orders and then
cancelled, not kept: the quote they were sent for is gone, and a position is only certain once nothing of
ours can still fill. An order without our label is somebody else's and is never touched.
"""

from enum import StrEnum

import msgspec

from services.oms.balance import Balance
from services.oms.inventory import Inventory
from services.oms.order import Happening
from services.oms.orders import Orders
from services.oms.outbox import Outbox
from services.oms.session import Line
from shared.deribit import requests
from shared.deribit.codec import VenueOrder, VenuePosition, VenueTrade
from shared.deribit.credits import Priority
from shared.kernel import Nanos
from shared.messages import OrderState, Severity
from shared.units import HOUR, MILLISECOND, MINUTE, SECOND

STRIKES = 3
AGAIN = 200 * MILLISECOND
_PATIENCE = 10 * SECOND
_OVERLAP = 10 * SECOND
_LOOK_BACK = MINUTE
# Recent trades are kept a day by the venue and older ones answered from its archive, which lags.
_RECENT = 23 * HOUR
_REMEDY = (
    "nothing rests until they agree: look at the exchange's own record, then resume with confirm: true "
    "to take its positions over"
)


class Part(StrEnum):
    """What a round asks for."""

    TRADES = "trades"
    ARCHIVE = "archive"
    POSITIONS = "positions"
    ORDERS = "orders"
    ACCOUNT = "account"


class ForRound(msgspec.Struct, frozen=True):
    """The context of a round's request."""

    number: int
    part: Part
    since: Nanos = Nanos(0)
    """Of a page of trades: where it begins."""


class Round(msgspec.Struct, kw_only=True):
    """The answers of one round so far. `until` is the venue's time when it began."""

    number: int
    began: Nanos
    until: Nanos
    open_parts: dict[Part, None]
    trades: list[VenueTrade] = msgspec.field(default_factory=list)
    positions: tuple[VenuePosition, ...] = ()
    orders: tuple[VenueOrder, ...] = ()
    balance: float = 0.0
    fills: int = 0
    """Counted when it was begun."""


class Reconciliation:
    """Runs rounds. `agreed` says whether one has agreed since the line was opened."""

    def __init__(self, out: Outbox, orders: Orders, inventory: Inventory, line: Line) -> None:
        self._out = out
        self._orders = orders
        self._inventory = inventory
        self._line = line
        self._balance = Balance(out, inventory, line.currency)
        self._round: Round | None = None
        self._rounds = 0
        self._strikes = 0
        self.agreed = False
        self.adopting = True
        """No round has agreed in this process: the exchange's positions are taken over."""
        self.disputed: Nanos | None = None
        """Since when the positions differ beyond doubt; None: they do not."""
        self.foreign_orders = 0

    def confirmed(self, now: Nanos, said: Nanos) -> None:
        """An operator takes the exchange's word; a confirmation from before the dispute is none."""
        if self.disputed is not None and said >= self.disputed:
            self.adopting = True
            self.begin(now)

    def lost(self) -> None:
        """The line is gone: whatever is local is belief again."""
        self._round = None
        self._strikes = 0
        self._balance.forget()
        self.agreed = False

    def begin(self, now: Nanos) -> None:
        """Start a round unless one is under way."""
        under_way = self._round is not None and now - self._round.began < _PATIENCE
        if under_way or not self._line.ready:
            return
        self._rounds += 1
        until = self._line.venue_time(now)
        parts = [Part.TRADES, Part.POSITIONS, Part.ORDERS, Part.ACCOUNT]
        if self._since(until) < until - _RECENT:
            parts.insert(0, Part.ARCHIVE)
        self._round = Round(
            number=self._rounds,
            began=now,
            until=until,
            open_parts=dict.fromkeys(parts),
            fills=self._balance.fills(),
        )
        for part in parts:
            self._ask(now, part, self._since(until))

    def _since(self, until: Nanos) -> Nanos:
        complete_to = self._inventory.ledger.complete_to
        return Nanos(complete_to - _OVERLAP if complete_to else until - _LOOK_BACK)

    def _ask(self, now: Nanos, part: Part, since: Nanos) -> None:
        round_, currency = self._round, self._line.currency
        if round_ is None:
            return
        match part:
            case Part.TRADES | Part.ARCHIVE:
                until = Nanos(round_.until + MINUTE)
                archive = part is Part.ARCHIVE
                request = requests.get_user_trades(currency, since, until, historical=archive)
            case Part.POSITIONS:
                request = requests.get_positions(currency)
            case Part.ORDERS:
                request = requests.get_open_orders(currency)
            case Part.ACCOUNT:
                request = requests.get_account_summary(currency)
        context = ForRound(round_.number, part, since)
        if self._line.ask(now, request, Priority.HEDGE, context) is None:
            self._round = None

    def failed(self, context: ForRound) -> None:
        """One of its requests was refused or lost: the round proves nothing."""
        if self._round is not None and self._round.number == context.number:
            self._round = None

    def traded(
        self, now: Nanos, context: ForRound, trades: tuple[VenueTrade, ...], has_more: bool
    ) -> bool:
        """A page of trades; whether the round is complete."""
        round_ = self._current(context)
        if round_ is None:
            return False
        round_.trades.extend(trades)
        if has_more and trades:
            if trades[-1].ts <= context.since:
                # Asking from there again would bring the same page for ever.
                detail = (
                    f"more than a page of trades at {trades[-1].ts} ns: cannot be read to its end"
                )
                self._out.anomaly(now, "history_unreadable", Severity.CRITICAL, detail)
                self._round = None
                return False
            self._ask(now, context.part, trades[-1].ts)
            return False
        return self._closed(round_, context.part)

    def positioned(self, context: ForRound, positions: tuple[VenuePosition, ...]) -> bool:
        """The positions; whether the round is complete."""
        round_ = self._current(context)
        if round_ is None:
            return False
        round_.positions = positions
        return self._closed(round_, context.part)

    def listed(self, context: ForRound, orders: tuple[VenueOrder, ...]) -> bool:
        """The open orders; whether the round is complete."""
        round_ = self._current(context)
        if round_ is None:
            return False
        round_.orders = orders
        return self._closed(round_, context.part)

    def accounted(self, context: ForRound, balance: float) -> bool:
        """The account came; whether the round is complete."""
        round_ = self._current(context)
        if round_ is None:
            return False
        round_.balance = balance
        return self._closed(round_, context.part)

    def _current(self, context: ForRound) -> Round | None:
        return self._round if self._round and self._round.number == context.number else None

    def _closed(self, round_: Round, part: Part) -> bool:
        round_.open_parts.pop(part, None)
        return not round_.open_parts

    def conclude(self, now: Nanos) -> Nanos | None:
        """Judge a complete round; when to repeat it, None: at the ordinary pace."""
        round_, self._round = self._round, None
        if round_ is None:
            return None
        self._out.count("reconciliations")
        self._book(now, round_.trades)
        self._compare_orders(now, round_)
        # Before the first agreement nothing may rest; whatever does is on its way out.
        waits = not self.agreed and bool(self._orders.alive())
        if self._compare_positions(now, round_) or waits:
            self._strikes += 1
            return Nanos(now + AGAIN) if self._strikes < STRIKES else None
        self._strikes = 0
        self._inventory.ledger.complete_to = round_.until
        self._inventory.reconciled = now
        self._balance.compare(now, round_.balance, round_.fills)
        self.agreed, self.adopting, self.disputed = True, False, None
        return None

    def _book(self, now: Nanos, trades: list[VenueTrade]) -> None:
        ledger = self._inventory.ledger
        for trade in sorted(trades, key=lambda trade: (trade.ts, trade.trade_seq)):
            if ledger.complete_to:
                self._inventory.book(now, trade, recovered=True)
            else:
                # A ledger that begins here takes the position as it finds it, trades included.
                ledger.skip(trade)

    def _compare_positions(self, now: Nanos, round_: Round) -> bool:
        exchange = {position.instrument: position for position in round_.positions}
        amounts = {name: position.amount for name, position in exchange.items()}
        differences = self._inventory.ledger.mismatches(amounts)
        if not differences:
            return False
        if self.adopting:
            for name, ours, theirs in differences:
                average = exchange[name].average_price if name in exchange else 0.0
                self._adopt(now, name, ours, theirs, average)
            return True
        differences = tuple(d for d in differences if not self._delivered(now, d[0], d[2]))
        if not differences:
            return True
        if self._strikes >= STRIKES - 1 and self.disputed is None:
            self.agreed, self.disputed = False, now
            found = "; ".join(f"{name}: here {a}, exchange {b}" for name, a, b in differences)
            self._out.anomaly(now, "position_mismatch", Severity.CRITICAL, f"{found}; {_REMEDY}")
        return True

    def _adopt(self, now: Nanos, name: str, ours: float, theirs: float, average: float) -> None:
        ledger = self._inventory.ledger
        if ledger.complete_to or ours:
            detail = f"stored {ours}, the exchange holds {theirs} at {average}: adopted"
            self._out.anomaly(now, "position_adopted", Severity.WARNING, detail, name)
        ledger.adopt(name, theirs, average)

    def _delivered(self, now: Nanos, name: str, theirs: float) -> bool:
        """A future that has expired is closed by delivery, which is no trade."""
        spec = self._inventory.specs.get(name)
        if spec is None or spec.perpetual or now < spec.expiry or theirs != 0.0:
            return False
        self._out.anomaly(now, "delivered", Severity.INFO, "closed by delivery", name)
        self._inventory.ledger.adopt(name, 0.0, 0.0)
        return True

    def _compare_orders(self, now: Nanos, round_: Round) -> None:
        listed: dict[str, None] = {}
        self.foreign_orders = 0
        for seen in round_.orders:
            if self._orders.is_ours(seen.label) is None:
                self.foreign_orders += 1
                continue
            listed[seen.label] = None
            order = self._orders.get(seen.label)
            if order is not None:
                self._orders.observe(now, order, seen, answers=False)
            elif self._orders.adopt(now, seen) is not None:
                detail = f"{seen.label} rests and was not sent by this process: cancelled"
                severity = Severity.INFO if self.adopting else Severity.CRITICAL
                self._out.anomaly(now, "unknown_order", severity, detail, seen.instrument)
        for order in self._orders.alive():
            settled = order.idle and order.changed < round_.began
            if settled and order.label not in listed and order.state is OrderState.OPEN:
                self._orders.happen(now, order, Happening.UNCLEAR, "not among the open orders")
