"""The private line: the session's outputs as effects, and every request within the budget.

Owns the `Session` with the exchange and the credits. A request that the budget does not grant is not
queued: the caller decides again from fresh facts when `credits` wakes it.
"""

from services.oms.outbox import Outbox
from shared.deribit.channels import (
    mmp_trigger_channel,
    user_changes_channel,
    user_portfolio_channel,
)
from shared.deribit.credits import Budget, Limit, Priority, RateLimits, pool_name
from shared.deribit.errors import TOO_MANY_REQUESTS
from shared.deribit.outputs import (
    Answered,
    Distrust,
    Output,
    Refused,
    SessionConfig,
    Transmit,
    Unanswered,
)
from shared.deribit.requests import Request
from shared.deribit.session import Session
from shared.kernel import Cut, Nanos, Send
from shared.params import OmsParams
from shared.units import MILLISECOND

LINK = "private"
KIND = "future"
# Our count and the venue's drift apart by the time frames travel.
_SHARE_OF_LIMITS = 0.85


class Line:
    """The one socket through which orders go."""

    def __init__(self, out: Outbox, params: OmsParams, currency: str) -> None:
        self._out = out
        self._params = params
        self._limits = RateLimits()
        self.currency = currency
        self.changes_channel = user_changes_channel(KIND, currency)
        self.portfolio_channel = user_portfolio_channel(currency)
        self.mmp_channel = mmp_trigger_channel(f"{currency.lower()}_usd")
        self._session = Session(
            SessionConfig(
                link=LINK,
                private=True,
                channels=(self.changes_channel, self.portfolio_channel, self.mmp_channel),
                request_timeout=Nanos(params.request_timeout_ms * MILLISECOND),
                cancel_on_disconnect=True,
            )
        )
        limits = self._effective()
        self._budget = Budget(limits, reserve=self._reserve(limits))
        self._wake_at: Nanos | None = None

    @property
    def ready(self) -> bool:
        """Whether requests can be sent: logged in, cancel-on-disconnect verified, subscribed."""
        return self._session.ready

    @property
    def clock_offset(self) -> Nanos:
        """Venue clock minus ours; 0 before it was measured."""
        return self._session.clock_offset or Nanos(0)

    def venue_time(self, at: Nanos) -> Nanos:
        """A time of ours on the venue's clock."""
        return Nanos(at + self.clock_offset)

    def credits_left(self, now: Nanos) -> int:
        """Matching requests that a cancel could still send at once."""
        return self._budget.left(now)

    def ask(self, now: Nanos, request: Request, priority: Priority, context: object) -> int | None:
        """Send a request; its id, or None when not ready or out of credits (then woken later)."""
        method, params = request
        if not self.ready or not self.grant(now, request, priority):
            return None
        request_id, outputs = self._session.request(now, method, params, context)
        self._carry_out(outputs)
        return request_id

    def grant(self, now: Nanos, request: Request, priority: Priority) -> bool:
        """Take the credit for a request, by whichever way it goes; else be woken when there is one."""
        name = pool_name(*request)
        if self._budget.grant(now, name, priority):
            return True
        self._out.count("credit_waits")
        at = self._budget.ready_at(now, name, priority)
        if at is not None:
            self._out.wake("credits", at)
        return False

    def begin(self, now: Nanos) -> None:
        """The process starts; what the one before it spent is not known."""
        self._budget.begin(now)

    def exhausted(self, now: Nanos, method: str) -> None:
        """The exchange's own count of requests is used up."""
        self._out.count("too_many_requests")
        self._budget.drained(now, method)

    def returned(self, method: str) -> None:
        """A request that went another way needs its slot no longer."""
        self._budget.rescued(method)

    def apply(self, now: Nanos, params: OmsParams) -> None:
        """New parameters, for requests from now on."""
        self._params = params
        self._session.wait(Nanos(params.request_timeout_ms * MILLISECOND))
        self._resize(now)

    def limited(self, now: Nanos, limits: RateLimits) -> None:
        """The account's limits, as the exchange states them."""
        self._limits = limits
        self._resize(now)

    def opened(self, now: Nanos) -> list[Output]:
        """The socket is open."""
        return self._carry_out(self._session.opened(now))

    def closed(self, now: Nanos, reason: str) -> list[Output]:
        """The socket is gone."""
        outputs = self._carry_out(self._session.closed(now, reason))
        self._budget.dropped()
        return outputs

    def received(self, now: Nanos, data: bytes) -> list[Output]:
        """A frame came."""
        outputs = self._carry_out(self._session.received(now, data))
        for output in outputs:
            self._settle(now, output)
        return outputs

    def woke(self, now: Nanos) -> list[Output]:
        """The session's timer is due."""
        self._wake_at = None
        outputs = self._carry_out(self._session.woke(now))
        for output in outputs:
            self._settle(now, output)
        return outputs

    def _settle(self, now: Nanos, output: Output) -> None:
        match output:
            case Unanswered():
                self._budget.settled(output.method)
            case Answered(late=False) | Refused(late=False):
                self._budget.settled(output.method)
        if isinstance(output, Refused) and output.code == TOO_MANY_REQUESTS:
            self.exhausted(now, output.method)

    def _carry_out(self, outputs: list[Output]) -> list[Output]:
        """Turn what is for the socket into effects; the rest is for the core."""
        rest: list[Output] = []
        for output in outputs:
            match output:
                case Transmit(data):
                    self._out.do(Send(LINK, data))
                case Distrust(reason):
                    self._out.do(Cut(LINK, reason))
                    rest.append(output)
                case _:
                    rest.append(output)
        at = self._session.next_wake
        # Most frames only put the next wake off; then the one asked for comes early and asks again.
        if at is not None and (self._wake_at is None or at < self._wake_at):
            self._wake_at = at
            self._out.wake("venue", at)
        return rest

    def _effective(self) -> RateLimits:
        ours = Limit(self._params.rate_per_s, self._params.burst)
        return self._limits.scaled(_SHARE_OF_LIMITS).capped(ours)

    def _reserve(self, limits: RateLimits) -> int:
        return min(self._params.reserve, limits.trading.burst - 1)

    def _resize(self, now: Nanos) -> None:
        limits = self._effective()
        self._budget.apply(now, limits, reserve=self._reserve(limits))
