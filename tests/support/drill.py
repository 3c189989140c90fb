"""A drill: the whole system as processes, its exchange and servers, and an auditor who hears everything.

What is asked, is asked of the exchange's own record or of the control API, never of a service's memory.
"""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from backtest.invariants import Auditor, ExchangeLedger, ledger_of
from console import demo
from console.cast import Cast, cast_of
from console.processes import start
from console.servers import NatsServer, Server, ValkeyServer, free_port
from shared.params import Params
from shared.shell.host_nats import NatsHost
from shared.shell.settings import Settings, load_params
from tests.support.hosting import running
from tests.support.waiting import throughout, until, until_asked

QUOTING_S = 30.0
LAST_WORD_S = 30.0


class Drill:
    """A running system, and what one does to it."""

    def __init__(
        self, cast: Cast, auditor: Auditor, params: Params, nats: NatsServer, redis: ValkeyServer
    ) -> None:
        self.cast = cast
        self.auditor = auditor
        self.params = params
        self.nats = nats
        self.redis = redis

    async def ledger(self) -> ExchangeLedger:
        """The exchange's own record."""
        async with httpx.AsyncClient(base_url=self.cast.exchange["control"]) as client:
            answer = await client.get("/ledger")
        return ledger_of(next(iter(answer.json()["accounts"].values())))

    async def rests(self) -> bool:
        """Whether any order of ours stands in the market."""
        self.cast.check()
        return bool((await self.ledger()).open_labels)

    async def rests_nothing(self) -> bool:
        """Whether none does."""
        return not (await self.ledger()).open_labels

    async def holds(self) -> bool:
        """Whether the account has a position."""
        return any((await self.ledger()).positions.values())

    async def until_quoting(self, why: str) -> float:
        """Orders stand; how long that took, in seconds."""
        return await until_asked(self.rests, f"quoting {why}", QUOTING_S)

    async def until_gone(self, why: str) -> float:
        """No order stands, within the lease and a second; how long that took, in seconds."""
        lease_s = self.params.risk.lease_ms / 1e3
        return await until_asked(self.rests_nothing, f"pulling {why}", lease_s + 1.0)

    async def outage(self, server: Server, name: str, seconds: float) -> None:
        """A server dies and comes back: no order stays beyond the lease, and quoting comes back."""
        server.kill()
        gone_s = await self.until_gone(f"without {name}")
        await throughout(self.rests_nothing, f"out of the market without {name}", seconds - gone_s)
        server.start()
        back_s = await self.until_quoting(f"after {name} came back")
        print(
            f"{name}: no order left after {gone_s:.2f} s, quoting {back_s:.2f} s after its return"
        )

    async def kill(self, name: str) -> None:
        """A service ends as in a crash."""
        child = self.cast.services[name]
        child.process.kill()
        await child.process.wait()

    async def restart_exchange(self, activity: float) -> None:
        """The exchange dies as in a crash, and comes back on its ports with an empty account."""
        mock, found = self.cast.mock, self.cast.exchange
        assert mock is not None
        mock.process.kill()
        await mock.process.wait()
        ports = ["--port", str(found["port"]), "--control-port", str(found["control_port"])]
        flags = [
            *ports,
            "--json",
            "--listed",
            "btc",
            "--maker-fee",
            "0.0",
            "--activity",
            str(activity),
        ]
        secret = {"MOCK_CLIENT_SECRET": found["client_secret"]}
        self.cast.mock, _ = await start(
            "mock", "mock_deribit", flags, secret, self.cast.folder, first_line=True
        )

    async def fault(self, **fault: object) -> None:
        """Order a fault of the exchange."""
        async with httpx.AsyncClient(base_url=self.cast.exchange["control"]) as client:
            (await client.post("/faults", json=fault)).raise_for_status()

    async def ask(
        self, method: str, path: str, body: object = None, token: str | None = None
    ) -> httpx.Response:
        """What the control API answers to a body (bytes: as they are), with its own token by default."""
        if token is None:
            kept = self.cast.folder / "gateway" / "token"
            token = kept.read_text(encoding="utf-8").strip()
        base = f"http://127.0.0.1:{self.cast.environment['GATEWAY_PORT']}"
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=base, headers=headers) as client:
            if isinstance(body, bytes):
                return await client.request(method, path, content=body)
            return await client.request(method, path, json=body)

    async def status(self) -> Any:
        """What `GET /status` shows."""
        answer = await self.ask("GET", "/status")
        answer.raise_for_status()
        return answer.json()

    def log(self, name: str) -> str:
        """What a process has said so far."""
        return (self.cast.folder / f"{name}.log").read_text(encoding="utf-8")

    async def audit(self) -> list[str]:
        """Orders out of the market, everything heard held against the exchange: the broken rules."""
        await self.cast.services["oms"].stop()
        ledger = await self.ledger()
        known = self.auditor.fills.keys()
        await until(lambda: known >= set(ledger.trade_ids), "the last fill", LAST_WORD_S)
        self.auditor.compare_with_exchange(ledger)
        return [
            f"{verdict.rule}: {', '.join(verdict.broken)}"
            for verdict in self.auditor.verdicts()
            if not verdict.held
        ]


@asynccontextmanager
async def drilling(
    folder: Path, *, activity: float = 8.0, servers: bool = True
) -> AsyncIterator[Drill]:
    """A system that starts; without `servers`, broker and state store are left for the test to start."""
    parser = argparse.ArgumentParser()
    demo.add_arguments(parser)
    args = parser.parse_args(["--port", str(free_port()), "--activity", str(activity)])
    nats = NatsServer(folder / "nats", free_port())
    redis = ValkeyServer(folder / "redis", free_port())
    auditor = Auditor()
    settings = Settings(
        nats_url=nats.url, redis_url=redis.url, run_dir=folder / "auditor", journal=False
    )
    try:
        if servers:
            nats.start()
            redis.start()
        async with (
            cast_of(folder, args, nats, redis) as cast,
            running(NatsHost([auditor], settings)),
        ):
            yield Drill(cast, auditor, load_params(args.config), nats, redis)
    finally:
        redis.stop()
        nats.stop()
