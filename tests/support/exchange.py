"""The mock exchange for tests: pure and timed by hand, in this process, or as a process of its own.

`Bench` drives the pure core without a socket; the fixtures `exchange` (same event loop, motionless
market) and `exchange_process` (simulated market) give addresses and keys, `talk` a client.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from mock_deribit.core import MockDeribit
from mock_deribit.exchange.listing import Listing, btc_listings, venue_listings
from mock_deribit.faults import Fault
from mock_deribit.market.market import Market
from mock_deribit.market.several import SeveralMarkets
from mock_deribit.market.still import StillMarket
from mock_deribit.rpc.outbox import Close, Effect, Reply
from mock_deribit.settings import MockSettings
from mock_deribit.shell.fixture import SECRET, ExchangeProcess, Running, running
from mock_deribit.shell.server import Address
from mock_deribit.timeline import Entry
from shared.kernel import Nanos
from shared.units import SECOND, Side, from_seconds

ROOT = Path(__file__).parents[2]
DEADLINE_S = 30.0
"""Giving up, not a bound on anything: on a busy machine things take their time."""
START = Nanos(1_790_000_000 * SECOND)

Json = dict[str, Any]

__all__ = [
    "DEADLINE_S",
    "ROOT",
    "SECRET",
    "START",
    "Bench",
    "ExchangeProcess",
    "Json",
    "Running",
    "Talker",
    "exchange",
    "exchange_process",
    "generous",
    "settings_for_tests",
    "talk",
]


def generous(**changes: object) -> dict[str, object]:
    """Settings with credits that no test uses up by accident, and others."""
    return {"price": 60_000.0, "non_matching_rate": 1000.0, "non_matching_burst": 1000.0} | changes


def settings_for_tests(**changes: object) -> MockSettings:
    """Free ports, generous credits, a known secret."""
    values = generous(port=0, control_port=0, client_secret=SECRET) | changes
    return MockSettings.model_validate(values).with_secrets(SECRET)


class Bench:
    """The pure mock with a motionless market and a clock that moves when told."""

    def __init__(self, script: Sequence[Entry] = (), /, **changes: object) -> None:
        self.now = START
        self.market = StillMarket()
        settings = settings_for_tests(**changes)
        self.secrets = {each.client_id: each.client_secret for each in settings.accounts}
        self.core = MockDeribit(self.now, settings, self.listed(), self.opened(), script)
        self.inbox: dict[int, list[Json]] = {}
        self.closes: dict[int, tuple[int, str]] = {}
        self._ids = 1_000_000

    def opened(self) -> Market:
        """Who trades."""
        return self.market

    def listed(self) -> tuple[Listing, ...]:
        """What there is to trade."""
        return btc_listings(self.now)

    def open(self, peer: str = "10.0.0.1") -> int:
        """A new socket; its number."""
        conn = len(self.inbox) + 1
        self.inbox[conn] = []
        self.note(self.core.opened(self.now, conn, peer))
        return conn

    def login(self, client_id: str = "mock-maker", **params: object) -> int:
        """A new socket, logged in with the first account's key or another one's."""
        conn = self.open()
        key = {"client_id": client_id, "client_secret": self.secrets[client_id]}
        self.call(conn, "public/auth", grant_type="client_credentials", **key, **params)
        return conn

    def call(self, conn: int, method: str, **params: object) -> Any:
        """The result of a call; raises AssertionError on an error answer."""
        answer = self.ask(conn, method, **params)
        assert "result" in answer, answer
        return answer["result"]

    def error(self, conn: int, method: str, **params: object) -> Json:
        """The error object of a call; raises AssertionError on success."""
        answer = self.ask(conn, method, **params)
        assert "error" in answer, answer
        error: Json = answer["error"]
        return error

    def ask(self, conn: int, method: str, **params: object) -> Json:
        """The whole answer of a call that is answered at once."""
        self._ids += 1
        request = {"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params}
        self.raw(conn, json.dumps(request).encode())
        answers = [frame for frame in self.inbox[conn] if frame.get("id") == self._ids]
        assert len(answers) == 1, (method, answers)
        self.inbox[conn].remove(answers[0])
        return answers[0]

    def raw(self, conn: int, frame: bytes) -> None:
        """Bytes as a client would send them."""
        self.note(self.core.received(self.now, conn, frame))

    def hang_up(self, conn: int) -> None:
        """The client's end of the line goes dead."""
        self.note(self.core.closed(self.now, conn))

    def fault(self, fault: Fault) -> None:
        """Order a fault."""
        self.note(self.core.fault(self.now, fault))

    def pass_time(self, seconds: float) -> None:
        """Let time pass, waking the core whenever it asks."""
        end = Nanos(self.now + from_seconds(seconds))
        while (due := self.core.next_wake()) <= end:
            self.now = max(self.now, due)
            self.note(self.core.wake(self.now))
        self.now = end
        self.note(self.core.wake(end))

    def others(self, name: str, side: Side, price: float, amount: float) -> None:
        """Somebody else's limit order."""
        self.market.trade(self.now, "crowd", name, side, price, amount)
        self.note(self.core.wake(self.now))

    def frames(self, conn: int, channel: str) -> list[Any]:
        """The data of every frame of a channel so far, oldest first; takes them."""
        mine = [f for f in self.inbox[conn] if f.get("params", {}).get("channel") == channel]
        self.inbox[conn] = [frame for frame in self.inbox[conn] if frame not in mine]
        return [frame["params"]["data"] for frame in mine]

    def note(self, effects: list[Effect]) -> None:
        """Take what the exchange says."""
        for effect in effects:
            match effect:
                case Reply(conn=conn, data=data):
                    self.inbox[conn].append(json.loads(data))
                case Close(conn=conn, code=code, reason=reason):
                    self.closes[conn] = (code, reason)


