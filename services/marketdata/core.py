"""The market-data service: frames of the public socket in, books, trades and tickers out.

Owns the conversation with the venue: what to follow (`roster`), what to subscribe to, when to ask again.
What the frames mean is `floor`'s. A gap, a crossed book or a frame that cannot be read takes the book out
of use at once; its channel is left and joined again until a snapshot comes.
"""

from typing import Literal

import msgspec

from services.marketdata.feed import DEPTH_EVERY
from services.marketdata.floor import Floor, News, anomaly
from services.marketdata.roster import Answer, Roster
from shared.deribit.channels import Interval
from shared.deribit.outputs import (
    Answered,
    Distrust,
    Malformed,
    NotGranted,
    Notified,
    Output,
    Ready,
    Refused,
    SessionConfig,
    Transmit,
    Unanswered,
)
from shared.deribit.requests import Request, get_ticker
from shared.deribit.session import Session
from shared.kernel import (
    Cut,
    Effect,
    Event,
    FrameIn,
    Halt,
    LinkDown,
    LinkUp,
    Nanos,
    Publish,
    Restored,
    Send,
    Started,
    Wake,
    WakeAt,
)
from shared.messages import Health, ParamsApplied, ParamsChanged, Position
from shared.params import BadParams, MarketdataParams, Params
from shared.state import PARAMS, params_of, read_params
from shared.units import MILLISECOND, MINUTE, SECOND, from_ms

LINK = "public"
STATUS_EVERY = Nanos(500 * MILLISECOND)
LISTING_EVERY = Nanos(2 * SECOND)
ROSTER_EVERY = MINUTE
"""No channel tells of a new tick: until it is asked for, orders between the ticks are refused."""
ROSTER_RETRY = Nanos(5 * SECOND)
"""Also how long changes of instruments are collected before one question: 08:00 UTC brings many."""


class Question(msgspec.Struct, frozen=True):
    """What a request was for, so that its answer finds its way."""

    about: Literal["listed", "interest", "ticker"]
    instrument: str


