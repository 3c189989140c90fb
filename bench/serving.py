"""`python -m bench.serving`: the server that the crowd talks to, the mock exchange or, with `--floor`, less.

The exchange has a still market and no limits; account n has the key `bench-n`. In its place the floor decodes
a request, counts, and says a book frame of the same form to everybody on the same ports: no accounts, no
matching, no channels. Prints its WebSocket's address once it is ready and serves until SIGTERM.
"""

import argparse
import asyncio
import signal

import msgspec
import uvloop

from bench.market import StillMarket
from bench.tape import BASE, INSTRUMENT
from mock_deribit.rpc.dispatch import HttpAnswer, HttpRequest
from mock_deribit.settings import MockSettings
from mock_deribit.shell.port import Port
from mock_deribit.shell.server import MockServer

SECRET = "bench-secret"
HOST = "127.0.0.1"
_LIMITS = ("matching_rate", "matching_burst", "non_matching_rate", "non_matching_burst")


def client_id(number: int) -> str:
    """The key of an account."""
    return f"bench-{number}"


def label_of(number: int) -> str:
    """What a client calls its order."""
    return f"c{number}"


def price_of(number: int) -> float:
    """Where a client's order stands."""
    return BASE - 10.0 - 0.5 * number


def client_at(price: float) -> int:
    """Whose order stands there."""
    return round((BASE - 10.0 - price) / 0.5)


def serving_settings(count: int) -> MockSettings:
    """Free ports, rich accounts, as many sockets and requests as anybody wants."""
    accounts = [
        {"name": name, "client_id": name, "client_secret": SECRET, "balances": {"BTC": 100.0}}
        for name in map(client_id, range(count))
    ]
    free = {"port": 0, "control_port": 0, "connections_max": 10_000, "accounts": accounts}
    return MockSettings.model_validate(free | dict.fromkeys(_LIMITS, 1e6))


class _Wanted(msgspec.Struct):
    label: str = ""


class _Request(msgspec.Struct):
    id: int
    method: str
    params: _Wanted


class Floor:
    """Sockets with nothing behind them."""

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(_Request).decode
        self._listeners: list[Port] = []
        self._count = 1

    def admission(self, peer: str) -> int:
        """SocketOwner: everybody may come in."""
        return 101

    def opened(self, port: Port, peer: str) -> None:
        """SocketOwner: a socket is open."""

    def received(self, port: Port, frame: bytes) -> None:
        """SocketOwner: answer, and tell everybody."""
        request = self._decode(frame)
        if request.method == "public/subscribe":
            self._listeners.append(port)
            port.send(_book(self._count, None, ""))
        elif request.params.label:
            price = price_of(int(request.params.label[1:]))
            self._count += 1
            told = _book(self._count, self._count - 1, f'["change",{price},100.0]')
            for listener in self._listeners:
                listener.send(told)
        port.send(b'{"jsonrpc":"2.0","id":%d,"result":{},"testnet":true}' % request.id)

    def closed(self, port: Port) -> None:
        """SocketOwner: a socket is gone."""
        if port in self._listeners:
            self._listeners.remove(port)


def _book(change_id: int, previous: int | None, bids: str) -> bytes:
    kind = "snapshot" if previous is None else "change"
    follows = "" if previous is None else f',"prev_change_id":{previous}'
    return (
        '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.BTC-PERPETUAL.raw",'
        f'"data":{{"timestamp":1789990000000,"type":"{kind}","change_id":{change_id},'
        f'"instrument_name":"{INSTRUMENT}","bids":[{bids}],"asks":[]{follows}}}}}}}'
    ).encode()


def _no_http(request: HttpRequest) -> HttpAnswer:
    return HttpAnswer(404, b"{}")


async def _serve(args: argparse.Namespace) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    if args.floor:
        floor = Floor()
        listening = await loop.create_server(lambda: Port(_no_http, floor), HOST, 0)
        port = listening.sockets[0].getsockname()[1]
        print(f"ws://{HOST}:{port}/ws/api/v2", flush=True)
        await ended.wait()
        listening.close()
        return
    server = MockServer(serving_settings(args.accounts), StillMarket())
    print((await server.start()).websocket, flush=True)
    await ended.wait()
    await server.stop()


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="bench.serving")
    parser.add_argument("--accounts", type=int, default=50)
    parser.add_argument("--floor", action="store_true")
    uvloop.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
