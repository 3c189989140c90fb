"""What the exchange says, to the part that it concerns.

Owns the reading of notifications and answers, the account as others hear it, and what the line coming and
going means: while it is down every order of ours may or may not be alive, and is UNKNOWN.
"""

import msgspec

from services.oms.desk import Desk
from services.oms.inventory import Inventory
from services.oms.order import Happening
from services.oms.orders import Orders
from services.oms.outbox import Outbox
from services.oms.permission import VENUE, Permission
from services.oms.protection import ForProtection, Protection
from services.oms.reconcile import ForRound, Part, Reconciliation
from services.oms.second import ForListing
from services.oms.session import Line
from services.oms.sweep import Sweep
from services.oms.wire import ForOrder, Outcome
from shared.deribit.codec import (
    VenueFault,
    VenueOrder,
    VenueTrade,
    decode_account,
    decode_changes,
    decode_freezes,
    decode_limits,
    decode_mmp_enabled,
    decode_orders,
    decode_positions,
    decode_trade_page,
)
from shared.deribit.outputs import (
    Answered,
    Distrust,
    Malformed,
    NotGranted,
    Notified,
    Output,
    Ready,
    Refused,
    Unanswered,
)
from shared.kernel import Nanos
from shared.messages import Account, OrderState, Severity


