"""Owns the running mock: binds the ports, turns the core's wishes into writes, and keeps its time.

An exception that leaves the core means that the exchange can no longer be believed: every socket is cut and
`broken` holds the exception, so that nobody goes on against a market that has stopped.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from mock_deribit.clock import ClockWord, ExchangeClock
from mock_deribit.control import Control
from mock_deribit.core import HTTP_UNAVAILABLE, MockDeribit
from mock_deribit.faults import Fault
from mock_deribit.market.market import Market
from mock_deribit.rpc.dispatch import HttpAnswer, HttpRequest
from mock_deribit.rpc.outbox import CUT, Effect, Reply
from mock_deribit.settings import MockSettings
from mock_deribit.shell.markets import market_of
from mock_deribit.shell.port import Port
from mock_deribit.sockets import GOING_AWAY
from mock_deribit.timeline import Entry
from shared.shell.clock import Clock

WAIT_MAX_S = 1.0
T = TypeVar("T")


class AccountAddress(msgspec.Struct, frozen=True, kw_only=True):
    """An account and the key that opens it."""

    name: str
    client_id: str
    client_secret: str
    scope: str
    balances: dict[str, float]


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a running mock is reached, and with which keys; `client_id` is the first account's."""

    websocket: str
    http: str
    control: str
    host: str
    port: int
    control_port: int
    client_id: str
    client_secret: str
    accounts: tuple[AccountAddress, ...]


class MockServer:
    """A mock exchange on two ports: Deribit's face, and the operator's."""

    def __init__(
        self,
        settings: MockSettings,
        market: Market | None = None,
        script: Sequence[Entry] = (),
    ) -> None:
        self._settings = settings
        self._script = script
        self._market = market
        self._real = Clock()
        self._ports: dict[int, Port] = {}
        self._numbers: dict[Port, int] = {}
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None
        self._servers: list[asyncio.Server] = []

    async def start(self) -> Address:
        """Bind both ports and open the market. Raises OSError when a port cannot be had."""
        self._loop = asyncio.get_running_loop()
        self.broken: asyncio.Future[None] = self._loop.create_future()
        settings = self._settings
        start = settings.opening()
        now = self._real() if start is None else start
        market = self._market or market_of(settings)
        self.core = MockDeribit(now, settings, settings.listings(now), market, self._script)
        self.clock = ExchangeClock(self._real, start, settings.clock_speed)
        self._control = Control(self.core, self.clock)
        backlog = int(settings.backlog_mb * 2**20)
        port = await self._bind(
            lambda: Port(self._face, self, backlog), settings.host, settings.port
        )
        control = await self._bind(
            lambda: Port(self._operate, None), settings.control_host, settings.control_port
        )
        self._rearm()
        return _address(settings, port, control)

    async def _bind(self, make: Callable[[], Port], host: str, port: int) -> int:
        try:
            server = await self._loop.create_server(make, host, port, backlog=128)
        except OSError as error:
            remedy = "choose another, or 0 for a free one" if port else "choose another host"
            raise OSError(f"port {port} of {host}: {error.strerror}; {remedy}") from error
        self._servers.append(server)
        bound: int = server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Close every socket with a close frame and release the ports."""
        if self._timer is not None:
            self._timer.cancel()
        for server in self._servers:
            server.close()
        for port in list(self._ports.values()):
            port.close(GOING_AWAY, "going away")
            port.hang_up()
        # Waiting for the servers would wait for clients that keep an HTTP connection open.
        await asyncio.sleep(0)

    def fault(self, fault: Fault) -> None:
        """Carry out a fault, or arm it. Raises ValueError when it names what is not there."""
        self._perform(self.core.fault(self.clock(), fault))

    def set_clock(self, word: ClockWord) -> None:
        """Stop time, move it, or let it go on. Raises ValueError for a time that has been."""
        self._perform(self._control.set_clock(word))

    # -- what the ports say ----------------------------------------------------------------------

    def admission(self, peer: str) -> int:
        """SocketOwner: whether a handshake is accepted."""
        return HTTP_UNAVAILABLE if self.broken.done() else self.core.admission(peer)

    def opened(self, port: Port, peer: str) -> None:
        """SocketOwner: a socket is open."""
        self._count += 1
        self._ports[self._count], self._numbers[port] = port, self._count
        self._do(lambda: self.core.opened(self.clock(), self._count, peer))

    def received(self, port: Port, frame: bytes) -> None:
        """SocketOwner: a frame arrived."""
        self._do(lambda: self.core.received(self.clock(), self._numbers[port], frame))

    def closed(self, port: Port) -> None:
        """SocketOwner: a socket is gone."""
        number = self._numbers.pop(port)
        del self._ports[number]
        self._do(lambda: self.core.closed(self.clock(), number))

    def _face(self, request: HttpRequest) -> HttpAnswer | None:
        if not request.path.startswith("/api/v2/") and request.path != "/api/v2":
            text = f"no {request.path} here; try /api/v2/public/get_time"
            return HttpAnswer(404, msgspec.json.encode({"error": text}))
        return self._ask(lambda: self.core.http(self.clock(), request))

    def _operate(self, request: HttpRequest) -> HttpAnswer | None:
        return self._ask(lambda: self._control.answer(request))

    # -- what the core wants ---------------------------------------------------------------------

    def _do(self, act: Callable[[], list[Effect]]) -> None:
        self._ask(lambda: (None, act()))

    def _ask(self, act: Callable[[], tuple[T, list[Effect]]]) -> T | None:
        """Let the core act, unless it is broken or breaks by it."""
        if self.broken.done():
            return None
        try:
            answer, effects = act()
            self._perform(effects)
        except Exception as error:
            self._break(error)
            return None
        return answer

    def _break(self, error: Exception) -> None:
        self.broken.set_exception(error)
        if self._timer is not None:
            self._timer.cancel()
        for port in list(self._ports.values()):
            port.abort()

    def _perform(self, effects: list[Effect]) -> None:
        self._write(effects)
        while effects := self._control.follow():
            self._write(effects)
        for number in self.core.deafened():
            if number in self._ports:
                self._ports[number].stop_reading()
        self._rearm()

    def _write(self, effects: list[Effect]) -> None:
        for effect in effects:
            port = self._ports.get(effect.conn)
            if port is None:
                continue
            if isinstance(effect, Reply):
                port.send(effect.data)
            elif effect.code == CUT:
                port.abort()
            else:
                port.close(effect.code, effect.reason)

    def _rearm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        wait_s = self.clock.wait_s(self.core.next_wake())
        if wait_s is not None:
            self._timer = self._loop.call_later(min(wait_s, WAIT_MAX_S), self._wake)

    def _wake(self) -> None:
        self._real.correct()
        self._do(lambda: self.core.wake(self.clock()))


def _reached(host: str) -> str:
    """Where one who is on the same machine finds a server that listens there."""
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _address(settings: MockSettings, port: int, control_port: int) -> Address:
    host, control_host = _reached(settings.host), _reached(settings.control_host)
    accounts = tuple(
        AccountAddress(
            name=account.name,
            client_id=account.client_id,
            client_secret=account.client_secret,
            scope=account.scope,
            balances=account.balances,
        )
        for account in settings.accounts
    )
    return Address(
        websocket=f"ws://{_in_url(host)}:{port}/ws/api/v2",
        http=f"http://{_in_url(host)}:{port}/api/v2",
        control=f"http://{_in_url(control_host)}:{control_port}",
        host=host,
        port=port,
        control_port=control_port,
        client_id=accounts[0].client_id,
        client_secret=accounts[0].client_secret,
        accounts=accounts,
    )
