"""`python -m bench.crowd`: many WebSocket clients of one exchange, in one process of their own.

Each logs in, hears the raw book of one instrument and sends orders at a price of its own: place, change,
cancel, over and over, evenly spread in time and never waiting for an answer. Every request changes the book
once, so every client hears of every request of all the others, in order. A frame is known by its price; its
lag runs from the time at which its request was *due*, so that nothing hides in a client that was late. All
frames are decoded and their chain of change ids is followed: a gap ends the run.

The handshake is done by `websockets`; after it frames are cut by their length, which is all that is left to
do where nothing is compressed or fragmented. Writes its `Outcome` to a file and says when it is done.
"""

import argparse
import asyncio
import gc
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
import uvloop
from websockets.client import ClientProtocol
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from bench.serving import SECRET, client_at, client_id, label_of, price_of
from bench.tape import INSTRUMENT

LATE_S = 0.1
"""A frame that comes later than this after the last request was due has been left behind."""

_GRACE_S = 5.0
_TEXT = 0x81
_NO_MASK = bytes(4)
"""Masked with zeros: the form is kept, and the clients' processor left for the frames they hear."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the clients saw; lags and answers in microseconds, in order of arrival."""

    requests: int
    answers: int
    frames: int
    late: int
    lags_us: list[float]
    answers_us: list[float]
    bytes_in: int
    cpu_s: float


class _Data(msgspec.Struct, gc=False):
    change_id: int
    prev_change_id: int | None = None
    bids: list[tuple[str, float, float]] = []


class _Params(msgspec.Struct, gc=False):
    data: _Data


class _Frame(msgspec.Struct, gc=False):
    id: int | None = None
    params: _Params | None = None
    error: msgspec.Raw | None = None


_decode = msgspec.json.Decoder(_Frame).decode