class Marketdata:
    """The market-data service as a core; owner of the public socket."""

    name = "marketdata"
    links: tuple[str, ...] = (LINK,)
    remembers: tuple[str, ...] = (PARAMS,)

    def __init__(self, params: Params) -> None:
        self._started = Nanos(0)
        self._held: dict[str, None] = {}
        self._health_every = from_ms(params.risk.beat_ms)
        self._follow(params.marketdata)

    def _follow(self, params: MarketdataParams) -> None:
        """Begin anew: which channels there are, and whether they need a login, is in the interval."""
        interval = Interval(params.interval)
        self._floor = Floor(params, interval)
        self._roster = Roster()
        self._session = Session(
            SessionConfig(
                link=LINK,
                private=False,
                login=interval is Interval.RAW,
                channels=self._floor.channels,
            )
        )
        self._session_wake: Nanos | None = None

    def handle(self, now: Nanos, event: Event) -> list[Effect]:
        """Take one event; the session's own timer follows whatever it does."""
        effects = self._react(now, event)
        wake = self._session.next_wake
        if wake is not None and wake != self._session_wake:
            effects.append(WakeAt("session", wake))
        self._session_wake = wake
        return effects

    def _react(self, now: Nanos, event: Event) -> list[Effect]:
        match event:
            case FrameIn():
                self._floor.heard(now)
                return self._do(now, self._session.received(now, event.data))
            case Wake():
                return self._wake(now, event.timer)
            case LinkUp(link="public"):
                self._floor.line_up(now)
                return self._do(now, self._session.opened(now))
            case LinkDown(link="public"):
                told = self._tell(now, self._floor.line_down(now))
                return told + self._do(now, self._session.closed(now, event.reason))
            case ParamsChanged():
                return self._hear_params(now, event)
            case Position():
                return self._hear_position(now, event)
            case Restored():
                return self._restore(event)
            case Started():
                return self._start(now)
            case _:
                return []

    @property
    def snapshots(self) -> list[tuple[str, bytes]]:
        """(channel, data) of every whole book: what the venue would send to who joins now."""
        feeds = self._floor.feeds.values()
        return [(feed.book_channel, feed.snapshot()) for feed in feeds if feed.book.synced]

    def _start(self, now: Nanos) -> list[Effect]:
        self._started = now
        self._floor.figures.start(now)
        timers = {
            "status": STATUS_EVERY,
            "listing": LISTING_EVERY,
            "health": self._health_every,
            "depth": DEPTH_EVERY,
        }
        return [WakeAt(timer, Nanos(now + every)) for timer, every in timers.items()]

    def _wake(self, now: Nanos, timer: str) -> list[Effect]:
        match timer:
            case "session":
                self._session_wake = None
                return self._do(now, self._session.woke(now))
            case "status":
                self._floor.clock_offset = self._session.clock_offset or Nanos(0)
                told = self._tell(now, self._floor.beat(now))
                again = WakeAt("status", Nanos(now + STATUS_EVERY))
                return [*told, *self._ask_tickers(now), again]
            case "depth":
                told = self._tell(now, self._floor.deepen(now))
                return [*told, WakeAt("depth", Nanos(now + DEPTH_EVERY))]
            case "listing":
                listings = [Publish(feed.listing(now)) for feed in self._floor.feeds.values()]
                return [*listings, WakeAt("listing", Nanos(now + LISTING_EVERY))]
            case "roster":
                return self._ask_roster(now)
            case "health":
                again = WakeAt("health", Nanos(now + self._health_every))
                return [Publish(self._health(now)), again]
            case "stop":
                return [Cut(LINK, "stopping")]
            case _:
                return []

    def _do(self, now: Nanos, outputs: list[Output]) -> list[Effect]:
        """What the session answers, as effects."""
        effects: list[Effect] = []
        for output in outputs:
            match output:
                case Notified():
                    news = self._floor.hear(now, output.channel, output.data)
                    effects += self._tell(now, news)
                case Transmit(data):
                    effects.append(Send(LINK, data))
                case Ready():
                    effects += self._ask_roster(now)
                case Answered() | Refused() | Unanswered():
                    effects += self._answered(now, output)
                case NotGranted(channels, reason):
                    effects += self._tell(now, self._floor.refused(now, channels, reason))
                case Distrust(reason):
                    effects.append(Cut(LINK, reason))
                case Malformed(detail):
                    effects += self._tell(now, self._floor.malformed(now, detail, None))
        return effects

    def _tell(self, now: Nanos, news: News) -> list[Effect]:
        """Publish first: who quotes on a broken book must hear of it before anything else is done."""
        effects: list[Effect] = [Publish(message) for message in news.messages]
        if news.relist:
            effects.append(WakeAt("roster", Nanos(now + ROSTER_RETRY)))
        for channel in news.renew:
            self._floor.figures.count("renewals")
            # `want` asks again for a channel that was refused, `renew` for one that was granted.
            effects += self._do(now, self._session.want(now, self._floor.channels))
            effects += self._do(now, self._session.renew(now, channel))
        return effects

    def _ask_tickers(self, now: Nanos) -> list[Effect]:
        """A quiet market is no dead line, and asking for its ticker tells the two apart."""
        effects: list[Effect] = []
        for name in self._floor.quiet_tickers(now) if self._session.ready else []:
            effects += self._request(now, get_ticker(name), Question("ticker", name))
        return effects

    def _request(self, now: Nanos, request: Request, question: Question) -> list[Effect]:
        method, params = request
        return self._do(now, self._session.request(now, method, params, context=question)[1])

    def _ask_roster(self, now: Nanos) -> list[Effect]:
        again = WakeAt("roster", Nanos(now + ROSTER_EVERY))
        if not self._session.ready:
            return [again]
        return [*self._request(now, self._roster.begin(), Question("listed", "")), again]

    def _answered(self, now: Nanos, answer: Answer) -> list[Effect]:
        question = answer.context
        assert isinstance(question, Question)
        effects: list[Effect] = []
        match question.about:
            case "ticker":
                result = answer.result if isinstance(answer, Answered) else None
                return self._tell(now, self._floor.hear_asked(now, question.instrument, result))
            case "interest":
                self._roster.hear_ticker(now, question.instrument, answer)
            case "listed":
                asked = self._roster.hear_listed(now, answer)
                for name, request in asked if self._session.ready else []:
                    effects += self._request(now, request, Question("interest", name))
        followed = tuple(self._floor.feeds)
        if not self._roster.settle(now, followed, self._floor.params, tuple(self._held)):
            return effects
        if self._roster.failure is not None:
            told = Publish(anomaly(now, "listing_failed", self._roster.failure))
            return [*effects, told, WakeAt("roster", Nanos(now + ROSTER_RETRY))]
        effects += self._tell(now, self._floor.follow(now, self._roster.chosen))
        return effects + self._do(now, self._session.want(now, self._floor.channels))

    def _hear_position(self, now: Nanos, position: Position) -> list[Effect]:
        """Who held something before this process was, must be able to value and to sell it."""
        name = position.instrument
        if not position.amount:
            self._held.pop(name, None)
            return []
        news = name not in self._held and name not in self._floor.feeds
        self._held[name] = None
        return self._ask_roster(now) if news else []

    def _hear_params(self, now: Nanos, message: ParamsChanged) -> list[Effect]:
        answer = ParamsApplied(ts=now, source=self.name, version=message.version)
        try:
            params = params_of(message).params
        except BadParams as error:
            return [Publish(msgspec.structs.replace(answer, reason=str(error)))]
        wanted, self._health_every = params.marketdata, from_ms(params.risk.beat_ms)
        told: list[Effect] = [Publish(answer), WakeAt("health", now)]
        if wanted.interval == self._floor.params.interval:
            self._floor.params = wanted
            return [*told, *self._ask_roster(now)]
        down = self._tell(now, self._floor.line_down(now))
        self._follow(wanted)
        return [*told, *down, Cut(LINK, f"frames are wanted {wanted.interval} from now")]

    def _restore(self, event: Restored) -> list[Effect]:
        """Take the parameters that were in force; not to guess others is why a bad set halts us."""
        if event.value is None:
            return []
        try:
            params = read_params(event.value).params
        except BadParams as error:
            return [Halt(f"stored parameters are unusable, set them again: {error}")]
        self._health_every = from_ms(params.risk.beat_ms)
        self._follow(params.marketdata)
        return []

    def _health(self, now: Nanos) -> Health:
        states = [
            f"{feed.name} {feed.verdict[0] if feed.verdict else 'new'}"
            for feed in self._floor.feeds.values()
        ]
        live = [feed for feed in self._floor.feeds.values() if feed.is_live]
        return Health(
            ts=now,
            source=self.name,
            ready=bool(live),
            detail=", ".join(states) or "nothing is followed yet",
            started=self._started,
            counters=self._floor.figures.report(now),
        )
