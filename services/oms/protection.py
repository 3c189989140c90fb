"""Market maker protection: the exchange's own brake, set before the first quote, and what its bite means.

Owns the configuration on the exchange and the freeze. Where the account has the feature, limits on what may
trade within a window are set and read back each time the socket is opened, and every quote is sent under
them; the exchange takes all of them away at once when too much trades, without waiting for us. Then nothing
is quoted until two things are true: the freeze is over (one without an end is ended here, after the time
that the parameters give), and positions have been reconciled since it began.

A refusal 13030 tells of a freeze that was not heard of, as after a restart: then the exchange is asked.
"""

import msgspec

from services.oms.inventory import Inventory
from services.oms.outbox import Outbox
from services.oms.permission import Permission
from services.oms.session import Line
from shared.deribit import requests
from shared.deribit.codec import decode_freezes, decode_protection
from shared.deribit.credits import Priority
from shared.deribit.outputs import Answered, Refused, Unanswered
from shared.deribit.requests import Request
from shared.kernel import Nanos
from shared.messages import Severity
from shared.params import OmsParams
from shared.units import MILLISECOND, SECOND, from_seconds

RETRY = Nanos(1 * SECOND)
GRACE = Nanos(100 * MILLISECOND)
"""Beyond the freeze's end, to allow for clocks."""
TIMER = "protection"


class ForProtection(msgspec.Struct, frozen=True):
    """The context of a request about it: `set`, `status` or `reset`, and of which connection."""

    step: str
    number: int


class Protection:
    """The protection of one index."""

    def __init__(
        self,
        out: Outbox,
        inventory: Inventory,
        permission: Permission,
        line: Line,
        params: OmsParams,
    ) -> None:
        self._out = out
        self._inventory = inventory
        self._permission = permission
        self._line = line
        self.params = params
        self.is_on = False
        """Quotes are sent under it."""
        self._number = 0
        self._frozen_at: Nanos | None = None
        self._frozen_until: Nanos | None = None
        """None while a freeze has no end, or none that is known."""
        self._asking: ForProtection | None = None

    def lost(self) -> None:
        """The socket is gone: whatever was set is to be proved again."""
        self._number += 1
        self._asking, self.is_on = None, False
        self._permission.unprotected = False

    def learned(self, now: Nanos, enabled: bool | None) -> None:
        """What the account summary says of the feature."""
        if enabled and self.params.mmp == "on" and not self.is_on:
            self._permission.unprotected = True
            self._ask(now, "set", self._wanted())

    def triggered(self, now: Nanos, until: Nanos) -> None:
        """The exchange has taken our quotes away, until a time of its clock; 0: until it is reset."""
        self._freeze(now)
        end = Nanos(until - self._line.clock_offset + GRACE)
        own = Nanos(now + from_seconds(self.params.mmp_frozen_s))
        self._frozen_until = end if until else None
        self._out.wake(TIMER, end if until else own)

    def refused(self, now: Nanos) -> None:
        """An order was refused because of a freeze."""
        if self._frozen_at is None:
            self._freeze(now)
            self._ask(now, "status", requests.get_mmp_status(self._index))

    def look(self, now: Nanos) -> None:
        """End a freeze whose conditions are met; ask again what was not answered."""
        at = self._frozen_at
        if self._permission.unprotected and self.is_on:
            self._ask(now, "status", requests.get_mmp_status(self._index))
        elif self._permission.unprotected:
            self._ask(now, "set", self._wanted())
        if at is None or self._inventory.reconciled <= at:
            return
        if self._frozen_until is None:
            if now >= at + from_seconds(self.params.mmp_frozen_s):
                self._ask(now, "reset", requests.reset_mmp(self._index))
        elif now >= self._frozen_until:
            self._thaw()

    def heard(
        self, now: Nanos, reply: Answered | Refused | Unanswered, context: ForProtection
    ) -> None:
        """An answer about it."""
        if context != self._asking:
            return
        self._asking = None
        if not isinstance(reply, Answered):
            why = reply.why if isinstance(reply, Unanswered) else f"{reply.code} {reply.message}"
            self._out.anomaly(now, "mmp_refused", Severity.WARNING, f"{reply.method}: {why}")
            if context.step == "set" and isinstance(reply, Refused):
                # The account may quote without it; its other brakes hold.
                self._permission.unprotected = False
            self._out.wake(TIMER, Nanos(now + RETRY))
            return
        match context.step:
            case "set":
                self._read_back(now, reply)
            case "status":
                self._learn_freeze(now, reply)
            case _:
                self._thaw()

    def _read_back(self, now: Nanos, reply: Answered) -> None:
        wanted = self._wanted()[1]
        found = decode_protection(reply.result, self._index)
        differing = {
            name: found.get(name)
            for name, value in wanted.items()
            if isinstance(value, int | float) and found.get(name) != value
        }
        if differing:
            detail = f"market maker protection: expected {wanted}, came {differing}"
            self._out.anomaly(now, "mmp_refused", Severity.CRITICAL, detail)
            self._out.wake(TIMER, Nanos(now + RETRY))
            return
        self.is_on = True
        self._ask(now, "status", requests.get_mmp_status(self._index))

    def _learn_freeze(self, now: Nanos, reply: Answered) -> None:
        until = decode_freezes(reply.result).get(self._index)
        self._permission.unprotected = False
        if until is not None:
            self.triggered(now, until)
        elif self._frozen_at is not None and self._frozen_until is None:
            self._thaw()

    def _freeze(self, now: Nanos) -> None:
        if self._frozen_at is None:
            detail = "more traded against our quotes than the protection allows"
            self._out.anomaly(now, "mmp_trigger", Severity.WARNING, detail)
        self._frozen_at, self._permission.frozen = now, True

    def _thaw(self) -> None:
        self._frozen_at = self._frozen_until = None
        self._permission.frozen = False

    def _ask(self, now: Nanos, step: str, request: Request) -> None:
        if self._asking is not None:
            return
        context = ForProtection(step, self._number)
        if self._line.ask(now, request, Priority.HEDGE, context) is not None:
            self._asking = context
        else:
            self._out.wake(TIMER, Nanos(now + RETRY))

    def _wanted(self) -> Request:
        return requests.set_mmp_config(
            self._index,
            interval_s=self.params.mmp_interval_s,
            frozen_s=self.params.mmp_frozen_s,
            quantity=self.params.mmp_quantity_btc,
            delta=self.params.mmp_delta_btc,
            quote_max=self.params.mmp_quote_max_btc,
        )

    @property
    def _index(self) -> str:
        return f"{self._line.currency.lower()}_usd"
