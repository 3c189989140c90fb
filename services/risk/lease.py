"""The lease: orders may rest only while it is proved that everything they rest on is alive.

Owns the evidence (links, signs of life, feeds, positions, account) and the one question asked of it: what
objects to a lease right now? Silence is never taken for health: what was not heard is an objection.
The objection's words carry no figures, so that two equal objections compare equal.

From the death of a service to an empty book no more than the lease may pass. So whatever a service says, or
risk itself, is good for `word_ms` and no longer, which leaves the cancels their way; `ends` is when the
evidence does, and risk wakes then.
"""

from shared.kernel import Message, Nanos
from shared.messages import Account, FeedState, FeedStatus, Health, InstrumentListed, Position
from shared.params import Params
from shared.subjects import TOPICS
from shared.units import SECOND, from_ms

LISTING_KEPT = Nanos(5 * SECOND)
"""Listings repeat every two seconds; one that two rounds of the others left out is no longer followed."""
HELD_KEPT = Nanos(30 * SECOND)
"""As long as that where something is held: marketdata, told of it, follows it again."""
CLOCK_OFFSET_MS = 250.0
"""Venue clock against ours, beyond which times of the venue cannot be trusted."""
LINKS = ("state", "bus")
WATCHED = ("marketdata", "oms")


class Evidence:
    """What was last heard of everything a resting order depends on."""

    def __init__(self) -> None:
        self.links: dict[str, bool] = dict.fromkeys(LINKS, False)
        self.heard: dict[str, Nanos] = {}
        self.listed: dict[str, tuple[InstrumentListed, Nanos]] = {}
        self.feeds: dict[str, FeedStatus] = {}
        self.positions: dict[str, Position] = {}
        self.account: Account | None = None
        self._watched_to = Nanos(0)

    def hear(self, now: Nanos, message: Message) -> None:
        """Whatever a service says proves it alive, from when it arrived."""
        source = message.source if isinstance(message, Health) else _speaker(message)
        if source in WATCHED:
            self.heard[source] = now

    def followed(self) -> list[str]:
        """Instruments that marketdata lists at present, by its own rounds: its silence changes nothing."""
        newest = max((seen for _, seen in self.listed.values()), default=Nanos(0))
        return [
            name for name, (_, seen) in self.listed.items() if newest - seen <= self._kept(name)
        ]

    def _kept(self, name: str) -> Nanos:
        position = self.positions.get(name)
        return HELD_KEPT if position is not None and position.amount else LISTING_KEPT

    def ends(self, params: Params) -> Nanos:
        """When silence alone will object, if nothing does now."""
        stale, old = from_ms(params.marketdata.stale_ms), from_ms(params.risk.position_age_max_ms)
        word, followed = from_ms(params.risk.word_ms), self.followed()
        ends = [self.heard[service] + word for service in WATCHED]
        ends += [self.feeds[name].heard + stale for name in followed]
        ends += [self.positions[name].reconciled + old for name in followed]
        return Nanos(min(ends))

    def watch(self, now: Nanos, params: Params) -> Nanos | None:
        """When to wake for the end, if not known; what is heard puts it off, an early wake asks again."""
        ends = self.ends(params)
        if now < self._watched_to <= ends:
            return None
        self._watched_to = ends
        return ends

    def is_live(self, now: Nanos, instrument: str, params: Params) -> bool:
        """Whether an instrument's book may be believed: said to be live, and heard lately."""
        feed = self.feeds.get(instrument)
        return feed is not None and feed.state is FeedState.LIVE and _is_fresh(now, feed, params)

    def is_reconciled(self, now: Nanos, instrument: str, params: Params) -> bool:
        """Whether the position agreed with the exchange recently enough."""
        position = self.positions.get(instrument)
        oldest = now - from_ms(params.risk.position_age_max_ms)
        return position is not None and position.reconciled > oldest

    def objection(self, now: Nanos, params: Params) -> str:
        """Why no lease may be granted now; empty when nothing objects."""
        for link, up in self.links.items():
            if not up:
                return f"{link} link is down"
        for service in WATCHED:
            if now - self.heard.get(service, Nanos(0)) >= from_ms(params.risk.word_ms):
                return f"{service} is silent"
        followed = self.followed()
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
    return now - feed.heard < from_ms(params.marketdata.stale_ms)


def _speaker(message: Message) -> str:
    """Who alone says messages of this kind; empty where several do."""
    speakers = TOPICS[type(message)].speakers
    return speakers[0] if len(speakers) == 1 else ""
