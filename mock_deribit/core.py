"""The mock exchange as one pure object: frames and time in, frames out.

Owns: the engine, its market, the sessions and everything in between. The same object stands behind a real
socket and inside simulated time; it opens nothing, reads no clock, and the same calls give the same bytes.
Every method that takes `now` answers with what must leave by then; `next_wake` says when to call `wake`.
"""

from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from mock_deribit import views
from mock_deribit.clock import ClockWord
from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.events import Event
from mock_deribit.exchange.listing import Listing
from mock_deribit.faults import AnswerError, Fault, LoseAnswer, LoseRequest, RequestFault
from mock_deribit.faults.armed import Armed, Standing
from mock_deribit.faults.codes import WORDS
from mock_deribit.market.market import Market, Sleeper
from mock_deribit.operator import Operator
from mock_deribit.rpc.auth import Gatekeeper
from mock_deribit.rpc.dispatch import Answered, Dispatcher, HttpAnswer, HttpRequest, Response
from mock_deribit.rpc.errors import RpcError
from mock_deribit.rpc.outbox import CUT, Effect
from mock_deribit.rpc.session import Session
from mock_deribit.rpc.venue import Venue
from mock_deribit.settings import MockSettings
from mock_deribit.sockets import Sockets, account_of
from mock_deribit.timeline import Entry, Timeline
from shared.kernel import Nanos
from shared.units import SECOND, from_seconds

HTTP_TOO_MANY = 429
HTTP_UNAVAILABLE = 503
HTTP_SWITCHING = 101
HTTP_BAD_REQUEST = 400

FIRST_USER = 1001
RECORD_MAX = 1_000


class _Glance(msgspec.Struct):
    """As much of a request as a fault needs to know."""

    method: str = ""
    id: int | str | None = None


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """A word that was said: by the timeline's entry, or by an operator; and why it was not done."""

    now: Nanos
    word: Fault | ClockWord
    entry: int | None = None
    error: str = ""


