"""The venues of the benchmark: they send the tape, and stop the time when an order arrives.

`MockVenue` is the mock Deribit with one channel taken over: the followed book says what the tape says. All
else (login, subscriptions, the life of orders) is the mock's own, and orders are answered at once, after
their arrival was noted. `FloorVenue` says the same frames to programs that understand nothing: the last
byte of a frame names the centre, and an order is that byte again.
"""

import asyncio
import time
from typing import Protocol

import msgspec

from bench.market import HALF_SPREAD, StillMarket, bench_settings
from bench.stopwatch import Stopwatch, centre_of
from bench.tape import INSTRUMENT, Frame, Tape
from mock_deribit.core import MockDeribit
from mock_deribit.exchange.listing import btc_listings
from mock_deribit.rpc.dispatch import HttpAnswer, HttpRequest
from mock_deribit.rpc.outbox import Effect, Reply
from mock_deribit.shell.port import Port
from shared.shell.clock import Clock
from shared.units import MILLISECOND

HOST = "127.0.0.1"
CLIENT = ("bench", "bench-secret")
HELLO = b"feed"
QUIET = b"-"
FIRST_CENTRE = ord("A")
_BOOK = f'"book.{INSTRUMENT}.'.encode()
_SNAPSHOT = b'"snapshot"'
_WAIT_MAX_S = 1.0


class _OrderParams(msgspec.Struct):
    price: float | None = None


class _Request(msgspec.Struct):
    method: str
    params: _OrderParams = msgspec.field(default_factory=_OrderParams)


_request = msgspec.json.Decoder(_Request)
_QUOTES = ("private/buy", "private/sell", "private/edit")


class Venue(Protocol):
    """What the benchmark plays a tape on."""

    stopwatch: Stopwatch
    order_bytes: int
    """Size of the last order frame that arrived."""

    @property
    def is_fed(self) -> bool:
        """Whether somebody listens to the tape."""
        ...

    @property
    def frames_sent(self) -> int:
        """Frames of all kinds that left on the feed's connection since it was opened."""
        ...

    async def start(self) -> str:
        """Listen; the WebSocket's address."""
        ...

    async def stop(self) -> None:
        """Close."""
        ...

    def tape_of(self, count: int, moves: int, rate: float) -> list[Frame]:
        """The next frames, ready to be sent."""
        ...

    def play(self, frame: Frame) -> None:
        """Send one."""
        ...


