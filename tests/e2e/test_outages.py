"""The broker, then the state store, are gone for ten seconds under the running system.

The exchange's own ledger says how long orders stood; the auditor says that nothing was lost.
"""

import argparse
from pathlib import Path

import httpx
import pytest

from backtest.invariants import Auditor, ExchangeLedger, ledger_of
from console import demo
from console.cast import Cast, cast_of
from console.servers import NatsServer, Server, ValkeyServer, free_port
from shared.params import Params
from shared.shell.host import Host
from shared.shell.host_nats import NatsHost
from shared.shell.settings import Settings, load_params
from tests.support.waiting import throughout, until, until_asked

OUTAGE_S = 10.0


class Drill:
    """A running system, and the questions one asks it."""

    def __init__(self, cast: Cast, auditor: Auditor, params: Params) -> None:
        self.cast = cast
        self.auditor = auditor
        self.params = params

    async def ledger(self) -> ExchangeLedger:
        """The exchange's own record."""
        async with httpx.AsyncClient(base_url=self.cast.exchange["control"]) as client:
            answer = await client.get("/mock/accounts")
        return ledger_of(next(iter(answer.json()["accounts"].values())))

    async def rests(self) -> bool:
        """Whether any order of ours stands in the market."""
        return bool((await self.ledger()).open_labels)

    async def rests_nothing(self) -> bool:
        """Whether none does."""
        self.cast.check()
        return not await self.rests()

    async def outage(self, server: Server, name: str) -> None:
        """Ten seconds without a server: no order stays beyond the lease, and quoting comes back."""
        server.kill()
        lease_s = self.params.risk.lease_ms / 1e3
        gone_s = await until_asked(self.rests_nothing, f"pulling without {name}", lease_s + 1.0)
        await throughout(self.rests_nothing, f"out of the market without {name}", OUTAGE_S - gone_s)
        server.start()
        back_s = await until_asked(self.rests, f"quoting after {name} came back", 30.0)
        print(
            f"{name}: no order left after {gone_s:.2f} s, quoting {back_s:.2f} s after its return"
        )


@pytest.mark.timeout(180)
async def test_ten_seconds_without_broker_and_without_state_lose_nothing(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    demo.add_arguments(parser)
    args = parser.parse_args(["--port", str(free_port()), "--activity", "8"])
    params = load_params(args.config)
    auditor = Auditor()
    failures: list[BaseException] = []

    with NatsServer(tmp_path / "nats") as nats, ValkeyServer(tmp_path / "redis") as redis:
        async with cast_of(tmp_path, args, nats, redis) as cast:
            drill = Drill(cast, auditor, params)

            async def course(host: Host) -> None:
                try:
                    await until_asked(drill.rests, "the first order", 30.0)
                    await drill.outage(nats, "the broker")
                    await drill.outage(redis, "the state store")
                    await cast.services["oms"].stop()
                    ledger = await drill.ledger()
                    known = auditor.fills.keys()
                    await until(lambda: known >= set(ledger.trade_ids), "the last fill", 5.0)
                    auditor.compare_with_exchange(ledger)
                except BaseException as error:
                    failures.append(error)
                    raise
                finally:
                    host.stop()

            settings = Settings(
                nats_url=nats.url, redis_url=redis.url, run_dir=tmp_path / "auditor", journal=False
            )
            await NatsHost([auditor], settings).run([course])
    assert failures == []
    assert [verdict for verdict in auditor.verdicts() if not verdict.held] == []
