"""The floor: the same hops with empty work. `python -m bench.hop ROLE` passes bytes on and reads nothing.

Over NATS three processes (feed, relay, order) with the project's own socket and fast path, payloads as
large as the messages they stand for, woken as often: the feed publishes every frame, the relay passes on
those that move the quotes. In one process `echo` takes frames on one socket and answers on another.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable

from nats.aio.client import Client

from bench.venue import HELLO, QUIET
from shared.kernel import FrameIn, LinkUp
from shared.shell.nats_fastpath import publisher, subscribe
from shared.shell.service import loop_factory
from shared.shell.venue import SocketEvent, VenueSocket

BOOK_SUBJECT = "floor.data.feed.book.BTC-PERPETUAL"
QUOTE_SUBJECT = "floor.data.relay.quote.BTC-PERPETUAL"
_QUIET = QUIET[0]

Pass = Callable[[bytes], None]


async def _feed(args: argparse.Namespace) -> list[VenueSocket]:
    out = publisher(await _nats(args.nats), fast=True)
    padding = b" " * (args.bytes - 1)

    def heard(frame: bytes) -> None:
        out.publish(BOOK_SUBJECT, frame[-1:] + padding)

    return [_feed_socket(args.venue, heard)]


async def _relay(args: argparse.Namespace) -> list[VenueSocket]:
    client = await _nats(args.nats)
    out = publisher(client, fast=True)
    padding = b" " * (args.bytes - 1)

    def heard(subject: str, data: bytes) -> None:
        if data[0] != _QUIET:
            out.publish(QUOTE_SUBJECT, data[:1] + padding)

    await subscribe(client, BOOK_SUBJECT, heard, fast=True)
    return []


async def _order(args: argparse.Namespace) -> list[VenueSocket]:
    socket = VenueSocket("order", args.venue, None, _deaf)
    padding = b" " * (args.bytes - 1)

    def heard(subject: str, data: bytes) -> None:
        socket.send(data[:1] + padding)

    await subscribe(await _nats(args.nats), QUOTE_SUBJECT, heard, fast=True)
    return [socket]


async def _echo(args: argparse.Namespace) -> list[VenueSocket]:
    orders = VenueSocket("order", args.venue, None, _deaf)
    padding = b" " * (args.bytes - 1)

    def heard(frame: bytes) -> None:
        if frame[-1] != _QUIET:
            orders.send(frame[-1:] + padding)

    return [_feed_socket(args.venue, heard), orders]


ROLES = {"feed": _feed, "relay": _relay, "order": _order, "echo": _echo}


def _feed_socket(url: str, heard: Pass) -> VenueSocket:
    def tell(event: SocketEvent) -> None:
        if isinstance(event, FrameIn):
            heard(event.data)
        elif isinstance(event, LinkUp):
            socket.send(HELLO)

    socket = VenueSocket("feed", url, None, tell)
    return socket


def _deaf(event: SocketEvent) -> None:
    """Nothing that comes back matters."""


async def _nats(url: str) -> Client:
    client = Client()
    await client.connect(servers=[url], allow_reconnect=False, connect_timeout=5)
    return client


async def _run(args: argparse.Namespace) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    sockets = await ROLES[args.role](args)
    tasks = [asyncio.create_task(socket.keep()) for socket in sockets]
    await ended.wait()
    for socket, task in zip(sockets, tasks, strict=True):
        socket.retire()
        task.cancel()


def main(arguments: list[str]) -> None:
    """Pass bytes on until SIGTERM."""
    parser = argparse.ArgumentParser(prog="bench.hop")
    parser.add_argument("role", choices=ROLES)
    parser.add_argument("--venue", help="address of the WebSocket")
    parser.add_argument("--nats", help="address of the bus")
    parser.add_argument("--bytes", type=int, default=0, help="size of what this role sends")
    args = parser.parse_args(arguments)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_run(args))


if __name__ == "__main__":
    main(sys.argv[1:])
