"""Everybody the demo starts: the mock exchange and the five services, as processes of their own."""

import argparse
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from console.processes import Child, start
from console.servers import NatsServer, ValkeyServer
from shared.subjects import SERVICES

_MAKER_FEE = "0.0"
_STOP_ORDER = ("oms", "quoter", "risk", "marketdata", "gateway")


class Cast:
    """What runs: servers, the mock, the services, and where they are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.services: dict[str, Child] = {}
        self.mock: Child | None = None
        self.exchange: dict[str, Any] = {}
        self.environment: dict[str, str] = {}

    async def start(self, name: str) -> None:
        """Run a service, for the first time or after its end."""
        own = {"RUN_DIR": str(self.folder / name)}
        self.services[name], _ = await start(
            name, f"services.{name}", [], self.environment | own, self.folder
        )

    def check(self) -> None:
        """Raise `ChildDied` when one of them is no longer there."""
        for child in (self.mock, *self.services.values()):
            if child is not None:
                child.check()

    async def stop(self) -> None:
        """End what is left, services before the exchange they trade on."""
        for name in _STOP_ORDER:
            if name in self.services:
                await self.services[name].stop()
        if self.mock is not None:
            await self.mock.stop()


@contextlib.asynccontextmanager
async def cast_of(
    folder: Path, args: argparse.Namespace, nats: NatsServer, redis: ValkeyServer
) -> AsyncIterator[Cast]:
    cast = Cast(folder)
    try:
        cast.mock, line = await start(
            "mock", "mock_deribit", _mock_arguments(args), {}, folder, first_line=True
        )
        cast.exchange = json.loads(line)
        cast.environment = {
            "EXCHANGE": "mock",
            "VENUE_WS_URL": cast.exchange["websocket"],
            "DERIBIT_CLIENT_ID": cast.exchange["client_id"],
            "DERIBIT_CLIENT_SECRET": cast.exchange["client_secret"],
            "NATS_URL": nats.url,
            "REDIS_URL": redis.url,
            "CONFIG_FILE": str(args.config),
            "GATEWAY_PORT": str(args.port),
        }
        for name in SERVICES:
            await cast.start(name)
        yield cast
    finally:
        await cast.stop()


def _mock_arguments(args: argparse.Namespace) -> list[str]:
    market = ["--market", "tape", "--tape", str(args.tape)] if args.tape else []
    return [
        "--json",
        *("--listed", "btc"),
        *("--port", "0", "--control-port", "0", "--seed", str(args.seed)),
        *("--speed", str(args.speed), "--activity", str(args.activity)),
        *("--maker-fee", _MAKER_FEE),
        *(("--scenario", args.scenario) if args.scenario else ()),
        *market,
    ]
