"""The floor: all followed instruments, and what the frames of their channels mean for each.

It speaks to nobody: what it finds comes back as `News` for the core to publish and to act upon.
"""

import msgspec

from services.marketdata.book import BookFault
from services.marketdata.feed import Feed
from services.marketdata.figures import Figures
from services.marketdata.selection import BASE, Chosen
from shared.deribit.channels import (
    PLATFORM_STATE,
    Interval,
    Topic,
    instrument_state_channel,
    parse_channel,
)
from shared.deribit.codec import (
    InstrumentState,
    PlatformState,
    VenueFault,
    decode_book,
    decode_instrument_state,
    decode_platform_state,
    decode_ticker,
    decode_trades,
)
from shared.instruments import BookState
from shared.kernel import Message, Nanos
from shared.messages import Anomaly, FeedState, FeedStatus, Severity
from shared.params import MarketdataParams
from shared.units import MILLISECOND, SECOND

SOURCE = "marketdata"
SNAPSHOT_PATIENCE = Nanos(5 * SECOND)
"""A snapshot that has not come after this long is asked for again."""
MALFORMED_TOLD_EVERY = SECOND

_STILL_LISTED = (BookState.OPEN, BookState.LOCKED, BookState.HALTED, BookState.SETTLEMENT)


class News(msgspec.Struct):
    """To publish, in order; book channels to leave and join again; whether to ask what is listed."""

    messages: list[Message] = []
    renew: list[str] = []
    relist: bool = False


def anomaly(
    now: Nanos,
    kind: str,
    detail: str,
    instrument: str | None = None,
    severity: Severity = Severity.WARNING,
) -> Anomaly:
    """Something that should not have happened, in the service's name."""
    return Anomaly(
        ts=now, source=SOURCE, kind=kind, severity=severity, detail=detail, instrument=instrument
    )


