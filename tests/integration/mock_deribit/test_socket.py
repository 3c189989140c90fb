"""The mock over a real socket: what a client of the real exchange would see."""

import asyncio
import json
import signal
from base64 import b64encode
from itertools import pairwise

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from mock_deribit.rpc.auth import signature
from mock_deribit.shell.fixture import ExchangeFailed
from tests.support.exchange import (
    DEADLINE_S,
    SECRET,
    ExchangeProcess,
    Running,
    exchange,
    exchange_process,
    talk,
)

__all__ = ["exchange", "exchange_process"]

PERP = "BTC-PERPETUAL"
BID = {"instrument_name": PERP, "amount": 10, "price": 59_000, "post_only": True}


async def test_a_client_logs_in_subscribes_trades_and_sees_it_on_every_channel(
    exchange: Running,
) -> None:
    async with await (await talk(exchange.address)).login(exchange.address) as client:
        channels = [f"book.{PERP}.raw", f"trades.{PERP}.raw", "user.changes.any.any.raw"]
        granted = await client.call("private/subscribe", channels=channels)
        assert sorted(granted) == sorted(channels)
        await client.frame(channels[0], lambda book: book["type"] == "snapshot")
        answer = await client.call("private/buy", instrument_name=PERP, amount=20, price=60_100)
        assert answer["order"]["order_state"] == "filled"
        [trade] = await client.frame(channels[1])
        assert trade["trade_id"] == answer["trades"][0]["trade_id"]
        change = await client.frame(channels[2])
        assert change["positions"][0]["size"] == 20.0
        book = await client.frame(channels[0], lambda frame: frame["type"] == "change")
        assert book["asks"] == [["change", 60_000.5, 9_980.0]]


async def test_a_line_that_dies_cancels_and_another_connection_is_told(exchange: Running) -> None:
    async with await (await talk(exchange.address)).login(exchange.address) as watcher:
        await watcher.call("private/subscribe", channels=["user.orders.any.any.raw"])
        async with await (await talk(exchange.address)).login(exchange.address) as maker:
            await maker.call("private/enable_cancel_on_disconnect")
            await maker.call("private/buy", **BID)
            maker.socket.transport.abort()
        gone = await watcher.frame(
            "user.orders.any.any.raw", lambda order: order["order_state"] == "cancelled"
        )
        assert gone["cancel_reason"] == "cancel_on_disconnect"
        assert await watcher.call("private/get_open_orders") == []


async def test_a_client_that_offers_no_compression_is_served_without_it(exchange: Running) -> None:
    async with connect(exchange.address.websocket, compression=None) as socket:
        await socket.send('{"id":1,"method":"public/test"}')
        assert json.loads(await socket.recv())["result"] == {"version": "1.2.26"}


async def test_a_wrong_path_and_a_plain_page_are_told_so(exchange: Running) -> None:
    async with httpx.AsyncClient() as web:
        url = f"http://127.0.0.1:{exchange.address.port}/"
        assert (await web.get(url)).status_code == 404
        control = await web.get(f"{exchange.address.control}/nonsense")
        assert "/faults" in control.json()["error"]


async def test_json_rpc_over_http_by_get_and_post(exchange: Running) -> None:
    base = exchange.address.http
    async with httpx.AsyncClient() as web:
        ticker = await web.get(f"{base}/public/ticker", params={"instrument_name": PERP})
        assert ticker.json()["result"]["instrument_name"] == PERP
        body = {"id": 4, "method": "public/get_order_book"}
        params = {"instrument_name": PERP, "depth": 1}
        book = await web.post(base, json=body | {"params": params})
        assert (book.status_code, book.json()["id"]) == (200, 4)
        wrong = await web.get(f"{base}/public/ticker", params={"instrument_name": "NOPE"})
        assert wrong.status_code == 400
        assert wrong.json()["error"]["data"]["reason"] == "instrument not found"
        refused = await web.get(f"{base}/private/get_positions", params={"currency": "BTC"})
        assert refused.json()["error"]["code"] == 13009
        socket_only = await web.get(f"{base}/public/subscribe", params={"channels": "x"})
        assert socket_only.json()["error"]["code"] == 10030


async def test_orders_can_be_cancelled_over_http_with_each_kind_of_authorization(
    exchange: Running,
) -> None:
    base = exchange.address.http
    basic = "Basic " + b64encode(f"mock-maker:{SECRET}".encode()).decode()
    async with (
        await (await talk(exchange.address)).login(exchange.address) as client,
        httpx.AsyncClient() as web,
    ):
        key = {"grant_type": "client_credentials", "client_id": "mock-maker"}
        auth = await web.get(f"{base}/public/auth", params=key | {"client_secret": SECRET})
        bearer = "Bearer " + auth.json()["result"]["access_token"]
        stamp = str((await web.get(f"{base}/public/get_time")).json()["result"])
        target = "/api/v2/private/cancel_all"
        sig = signature(SECRET, stamp, "n1", "GET", target, "", "")
        signed = f"deri-hmac-sha256 id=mock-maker,ts={stamp},nonce=n1,sig={sig}"
        for authorization in (basic, bearer, signed):
            await client.call("private/buy", **BID)
            url = f"{base}/private/cancel_all"
            answer = await web.get(url, headers={"Authorization": authorization})
            assert answer.json()["result"] == 1
        forged = signed.replace("nonce=n1", "nonce=n2")
        refused = await web.get(url, headers={"Authorization": forged})
        assert refused.json()["error"]["code"] == 13004


