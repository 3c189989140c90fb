"""What is compared: the product and its floor, over NATS and in one process, each ready to be played to.

Owns: starting the programs of a stack in an order that can work, knowing when the stack is warm, and ending
every process by its id, whatever happened.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from bench.machine import Usage, usage
from bench.market import as_toml, bench_params
from bench.quantiles import NotMeasured
from bench.venue import CLIENT, FloorVenue, MockVenue, Venue
from console.processes import Child, start
from console.servers import NatsServer, ValkeyServer
from services.system import CORES
from shared.messages import Book, Health, Quote
from shared.messages.codec import MalformedMessage, decode_message
from shared.subjects import pattern_of

ENV = "mock"
MATCHING_PER_S = 100.0
READY_S = 30.0
PROBE_EVERY_S = 0.1
POLL_S = 0.02
NATS, NATS_FLOOR = "NATS, a process a service", "NATS floor, three empty hops"
LOCAL, LOCAL_FLOOR = "one process", "one process floor, empty echo"


class Stack:
    """A venue and the processes behind it; `health` is what its services say of themselves."""

    def __init__(self, name: str, venue: Venue) -> None:
        self.name = name
        self.venue = venue
        self.children: list[Child] = []
        self.servers: dict[str, int] = {}
        self.health: list[Health] = []

    def used(self) -> dict[str, Usage]:
        """CPU and memory by process; empty where the system does not tell."""
        pids = {child.name: child.process.pid for child in self.children} | self.servers
        found = {name: usage(pid) for name, pid in pids.items()}
        return {name: used for name, used in found.items() if used is not None}

    def listen(self) -> None:
        """Bring `health` up to date, where it is not told by itself."""

    def check(self) -> None:
        """Raise `ChildDied` when one of its processes has ended."""
        for child in self.children:
            child.check()

    async def until(self, reached: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait for a condition; raises `NotMeasured` after `seconds`, `ChildDied` at once."""
        for _ in range(round(seconds / POLL_S)):
            if reached():
                return
            self.check()
            await asyncio.sleep(POLL_S)
        raise NotMeasured(f"{self.name}: {what} within {seconds:g} s")

    async def warm_up(self) -> None:
        """Play moves until one is answered."""
        for _ in range(round(READY_S / PROBE_EVERY_S)):
            self.check()
            if self.venue.stopwatch.tally().latencies:
                return
            for frame in self.venue.tape_of(1, 1, 1.0):
                self.venue.play(frame)
            await asyncio.sleep(PROBE_EVERY_S)
        raise NotMeasured(f"{self.name}: no order came back within {READY_S:g} s")


class LocalStack(Stack):
    """The one that has no bus: what it says stands in its log."""

    def listen(self) -> None:
        """Read the log."""
        self.health = []
        for line in self.children[0].log.read_bytes().splitlines():
            with contextlib.suppress(MalformedMessage):
                message = decode_message(line)
                if isinstance(message, Health):
                    self.health.append(message)


