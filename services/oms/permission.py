"""Whether orders may rest, and if not, why: the one answer to every thing that can take it away.

Nothing rests by default. Permission needs, at the same time: the private socket ready, bus and shared state
connected, positions reconciled since start, no kill, a granted lease that has not run out, the instrument
not paused and its book live, and a quote that is still valid. Any of them gone, the orders are pulled.

The kill latch is left only when risk has said KILLED itself and then something else: a lease that
crossed the kill on its way must not undo it.
"""

from shared.kernel import Nanos
from shared.messages import FeedState, FeedStatus, Lease, Mode, NoQuote, Quote
from shared.state import Latch

VENUE = "venue"
"""Among the links: not merely a socket, but a session that may send orders."""


class Permission:
    """What is known of each condition; `refusal` is the first that is not met."""

    def __init__(self) -> None:
        self.down: dict[str, str] = {VENUE: "not connected yet"}
        """Links that are down, with the reason."""
        self.starting = True
        self.disputed = False
        """Starting again, because positions differ from the exchange's."""
        self.stopping = False
        self.unprotected = False
        """Market maker protection is to be set and was not read back yet."""
        self.frozen = False
        """Market maker protection has acted."""
        self.latch: Latch | None = None
        self.lease: Lease | None = None
        self.feeds: dict[str, FeedStatus] = {}
        self.wanted: dict[str, Quote | NoQuote] = {}
        self._latch_confirmed = False
        self._killed_at = Nanos(0)

    def latched(self, latch: Latch) -> Latch:
        """The kill switch was thrown; the latch in force."""
        self.latch = latch if self.latch is None else self.latch.joined(latch)
        self._latch_confirmed = False
        self._killed_at = latch.ts
        return self.latch

    def joins(self, latch: Latch) -> bool:
        """A latch that shared state holds; whether it says more than the one in force."""
        before = self.latch
        if before is not None and before.joined(latch) == before:
            return False
        self.latched(latch)
        return True

    def leased(self, lease: Lease) -> bool:
        """Risk speaks; whether that lifted the latch. An older lease than the present is ignored."""
        if self.lease is not None and lease.ts < self.lease.ts:
            return False
        self.lease = lease
        if lease.mode is Mode.KILLED:
            if self.latch is None:
                # Whether to flatten is risk's to know: it sends hedges, or it does not.
                self.latch = Latch(reason=lease.reason, by="risk", ts=lease.ts, flatten=True)
            # Said before the last kill, it speaks of an earlier one.
            self._latch_confirmed |= lease.ts >= self._killed_at
        elif self._latch_confirmed:
            self.latch, self._latch_confirmed = None, False
            return True
        return False

    @property
    def mode(self) -> Mode:
        """The mode in force: what risk says, KILLED while latched, PAUSED before it spoke."""
        if self.latch is not None:
            return Mode.KILLED
        return Mode.PAUSED if self.lease is None else self.lease.mode

    def refusal(self, now: Nanos, instrument: str) -> str | None:
        """Why nothing may rest on this instrument now; None: it may."""
        return self.refusal_anywhere(now) or self._refusal_here(now, instrument)

    def refusal_anywhere(self, now: Nanos) -> str | None:
        """Why nothing may rest on any instrument."""
        if self.latch is not None:
            return "killed"
        if self.stopping:
            return "stopping"
        if self.down:
            return f"link_{min(self.down)}"
        if self.starting:
            return "position_mismatch" if self.disputed else "starting"
        if self.unprotected or self.frozen:
            return "mmp_frozen" if self.frozen else "mmp_not_set"
        if self.lease is None:
            return "no_lease"
        if self.lease.mode in (Mode.PAUSED, Mode.KILLED):
            return self.lease.mode.value
        if not self.lease.granted:
            return "lease_withdrawn"
        return "lease_expired" if now >= self.lease.until else None

    def _refusal_here(self, now: Nanos, instrument: str) -> str | None:
        if self.lease is not None and instrument in self.lease.paused:
            return "instrument_paused"
        feed = self.feeds.get(instrument)
        if feed is None or feed.state is not FeedState.LIVE:
            return "feed" if feed is None else f"feed_{feed.state}"
        match self.wanted.get(instrument):
            case None:
                return "no_quote"
            case NoQuote():
                return "no_quote"
            case Quote(valid_until=until):
                return "quote_expired" if now >= until else None