async def test_a_fault_ordered_on_the_control_port_cuts_the_socket(exchange: Running) -> None:
    url = f"{exchange.address.control}/faults"
    async with httpx.AsyncClient() as web, connect(exchange.address.websocket) as socket:
        refused = await web.post(url, json={"fault": "sabotage"})
        assert refused.status_code == 400
        assert "sabotage" in refused.json()["error"]
        assert (await web.post(url, json={"fault": "cut"})).json()["status"] == "ok"
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
        assert closed.value.rcvd is None


async def test_maintenance_refuses_the_handshake_with_503(exchange: Running) -> None:
    async with httpx.AsyncClient() as web:
        url = f"{exchange.address.control}/faults"
        await web.post(url, json={"fault": "maintenance", "on": True})
        with pytest.raises(InvalidStatus) as refused:
            await connect(exchange.address.websocket)
        assert refused.value.response.status_code == 503
        answer = await web.get(f"{exchange.address.http}/public/get_time")
        assert answer.json()["error"]["code"] == 11051


async def test_the_ledger_shows_an_auditor_what_the_account_has(exchange: Running) -> None:
    async with (
        await (await talk(exchange.address)).login(exchange.address) as client,
        httpx.AsyncClient() as web,
    ):
        await client.call("private/sell", instrument_name=PERP, amount=30, price=59_900)
        await client.call("private/buy", **BID)
        ledger = (await web.get(f"{exchange.address.control}/ledger")).json()
        account = ledger["accounts"]["maker"]
        assert account["positions"][0]["size"] == -30.0
        assert len(account["open_orders"]) == 1
        assert len(account["trades"]) == 1
        paid = sum(trade["fee"] for trade in account["trades"])
        assert account["portfolios"]["BTC"]["balance"] == pytest.approx(0.9 - paid, abs=1e-9)
        health = await web.get(f"{exchange.address.control}/health")
        assert health.json() == {"status": "ok"}


async def test_the_simulated_market_moves_and_its_chain_of_changes_never_breaks(
    exchange_process: ExchangeProcess,
) -> None:
    address = exchange_process.address
    async with await (await talk(address)).login(address) as client:
        channel = f"book.{PERP}.raw"
        await client.call("public/subscribe", channels=[channel])
        books: list[dict[str, int]] = []

        def enough(_: object) -> bool:
            heard = [f["params"] for f in client.heard if "params" in f]
            books[:] = [params["data"] for params in heard if params["channel"] == channel]
            return len(books) > 50

        await client.first(enough)
        chain = [
            (before["change_id"], after["prev_change_id"]) for before, after in pairwise(books)
        ]
        assert all(left == right for left, right in chain)
    assert exchange_process.stop(signal.SIGTERM) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(number: int) -> None:
    assert ExchangeProcess().stop(number) == 0


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--speed", "-1"], "MOCK_SPEED"),
        (["--market", "tape"], "needs a tape"),
        (["--scenario", "nowhere"], "or one of expiry, flaky-feed"),
        (["--accounts", "ann"], "a JSON list of accounts"),
        (["--market", "tape", "--tape", "no/such/file.csv"], "no/such/file.csv"),
    ],
)
def test_a_bad_setting_ends_with_one_line_that_names_it(flags: list[str], says: str) -> None:
    with pytest.raises(ExchangeFailed, match=says):
        ExchangeProcess(*flags)


def test_a_busy_port_ends_with_one_line_that_names_it() -> None:
    running = ExchangeProcess()
    port = str(running.address.port)
    with pytest.raises(ExchangeFailed, match=port):
        ExchangeProcess("--port", port)
    running.stop()


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello over TLS",
        b"GET / HTTP/9\r\nbroken\r\n\r\n",
        b"POST /api/v2 HTTP/1.1\r\nHost: x\r\nContent-Length: nine\r\n\r\n",
        b"GET /ws/api/v2 HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_bytes_that_are_no_request_end_their_connection_and_no_other(
    exchange: Running, nonsense: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", exchange.address.port)
    writer.write(nonsense)
    async with asyncio.timeout(DEADLINE_S):
        await reader.read()
    writer.close()
    async with await talk(exchange.address) as client:
        assert await client.call("public/test") == {"version": "1.2.26"}