class Stage:
    """Starts stacks in one folder, on one pair of servers."""

    def __init__(self, folder: Path, nats: NatsServer, redis: ValkeyServer, seed: str) -> None:
        self._folder = folder
        self._nats = nats
        self._redis = redis
        self._seed = seed
        self._config = folder / "bench.toml"
        self._config.write_text(as_toml(bench_params(MATCHING_PER_S)), encoding="utf-8")
        self._bus = Client()
        self._sizes: dict[str, int] = {}
        self.stacks: list[Stack] = []

    async def start(self) -> None:
        """Bring everybody up: the products first, for the floor's payloads are as large as theirs."""
        await self._bus.connect(servers=[self._nats.url], allow_reconnect=False)
        product = await self._over_nats()
        await self._floor_over_nats(product)
        local = await self._local()
        await self._local_floor(local)

    async def stop(self) -> None:
        """End every process, the venues last."""
        for stack in self.stacks:
            await asyncio.gather(*(child.stop() for child in stack.children))
        for stack in self.stacks:
            await stack.venue.stop()
        if self._bus.is_connected:
            await self._bus.close()

    async def _over_nats(self) -> Stack:
        stack = self._add(Stack(NATS, MockVenue(self._seed)))
        url = await stack.venue.start()

        async def told(message: Msg) -> None:
            heard = decode_message(message.data)
            if isinstance(heard, Health):
                stack.health.append(heard)

        await self._bus.subscribe(pattern_of(ENV, Health), cb=told)
        sizes = [await self._measure(kind) for kind in (Book, Quote)]
        for name in CORES:
            environment = self._environment(url, name)
            await self._start(stack, name, f"services.{name}", (), environment)
        await self._quoting(stack)
        await stack.until(lambda: len(self._sizes) == len(sizes), READY_S, "no book or quote heard")
        for subscription in sizes:
            await subscription.unsubscribe()
        return self._with_server(stack)

    async def _floor_over_nats(self, product: Stack) -> None:
        stack = self._add(Stack(NATS_FLOOR, FloorVenue(self._seed)))
        url = await stack.venue.start()
        sizes = {
            "order": product.venue.order_bytes,
            "relay": self._sizes["Quote"],
            "feed": self._sizes["Book"],
        }
        for role, size in sizes.items():
            arguments = (role, "--venue", url, "--nats", self._nats.url, "--bytes", str(size))
            await self._start(stack, f"floor-{role}", "bench.hop", arguments, {})
        await self._listening(stack)
        self._with_server(stack)

    async def _local(self) -> Stack:
        stack = self._add(LocalStack(LOCAL, MockVenue(self._seed)))
        url = await stack.venue.start()
        await self._start(stack, "local", "bench.local", (), self._environment(url, "local"))
        await self._quoting(stack)
        return stack

    async def _local_floor(self, product: Stack) -> None:
        stack = self._add(Stack(LOCAL_FLOOR, FloorVenue(self._seed)))
        url = await stack.venue.start()
        size = str(product.venue.order_bytes)
        arguments = ("echo", "--venue", url, "--bytes", size)
        await self._start(stack, "floor-echo", "bench.hop", arguments, {})
        await self._listening(stack)

    async def _quoting(self, stack: Stack) -> None:
        """Both sides rest, and follow a move."""
        watch = stack.venue.stopwatch
        await stack.until(lambda: watch.tally().further >= 2, READY_S, "no quotes came")
        await stack.warm_up()

    async def _listening(self, stack: Stack) -> None:
        await stack.until(lambda: stack.venue.is_fed, READY_S, "nobody asked for the feed")
        await stack.warm_up()

    async def _measure(self, kind: type[Book | Quote]) -> Subscription:
        async def told(message: Msg) -> None:
            if isinstance(decode_message(message.data), kind):
                self._sizes[kind.__name__] = len(message.data)

        return await self._bus.subscribe(pattern_of(ENV, kind), cb=told)

    async def _start(
        self,
        stack: Stack,
        name: str,
        module: str,
        arguments: tuple[str, ...],
        environment: dict[str, str],
    ) -> None:
        child, _ = await start(name, module, arguments, environment, self._folder)
        stack.children.append(child)

    def _add(self, stack: Stack) -> Stack:
        self.stacks.append(stack)
        return stack

    def _with_server(self, stack: Stack) -> Stack:
        if self._nats.pid is not None:
            stack.servers["nats-server"] = self._nats.pid
        return stack

    def _environment(self, url: str, name: str) -> dict[str, str]:
        return {
            "EXCHANGE": ENV,
            "VENUE_WS_URL": url,
            "DERIBIT_CLIENT_ID": CLIENT[0],
            "DERIBIT_CLIENT_SECRET": CLIENT[1],
            "NATS_URL": self._nats.url,
            "REDIS_URL": self._redis.url,
            "CONFIG_FILE": str(self._config),
            "RUN_DIR": str(self._folder / "run" / name),
            "MM_RECORD_DIR": "",
        }


@contextlib.asynccontextmanager
async def stage_of(folder: Path, seed: str) -> AsyncIterator[Stage]:
    """A started stage; every process that it began has ended afterwards."""
    with NatsServer(folder / "nats") as nats, ValkeyServer(folder / "redis") as redis:
        stage = Stage(folder, nats, redis, seed)
        try:
            await stage.start()
            yield stage
        finally:
            await stage.stop()
