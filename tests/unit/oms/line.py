"""An OMS on the pure mock exchange, joined by a line that the test can delay, lose, double and cut.

Time moves only when told; what the OMS says is kept.
"""

import json
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from mock_deribit.core import MockDeribit
from mock_deribit.exchange.listing import btc_listings
from mock_deribit.faults import Fault
from mock_deribit.market.still import StillMarket
from mock_deribit.rpc.outbox import Close, Reply
from services.oms.core import Oms
from shared.deribit.vault import Vault
from shared.kernel import (
    Cut,
    Effect,
    Event,
    FrameIn,
    Halt,
    LinkDown,
    LinkUp,
    Message,
    Nanos,
    Publish,
    Restored,
    Send,
    Started,
    Store,
    Wake,
    WakeAt,
)
from shared.messages import (
    Anomaly,
)
from shared.messages.codec import encode
from shared.params import Params, change_params
from shared.units import MILLISECOND, from_seconds
from tests.support.exchange import SECRET, START, settings_for_tests

PERPETUAL = "BTC-PERPETUAL"
LATENCY = Nanos(2 * MILLISECOND)

Tamper = Callable[[bytes], list[int]]
"""Delays in nanoseconds, one for each copy of an incoming frame that is to arrive."""


def once(_: bytes) -> list[int]:
    """The honest line."""
    return [LATENCY]