class _Listener:
    """A port on which WebSockets are served."""

    def __init__(self) -> None:
        self.stopwatch = Stopwatch()
        self.order_bytes = 0
        self._feed: Port | None = None
        self._sent: dict[Port, int] = {}
        self._server: asyncio.Server | None = None

    @property
    def is_fed(self) -> bool:
        """Whether somebody listens to the tape."""
        return self._feed is not None

    @property
    def frames_sent(self) -> int:
        """Frames of all kinds that left on the feed's connection since it was opened."""
        return 0 if self._feed is None else self._sent[self._feed]

    async def start(self) -> str:
        """Listen; the WebSocket's address."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Port(_no_http, self), HOST, 0)
        port = self._server.sockets[0].getsockname()[1]
        return f"ws://{HOST}:{port}/ws/api/v2"

    async def stop(self) -> None:
        """Close."""
        if self._server is not None:
            self._server.close()
            for port in tuple(self._sent):
                port.close(1001, "the benchmark ends")
            await self._server.wait_closed()

    def admission(self, peer: str) -> int:
        """SocketOwner: everybody may come in."""
        return 101

    def opened(self, port: Port, peer: str) -> None:
        """SocketOwner: a socket is open."""
        self._sent[port] = 0

    def received(self, port: Port, frame: bytes) -> None:
        """SocketOwner: a frame arrived."""
        raise NotImplementedError

    def closed(self, port: Port) -> None:
        """SocketOwner: a socket is gone."""
        del self._sent[port]
        if self._feed is port:
            self._feed = None

    def play(self, frame: Frame) -> None:
        """Send a frame of the tape; the time is taken before the first byte moves."""
        if self._feed is None:
            raise RuntimeError("nobody listens to the tape; wait until the stack has subscribed")
        if frame.centre is not None:
            self.stopwatch.moved(frame.centre, time.perf_counter_ns())
        self._send(self._feed, frame.data)

    def _send(self, port: Port, data: bytes) -> None:
        self._sent[port] += 1
        port.send(data)


class FloorVenue(_Listener):
    """For programs that pass bytes on."""

    def __init__(self, seed: str) -> None:
        super().__init__()
        self._tape = Tape(seed)

    def tape_of(self, count: int, moves: int, rate: float) -> list[Frame]:
        """The same frames as the product's, and the byte that the floor looks at."""
        frames = self._tape.frames(count, moves, time.time_ns() // MILLISECOND, rate)
        return [Frame(frame.data + _letter(frame.centre), frame.centre) for frame in frames]

    def received(self, port: Port, frame: bytes) -> None:
        """SocketOwner: the feed says hello, the orders name their centre."""
        at = time.perf_counter_ns()
        if frame == HELLO:
            self._feed = port
        else:
            self.stopwatch.ordered(frame[0] - FIRST_CENTRE, at)


class MockVenue(_Listener):
    """The mock Deribit, its book of one instrument spoken by the tape."""

    def __init__(self, seed: str) -> None:
        super().__init__()
        self._tape = Tape(seed)
        self._clock = Clock()
        settings = bench_settings()
        account = settings.accounts[0].model_copy(
            update={"client_id": CLIENT[0], "client_secret": CLIENT[1]}
        )
        settings = settings.model_copy(update={"accounts": (account,)})
        now = self._clock()
        listings = btc_listings(now, settings.maker_fee, settings.taker_fee)
        self._core = MockDeribit(now, settings, listings, StillMarket())
        self._numbers: dict[Port, int] = {}
        self._by_number: dict[int, Port] = {}
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    async def start(self) -> str:
        """Listen, and let the mock's time run."""
        url = await super().start()
        self._rearm()
        return url

    async def stop(self) -> None:
        """Close."""
        if self._timer is not None:
            self._timer.cancel()
        await super().stop()

    def tape_of(self, count: int, moves: int, rate: float) -> list[Frame]:
        """The next frames of the chain that began with the snapshot."""
        return self._tape.frames(count, moves, self._clock() // MILLISECOND, rate)

    def opened(self, port: Port, peer: str) -> None:
        """SocketOwner: a socket is open."""
        super().opened(port, peer)
        self._count += 1
        self._numbers[port], self._by_number[self._count] = self._count, port
        self._perform(self._core.opened(self._clock(), self._count, peer))

    def received(self, port: Port, frame: bytes) -> None:
        """SocketOwner: a request; if it is an order, its time is noted before anything else."""
        at = time.perf_counter_ns()
        request = _request.decode(frame)
        if request.method in _QUOTES and request.params.price is not None:
            self.stopwatch.ordered(centre_of(request.params.price, HALF_SPREAD), at)
            self.order_bytes = len(frame)
        self._perform(self._core.received(self._clock(), self._numbers[port], frame))

    def closed(self, port: Port) -> None:
        """SocketOwner: a socket is gone."""
        super().closed(port)
        number = self._numbers.pop(port)
        del self._by_number[number]
        self._perform(self._core.closed(self._clock(), number))

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            port = self._by_number.get(effect.conn)
            if port is None:
                continue
            if isinstance(effect, Reply):
                self._reply(port, effect.data)
            else:
                port.close(effect.code, effect.reason)
        self._rearm()

    def _reply(self, port: Port, data: bytes) -> None:
        """What the mock says, but for its own words on the book that the tape speaks of."""
        if _BOOK in data and b'"method":"subscription"' in data:
            if _SNAPSHOT not in data:
                return
            self._feed = port
            data = self._tape.snapshot(self._clock() // MILLISECOND)
        self._send(port, data)

    def _rearm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        wait_s = max(0, self._core.next_wake() - self._clock()) / 1e9
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(min(wait_s, _WAIT_MAX_S), self._wake)

    def _wake(self) -> None:
        self._perform(self._core.wake(self._clock()))


def _letter(centre: int | None) -> bytes:
    return QUIET if centre is None else bytes([FIRST_CENTRE + centre])


def _no_http(request: HttpRequest) -> HttpAnswer:
    return HttpAnswer(404, b"{}")
