"""Owns the exchange's end of every WebSocket: what leaves on it, when, and how it ends.

Replies, notifications and heartbeats pass the armed faults here on their way to the outbox. A socket that is
half open stays what it is until the other side gives up.
"""

from collections.abc import Callable

from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.events import Event, HoldEnded, OrderUpdated
from mock_deribit.exchange.messages import OrderState
from mock_deribit.faults import CloseSockets, Cut, HalfOpen, SocketFault
from mock_deribit.faults.armed import Armed
from mock_deribit.rpc.dispatch import Answered
from mock_deribit.rpc.hub import Frame, LateReply
from mock_deribit.rpc.outbox import CUT, Close, Effect, Outbox, Reply
from mock_deribit.rpc.session import Session
from mock_deribit.rpc.venue import Venue
from mock_deribit.settings import MockSettings
from shared.kernel import Nanos
from shared.randomness import Stream

HEARTBEAT_CLOSE = 4000
SESSION_TERMINATED = 1008
GOING_AWAY = 1001

FEED = "feed"
HEARTBEAT = "heartbeat"
_OVERTAKEN = "overtaken"


class Sockets:
    """All open connections."""

    def __init__(
        self, settings: MockSettings, exchange: Exchange, venue: Venue, armed: Armed
    ) -> None:
        self._latency_ms = settings.latency_ms
        self._rules = settings.wire_rules()
        self._exchange = exchange
        self._venue = venue
        self._armed = armed
        self._outbox = Outbox()
        self._draws = Stream(f"{settings.seed}|mock|wire")
        self.observer: Callable[[Event], None] | None = None
        self._half_open: dict[int, HalfOpen] = {}
        self._deafened: list[int] = []

    def take(self, now: Nanos) -> list[Effect]:
        """Everything that leaves by now."""
        return self._outbox.take(now)

    def next_wake(self) -> Nanos | None:
        """When something leaves or a session needs looking at."""
        times = [session.due() for session in self._venue.sessions.values()]
        times.append(self._outbox.due())
        return min((time for time in times if time is not None), default=None)

    def hears(self, conn: int) -> bool:
        """Whether what arrives on a connection is listened to."""
        return conn not in self._half_open or self._half_open[conn].hears

    def half_open(self, conn: int) -> HalfOpen | None:
        """Which half of a connection is dead, if one is."""
        return self._half_open.get(conn)

    def deafened(self) -> list[int]:
        """Connections that have stopped to listen since the last call; their host may stop to read."""
        deafened, self._deafened = self._deafened, []
        return deafened

    # -- what leaves -----------------------------------------------------------------------------

    def answer(self, now: Nanos, session: Session, answered: Answered, *, lost: bool) -> Nanos:
        """Send the reply and the frames its request caused, in either order as on Deribit.

        Frames of a subscription always follow their acknowledgement. With `lost` the socket is cut in
        place of the reply. Returns when the reply leaves.
        """
        caused, due = self.told(now), now
        if self._rules.shuffled_frames:
            caused = self._shuffled(caused)
        # What a cut does, such as cancelling, is told after what the request has done.
        drawn = bool(caused) and self._draws.chance(self._rules.early_frames)
        frames_first = drawn or lost
        if frames_first:
            self.notify(now, caused)
        if lost:
            self.close(now, session.conn, CUT, "answer lost")
        elif answered.reply is not None:
            lane = FEED if answered.after else answered.lane
            due = self._outbox.slot(now, session.conn, lane, self._delay())
            data = answered.reply.text(now, due).encode()
            self._put(now, session, lane, due, answered.method, data)
        if not frames_first:
            self.notify(now, caused)
        self.notify(now, answered.after)
        if answered.hang_up:
            self.close(now, session.conn, GOING_AWAY, "")
        elif answered.limited and self._rules.rate_limit == "close":
            self.close(now, session.conn, SESSION_TERMINATED, "too_many_requests")
        return due

    def _shuffled(self, frames: list[Frame]) -> list[Frame]:
        """The frames with each socket's channels in a random order; within a channel nothing moves."""
        sockets: dict[int, dict[str, list[Frame]]] = {}
        for frame in frames:
            sockets.setdefault(frame.conn, {}).setdefault(frame.channel, []).append(frame)
        if len(sockets) == len(frames):
            return frames
        order = []
        for channels in sockets.values():
            left = list(channels.values())
            while len(left) > 1:
                order += left.pop(self._draws.below(len(left)))
            order += left[0]
        return order

    def told(self, now: Nanos) -> list[Frame]:
        """What the exchange's latest events say on the channels."""
        frames: list[Frame] = []
        late: list[Frame] = []
        for event in self._exchange.drain():
            if self.observer is not None:
                self.observer(event)
            if isinstance(event, OrderUpdated) and event.order.state is not OrderState.OPEN:
                for session in self._venue.sessions.values():
                    session.orders.pop(event.order.order_id, None)
            if isinstance(event, HoldEnded):
                overtaken = self._draws.chance(self._rules.early_frames)
                (late if overtaken else frames).extend(self._venue.hold_ended(now, event))
            frames += self._venue.hub.tell(now, event)
        return frames + late

    def notify(self, now: Nanos, frames: list[Frame]) -> None:
        """Send notifications."""
        hindered = self._latency_ms or self._armed.on_frames or self._half_open
        at_once, sessions = not hindered and self._outbox.is_idle, self._venue.sessions
        for frame in frames:
            session = sessions.get(frame.conn)
            if session is None:
                continue
            if session.heartbeat is not None:
                session.heartbeat.busy()
            if at_once:
                self._outbox.put_now(Reply(frame.conn, frame.data))
            elif isinstance(frame, LateReply):
                due = self._outbox.slot(now, frame.conn, frame.lane, self._delay())
                self._put(now, session, frame.lane, due, frame.channel, frame.at(due))
            else:
                self._say(now, session, frame.channel, frame.data)

    def _say(self, now: Nanos, session: Session, name: str, data: bytes) -> None:
        due = self._outbox.slot(now, session.conn, FEED, self._delay())
        self._put(now, session, FEED, due, name, data)

    def _put(
        self, now: Nanos, session: Session, lane: str, due: Nanos, name: str, data: bytes
    ) -> None:
        """On its way, unless a fault has other plans."""
        conn, copies = session.conn, 1
        if conn in self._half_open and not self._half_open[conn].speaks:
            return
        if self._armed.on_frames:
            fate = self._armed.frame(conn, account_of(session), name)
            copies, due = fate.copies, Nanos(due + fate.late)
            if fate.overtaken:
                lane, due = f"{lane}|{_OVERTAKEN}", Nanos(due + fate.overtaken)
        for _ in range(copies):
            self._outbox.put(now, lane, due, Reply(conn, data))

    def _delay(self) -> Nanos:
        """Half of the mean latency is fixed, the other half exponential."""
        mean = self._latency_ms
        if not mean:
            return Nanos(0)
        return Nanos(round((mean / 2 + self._draws.exponential(mean / 2)) * 1e6))

    # -- how they live and end -------------------------------------------------------------------

    def beat(self, now: Nanos) -> None:
        """Heartbeats that are due, and sockets that are over."""
        for session in list(self._venue.sessions.values()):
            self._beat(now, session)

    def _beat(self, now: Nanos, session: Session) -> None:
        if session.idle(now):
            self.close(now, session.conn, CUT, "idle")
            return
        if session.heartbeat is None:
            return
        beat = session.heartbeat.beat(now)
        if beat.dead:
            self.close(now, session.conn, HEARTBEAT_CLOSE, "heartbeat close")
        for kind in beat.frames:
            text = f'{{"params":{{"type":"{kind}"}},"method":"heartbeat","jsonrpc":"2.0"}}'
            self._say(now, session, HEARTBEAT, text.encode())

    def close(self, now: Nanos, conn: int, code: int, reason: str) -> None:
        """End a socket. Of a half-open one only the exchange knows that it has ended."""
        if conn not in self._half_open or self._half_open[conn].speaks:
            self._outbox.put(now, FEED, now, Close(conn, code, reason))
        self.forget(now, conn)
        self.notify(now, self.told(now))

    def close_all(self, now: Nanos, code: int, reason: str) -> None:
        """End every socket."""
        for conn in list(self._venue.sessions):
            self.close(now, conn, code, reason)

    def forget(self, now: Nanos, conn: int) -> None:
        """A socket is gone; if it asked for it, cancel what it placed."""
        self._half_open.pop(conn, None)
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

    def suffer(self, now: Nanos, fault: SocketFault) -> None:
        """Do to those connections what the operator wants."""
        for conn in self._aimed_at(fault):
            match fault:
                case Cut():
                    self.close(now, conn, CUT, "cut")
                case CloseSockets(code=code, reason=reason):
                    self.close(now, conn, code, reason)
                case HalfOpen():
                    self._half_open[conn] = fault
                    if not fault.hears:
                        self._deafened.append(conn)

    def _aimed_at(self, fault: SocketFault) -> list[int]:
        sessions = self._venue.sessions
        if fault.conn is not None and fault.conn not in sessions:
            known = ", ".join(map(str, sessions)) or "none"
            raise ValueError(f"there is no connection {fault.conn}; open are: {known}")
        return [
            conn
            for conn, session in sessions.items()
            if fault.conn in (None, conn) and fault.account in (None, account_of(session))
        ]


def account_of(session: Session) -> str:
    """The account a connection is logged in to, or nothing."""
    return session.grant.account if session.grant is not None else ""
