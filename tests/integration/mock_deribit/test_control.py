"""The control API over real sockets, and what becomes of a mock that breaks."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from mock_deribit.exchange.engine import Exchange
from mock_deribit.shell.fixture import running
from mock_deribit.shell.server import MockServer
from shared.kernel import Nanos
from shared.units import MILLISECOND
from tests.support.exchange import (
    DEADLINE_S,
    ROOT,
    ExchangeProcess,
    Running,
    exchange,
    settings_for_tests,
    talk,
)

__all__ = ["exchange"]

PERP = "BTC-PERPETUAL"
BID: dict[str, str | int] = {"instrument_name": PERP, "amount": 10, "price": 59_000}
INDEX = "deribit_price_index.btc_usd"


class Operator:
    """Whoever asks the control API."""

    def __init__(self, web: httpx.AsyncClient) -> None:
        self._web = web

    async def get(self, path: str) -> Any:
        """A page."""
        return (await self._web.get(path)).raise_for_status().json()

    async def post(self, path: str, **body: object) -> Any:
        """What came of a word."""
        return (await self._web.post(path, json=body)).raise_for_status().json()


@pytest.fixture
async def operator(exchange: Running) -> AsyncIterator[Operator]:
    """The control API of the running mock."""
    async with httpx.AsyncClient(base_url=exchange.address.control) as web:
        yield Operator(web)


async def test_time_is_stopped_stepped_and_goes_on(exchange: Running, operator: Operator) -> None:
    async with await talk(exchange.address) as client:
        stopped = await operator.post("/clock", clock="pause")
        await client.call("public/subscribe", channels=[INDEX])
        assert await client.call("public/get_time") == stopped["now"] // 10**6
        stepped = await operator.post("/clock", clock="step", seconds=30)
        assert stepped["now"] - stopped["now"] == 30 * 10**9
        assert await client.call("public/get_time") == stepped["now"] // 10**6
        heard = [frame for frame in client.heard if "params" in frame]
        assert len(heard) == 30
        assert client.socket.state.name == "OPEN"
        await operator.post("/clock", clock="resume")
        await client.frame(INDEX, lambda data: data["timestamp"] > stepped["now"] // 10**6)


async def test_time_runs_at_another_speed(exchange: Running, operator: Operator) -> None:
    async with await talk(exchange.address) as client:
        await client.call("public/subscribe", channels=[INDEX])
        begun = (await operator.post("/clock", clock="run", speed=50.0))["now"]
        await client.frame(INDEX, lambda data: data["timestamp"] > begun // 10**6 + 60_000)
        now = (await operator.get("/state"))["now"]
        assert now - begun > 60 * 10**9


async def test_a_line_that_is_dead_in_both_directions_answers_no_ping(
    exchange: Running, operator: Operator
) -> None:
    async with connect(exchange.address.websocket, ping_interval=0.05, ping_timeout=0.3) as socket:
        [shown] = await operator.get("/connections")
        await operator.post("/faults", fault="half_open", conn=shown["conn"])
        [shown] = await operator.get("/connections")
        assert shown["half_open"] == {"fault": "half_open", "conn": 1, "account": None} | {
            "hears": False,
            "speaks": False,
        }
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(ConnectionClosed, match="keepalive ping timeout"):
                await socket.recv()


async def ask_without_end(socket: ClientConnection) -> None:
    """Request upon request, and no answer read."""
    ask = f'{{"id":1,"method":"public/get_order_book","params":{{"instrument_name":"{PERP}"}}}}'
    while True:
        await socket.send(ask)


async def test_a_client_that_does_not_read_is_cut_off_and_no_other() -> None:
    settings = {"backlog_mb": 0.1, "non_matching_rate": 1e6, "non_matching_burst": 1e6}
    async with (
        running(**settings) as exchange,
        await talk(exchange.address) as other,
        connect(
            exchange.address.websocket, max_queue=1, ping_interval=None, compression=None
        ) as socket,
    ):
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(ConnectionClosed):
                await ask_without_end(socket)
        assert await other.call("public/test")


async def test_an_order_sent_over_http_whose_answer_is_lost_rests(
    exchange: Running, operator: Operator
) -> None:
    key = (exchange.address.client_id, exchange.address.client_secret)
    async with httpx.AsyncClient(auth=key) as web:
        await operator.post("/faults", fault="lose_answer", method="private/buy")
        with pytest.raises(httpx.RemoteProtocolError):
            await web.get(f"{exchange.address.http}/private/buy", params=BID)
    ledger = await operator.get("/ledger")
    assert len(ledger["accounts"]["maker"]["open_orders"]) == 1


@pytest.mark.parametrize(("code", "reason"), [(4999, "é" * 61), (1000, ""), (1014, "\u0000")])
async def test_a_socket_is_closed_with_any_code_and_reason_that_can_be_sent(
    exchange: Running, operator: Operator, code: int, reason: str
) -> None:
    async with connect(exchange.address.websocket) as socket:
        await operator.post("/faults", fault="close_sockets", code=code, reason=reason)
        await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (code, reason)


async def test_handshakes_are_refused_as_often_as_was_said(
    exchange: Running, operator: Operator
) -> None:
    await operator.post("/faults", fault="refuse_handshakes", status=429)
    with pytest.raises(InvalidStatus) as refused:
        await connect(exchange.address.websocket)
    assert refused.value.response.status_code == 429
    async with await talk(exchange.address) as client:
        assert await client.call("public/test")


async def test_a_scenario_is_played_by_a_process_and_every_account_has_a_key(
    tmp_path: Path,
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '[[accounts]]\nname = "ann"\nclient_id = "ann-1"\nbalances = {BTC = 1.0, USDC = 5000.0}\n'
        '[[accounts]]\nname = "ben"\nclient_id = "ben-1"\nscope = "trade:read"\n'
        '[[timeline]]\nat = 0.2\nfault = "lock"\nindex = "btc_usd"\n',
        encoding="utf-8",
    )
    running = ExchangeProcess("--scenario", str(path))
    try:
        ann, ben = running.address.accounts
        assert (ann.name, ann.balances, ben.scope) == (
            "ann",
            {"BTC": 1.0, "USDC": 5000.0},
            "trade:read",
        )
        assert ann.client_secret != ben.client_secret
        async with await talk(running.address) as client:
            for account in (ann, ben):
                key = {"client_id": account.client_id, "client_secret": account.client_secret}
                await client.call("public/auth", grant_type="client_credentials", **key)
            await client.call("public/subscribe", channels=["platform_state"])
            await client.frame("platform_state", lambda told: told["locked"])
    finally:
        assert running.stop(signal.SIGTERM) == 0


# -- a mock that breaks --------------------------------------------------------------------------


class BreakingMarket:
    """Nothing while `sound`, then a mistake."""

    ended: str | None = None
    sound = False
    index_prices: Mapping[str, float] = {"btc_usd": 60_000.0}

    def start(self, now: Nanos, exchange: Exchange) -> Nanos:
        """Soon."""
        return Nanos(now + 50 * MILLISECOND)

    def wake(self, now: Nanos) -> Nanos:
        """Fail."""
        if not self.sound:
            raise RuntimeError("the market has a mistake")
        return Nanos(now + 10 * MILLISECOND)


async def test_a_mistake_in_the_market_cuts_every_socket_and_is_told() -> None:
    market = BreakingMarket()
    market.sound = True
    server = MockServer(settings_for_tests(), market)
    address = await server.start()
    async with asyncio.timeout(DEADLINE_S):
        async with connect(address.websocket) as socket:
            market.sound = False
            with pytest.raises(ConnectionClosed):
                await socket.recv()
        with pytest.raises(RuntimeError, match="has a mistake"):
            await server.broken
        with pytest.raises(InvalidStatus):
            await connect(address.websocket)
        async with httpx.AsyncClient() as web:
            with pytest.raises(httpx.RemoteProtocolError):
                await web.get(f"{address.control}/health")
    await server.stop()


def test_a_process_that_breaks_says_why_and_ends_with_one() -> None:
    code = (
        "from mock_deribit.shell import command, server\n"
        "from tests.integration.mock_deribit.test_control import BreakingMarket\n"
        "server.market_of = lambda settings: BreakingMarket()\n"
        "raise SystemExit(command.main(['--port', '0', '--control-port', '0', '--json']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "RuntimeError: the market has a mistake" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("exchange: it broke")
