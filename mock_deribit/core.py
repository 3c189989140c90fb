"""The mock exchange as one pure object: frames and time in, frames out.

Owns: the engine, its market, the sessions and everything in between. The same object stands behind a real
socket and inside simulated time; it opens nothing, reads no clock, and the same calls give the same bytes.
Every method that takes `now` answers with what must leave by then; `next_wake` says when to call `wake`.
"""

from base64 import b64encode

from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.events import OrderUpdated
from mock_deribit.exchange.listing import Listing
from mock_deribit.exchange.messages import OrderState
from mock_deribit.faults import (
    CrossedBook,
    CutAll,
    Delay,
    DropFrames,
    Fault,
    Faults,
    Lock,
    LoseAnswer,
    Maintenance,
)
from mock_deribit.market.market import Market
from mock_deribit.rpc.auth import Gatekeeper
from mock_deribit.rpc.dispatch import Answered, Dispatcher, HttpAnswer, HttpRequest
from mock_deribit.rpc.hub import Frame
from mock_deribit.rpc.outbox import CUT, Close, Effect, Outbox, Reply
from mock_deribit.rpc.session import Session
from mock_deribit.rpc.venue import Venue
from mock_deribit.settings import MockSettings
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import SECOND

HEARTBEAT_CLOSE = 4000
SESSION_TERMINATED = 1008
GOING_AWAY = 1001

HTTP_TOO_MANY = 429
HTTP_UNAVAILABLE = 503
HTTP_SWITCHING = 101

FEED = "feed"
FIRST_USER = 1001