class WholeBench(Bench):
    """Everything the venue lists, and a market for each coin."""

    def opened(self) -> Market:
        return SeveralMarkets([self.market, StillMarket(3_000.0, "eth_usd")])

    def listed(self) -> tuple[Listing, ...]:
        return venue_listings(self.now)


class Talker:
    """A WebSocket client that remembers every frame."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heard: list[Json] = []
        self._ids = 0
        self._news = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self.socket:
            async with self._news:
                self.heard.append(json.loads(message))
                self._news.notify_all()

    async def first(self, wanted: Callable[[Json], bool]) -> Json:
        """The first frame, past or future, that is wanted; TimeoutError after ten seconds."""
        async with asyncio.timeout(DEADLINE_S), self._news:
            while True:
                for frame in self.heard:
                    if wanted(frame):
                        return frame
                await self._news.wait()

    async def ask(self, method: str, **params: object) -> Json:
        """The whole answer of a call."""
        self._ids += 1
        number = self._ids
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        await self.socket.send(json.dumps(request))
        return await self.first(lambda frame: frame.get("id") == number)

    async def call(self, method: str, **params: object) -> Any:
        """The result of a call; raises AssertionError on an error answer."""
        answer = await self.ask(method, **params)
        assert "result" in answer, answer
        return answer["result"]

    async def login(self, address: Address) -> "Talker":
        """Log in with the address's key."""
        key = {"client_id": address.client_id, "client_secret": address.client_secret}
        await self.call("public/auth", grant_type="client_credentials", **key)
        return self

    async def frame(self, channel: str, wanted: Callable[[Any], bool] = bool) -> Any:
        """The data of the first frame of a channel that is wanted."""
        found = await self.first(
            lambda frame: (
                frame.get("params", {}).get("channel") == channel
                and wanted(frame["params"]["data"])
            )
        )
        return found["params"]["data"]

    async def __aenter__(self) -> "Talker":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.socket.close()
        await asyncio.gather(self._reader, return_exceptions=True)


async def talk(address: Address) -> Talker:
    """A client on a running mock."""
    return Talker(await connect(address.websocket, max_size=None))


@pytest.fixture
async def exchange() -> AsyncIterator[Running]:
    """The mock with a motionless market on free ports, in the test's own event loop."""
    async with running(**generous()) as exchange:
        yield exchange


@pytest.fixture
def exchange_process() -> Iterator[ExchangeProcess]:
    """The mock with its simulated market, as a process of its own."""
    with ExchangeProcess("--market", "simulated", "--listed", "btc") as process:
        yield process
