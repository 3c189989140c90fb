"""The mock behind real sockets under fire: frames, handshakes and HTTP of every kind.

However a connection is treated, it is answered or closed; others go on; and nothing is raised in the
server, which its loop and its log would tell.
"""

import asyncio
import json
import logging
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import cycle
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from mock_deribit.rpc.catalogue import METHODS
from tests.fuzz.hostile import ENVELOPES, SPOILT, well_meant
from tests.support.exchange import DEADLINE_S, Running, exchange, talk
from tests.support.waiting import until_asked

__all__ = ["exchange"]

PING = b'{"id":1,"method":"public/test"}'
HANDSHAKE = (
    b"GET /ws/api/v2 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + b64encode(bytes(16)) + b"\r\n\r\n"
)


@pytest.fixture
async def target(exchange: Running, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Running]:
    """A running mock which must raise nothing, log nothing and answer a newcomer afterwards."""
    raised: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
    yield exchange
    async with await talk(exchange.address) as client:
        assert await client.call("public/test") == {"version": "1.2.26"}
    assert raised == []
    assert [entry for entry in caplog.records if entry.levelno >= logging.WARNING] == []


def masked(opcode: int, payload: bytes, *, fin: bool = True, claimed: int | None = None) -> bytes:
    """A client's frame, byte by byte; `claimed` is a length that need not be true."""
    size = len(payload) if claimed is None else claimed
    head = bytes([(0x80 if fin else 0) | opcode])
    head += bytes([0x80 | 126]) + size.to_bytes(2) if size > 125 else bytes([0x80 | size])
    return head + bytes(4) + payload


async def heard(target: Running, *writes: bytes) -> bytes:
    """Everything a connection says to these bytes until it closes, or has answered a ping."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.address.port)
    said = b""
    try:
        async with asyncio.timeout(DEADLINE_S):
            for data in writes:
                writer.write(data)
                await writer.drain()
            while (chunk := await reader.read(65_536)) and b"1.2.26" not in (said := said + chunk):
                pass
    finally:
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()
    return said


async def test_every_frame_is_answered_and_the_socket_lives_on(target: Running) -> None:
    async with connect(target.address.websocket) as socket:
        for frame in ENVELOPES:
            text = frame.decode("utf-8", "replace")
            await socket.send(text)
            async with asyncio.timeout(DEADLINE_S):
                assert json.loads(await socket.recv())["jsonrpc"] == "2.0"


async def test_every_method_meets_hostile_values_and_answers_in_the_end(target: Running) -> None:
    """One value for each parameter; the pure mock has met them all."""
    values = cycle(SPOILT)
    async with await (await talk(target.address)).login(target.address) as client:
        for method in sorted(set(METHODS) - {"private/logout"}):
            for number, name in enumerate(METHODS[method].parameters):
                params = well_meant(method, number) | {name: next(values)}
                answer = await client.ask(method, **params)
                assert ("result" in answer) != ("error" in answer)
            client.heard.clear()


@pytest.mark.parametrize(
    "frames",
    [
        [masked(2, PING)],
        [masked(1, PING[:9], fin=False), masked(0, PING[9:])],
        [
            masked(1, PING[:9], fin=False),
            masked(9, b"?"),
            masked(0, b"", fin=False),
            masked(0, PING[9:]),
        ],
        [masked(1, PING)[:7], masked(1, PING)[7:]],
        [masked(10, b"unasked pong"), masked(1, PING)],
    ],
    ids=["binary", "two halves", "a ping between halves", "half a frame", "a pong"],
)
async def test_a_request_is_answered_however_it_is_framed(
    target: Running, frames: list[bytes]
) -> None:
    assert b'"version":"1.2.26"' in await heard(target, HANDSHAKE, *frames)


@pytest.mark.parametrize(
    "frames",
    [
        [masked(0, PING)],
        [masked(3, b"")],
        [b"\x81\x00"],
        [masked(1, PING, fin=False), masked(1, PING)],
        [masked(9, b"x" * 126)],
        [masked(8, b"\x00")],
        [b"\x81\xff" + (2**62).to_bytes(8) + bytes(4)],
        [b"\xf1\x80" + bytes(4)],
    ],
    ids=[
        "a continuation of nothing", "an unknown opcode", "unmasked", "a text in a text",
        "a long ping", "a close of one byte", "larger than the world", "reserved bits",
    ],
)  # fmt: skip
async def test_a_broken_frame_ends_its_connection(target: Running, frames: list[bytes]) -> None:
    assert b"1.2.26" not in await heard(target, HANDSHAKE, *frames)


async def test_half_a_frame_and_a_dead_line_harm_nobody(target: Running) -> None:
    for cut in (1, 2, 5, 9):
        _, writer = await asyncio.open_connection("127.0.0.1", target.address.port)
        writer.write(HANDSHAKE + masked(1, PING)[:cut])
        await writer.drain()
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()
    async with httpx.AsyncClient() as web:

        async def nobody_is_there() -> object:
            return not (await web.get(f"{target.address.control}/connections")).json()

        await until_asked(nobody_is_there, "the dead lines are noticed")
        assert await nobody_is_there()


def http(verb: str, path: str, *headers: str, body: bytes = b"") -> bytes:
    """One HTTP request as bytes."""
    head = "".join(f"{line}\r\n" for line in ("Host: x", *headers))
    return f"{verb} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


TEST = "/api/v2/public/test"


@pytest.mark.parametrize(
    "writes",
    [
        [http("GET", TEST)],
        [http("HEAD", TEST), http("GET", TEST)],
        [http("GET", TEST)[:20], http("GET", TEST)[20:]],
        [http("GET", "/api/v2/public/nope") + http("GET", TEST)],
        [http("POST", "/api/v2", f"Content-Length: {len(PING)}", body=PING)],
        [http("POST", "/api/v2", "Transfer-Encoding: chunked", body=b"1f\r\n" + PING + b"\r\n0\r\n\r\n")],
        [http("POST", "/api/v2", "Expect: 100-continue", f"Content-Length: {len(PING)}"), PING],
        [http("GET", TEST + "?a=1&a=2&&=&%ff=%00")],
        [http("GET", "http://[" + TEST)  + http("GET", TEST)],
        [http("GET", "/api/v2/private/cancel_all", "Authorization: deri-hmac-sha256 id=\xb2,ts=\xb2")
         + http("GET", TEST)],
        [http("GET", "/"), HANDSHAKE, masked(1, PING)],
        [http("GET", TEST.replace("test", "get_time")) + HANDSHAKE, masked(1, PING)],
    ],
    ids=[
        "GET", "HEAD", "in two writes", "two at once", "POST", "chunked", "expecting to continue",
        "odd query",
        "a target that is no address", "a signature that is none", "a WebSocket on a used connection",
        "a WebSocket right behind a request",
    ],
)  # fmt: skip
async def test_every_way_of_asking_over_http_is_answered(
    target: Running, writes: list[bytes]
) -> None:
    assert b'"version":"1.2.26"' in await heard(target, *writes)