class MockDeribit:
    """Deribit, small and obedient. Raises KeyError for a connection that was never opened."""

    def __init__(
        self, now: Nanos, settings: MockSettings, listings: tuple[Listing, ...], market: Market
    ) -> None:
        self._settings = settings
        self._market = market
        self._exchange = Exchange(now, listings, market.index_prices, str(settings.seed))
        for account in settings.accounts:
            self._exchange.open_account(account.name, {"BTC": account.balance_btc})
        keys = tuple(account.key() for account in settings.accounts)
        self._users = tuple(account.name for account in settings.accounts)
        user_ids = {name: FIRST_USER + n for n, name in enumerate(self._users)}
        self._rules = settings.wire_rules()
        lifetime = Nanos(settings.expires_in_seconds * SECOND)
        gate = Gatekeeper(keys, user_ids, settings.seed, lifetime, self._rules.session_eviction)
        self._venue = Venue(now, self._exchange, gate, settings.limits(), self._rules, user_ids)
        self._dispatcher = Dispatcher(self._venue)
        self._outbox = Outbox()
        self._faults = Faults()
        self._draws = Stream(f"{settings.seed}|mock|wire")
        self._market_at = market.start(now, self._exchange)
        self._exchange.drain()

    # -- sockets ---------------------------------------------------------------------------------

    def admission(self, peer: str) -> int:
        """The HTTP status a handshake from this address gets: 101, 429 or 503."""
        if self._venue.maintenance:
            return HTTP_UNAVAILABLE
        same = [s for s in self._venue.sessions.values() if s.peer == peer]
        return HTTP_TOO_MANY if len(same) >= self._settings.connections_max else HTTP_SWITCHING

    def opened(self, now: Nanos, conn: int, peer: str) -> list[Effect]:
        """A socket is open. `conn` is the host's number for it, never used again."""
        self._advance(now)
        self._venue.sessions[conn] = Session(conn, peer, now)
        return self._outbox.take(now)

    def received(self, now: Nanos, conn: int, frame: bytes) -> list[Effect]:
        """One text frame from a socket. One that was closed meanwhile is not listened to."""
        self._advance(now)
        session = self._venue.sessions.get(conn)
        if session is not None:
            session.heard = now
            if self._rules.heartbeat_answer == "any" and session.heartbeat is not None:
                session.heartbeat.answered()
            self._answer(now, session, self._dispatcher.frame(now, session, frame))
        return self._outbox.take(now)

    def closed(self, now: Nanos, conn: int) -> list[Effect]:
        """A socket is gone, whoever closed it. Cancel on disconnect acts here."""
        self._advance(now)
        self._drop(now, conn)
        self._notify(now, self._events(now))
        return self._outbox.take(now)

    def http(self, now: Nanos, request: HttpRequest) -> tuple[HttpAnswer, list[Effect]]:
        """One JSON-RPC request over HTTP, and what it makes leave on the sockets."""
        self._advance(now)
        answer = self._dispatcher.http(now, request)
        self._notify(now, self._events(now))
        return answer, self._outbox.take(now)

    def ask(
        self, now: Nanos, peer: str, key: tuple[str, str] | None, frame: bytes
    ) -> tuple[bytes, list[Effect]]:
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
        return answer.body, effects

    # -- time ------------------------------------------------------------------------------------

    def next_wake(self) -> Nanos:
        """When `wake` is due if nothing else happens."""
        times = [self._market_at, self._exchange.next_wake(), self._venue.hub.due()]
        times += [session.due() for session in self._venue.sessions.values()]
        times.append(self._outbox.due())
        return min(time for time in times if time is not None)

    def wake(self, now: Nanos) -> list[Effect]:
        """Let time pass."""
        self._advance(now)
        for session in list(self._venue.sessions.values()):
            self._beat(now, session)
        return self._outbox.take(now)

    def _advance(self, now: Nanos) -> None:
        """Whatever the exchange, its market and the batched channels had to do by now, in order."""
        while True:
            hub_at = self._venue.hub.due()
            due = min(self._market_at, self._exchange.next_wake())
            if hub_at is not None and hub_at <= min(due, now):
                self._notify(now, self._venue.hub.wake(hub_at))
            elif due <= now:
                self._exchange.advance(due)
                if self._market_at <= due:
                    self._market_at = self._market.wake(due)
                self._notify(now, self._events(due))
            else:
                break
        self._exchange.advance(now)
        self._notify(now, self._events(now))

    def _beat(self, now: Nanos, session: Session) -> None:
        if session.idle(now):
            self._close(now, session.conn, CUT, "idle")
            return
        if session.heartbeat is None:
            return
        beat = session.heartbeat.beat(now)
        if beat.dead:
            self._close(now, session.conn, HEARTBEAT_CLOSE, "heartbeat close")
        for kind in beat.frames:
            text = f'{{"params":{{"type":"{kind}"}},"method":"heartbeat","jsonrpc":"2.0"}}'
            self._say(now, session.conn, FEED, text)

    # -- answers and frames ----------------------------------------------------------------------

    def _answer(self, now: Nanos, session: Session, answered: Answered) -> None:
        """Send the reply and the frames its request caused, in either order as on Deribit.

        Frames of a subscription always follow their acknowledgement.
        """
        caused = self._events(now)
        lost = self._faults.loses(answered.method)
        if self._rules.shuffled_frames:
            caused = self._shuffled(caused)
        frames_first = bool(caused) and self._draws.chance(self._rules.early_frames)
        if frames_first:
            self._notify(now, caused)
        if lost:
            self._close(now, session.conn, CUT, "answer lost")
        elif answered.reply is not None:
            lane = FEED if answered.after else answered.lane
            due = self._outbox.slot(now, session.conn, lane, self._delay())
            text = answered.reply.text(now, due)
            self._outbox.put(now, lane, due, Reply(session.conn, text.encode()))
            if answered.queue:
                self._dispatcher.queued(answered.queue, due)
        if not frames_first:
            self._notify(now, caused)
        self._notify(now, answered.after)
        if answered.hang_up:
            self._close(now, session.conn, GOING_AWAY, "")
        elif answered.limited and self._rules.rate_limit == "close":
            self._close(now, session.conn, SESSION_TERMINATED, "too_many_requests")

    def _shuffled(self, frames: list[Frame]) -> list[Frame]:
        """The frames with their channels in a random order; within a channel nothing moves."""
        channels: dict[tuple[int, str], list[Frame]] = {}
        for frame in frames:
            channels.setdefault((frame.conn, frame.channel), []).append(frame)
        left, order = list(channels.values()), []
        while left:
            order += left.pop(self._draws.below(len(left)))
        return order

    def _events(self, now: Nanos) -> list[Frame]:
        frames: list[Frame] = []
        for event in self._exchange.drain():
            if isinstance(event, OrderUpdated) and event.order.state is not OrderState.OPEN:
                for session in self._venue.sessions.values():
                    session.orders.pop(event.order.order_id, None)
            frames += self._venue.hub.tell(now, event)
        return frames

    def _notify(self, now: Nanos, frames: list[Frame]) -> None:
        for frame in frames:
            if not self._faults.drops(frame.channel):
                self._say(now, frame.conn, FEED, frame.text)

    def _say(self, now: Nanos, conn: int, lane: str, text: str) -> None:
        session = self._venue.sessions.get(conn)
        if session is None:
            return
        if session.heartbeat is not None and lane == FEED:
            session.heartbeat.busy()
        due = self._outbox.slot(now, conn, lane, self._delay())
        self._outbox.put(now, lane, due, Reply(conn, text.encode()))

    def _delay(self) -> Nanos:
        """Half of the mean latency is fixed, the other half exponential."""
        mean = self._settings.latency_ms
        jitter = self._draws.exponential(mean / 2) if mean else 0.0
        return Nanos(round((mean / 2 + jitter + self._faults.delay_ms) * 1e6))

    def _close(self, now: Nanos, conn: int, code: int, reason: str) -> None:
        self._outbox.put(now, FEED, now, Close(conn, code, reason))
        self._drop(now, conn)
        self._notify(now, self._events(now))

    def _drop(self, now: Nanos, conn: int) -> None:
        """Forget a socket; if it asked for it, cancel what it placed."""
        session = self._venue.sessions.pop(conn, None)
        if session is None:
            return
        for channel, account in session.channels.items():
            self._venue.hub.unsubscribe(conn, account, channel)
        self._venue.gate.closed(conn)
        self._outbox.forget(conn)
        if session.cancel_on_disconnect:
            for order_id, account in session.orders.items():
                self._exchange.cancel(now, account, order_id, "cancel_on_disconnect")

    # -- the operator's side ---------------------------------------------------------------------

    def fault(self, now: Nanos, fault: Fault) -> list[Effect]:
        """Carry out a fault, or arm it. Raises ValueError when it names what is not there."""
        self._advance(now)
        match fault:
            case CutAll():
                self._close_all(now, CUT, "cut")
            case DropFrames():
                self._faults.order_drop(fault)
            case LoseAnswer():
                self._faults.order_loss(fault)
            case Delay(milliseconds=delay):
                self._faults.delay_ms = delay
            case CrossedBook(instrument=name):
                self._require(name, [listing.name for listing in self._exchange.listings])
                self._notify(now, self._venue.hub.cross(name))
            case Lock(index=index, locked=locked):
                self._require(index, list(self._market.index_prices))
                self._exchange.set_locked(now, index, locked)
                self._notify(now, self._events(now))
            case Maintenance(on=on):
                self._venue.maintenance = on
                self._notify(now, self._venue.hub.announce("platform_state", {"maintenance": on}))
                if on:
                    self._close_all(now, GOING_AWAY, "maintenance")
        return self._outbox.take(now)

    @staticmethod
    def _require(name: str, known: list[str]) -> None:
        if name not in known:
            raise ValueError(f"there is no {name} here; expected one of {', '.join(known)}")

    def _close_all(self, now: Nanos, code: int, reason: str) -> None:
        for conn in list(self._venue.sessions):
            self._close(now, conn, code, reason)

    def ledger(self, now: Nanos) -> dict[str, object]:
        """What an auditor compares a client's books with, account by account."""
        self._advance(now)
        exchange = self._exchange
        return {
            "ts": now,
            "market_ended": self._market.ended,
            "connections": len(self._venue.sessions),
            "fees_paid": {"BTC": exchange.fees_paid("BTC")},
            "accounts": {
                name: {
                    "portfolio": exchange.portfolio(name, "BTC"),
                    "positions": exchange.positions(name),
                    "open_orders": exchange.open_orders(name),
                    "trades": exchange.user_trades(name),
                }
                for name in self._users
            },
        }
