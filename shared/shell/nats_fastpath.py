"""The short way in and out of nats-py: no queue, no second turn of the loop. Its private parts end here.

`publish` of nats-py appends to a list and wakes a task that writes a turn later; a subscription puts each
message on a queue that wakes another task. On a hop of 100 us these cost 40. Here a `PUB` is written to the
transport at once, and a message is handed on in the turn in which it was read. Both lean on attributes
that nats-py does not promise: `has_fast_path` looks whether they are there, and without them the public API
does the same work in the same order.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error

WRITE_BUFFER_MAX = 2**23

Heard = Callable[[str, bytes], None]
"""Called with subject and payload, in the loop."""


class Publisher(Protocol):
    """Says bytes on a connection, in order, without waiting."""

    def publish(self, subject: str, payload: bytes) -> bool:
        """Send; False when the connection takes nothing more."""
        ...

    def close(self) -> None:
        """The connection is over."""
        ...


def has_fast_path(client: Client) -> bool:
    """Whether this nats-py has the parts that the fast path touches."""
    writer = getattr(getattr(client, "_transport", None), "_io_writer", None)
    # uvloop's transports are no subclass of asyncio's: what counts is what they can do.
    transport = getattr(writer, "transport", None)
    return isinstance(getattr(client, "_pending", None), list) and all(
        callable(getattr(transport, name, None))
        for name in ("write", "is_closing", "get_write_buffer_size")
    )


class FastPublisher:
    """Writes to the connection's transport unless nats-py itself has something waiting."""

    def __init__(self, client: Client) -> None:
        inner: Any = client
        self._client = inner
        self._transport: asyncio.Transport = inner._transport._io_writer.transport
        self._slow = QueuedPublisher(client)

    def publish(self, subject: str, payload: bytes) -> bool:
        """Write now, or behind what waits already."""
        # A broken pipe ends the transport a turn or two before nats-py hears of it.
        if self._transport.is_closing():
            return False
        if self._client._pending or self._slow.waiting or not self._client.is_connected:
            return self._slow.publish(subject, payload)
        if self._transport.get_write_buffer_size() > WRITE_BUFFER_MAX:
            return False
        self._transport.write(b"PUB %s %d\r\n%s\r\n" % (subject.encode(), len(payload), payload))
        return True

    def close(self) -> None:
        """The connection is over."""
        self._slow.close()


class QueuedPublisher:
    """The public API: a task publishes one after the other."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._queue: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._bytes = 0
        self._task = asyncio.create_task(self._publish_all())

    @property
    def waiting(self) -> int:
        """Bytes not yet handed to nats-py."""
        return self._bytes

    def publish(self, subject: str, payload: bytes) -> bool:
        """Put behind what waits already."""
        if self._bytes > WRITE_BUFFER_MAX or self._task.done():
            return False
        self._bytes += len(payload)
        self._queue.put_nowait((subject, payload))
        return True

    def close(self) -> None:
        """The connection is over."""
        self._task.cancel()

    async def _publish_all(self) -> None:
        while True:
            subject, payload = await self._queue.get()
            try:
                await self._client.publish(subject, payload)
            except (Error, OSError):
                return
            self._bytes -= len(payload)


class InLoopQueue:
    """Stands where a subscription has its queue, and hands each message on at once."""

    def __init__(self, subscription: Subscription, heard: Heard) -> None:
        self._subscription: Any = subscription
        self._heard = heard

    def put_nowait(self, message: Msg) -> None:
        """What nats-py calls for every message it has read."""
        self._subscription._pending_size -= len(message.data)
        self._heard(message.subject, message.data)

    async def get(self) -> Msg:
        """Waited for by nats-py's own task, in vain."""
        await asyncio.Future()
        raise AssertionError("a future that nobody resolves was resolved")

    def empty(self) -> bool:
        """Nothing ever waits."""
        return True

    def qsize(self) -> int:
        """Nothing ever waits."""
        return 0

    async def join(self) -> None:
        """Nothing ever waits."""


def publisher(client: Client, *, fast: bool) -> Publisher:
    """The best publisher there is for this client."""
    return FastPublisher(client) if fast and has_fast_path(client) else QueuedPublisher(client)


async def subscribe(client: Client, pattern: str, heard: Heard, *, fast: bool) -> None:
    """Hear a pattern as long as the connection lives."""

    async def hear(message: Msg) -> None:
        heard(message.subject, message.data)

    subscription: Any = await client.subscribe(pattern, cb=hear)
    waiting = getattr(subscription, "_pending_queue", None)
    if fast and isinstance(waiting, asyncio.Queue) and hasattr(subscription, "_pending_size"):
        direct = InLoopQueue(subscription, heard)
        subscription._pending_queue = direct
        while not waiting.empty():
            direct.put_nowait(waiting.get_nowait())