class MockDeribit:
    """Deribit, small and obedient. Raises KeyError for a connection that was never opened."""

    def __init__(
        self,
        now: Nanos,
        settings: MockSettings,
        listings: tuple[Listing, ...],
        market: Market,
        script: Iterable[Entry] = (),
    ) -> None:
        """Open. Raises ValueError when the script or the market names what is not there."""
        self._settings = settings
        self._market = market
        rules, seed = settings.exchange_rules(), str(settings.seed)
        self._exchange = Exchange(now, listings, market.index_prices, seed, rules)
        main = settings.accounts[0].name
        for account in settings.accounts:
            name = account.name
            self._exchange.open_account(name, account.balances, owner=main)
            self._exchange.set_features(name, mmp=account.mmp, mass_quotes=account.mass_quotes)
        keys = tuple(account.key() for account in settings.accounts)
        user_ids = {each.name: FIRST_USER + n for n, each in enumerate(settings.accounts)}
        self._rules = settings.wire_rules()
        self._idle_after = from_seconds(self._rules.idle_seconds)
        lifetime = Nanos(settings.expires_in_seconds * SECOND)
        gate = Gatekeeper(keys, user_ids, settings.seed, lifetime, self._rules.session_eviction)
        self._venue = Venue(now, self._exchange, gate, settings.limits(), self._rules, user_ids)
        self._dispatcher = Dispatcher(self._venue)
        self._armed = Armed(str(settings.seed))
        self._sockets = Sockets(settings, self._exchange, self._venue, self._armed)
        self._operator = Operator(self._exchange, market, self._venue, self._sockets, self._armed)
        self._glance = msgspec.json.Decoder(_Glance).decode
        self._record: deque[Deed] = deque(maxlen=RECORD_MAX)
        self._clock_words: list[Deed] = []
        entries = tuple(script)
        for entry in entries:
            self._check(entry)
        self._timeline = Timeline(now, entries)
        self._market_at = market.start(now, self._exchange)
        self._exchange.drain()

    # -- sockets ---------------------------------------------------------------------------------

    def admission(self, peer: str) -> int:
        """The HTTP status a handshake from this address gets: 101, 429 or 503."""
        if self._venue.maintenance:
            return HTTP_UNAVAILABLE
        refusal = self._armed.handshake()
        if refusal is not None:
            return refusal
        same = [s for s in self._venue.sessions.values() if s.peer == peer]
        return HTTP_TOO_MANY if len(same) >= self._settings.connections_max else HTTP_SWITCHING

    def opened(self, now: Nanos, conn: int, peer: str) -> list[Effect]:
        """A socket is open. `conn` is the host's number for it, never used again."""
        self._advance(now)
        self._venue.sessions[conn] = Session(conn, peer, now, self._idle_after)
        return self._sockets.take(now)

    def received(self, now: Nanos, conn: int, frame: bytes) -> list[Effect]:
        """One text frame from a socket. One that was closed meanwhile is not listened to."""
        self._advance(now)
        session = self._venue.sessions.get(conn)
        if session is not None and self._sockets.hears(conn):
            session.heard = now
            if self._rules.heartbeat_answer == "any" and session.heartbeat is not None:
                session.heartbeat.answered()
            self._serve(now, session, frame)
        return self._sockets.take(now)

    def closed(self, now: Nanos, conn: int) -> list[Effect]:
        """A socket is gone, whoever closed it. Cancel on disconnect acts here."""
        self._advance(now)
        self._sockets.forget(now, conn)
        self._tell(now)
        return self._sockets.take(now)

    def http(self, now: Nanos, request: HttpRequest) -> tuple[HttpAnswer | None, list[Effect]]:
        """One JSON-RPC request over HTTP, and what it makes leave on the sockets.

        None: the connection ends without an answer.
        """
        self._advance(now)
        fault, glance = None, _Glance()
        if self._armed.on_requests:
            glance = self._glanced(request.body, request.path.removeprefix("/api/v2").strip("/"))
            account = self._venue.gate.claimed(request.authorization)
            fault = self._armed.request(None, account, glance.method)
        answer: HttpAnswer | None = None
        if not _unseen(fault):
            answer = self._dispatcher.http(now, request)
            self._tell(now)
        if isinstance(fault, AnswerError):
            wrong = _wrong(fault, glance.id).text(now, now).encode()
            answer = HttpAnswer(HTTP_BAD_REQUEST, wrong)
        elif fault is not None:
            answer = None
        return answer, self._sockets.take(now)

    def ask(
        self, now: Nanos, peer: str, key: tuple[str, str] | None, frame: bytes
    ) -> tuple[bytes | None, list[Effect]]:
        """One JSON-RPC body posted with a key, as `http` without a host around it."""
        authorization = ""
        if key is not None:
            authorization = "Basic " + b64encode(":".join(key).encode()).decode()
        request = HttpRequest(
            verb="POST",
            target="/api/v2",
            path="/api/v2",
            query={},
            authorization=authorization,
            body=frame,
            peer=peer,
        )
        answer, effects = self.http(now, request)
        return None if answer is None else answer.body, effects

    def deafened(self) -> list[int]:
        """Connections that have stopped to listen since the last call; a host stops to read them."""
        return self._sockets.deafened()

    def _serve(self, now: Nanos, session: Session, frame: bytes) -> None:
        fault, glance = None, _Glance()
        if self._armed.on_requests:
            glance = self._glanced(frame, "")
            fault = self._armed.request(session.conn, account_of(session), glance.method)
        if isinstance(fault, LoseRequest):
            self._sockets.close(now, session.conn, CUT, "request lost")
            return
        answered = Answered(method=glance.method, reply=None)
        if not _unseen(fault):
            answered = self._dispatcher.frame(now, session, frame)
        if isinstance(fault, AnswerError):
            answered = msgspec.structs.replace(answered, reply=_wrong(fault, glance.id))
            if answered.waiting is not None:
                answered.waiting.respond = None
        due = self._sockets.answer(now, session, answered, lost=isinstance(fault, LoseAnswer))
        if answered.queue and answered.reply is not None:
            self._dispatcher.queued(answered.queue, due)

    def _glanced(self, data: bytes, method: str) -> _Glance:
        """Method and id of a request; what cannot be read meets no fault."""
        try:
            glance = self._glance(data) if data else _Glance()
        except msgspec.DecodeError:
            return _Glance(method=method)
        return glance if glance.method else _Glance(method=method, id=glance.id)

    def _tell(self, now: Nanos) -> None:
        self._sockets.notify(now, self._sockets.told(now))

    # -- time ------------------------------------------------------------------------------------

    def next_wake(self) -> Nanos:
        """When `wake` is due if nothing else happens."""
        times = (
            self._market_at,
            self._exchange.next_wake(),
            self._venue.hub.due(),
            self._sockets.next_wake(),
            self._timeline.due(),
        )
        return min(time for time in times if time is not None)

    def wake(self, now: Nanos) -> list[Effect]:
        """Let time pass."""
        self._advance(now)
        self._sockets.beat(now)
        return self._sockets.take(now)

    def step(self, now: Nanos) -> list[Effect]:
        """Let everything happen that time holds up to `now`; no connection grows older by it."""
        self._excuse(now)
        effects: list[Effect] = []
        while (due := self.next_wake()) <= now:
            effects += self.wake(max(due, self._exchange.now))
        return effects + self.wake(now)

    def jump(self, now: Nanos) -> list[Effect]:
        """Pass over the time up to `now`: the market sleeps and no connection grows older, but what the
        exchange's calendar holds takes place."""
        self._excuse(now)
        if isinstance(self._market, Sleeper):
            self._market_at = self._market.put_off(Nanos(now - self._exchange.now))
        self._market_at = max(self._market_at, now)
        while (said_at := self._timeline.due()) is not None and said_at <= now:
            self._say(said_at)
        self._exchange.advance(now)
        return self.wake(now)

    def _excuse(self, now: Nanos) -> None:
        for session in self._venue.sessions.values():
            session.put_off(Nanos(now - self._exchange.now))

    def _advance(self, now: Nanos) -> None:
        """Whatever the exchange, its market and the batched channels had to do by now, in order."""
        while True:
            hub_at, said_at = self._venue.hub.due(), self._timeline.due()
            due = min(self._market_at, self._exchange.next_wake())
            if said_at is not None and said_at <= min(due, now, hub_at or due):
                self._say(said_at)
            elif hub_at is not None and hub_at <= min(due, now):
                self._sockets.notify(now, self._venue.hub.wake(hub_at))
            elif due <= now:
                self._exchange.advance(due)
                if self._market_at <= due:
                    self._market_at = self._market.wake(due)
                self._tell(due)
            else:
                break
        self._exchange.advance(now)
        self._tell(now)

    # -- the operator's side ---------------------------------------------------------------------

    def fault(self, now: Nanos, fault: Fault) -> list[Effect]:
        """Carry out a fault, or arm it. Raises ValueError when it names what is not there."""
        self._advance(now)
        self._carry_out(now, fault)
        self.note(Deed(now=now, word=fault))
        return self._sockets.take(now)

    def clock_words(self) -> list[Deed]:
        """What the timeline has said of time since the last call; a host that follows a clock does so,
        and notes it."""
        said, self._clock_words = self._clock_words, []
        return said

    def note(self, deed: Deed) -> None:
        """Keep what somebody else did."""
        self._record.append(deed)

    def record(self) -> list[Deed]:
        """What was done by an operator and by the timeline, and what of it could not be."""
        return list(self._record)

    def _carry_out(self, now: Nanos, fault: Fault) -> None:
        market_at = self._operator.carry_out(now, fault)
        if market_at is not None:
            self._market_at = market_at

    def _say(self, now: Nanos) -> None:
        """The timeline's next word. What cannot be done is noted; the exchange goes on."""
        self._exchange.advance(now)
        self._tell(now)
        entry = self._timeline.take()
        deed = Deed(now=now, word=entry.word, entry=entry.number)
        if isinstance(entry.word, ClockWord):
            self._clock_words.append(deed)
            return
        try:
            self._carry_out(now, entry.word)
        except ValueError as refusal:
            deed = msgspec.structs.replace(deed, error=str(refusal))
        self.note(deed)

    def _check(self, entry: Entry) -> None:
        if isinstance(entry.word, ClockWord):
            return
        try:
            self._operator.check(entry.word)
        except ValueError as error:
            raise ValueError(f"timeline entry {entry.number}: {error}") from None

    def armed(self) -> tuple[Standing, ...]:
        """The faults that wait, in the order in which they were armed."""
        return self._armed.standing()

    def lift(self, number: int) -> bool:
        """Let an armed fault wait no more; False when there is none of that number."""
        return self._armed.lift(number)

    def lift_all(self) -> int:
        """Let none wait any more; how many there were."""
        return self._armed.lift_all()

    def watch(self, observer: Callable[[Event], None]) -> Exchange:
        """The engine, for an auditor who is told its every event from now on."""
        self._sockets.observer = observer
        return self._exchange

    def ledger(self, now: Nanos) -> views.View:
        """What an auditor compares a client's books with, account by account."""
        self._advance(now)
        return views.ledger(now, self._exchange, self._market, self._venue)

    def state(self, now: Nanos) -> views.View:
        """The exchange at a glance."""
        self._advance(now)
        left = {"armed": len(self.armed()), "timeline_left": self._timeline.left}
        return views.state(now, self._exchange, self._market, self._venue) | left

    def connections(self, now: Nanos) -> list[views.View]:
        """Every open WebSocket."""
        return views.connections(now, self._venue, self._sockets)

    def listings(self) -> list[views.View]:
        """Every instrument, as `public/get_instrument` shows it."""
        return views.listings(self._exchange)


def _unseen(fault: RequestFault | None) -> bool:
    """Whether a fault keeps the exchange from looking at the request."""
    return isinstance(fault, LoseRequest) or (isinstance(fault, AnswerError) and not fault.executed)


def _wrong(fault: AnswerError, number: int | str | None) -> Response:
    return Response(
        number, error=RpcError(fault.code, fault.message or WORDS.get(fault.code, "error"))
    )