class Line:
    """The OMS, the exchange, the line and the clock."""

    def __init__(
        self,
        state: dict[str, str] | None = None,
        market: StillMarket | None = None,
        changes: dict[str, Any] | None = None,
        limits: dict[str, object] | None = None,
    ) -> None:
        self.now = START
        self.market = StillMarket() if market is None else market
        generous: dict[str, object] = {"matching_rate": 1000.0, "matching_burst": 1000.0}
        settings = settings_for_tests(**(limits or generous))
        listings = btc_listings(self.now)
        self.exchange = MockDeribit(self.now, settings, listings, self.market)
        self.specs = {listing.name: listing.instrument for listing in listings}
        self.params = change_params(
            Params(), {"oms.burst": 100, "oms.rate_per_s": 50, **(changes or {})}
        )
        self.state = {} if state is None else state
        self.tamper: Tamper = once
        self.connectable = True
        self.http_works = True
        self._swallowed = b""
        self._refusals: list[tuple[str, int]] = []
        self._lies: list[tuple[str, int]] = []
        self._lied: dict[int, bytes] = {}
        self.rewrite: Callable[[bytes], bytes] = bytes
        self.incarnation = 0
        self._conns = 0
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._sequence = 0
        self.conn: int | None = None
        self.start()

    def start(self) -> None:
        """A new process of the OMS on the stored state; its socket opens a moment later."""
        self.oms = Oms(self.params)
        self.vault = Vault("mock-maker", SECRET)
        self.timers: dict[str, Nanos] = {}
        self.said: list[Message] = []
        self.sent: list[dict[str, Any]] = []
        self.sent_http: list[dict[str, Any]] = []
        self.halts: list[str] = []
        self.journal: list[tuple[Nanos, Event, list[bytes]]] = []
        self.incarnation += 1
        for key in self.oms.remembers:
            self.tell(Restored(key=key, value=self.state.get(key)))
        self.tell(Started(incarnation=self.incarnation))
        self.at(MILLISECOND, self.connect)

    def crash(self) -> None:
        """The process is gone; the exchange sees its socket close."""
        self.hang_up()
        self.timers.clear()
        self._heap.clear()

    # -- the line --------------------------------------------------------------------------------

    def at(self, delay: int, action: Callable[[], None]) -> None:
        """Do something after a delay."""
        self._sequence += 1
        heappush(self._heap, (self.now + delay, self._sequence, action))

    def connect(self) -> None:
        """The socket opens, as the host would see to, unless the exchange is out of reach."""
        if not self.connectable:
            self.at(100 * MILLISECOND, self.connect)
            return
        self._conns += 1
        self.conn = self._conns
        self._carry_in(self.exchange.opened(self.now, self.conn, "10.0.0.1"))
        self.tell(LinkUp(link="private"))

    def hang_up(self) -> None:
        """Our end of the line is dead."""
        if self.conn is not None:
            conn, self.conn = self.conn, None
            self._carry_in(self.exchange.closed(self.now, conn))

    def tell_down(self) -> None:
        """The process learns that its socket is gone; the exchange may not know of it yet."""
        self.tell(LinkDown(link="private", reason="dead"))
        self.at(50 * MILLISECOND, self.connect)

    def cut(self, reason: str = "cut") -> None:
        """The line breaks; the host reconnects after a while."""
        self.hang_up()
        self.tell(LinkDown(link="private", reason=reason))
        self.at(50 * MILLISECOND, self.connect)

    def fault(self, fault: Fault) -> None:
        """Order a fault of the exchange."""
        self._carry_in(self.exchange.fault(self.now, fault))

    def _carry_in(self, effects: list[Any]) -> None:
        for effect in effects:
            match effect:
                case Reply(conn=conn, data=said):
                    data = self._believed(said)
                    for delay in self.tamper(data):
                        self.at(delay, self._receiver(conn, data))
                case Close(conn=conn, reason=reason):
                    self.at(LATENCY, self._closer(conn, reason))

    def receive(self, data: bytes) -> None:
        """A frame out of nowhere."""
        self.tell(FrameIn(link="private", data=data))

    def _receiver(self, conn: int, data: bytes) -> Callable[[], None]:
        def receive() -> None:
            if conn == self.conn:
                self.tell(FrameIn(link="private", data=self.vault.hide(data)))

        return receive

    def _closer(self, conn: int, reason: str) -> Callable[[], None]:
        def close() -> None:
            if conn == self.conn:
                self.conn = None
                self.tell(LinkDown(link="private", reason=reason))
                self.at(50 * MILLISECOND, self.connect)

        return close

    def swallow(self, words: bytes) -> None:
        """Frames with these words never arrive at the exchange; empty: all do again."""
        self._swallowed = words

    def refuse(self, method: str, code: int, times: int = 1) -> None:
        """The next requests of a method are answered with an error instead of being carried out."""
        self._refusals += [(method, code)] * times

    def belie(self, method: str, code: int) -> None:
        """The next request of a method is carried out, and answered with an error."""
        self._lies.append((method, code))

    def _believed(self, data: bytes) -> bytes:
        """A frame as it arrives: an answer that is a lie has been exchanged for it."""
        number = json.loads(data).get("id")
        return self._lied.pop(number, data)

    def _note_lie(self, frame: dict[str, Any]) -> None:
        for number, (method, code) in enumerate(self._lies):
            if frame["method"] == method:
                del self._lies[number]
                error = {"code": code, "message": "belied by the test"}
                answer = {"jsonrpc": "2.0", "id": frame["id"], "error": error}
                self._lied[frame["id"]] = json.dumps(answer).encode()
                return

    def _refused(self, frame: dict[str, Any]) -> bool:
        for number, (method, code) in enumerate(self._refusals):
            if frame["method"] == method:
                del self._refusals[number]
                error = {"code": code, "message": "refused by the test"}
                answer = {"jsonrpc": "2.0", "id": frame["id"], "error": error}
                self.at(LATENCY, self._receiver(self._conns, json.dumps(answer).encode()))
                return True
        return False

    def _carry_out(self, data: bytes) -> None:
        conn = self.conn
        data = self.rewrite(data)
        self.sent.append(json.loads(data))
        self._note_lie(self.sent[-1])
        if (self._swallowed and self._swallowed in data) or self._refused(self.sent[-1]):
            return

        def arrive() -> None:
            if conn is not None and conn == self.conn:
                frame = self.vault.reveal(data)
                self._carry_in(self.exchange.received(self.now, conn, frame))

        self.at(LATENCY, arrive)

    def _carry_out_http(self, data: bytes) -> None:
        self.sent_http.append(json.loads(data))
        if not self.http_works:
            return

        def arrive() -> None:
            key = ("mock-maker", SECRET)
            answer, effects = self.exchange.ask(self.now, "10.0.0.1", key, data)
            self._carry_in(effects)
            if answer is not None:
                told = FrameIn(link="http", data=answer)
                self.at(LATENCY, lambda: self.tell(told))

        self.at(LATENCY, arrive)

    # -- the core --------------------------------------------------------------------------------

    def tell(self, event: Event) -> None:
        """One event, now."""
        effects = self.oms.handle(self.now, event)
        self.journal.append((self.now, event, [encode(effect) for effect in effects]))
        for effect in effects:
            self._do(effect)

    def _do(self, effect: Effect) -> None:
        match effect:
            case Publish(message):
                self.said.append(message)
            case Send("http", data):
                self._carry_out_http(data)
            case Send(_, data):
                self._carry_out(data)
            case WakeAt(timer, at):
                self.timers[timer] = at
            case Store(key, value):
                self.state[key] = value
            case Cut(_, reason):
                self.at(0, lambda: self.cut(reason) if self.conn is not None else None)
            case Halt(reason):
                self.halts.append(reason)

    def pass_time(self, seconds: float) -> None:
        """Let time pass for everybody."""
        end = self.now + from_seconds(seconds)
        while True:
            timer = min(self.timers, key=lambda name: (self.timers[name], name), default=None)
            due = [self.exchange.next_wake(), end]
            due += [self._heap[0][0]] if self._heap else []
            due += [self.timers[timer]] if timer is not None else []
            self.now = Nanos(max(self.now, min(due)))
            if self._heap and self._heap[0][0] <= self.now:
                heappop(self._heap)[2]()
            elif timer is not None and self.timers[timer] <= self.now:
                del self.timers[timer]
                self.tell(Wake(timer=timer))
            elif self.exchange.next_wake() <= self.now:
                self._carry_in(self.exchange.wake(self.now))
            else:
                return

    def until(self, holds: Callable[[], object], seconds: float = 10.0) -> None:
        """Let time pass until something holds; AssertionError when it never does."""
        for _ in range(round(seconds * 1000)):
            if holds():
                return
            self.pass_time(0.001)
        kinds = [said.kind for said in self.said if isinstance(said, Anomaly)]
        raise AssertionError(f"did not happen within {seconds} s; anomalies: {kinds}")