class Floor:
    """Feeds by instrument, the platform's locks, and when the connection was last heard."""

    def __init__(self, params: MarketdataParams, interval: Interval) -> None:
        self.params = params
        self.feeds: dict[str, Feed] = {}
        self.figures = Figures()
        self.clock_offset = Nanos(0)
        self._interval = interval
        self._link_up = False
        self._heard = Nanos(0)
        self._locked: dict[str, None] = {}
        self._maintenance = False
        self._malformed_told = Nanos(0)

    @property
    def channels(self) -> tuple[str, ...]:
        """Everything to be subscribed to."""
        common = (PLATFORM_STATE, instrument_state_channel("future", BASE))
        return (*common, *(channel for feed in self.feeds.values() for channel in feed.channels))

    def line_up(self, now: Nanos) -> None:
        """A new connection; it tells the platform's locks by itself."""
        self._link_up = True
        self._heard = now
        for feed in self.feeds.values():
            feed.asked = now
        self._locked, self._maintenance = {}, False

    def line_down(self, now: Nanos) -> News:
        """No connection: no book is worth anything."""
        self._link_up = False
        for feed in self.feeds.values():
            feed.lose(now)
        return News(messages=self.judge_all(now))

    def heard(self, now: Nanos) -> None:
        """Any frame came."""
        self._heard = now
        self.figures.count("frames")

    def follow(self, now: Nanos, chosen: tuple[Chosen, ...]) -> News:
        """Follow these and no others; what is followed already keeps its book."""
        news = News()
        before, self.feeds = self.feeds, {}
        for one in chosen:
            name = one.spec.name
            feed = before.get(name) or Feed(one, self._interval, now)
            self.feeds[name] = feed
            if feed.chosen != one:
                if feed.chosen.spec != one.spec:
                    detail = f"was {feed.chosen.spec}, is {one.spec}"
                    news.messages.append(
                        anomaly(now, "instrument_changed", detail, name, Severity.INFO)
                    )
                feed.chosen = one
                news.messages.append(feed.listing(now))
            elif name not in before:
                news.messages.append(feed.listing(now))
            news.messages += self._judge(now, feed)
        return news

    def hear(self, now: Nanos, channel: str, data: msgspec.Raw) -> News:
        """A frame of a channel."""
        parsed = parse_channel(channel)
        feed = self.feeds.get(parsed.instrument)
        try:
            match parsed.topic:
                case Topic.BOOK if feed is not None:
                    return self._hear_book(now, feed, data)
                case Topic.TRADES if feed is not None:
                    return self._hear_trades(now, feed, data)
                case Topic.TICKER if feed is not None:
                    return self._hear_ticker(now, feed, data)
                case Topic.INSTRUMENT_STATE:
                    return self._hear_state(now, decode_instrument_state(data))
                case Topic.PLATFORM_STATE:
                    return self._hear_platform(now, decode_platform_state(data))
                case _:
                    self.figures.count("unwanted_frames")
                    return News()
        except VenueFault as fault:
            news = self.malformed(now, str(fault), parsed.instrument or None)
            if parsed.topic is Topic.BOOK and feed is not None:
                unread = BookFault(FeedState.GAP, "a frame that could not be read")
                feed.break_off(now, unread)
                news.messages += self._judge(now, feed)
                news.renew.append(feed.book_channel)
            return news

    def quiet_tickers(self, now: Nanos) -> list[str]:
        """Instruments whose ticker was not heard for a while, to be asked for; each once."""
        return [name for name, feed in self.feeds.items() if feed.wants_ticker(now)]

    def hear_asked(self, now: Nanos, name: str, data: msgspec.Raw | None) -> News:
        """The answer to such a question; None: there was none."""
        feed = self.feeds.get(name)
        if feed is None:
            return News()
        feed.ticker_asked = False
        if data is None:
            return News()
        try:
            return self._hear_ticker(now, feed, data)
        except VenueFault as fault:
            return self.malformed(now, str(fault), name)

    def malformed(self, now: Nanos, detail: str, instrument: str | None) -> News:
        """A frame that cannot be understood: counted always, told once a second at most."""
        self.figures.count("malformed")
        if now - self._malformed_told < MALFORMED_TOLD_EVERY:
            return News()
        self._malformed_told = now
        return News(messages=[anomaly(now, "frame_malformed", detail, instrument)])

    def refused(self, now: Nanos, channels: tuple[str, ...], reason: str) -> News:
        """Channels the venue does not grant; a book among them shows why it waits."""
        for feed in self.feeds.values():
            if feed.book_channel in channels:
                feed.refused = f"the book channel was refused: {reason}"
        detail = f"{', '.join(channels)}: {reason}"
        return News(messages=[anomaly(now, "channels_refused", detail)])

    def beat(self, now: Nanos) -> News:
        """The heartbeat: every feed's status, quiet books, and those whose snapshot does not come."""
        news = News()
        for feed in self.feeds.values():
            news.messages += self._judge(now, feed, always=True)
            repeated = feed.repeated_book(now)
            news.messages += [repeated] if repeated is not None else []
            expected = self._link_up and feed.state is BookState.OPEN and not feed.book.synced
            if expected and now - feed.asked > SNAPSHOT_PATIENCE:
                feed.asked = now
                news.renew.append(feed.book_channel)
        return news

    def deepen(self, now: Nanos) -> News:
        """Books whose depth changed a while ago and was held back."""
        books = (feed.waiting_depth(now, self.params.depth_levels) for feed in self.feeds.values())
        return News(messages=[book for book in books if book is not None])

    def judge_all(self, now: Nanos) -> list[Message]:
        """The status of every feed whose state or reason has changed."""
        return [status for feed in self.feeds.values() for status in self._judge(now, feed)]

    def _hear_book(self, now: Nanos, feed: Feed, data: msgspec.Raw) -> News:
        frame = decode_book(data)
        self.figures.count("books")
        self.figures.delayed(now, frame.ts, self.clock_offset)
        fault = feed.hear_book(now, frame)
        news = News(messages=self._judge(now, feed))
        if fault is not None:
            self.figures.count("gaps" if fault.state is FeedState.GAP else "crossed")
            kind = f"book_{fault.state}"
            news.messages.append(anomaly(now, kind, fault.detail, feed.name))
            news.renew.append(feed.book_channel)
        elif feed.is_live:
            news.messages += self._fresh_book(now, feed)
        return news

    def _fresh_book(self, now: Nanos, feed: Feed) -> list[Message]:
        book = feed.fresh_book(now, self.params.depth_levels)
        return [book] if book is not None else []

    def _hear_trades(self, now: Nanos, feed: Feed, data: msgspec.Raw) -> News:
        trades = decode_trades(data, seen=now)
        self.figures.count("trades", len(trades.trades))
        news = News(messages=[trades])
        missed = feed.missed_trades(trades)
        if missed:
            self.figures.count("missed_trades", missed)
            detail = f"{missed} trades before number {trades.trades[-1].trade_seq}"
            news.messages.append(anomaly(now, "trades_missed", detail, feed.name, Severity.INFO))
        return news

    def _hear_ticker(self, now: Nanos, feed: Feed, data: msgspec.Raw) -> News:
        self.figures.count("tickers")
        ticker = feed.fresh_ticker(decode_ticker(data, seen=now))
        told: list[Message] = [ticker] if ticker is not None else []
        return News(messages=told + self._judge(now, feed))

    def _hear_state(self, now: Nanos, change: InstrumentState) -> News:
        """A followed book opened or closed; anything else is a new listing or an end."""
        feed = self.feeds.get(change.instrument)
        if feed is None:
            return News(relist=True)
        feed.state = change.state
        return News(messages=self._judge(now, feed), relist=change.state not in _STILL_LISTED)

    def _hear_platform(self, now: Nanos, platform: PlatformState) -> News:
        if not platform.index:
            self._maintenance = platform.maintenance
        elif platform.locked:
            self._locked[platform.index] = None
        else:
            self._locked.pop(platform.index, None)
        return News(messages=self.judge_all(now))

    def _judge(self, now: Nanos, feed: Feed, *, always: bool = False) -> list[Message]:
        """The feed's status if it has changed; when it turns good, its book is news again."""
        lock = "the platform is in maintenance" if self._maintenance else None
        if feed.chosen.spec.index in self._locked:
            lock = f"the platform has locked {feed.chosen.spec.index}"
        verdict = feed.judge(
            link_up=self._link_up,
            lock=lock,
            silent_ms=(now - self._heard) / MILLISECOND,
            stale_ms=self.params.stale_ms,
        )
        if verdict == feed.verdict and not always:
            return []
        feed.verdict = verdict
        if not feed.is_live:
            feed.forget_published()
        state, reason = verdict
        status = FeedStatus(
            ts=now,
            instrument=feed.name,
            state=state,
            reason=reason,
            heard=self._heard,
            clock_offset_ms=self.clock_offset / MILLISECOND,
        )
        return [status, *(self._fresh_book(now, feed) if feed.is_live else [])]
