"""The control plane on real servers and a real socket: commands obeyed live, and nothing lost by outages."""

import argparse
import asyncio
from pathlib import Path

import redis.asyncio

from console import kill
from console.servers import NatsServer, ValkeyServer
from shared.kernel import Wake
from shared.messages import Mode
from tests.integration.gateway.control import controlled
from tests.integration.risk.stage import staged
from tests.support.waiting import until
from tests.unit.risk.scene import PERPETUAL

EVERYONE = ["marketdata", "quoter", "oms", "risk"]


async def test_params_are_applied_live_by_everyone_and_survive_restarts(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with staged(tmp_path, own_nats, own_valkey) as stage:
        async with controlled(stage) as (_, client):
            await until(stage.quotes, "a first quote")
            changes = {"risk.hard_limit_btc": 0.25, "quoter.half_spread_min_bps": 5.0}
            answer = (await client.patch("/params", json={"changes": changes, "by": "ana"})).json()

            assert (answer["version"], answer["confirmed"]) == (1, EVERYONE)
            assert (answer["refused"], answer["missing"]) == ({}, [])
            await until(lambda: stage.oms.leases()[-1].hard_limit == 0.25, "the new limit")
            await until(lambda: stage.quotes()[-1].params_version == 1, "a quote by the new set")
            assert stage.quotes()[-1].half_spread >= 5e-4 * 60_000 * 0.99

            stale = {"changes": changes, "expected_version": 0}
            assert (await client.patch("/params", json=stale)).status_code == 409

        await stage.restart_risk()
        await until(stage.risk.is_granted, "a lease from the new risk")
        lease = stage.risk.lease()
        assert lease is not None
        assert lease.hard_limit == 0.25

        async with controlled(stage) as (_, client):
            shown = (await client.get("/params")).json()
            assert (shown["version"], shown["by"]) == (1, "ana")
            assert shown["params"]["quoter"]["half_spread_min_bps"] == 5.0


async def test_pause_resume_and_kill_are_obeyed_and_the_latch_outlives_risk(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with (
        staged(tmp_path, own_nats, own_valkey) as stage,
        controlled(stage) as (control, client),
    ):
        paused = (await client.post("/pause", json={"by": "ana"})).json()
        assert (paused["confirmed"], paused["mode"]) == (True, "paused")
        assert not stage.risk.is_granted()
        resumed = (await client.post("/resume")).json()
        assert (resumed["confirmed"], resumed["mode"]) == (True, "active")

        killed = (await client.post("/kill", json={"by": "ana", "reason": "drill"})).json()
        assert (killed["latched"], killed["told"], killed["confirmed"]) == (True, True, True)

        parser = argparse.ArgumentParser()
        kill.add_arguments(parser)
        args = parser.parse_args(
            ["--url", control.url, "--token-file", str(control.token_file), "--by", "ana"]
        )
        assert await asyncio.to_thread(kill.run, args) == kill.CONFIRMED

        await stage.restart_risk()
        await until(lambda: stage.risk.reason() == "drill", "the latch restored")
        host = stage.runs["risk"].host
        await until(
            lambda: stage.risk.picture.positions_known(host.clock(), stage.risk.params),
            "positions known to the new risk",
        )
        refused = await client.post("/resume")
        assert refused.status_code == 409
        assert "must be confirmed" in refused.json()["detail"]
        again = await client.post("/resume", json={"confirm": True})
        assert again.status_code == 200
        await until(control.is_granted, "a lease after the resume")


async def test_a_kill_without_the_state_store_is_obeyed_and_latched_when_it_is_back(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with (
        staged(tmp_path, own_nats, own_valkey) as stage,
        controlled(stage) as (control, client),
    ):
        own_valkey.stop()
        await until(lambda: not control.view.up["state"], "the gateway notices")

        killed = (await client.post("/kill", json={"reason": "drill"})).json()
        assert (killed["latched"], killed["told"], killed["mode"]) == (False, True, "killed")
        assert killed["latch_failure"]
        patched = await client.patch("/params", json={"changes": {"quoter.gamma": 0.03}})
        assert (patched.status_code, patched.json()["title"]) == (503, "Parameters not stored")

        own_valkey.start()
        await until(lambda: control.view.up["state"], "the state store back")
        async with redis.asyncio.Redis.from_url(own_valkey.url, decode_responses=True) as state:
            async with asyncio.timeout(10):
                while "drill" not in str(await state.get("mock:kill_latch")):
                    assert stage.risk.reason() == "drill"


async def test_a_kill_does_not_wait_for_a_state_store_that_hangs(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with (
        staged(tmp_path, own_nats, own_valkey) as stage,
        controlled(stage) as (control, client),
    ):
        own_valkey.freeze()
        try:
            killed = (await client.post("/kill", json={"reason": "drill"}, timeout=3)).json()
            assert (killed["latched"], killed["told"], killed["mode"]) == (False, True, "killed")
            assert stage.risk.reason() == "drill"
        finally:
            own_valkey.thaw()
        await until(lambda: control.view.up["state"], "the state store back")


async def test_a_kill_without_the_bus_is_latched_at_once_and_told_when_it_is_back(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with (
        staged(tmp_path, own_nats, own_valkey) as stage,
        controlled(stage) as (control, client),
    ):
        own_nats.stop()
        await until(lambda: not control.view.up["bus"], "the gateway notices")
        await until(lambda: not stage.risk.is_granted(), "the lease withdrawn")

        killed = (await client.post("/kill", json={"reason": "drill"})).json()
        assert (killed["latched"], killed["told"]) == (True, False)
        assert (await client.post("/resume", json={"confirm": True})).status_code == 503
        assert (await client.get("/health")).status_code == 503

        own_nats.start()
        await until(lambda: stage.risk.reason() == "drill", "risk is told")
        lease = stage.risk.lease()
        assert lease is not None
        assert lease.mode is Mode.KILLED


async def test_a_gateway_that_starts_late_reads_what_happened_before(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with staged(tmp_path, own_nats, own_valkey) as stage:
        await until(stage.risk.is_granted, "a lease")
        stage.runs["oms"].host.deliver("oms", Wake(timer="trade"))

        async with controlled(stage) as (control, client):
            await until(lambda: control.view.fills, "the fill from before")
            (trade,) = (await client.get("/fills")).json()["fills"]
            (resting,) = (await client.get("/orders")).json()["orders"]

    assert (trade["instrument"], trade["amount"]) == (PERPETUAL, 600.0)
    assert (resting["label"], resting["state"]) == ("mm-resting", "open")


async def test_the_metrics_are_served_to_prometheus_with_the_token_only(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with (
        staged(tmp_path, own_nats, own_valkey) as stage,
        controlled(stage) as (_, client),
    ):
        text = (await client.get("/metrics")).text
        assert 'mm_mode{mode="active"} 1.0' in text

        refused = await client.get("/metrics", headers={"Authorization": "Bearer guess"})
        assert refused.json()["title"] == "Wrong token"
