"""Owns the running mock: binds the ports, turns the core's wishes into writes, and keeps its time."""

import asyncio

import msgspec

from mock_deribit.core import GOING_AWAY, MockDeribit
from mock_deribit.exchange.listing import btc_listings
from mock_deribit.faults import decode
from mock_deribit.market.market import Market
from mock_deribit.rpc.dispatch import HttpAnswer, HttpRequest
from mock_deribit.rpc.outbox import CUT, Effect, Reply
from mock_deribit.settings import MockSettings
from mock_deribit.shell.markets import market_of
from mock_deribit.shell.port import Port
from shared.shell.clock import Clock
from shared.units import to_seconds

WAIT_MAX_S = 1.0


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a running mock is reached, and with which key."""

    host: str
    port: int
    control_port: int
    client_id: str
    client_secret: str

    @property
    def websocket(self) -> str:
        """The address of the JSON-RPC WebSocket."""
        return f"ws://{self.host}:{self.port}/ws/api/v2"

    @property
    def http(self) -> str:
        """The base of JSON-RPC over HTTP; the method follows."""
        return f"http://{self.host}:{self.port}/api/v2"

    @property
    def control(self) -> str:
        """The base of the control port."""
        return f"http://{self.host}:{self.control_port}"


class MockServer:
    """A mock exchange on two ports: Deribit's face, and the operator's."""

    def __init__(self, settings: MockSettings, market: Market | None = None) -> None:
        self._settings = settings
        self._market = market
        self._clock = Clock()
        self._ports: dict[int, Port] = {}
        self._numbers: dict[Port, int] = {}
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None
        self._servers: list[asyncio.Server] = []

    async def start(self) -> Address:
        """Bind both ports and open the market. Raises OSError when a port cannot be had."""
        loop, host = asyncio.get_running_loop(), self._settings.host
        self._loop = loop
        market = self._market or market_of(self._settings)
        now = self._clock()
        listings = btc_listings(now, self._settings.maker_fee, self._settings.taker_fee)
        self.core = MockDeribit(now, self._settings, listings, market)
        face = await loop.create_server(
            lambda: Port(self._face, self), host, self._settings.port, backlog=128
        )
        self._servers.append(face)
        control = await loop.create_server(
            lambda: Port(self._control, None), host, self._settings.control_port
        )
        self._servers.append(control)
        self._rearm()
        account = self._settings.accounts[0]
        return Address(
            host=host,
            port=face.sockets[0].getsockname()[1],
            control_port=control.sockets[0].getsockname()[1],
            client_id=account.client_id,
            client_secret=account.client_secret,
        )

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

    # -- what the ports say ----------------------------------------------------------------------

    def admission(self, peer: str) -> int:
        """SocketOwner: whether a handshake is accepted."""
        return self.core.admission(peer)

    def opened(self, port: Port, peer: str) -> None:
        """SocketOwner: a socket is open."""
        self._count += 1
        self._ports[self._count], self._numbers[port] = port, self._count
        self._perform(self.core.opened(self._clock(), self._count, peer))

    def received(self, port: Port, frame: bytes) -> None:
        """SocketOwner: a frame arrived."""
        self._perform(self.core.received(self._clock(), self._numbers[port], frame))

    def closed(self, port: Port) -> None:
        """SocketOwner: a socket is gone."""
        number = self._numbers.pop(port)
        del self._ports[number]
        self._perform(self.core.closed(self._clock(), number))

    def _face(self, request: HttpRequest) -> HttpAnswer:
        if not request.path.startswith("/api/v2/") and request.path != "/api/v2":
            return _json(404, {"error": f"no {request.path} here; try /api/v2/public/get_time"})
        answer, effects = self.core.http(self._clock(), request)
        self._perform(effects)
        return answer

    def _control(self, request: HttpRequest) -> HttpAnswer:
        match request.verb, request.path:
            case "GET", "/health":
                return _json(200, {"status": "ok"})
            case "GET", "/mock/accounts":
                return _json(200, self.core.ledger(self._clock()))
            case "POST", "/mock/faults":
                return self._fault(request.body)
            case _:
                known = "GET /health, GET /mock/accounts, POST /mock/faults"
                return _json(404, {"error": f"no {request.verb} {request.path} here; {known}"})

    def _fault(self, body: bytes) -> HttpAnswer:
        try:
            effects = self.core.fault(self._clock(), decode(body))
        except (msgspec.DecodeError, ValueError) as error:
            return _json(400, {"error": str(error)})
        self._perform(effects)
        return _json(200, {"status": "ok"})

    # -- what the core wants ---------------------------------------------------------------------

    def _perform(self, effects: list[Effect]) -> None:
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
        self._rearm()

    def _rearm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        wait = to_seconds(max(0, self.core.next_wake() - self._clock()))
        self._timer = self._loop.call_later(min(wait, WAIT_MAX_S), self._wake)

    def _wake(self) -> None:
        self._clock.correct()
        self._perform(self.core.wake(self._clock()))


def _json(status: int, body: object) -> HttpAnswer:
    return HttpAnswer(status, msgspec.json.encode(body))