class Drive:
    """The plan of a run: request n is due at `start + n / rate`, client n % `clients` sends it."""

    def __init__(self, clients: int, rate: float, seconds: float) -> None:
        self.clients = clients
        self.rate = rate
        self.requests = round(rate * seconds)
        self.start_ns = 0
        self.lags_us: list[float] = []
        self.answers_us: list[float] = []
        self.late = 0

    def due_ns(self, number: int) -> int:
        """When a request is due."""
        return self.start_ns + round(number / self.rate * 1e9)

    def heard(self, number: int, lags: list[float]) -> None:
        """The answer to a request, or a frame it caused, came in."""
        now = time.perf_counter_ns()
        lags.append((now - self.due_ns(number)) / 1e3)
        self.late += now > self.due_ns(self.requests) + LATE_S * 1e9


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, number: int, url: str, drive: Drive) -> None:
        self.number = number
        self.bytes_in = 0
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._drive = drive
        self._handshake: ClientProtocol | None = ClientProtocol(parse_uri(url))
        self._rest = b""
        self._change_id: int | None = None
        self._heard = [0] * drive.clients
        self._sent = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: connected; ask for the WebSocket."""
        assert self._handshake is not None
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]
        self._handshake.send_request(self._handshake.connect())
        self._transport.writelines(self._handshake.data_to_send())

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the exchange has hung up."""
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("the exchange hung up at the handshake"))

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes; whole frames are looked at."""
        if self._handshake is not None:
            self._shake(self._handshake, data)
            return
        self.bytes_in += len(data)
        data = self._rest + data if self._rest else data
        at, end = 0, len(data)
        while end - at >= 4:
            size, body = data[at + 1], at + 2
            if size == 126:
                size, body = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            elif size == 127:
                size, body = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            if body + size > end:
                break
            if data[at] == _TEXT:
                self._frame(data[body : body + size])
            at = body + size
        self._rest = data[at:]

    def _shake(self, handshake: ClientProtocol, data: bytes) -> None:
        handshake.receive_data(data)
        if handshake.handshake_exc is not None:
            self.ready.set_exception(handshake.handshake_exc)
        elif handshake.state is OPEN:
            self._handshake = None
            key = {"client_id": client_id(self.number), "client_secret": SECRET}
            self._call(-1, "public/auth", {"grant_type": "client_credentials"} | key)
            self._call(-2, "public/subscribe", {"channels": [f"book.{INSTRUMENT}.raw"]})

    def act(self, number: int) -> None:
        """Send the request of this number: place, change, cancel in turn."""
        label, turn = label_of(self.number), self._sent % 3
        order = {"instrument_name": INSTRUMENT, "price": price_of(self.number), "label": label}
        self._sent += 1
        if turn == 0:
            self._call(number, "private/buy", order | {"amount": 100.0, "post_only": True})
        elif turn == 1:
            self._call(number, "private/edit_by_label", order | {"amount": 50.0})
        else:
            self._call(number, "private/cancel_by_label", {"label": label})

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    def _call(self, number: int, method: str, params: Mapping[str, object]) -> None:
        body = msgspec.json.encode(
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        )
        size = len(body)
        head = bytes((_TEXT, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
        self._transport.write(head + _NO_MASK + body)

    def _frame(self, data: bytes) -> None:
        frame = _decode(data)
        if frame.params is not None:
            self._book(frame.params.data)
        elif frame.error is not None:
            raise RuntimeError(f"request {frame.id} was refused: {bytes(frame.error).decode()}")
        elif frame.id is not None and frame.id >= 0:
            self._drive.heard(frame.id, self._drive.answers_us)

    def _book(self, book: _Data) -> None:
        if book.prev_change_id != self._change_id:
            raise RuntimeError(f"a gap: {self._change_id} was followed by {book.prev_change_id}")
        self._change_id = book.change_id
        if book.prev_change_id is None:
            self.ready.set_result(None)
            return
        for _, price, _ in book.bids:
            client = client_at(price)
            number = self._heard[client] * self._drive.clients + client
            self._heard[client] += 1
            self._drive.heard(number, self._drive.lags_us)


async def _run(args: argparse.Namespace) -> Outcome:
    loop = asyncio.get_running_loop()
    failed: asyncio.Future[None] = loop.create_future()

    def fail(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        if not failed.done():
            error = context.get("exception")
            failed.set_exception(error if isinstance(error, Exception) else RuntimeError(context))

    loop.set_exception_handler(fail)
    drive = Drive(args.clients, args.rate, args.seconds)
    clients = [Client(number, args.url, drive) for number in range(args.clients)]
    uri = parse_uri(args.url)
    for client in clients:
        await loop.create_connection(lambda client=client: client, uri.host, uri.port)  # type: ignore[misc]
    ready = asyncio.gather(*(client.ready for client in clients))
    await asyncio.wait((ready, failed), return_when=asyncio.FIRST_COMPLETED)
    _raise(failed)
    ready.result()
    gc.collect()
    gc.disable()
    before, bytes_before = time.process_time(), sum(client.bytes_in for client in clients)
    drive.start_ns = time.perf_counter_ns()
    for number in range(drive.requests):
        wait_ns = drive.due_ns(number) - time.perf_counter_ns()
        if wait_ns > 0:
            await asyncio.sleep(wait_ns / 1e9)
        elif number % args.clients == 0:
            await asyncio.sleep(0)
        clients[number % args.clients].act(number)
        _raise(failed)
    frames = drive.requests * args.clients
    for _ in range(round(_GRACE_S / 0.01)):
        if len(drive.lags_us) == frames and len(drive.answers_us) == drive.requests:
            break
        await asyncio.sleep(0.01)
        _raise(failed)
    cpu_s, heard = time.process_time() - before, len(drive.lags_us)
    for client in clients:
        client.close()
    return Outcome(
        requests=drive.requests,
        answers=len(drive.answers_us),
        frames=frames,
        late=drive.late + frames - heard,
        lags_us=drive.lags_us,
        answers_us=drive.answers_us,
        bytes_in=sum(client.bytes_in for client in clients) - bytes_before,
        cpu_s=cpu_s,
    )


def _raise(failed: "asyncio.Future[None]") -> None:
    if failed.done():
        failed.result()


def main() -> None:
    """Drive and write down."""
    parser = argparse.ArgumentParser(prog="bench.crowd")
    parser.add_argument("url")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--rate", type=float, default=1_000.0)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--outcome", type=Path, required=True, help="the file for what was seen")
    args = parser.parse_args()
    args.outcome.write_bytes(msgspec.json.encode(uvloop.run(_run(args))))
    print("done", flush=True)


if __name__ == "__main__":
    main()
