"""A market-data core on the wire of the pure mock exchange, with one clock for both, moved by hand."""

import json
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from services.marketdata.core import LINK, Marketdata
from shared.deribit.vault import Vault
from shared.kernel import (
    Core,
    Cut,
    Effect,
    Event,
    FrameIn,
    LinkDown,
    LinkUp,
    Message,
    Nanos,
    Publish,
    Send,
    Started,
    Wake,
    WakeAt,
)
from shared.messages import Anomaly, Book, FeedState, FeedStatus
from shared.params import Params, change_params
from shared.units import Side, from_seconds
from tests.support.exchange import SECRET, Bench, Json

M = TypeVar("M", bound=Message)
PERPETUAL = "BTC-PERPETUAL"
BOOK_CHANNEL = f"book.{PERPETUAL}.100ms"


class Scene:
    """Both ends of the public socket. `deaf` loses what the venue sends, `tamper` changes it."""

    def __init__(self, params: dict[str, Any] | None = None) -> None:
        self.bench = Bench()
        self.core: Core = Marketdata(change_params(Params(), params or {}))
        self.said: list[Message] = []
        self.sent: list[bytes] = []
        self.cuts: list[str] = []
        self.deaf = False
        self.tamper: Callable[[Json], Json] = lambda frame: frame
        self._vault = Vault("mock-maker", SECRET)
        self._conn: int | None = None
        self._timers: dict[str, Nanos] = {}
        self._tell(Started(incarnation=1))

    @property
    def now(self) -> Nanos:
        """The time for both ends."""
        return self.bench.now

    def connect(self) -> "Scene":
        """The socket opens and everything that follows from it happens."""
        self._conn = self.bench.open()
        self._tell(LinkUp(link=LINK))
        self._exchange_frames()
        return self

    def disconnect(self) -> None:
        """The socket is gone at both ends."""
        if self._conn is not None:
            self.bench.hang_up(self._conn)
            self._conn = None
        self._tell(LinkDown(link=LINK, reason="cut by the test"))

    def venue_says(self, channel: str, data: object) -> None:
        """A frame that the mock would not send by itself."""
        params = {"channel": channel, "data": data}
        self.raw(
            json.dumps({"jsonrpc": "2.0", "method": "subscription", "params": params}).encode()
        )

    def raw(self, frame: bytes) -> None:
        """Any bytes on the socket."""
        self._tell(FrameIn(link=LINK, data=frame))
        self._exchange_frames()

    def tell(self, event: Event) -> None:
        """Something from the bus."""
        self._tell(event)
        self._exchange_frames()

    def pass_time(self, seconds: float, step_s: float = 0.1) -> None:
        """Let time pass at both ends."""
        end = self.now + from_seconds(seconds)
        while self.now < end:
            self.bench.pass_time(min(step_s, (end - self.now) / 1e9))
            self._exchange_frames()
            for timer, at in sorted(self._timers.items(), key=lambda item: item[1]):
                if at <= self.now and self._timers.get(timer) == at:
                    del self._timers[timer]
                    self._tell(Wake(timer=timer))
            self._exchange_frames()

    def heard(self, kind: type[M], name: str | None = None) -> list[M]:
        """Everything said of a kind, of one instrument or of all."""
        return [
            message
            for message in self.said
            if isinstance(message, kind) and name in (None, getattr(message, "instrument", None))
        ]

    def state(self, name: str = PERPETUAL) -> FeedState:
        """The last word on an instrument's feed."""
        return self.heard(FeedStatus, name)[-1].state

    def book(self, name: str = PERPETUAL) -> Book:
        """The last book published."""
        return self.heard(Book, name)[-1]

    def kinds(self) -> list[str]:
        """The kind of every anomaly."""
        return [anomaly.kind for anomaly in self.heard(Anomaly)]

    def move(self, price: float = 59_990.0, amount: float = 770.0) -> None:
        """Somebody else's order, so that the book changes."""
        self.bench.others(PERPETUAL, Side.BUY, price, amount)
        self.pass_time(0.2)

    def asked(self, method: str) -> list[dict[str, Any]]:
        """The params of every request of a method."""
        requests = [msgspec.json.decode(data) for data in self.sent]
        return [request["params"] for request in requests if request["method"] == method]

    def _exchange_frames(self) -> None:
        """Carry frames to and fro until both ends are silent."""
        while self._conn is not None and self.bench.inbox[self._conn]:
            frames, self.bench.inbox[self._conn] = self.bench.inbox[self._conn], []
            for frame in frames:
                if not self.deaf:
                    self._tell(FrameIn(link=LINK, data=json.dumps(self.tamper(frame)).encode()))

    def _tell(self, event: Event) -> None:
        effects: deque[Effect] = deque(self.core.handle(self.now, event))
        for effect in effects:
            match effect:
                case Publish(message):
                    self.said.append(message)
                case Send(_, data):
                    self.sent.append(data)
                    assert self._conn is not None
                    self.bench.raw(self._conn, self._vault.reveal(data))
                case WakeAt(timer, at):
                    self._timers[timer] = at
                case Cut(_, reason):
                    self.cuts.append(reason)
