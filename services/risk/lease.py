"""The lease: orders may rest only while it is proved that everything they rest on is alive.

Owns the evidence (links, heartbeats, feeds, positions, account) and the one question asked of it: what
objects to a lease right now? Silence is never taken for health: what was not heard is an objection.
The objection's words carry no figures, so that two equal objections compare equal.
"""

from shared.kernel import Nanos
from shared.messages import Account, FeedState, FeedStatus, Health, InstrumentListed, Position
from shared.params import Params
from shared.units import SECOND, from_ms

HEARTBEAT_AGE = Nanos(2 * SECOND)
"""Heartbeats come every second; a shorter lease must not make one late beat an alarm."""
LISTING_KEPT = Nanos(30 * SECOND)
"""Listings repeat every two seconds; one not heard for this long is no longer followed."""
CLOCK_OFFSET_MS = 250.0
"""Venue clock against ours, beyond which times of the venue cannot be trusted."""
LINKS = ("state", "bus")
WATCHED = ("marketdata", "oms")


class Evidence:
    """What was last heard of everything a resting order depends on."""

    def __init__(self) -> None:
        self.links: dict[str, bool] = dict.fromkeys(LINKS, False)
        self.heartbeats: dict[str, Nanos] = {}
        self.listed: dict[str, tuple[InstrumentListed, Nanos]] = {}
        self.feeds: dict[str, FeedStatus] = {}
        self.positions: dict[str, Position] = {}
        self.account: Account | None = None

    def heard_health(self, now: Nanos, health: Health) -> None:
        """A heartbeat counts from when it arrived: a message that waited in a queue proves nothing old."""
        if health.source in WATCHED:
            self.heartbeats[health.source] = now

    def followed(self, now: Nanos) -> list[str]:
        """Instruments that marketdata lists at present."""
        return [name for name, (_, seen) in self.listed.items() if now - seen <= LISTING_KEPT]

    def is_live(self, now: Nanos, instrument: str, params: Params) -> bool:
        """Whether an instrument's book may be believed: said to be live, and heard lately."""
        feed = self.feeds.get(instrument)
        return feed is not None and feed.state is FeedState.LIVE and _is_fresh(now, feed, params)

    def is_reconciled(self, now: Nanos, instrument: str, params: Params) -> bool:
        """Whether the position agreed with the exchange recently enough."""
        position = self.positions.get(instrument)
        oldest = now - from_ms(params.risk.position_age_max_ms)
        return position is not None and position.reconciled >= oldest

    def objection(self, now: Nanos, params: Params) -> str:
        """Why no lease may be granted now; empty when nothing objects."""
        for link, up in self.links.items():
            if not up:
                return f"{link} link is down"
        limit = max(from_ms(params.risk.lease_ms), HEARTBEAT_AGE)
        for service in WATCHED:
            if now - self.heartbeats.get(service, Nanos(0)) > limit:
                return f"{service} has no heartbeat"
        followed = self.followed(now)
        perpetuals = [name for name in followed if self.listed[name][0].spec.perpetual]
        if not perpetuals:
            return "no perpetual is listed"
        for name in followed:
            reason = self._feed_objection(now, name, params)
            if reason:
                return reason
        for name in perpetuals:
            if not self.is_live(now, name, params):
                return f"{name} book is not live"
        for name in followed:
            if not self.is_reconciled(now, name, params):
                return f"{name} position is not reconciled"
        return "" if self.account is not None else "account is not known"

    def _feed_objection(self, now: Nanos, name: str, params: Params) -> str:
        feed = self.feeds.get(name)
        if feed is None or not _is_fresh(now, feed, params):
            return f"{name} feed is stale"
        if abs(feed.clock_offset_ms) > CLOCK_OFFSET_MS:
            return f"{name} venue clock is off by more than {CLOCK_OFFSET_MS:g} ms"
        return ""


def _is_fresh(now: Nanos, feed: FeedStatus, params: Params) -> bool:
    return now - feed.heard <= from_ms(params.marketdata.stale_ms)
