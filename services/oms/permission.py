"""Whether orders may rest, and if not, why: the one answer to every thing that can take it away.

Nothing rests by default. Permission needs, at the same time: the private socket ready, bus and shared state
connected, positions reconciled since start, no kill, a granted lease that has not run out, the instrument
not paused and its book live, and a quote that is still valid. Any of them gone, the orders are pulled.

The kill latch is left only when risk has said KILLED itself and then something else: a lease that
crossed the kill on its way must not undo it.
"""

import msgspec

from shared.kernel import Nanos
from shared.messages import FeedState, FeedStatus, Kill, Lease, Mode, NoQuote, Quote


class Latch(msgspec.Struct, frozen=True, kw_only=True):
    """The kill latch as it is stored; an empty or null value means that it is not set."""

    reason: str
    by: str
    ts: Nanos
    flatten: bool = False


class Permission:
    """What is known of each condition; `refusal` is the first that is not met."""

    def __init__(self) -> None:
        self.down: dict[str, str] = {"venue": "not connected yet"}
        """Links that are down, with the reason."""
        self.starting = True
        self.disputed = False
        """Starting again, because positions differ from the exchange's."""
        self.stopping = False
        self.latch: Latch | None = None
        self.lease: Lease | None = None
        self.feeds: dict[str, FeedStatus] = {}
        self.wanted: dict[str, Quote | NoQuote] = {}
        self._latch_confirmed = False

    def latched(self, latch: Latch) -> Latch:
        """The kill switch was thrown; the latch in force. A second kill can only add flattening."""
        if self.latch is not None:
            flatten = self.latch.flatten or latch.flatten
            latch = msgspec.structs.replace(self.latch, flatten=flatten)
        self.latch = latch
        self._latch_confirmed = False
        return latch

    def leased(self, lease: Lease) -> bool:
        """Risk speaks; whether that lifted the latch. An older lease than the present is ignored."""
        if self.lease is not None and lease.ts < self.lease.ts:
            return False
        self.lease = lease
        if lease.mode is Mode.KILLED:
            self._latch_confirmed = True
            if self.latch is None:
                # Whether to flatten is risk's to know: it sends hedges, or it does not.
                self.latch = Latch(reason=lease.reason, by="risk", ts=lease.ts, flatten=True)
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


def latch_of(kill: Kill) -> Latch:
    """The latch that a kill sets."""
    return Latch(reason=kill.reason, by=kill.by, ts=kill.ts, flatten=kill.flatten)


def read_latch(stored: str | None) -> Latch | None:
    """A stored latch. Text that cannot be read counts as set: the careful reading."""
    if stored is None or stored.strip() in ("", "null"):
        return None
    try:
        return msgspec.json.decode(stored, type=Latch)
    except msgspec.DecodeError:
        return Latch(reason=f"unreadable latch {stored[:80]!r}", by="state", ts=Nanos(0))


def write_latch(latch: Latch) -> str:
    """The latch as JSON, to be stored."""
    return msgspec.json.encode(latch).decode()