class Venue:
    """Hears the line."""

    def __init__(
        self,
        out: Outbox,
        orders: Orders,
        inventory: Inventory,
        permission: Permission,
        line: Line,
        desk: Desk,
        sweep: Sweep,
        protection: Protection,
    ) -> None:
        self._out = out
        self._orders = orders
        self._inventory = inventory
        self._permission = permission
        self._line = line
        self._desk = desk
        self._sweep = sweep
        self._protection = protection
        self.reconciliation = Reconciliation(out, orders, inventory, line)
        self._account: Account | None = None

    def hear(self, now: Nanos, outputs: list[Output]) -> None:
        """Everything one frame, wake or link event led to; then bring the orders to what follows."""
        for output in outputs:
            try:
                self._hear(now, output)
            except VenueFault as fault:
                self._out.anomaly(now, "venue_fault", Severity.WARNING, str(fault))
        if outputs:
            self._desk.steer_all(now)

    def lost(self, now: Nanos, outputs: list[Output], reason: str) -> None:
        """The socket is gone: what was in flight and what rested are both uncertain now."""
        self._close(now, reason)
        self.hear(now, outputs)

    def conclude(self, now: Nanos) -> None:
        """A reconciliation round has all its answers."""
        again = self.reconciliation.conclude(now)
        self._permission.starting = not self.reconciliation.agreed
        self._permission.disputed = self.reconciliation.disputed is not None
        if again is not None:
            self._out.wake("reconcile", again)

    def _hear(self, now: Nanos, output: Output) -> None:
        match output:
            case Ready():
                self._permission.down.pop(VENUE, None)
                self.reconciliation.begin(now)
            case Notified():
                self._notified(now, output)
            case Answered(context=ForOrder() as about):
                self._outcome(now, self._desk.wire.answered(now, output, about))
            case Refused(context=ForOrder() as about):
                self._outcome(now, self._desk.wire.refused(now, output, about))
            case Unanswered(context=ForOrder() as about):
                self._outcome(now, self._desk.wire.unanswered(now, output, about))
            case (
                Answered(context=ForListing() as about)
                | Refused(context=ForListing() as about)
                | Unanswered(context=ForListing() as about)
            ):
                self._sweep.listed(now, output, about)
            case (
                Answered(context=ForProtection() as about)
                | Refused(context=ForProtection() as about)
                | Unanswered(context=ForProtection() as about)
            ):
                self._protection.heard(now, output, about)
            case Answered(context=ForRound() as about):
                self._round(now, output, about)
            case Refused(context=ForRound() as about):
                detail = f"{output.method}: {output.code} {output.message}"
                self._out.anomaly(now, "reconciliation_refused", Severity.WARNING, detail)
                self.reconciliation.failed(about)
            case Unanswered(context=ForRound() as about):
                self.reconciliation.failed(about)
            case NotGranted() if output.channels == (self._line.mmp_channel,):
                detail = f"{self._line.mmp_channel}: {output.reason}"
                self._out.anomaly(now, "not_subscribed", Severity.WARNING, detail)
            case NotGranted():
                detail = f"{', '.join(output.channels)}: {output.reason}"
                self._out.anomaly(now, "not_subscribed", Severity.CRITICAL, detail)
                self._permission.down["channels"] = detail
            case Distrust():
                self._out.anomaly(now, "line_distrusted", Severity.WARNING, output.reason)
                self._close(now, output.reason)
            case Malformed():
                self._out.anomaly(now, "malformed_frame", Severity.WARNING, output.detail)
            case _:
                pass

    def _close(self, now: Nanos, reason: str) -> None:
        self._permission.down[VENUE] = reason
        self._permission.down.pop("channels", None)
        self._permission.starting = True
        self.reconciliation.lost()
        self._sweep.doubt(now)
        self._protection.lost()
        for order in self._orders.alive():
            if order.idle:
                self._orders.happen(now, order, Happening.UNCLEAR, "the socket was lost")

    def _outcome(self, now: Nanos, outcome: Outcome) -> None:
        for trade in outcome.trades:
            self._inventory.book(now, trade)
        if outcome.order is None:
            return
        if outcome.rejected:
            self._desk.rejected(now, outcome.order)
        elif outcome.order.state is OrderState.OPEN:
            self._desk.accepted(outcome.order)

    def _notified(self, now: Nanos, frame: Notified) -> None:
        if frame.channel == self._line.changes_channel:
            changes = decode_changes(frame.data)
            for seen in changes.orders:
                self._seen(now, seen, changes.trades)
            for trade in changes.trades:
                self._inventory.book(now, trade)
        elif frame.channel == self._line.mmp_channel:
            for until in decode_freezes(frame.data).values():
                self._protection.triggered(now, until)
        elif frame.channel == self._line.portfolio_channel:
            self._accounted(decode_account(frame.data, now))

    def _seen(self, now: Nanos, seen: VenueOrder, trades: tuple[VenueTrade, ...]) -> None:
        order = self._orders.get(seen.label)
        untold = sum(trade.amount for trade in trades if trade.order_id == seen.order_id)
        if order is not None:
            self._orders.observe(now, order, seen, answers=False)
            if seen.cancel_reason == "edit_post_only_reject":
                self._desk.rejected(now, order)
        elif seen.state is OrderState.OPEN and self._orders.adopt(now, seen, untold) is not None:
            detail = f"{seen.label} rests and was not sent by this process"
            self._out.anomaly(now, "unknown_order", Severity.WARNING, detail, seen.instrument)

    def _round(self, now: Nanos, answer: Answered, context: ForRound) -> None:
        try:
            complete = self._take_part(now, answer, context)
        except VenueFault:
            self.reconciliation.failed(context)
            raise
        if complete:
            self.conclude(now)

    def _take_part(self, now: Nanos, answer: Answered, context: ForRound) -> bool:
        match context.part:
            case Part.TRADES | Part.ARCHIVE:
                page = decode_trade_page(answer.result)
                return self.reconciliation.traded(now, context, page.trades, page.has_more)
            case Part.POSITIONS:
                positions = decode_positions(answer.result)
                for position in positions:
                    if position.instrument not in self._desk.tickers:
                        self._desk.marks[position.instrument] = position.mark_price
                return self.reconciliation.positioned(context, positions)
            case Part.ORDERS:
                return self.reconciliation.listed(context, decode_orders(answer.result))
            case Part.ACCOUNT:
                limits = decode_limits(answer.result, self._line.currency)
                if limits is not None:
                    self._line.limited(now, limits)
                account = decode_account(answer.result, now)
                self._accounted(account)
                self._protection.learned(now, decode_mmp_enabled(answer.result))
                return self.reconciliation.accounted(context, account.balance)

    def _accounted(self, account: Account) -> None:
        """Tell the account; a portfolio frame names no fees, so the last known ones are kept."""
        before = self._account
        if before is not None and account.maker_fee is None:
            account = msgspec.structs.replace(
                account, maker_fee=before.maker_fee, taker_fee=before.taker_fee
            )
        self._account = account
        self._out.say(account)
