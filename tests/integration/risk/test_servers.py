"""Risk on real servers: no lease without them, and a lease again when they are back."""

from pathlib import Path

import nats
import redis.asyncio

from console.servers import NatsServer, ValkeyServer
from shared.kernel import Wake
from shared.messages import Kill, Mode, Resume
from tests.integration.risk.stage import staged
from tests.support.waiting import until


async def test_a_lease_reaches_the_oms_over_the_bus_and_is_renewed(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with staged(tmp_path, own_nats, own_valkey) as stage:
        await until(
            lambda: sum(lease.granted for lease in stage.oms.leases()) >= 4, "four leases heard"
        )

        granted = [lease for lease in stage.oms.leases() if lease.granted]
        assert all(lease.mode is Mode.ACTIVE for lease in granted)
        assert [lease.number for lease in granted] == sorted({lease.number for lease in granted})


async def test_without_the_bus_there_is_no_lease_and_with_it_there_is_one_again(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with staged(tmp_path, own_nats, own_valkey) as stage:
        await until(stage.risk.is_granted, "a lease")

        own_nats.stop()
        await until(lambda: stage.risk.reason() == "bus link is down", "the lease withdrawn")
        assert not stage.risk.is_granted()

        own_nats.start()
        await until(stage.risk.is_granted, "a lease again")
        seen = len(stage.oms.leases())
        await until(
            lambda: any(lease.granted for lease in stage.oms.leases()[seen:]), "the OMS hears it"
        )


async def test_without_the_state_store_there_is_no_lease_and_with_it_there_is_one_again(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with staged(tmp_path, own_nats, own_valkey) as stage:
        await until(stage.risk.is_granted, "a lease")

        own_valkey.stop()
        await until(lambda: stage.risk.reason() == "state link is down", "the lease withdrawn")
        await until(lambda: not stage.oms.leases()[-1].granted, "the OMS hears it")

        own_valkey.start()
        await until(stage.risk.is_granted, "a lease again")


async def test_a_silent_marketdata_ends_the_lease_and_its_return_renews_it(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with staged(tmp_path, own_nats, own_valkey) as stage:
        await until(stage.risk.is_granted, "a lease")

        await stage.runs["marketdata"].end()
        await until(lambda: not stage.risk.is_granted(), "the lease withdrawn")
        assert stage.risk.reason() == "marketdata is silent"

        await stage.run(stage.market)
        await until(stage.risk.is_granted, "a lease again")


async def test_the_kill_latch_survives_a_restart_of_risk(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with (
        redis.asyncio.Redis.from_url(own_valkey.url, decode_responses=True) as state,
        staged(tmp_path, own_nats, own_valkey) as stage,
    ):
        await until(stage.risk.is_granted, "a lease")
        host = stage.runs["risk"].host
        host.deliver("risk", Kill(ts=host.clock(), command_id="1", by="ana", reason="drill"))
        assert stage.risk.reason() == "drill"

        await stage.restart_risk()
        await until(lambda: stage.risk.reason() == "drill", "the latch restored")
        lease = stage.risk.lease()
        assert lease is not None
        assert (lease.mode, lease.granted) == (Mode.KILLED, False)
        assert '"by":"ana"' in str(await state.get("mock:kill_latch"))

        host = stage.runs["risk"].host
        await until(
            lambda: stage.risk.picture.positions_known(host.clock(), stage.risk.params),
            "positions known",
        )
        again = Resume(ts=host.clock(), command_id="2", by="ana", confirm=True)
        host.deliver("risk", again)
        await until(stage.risk.is_granted, "a lease after the resume")

        await stage.restart_risk()
        await until(stage.risk.is_granted, "no latch after another restart")


async def test_a_kill_that_redis_forgot_is_read_back_from_the_event_stream(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with (
        redis.asyncio.Redis.from_url(own_valkey.url, decode_responses=True) as state,
        staged(tmp_path, own_nats, own_valkey) as stage,
    ):
        await until(stage.risk.is_granted, "a lease")
        host = stage.runs["risk"].host
        host.deliver("risk", Kill(ts=host.clock(), command_id="1", by="ana", reason="drill"))
        await stage.runs["risk"].end()
        await state.flushall()
        await stage.restart_risk()
        await until(lambda: "had lost this kill" in stage.risk.reason(), "read back")
        assert stage.risk.reason().startswith("drill")
        assert not any(lease.granted for lease in stage.risk.leases)
        await until(lambda: stage.runs["risk"].host.figures("risk")["state_pending"] == 0, "kept")
        assert "drill" in str(await state.get("mock:kill_latch"))


async def test_where_redis_and_the_event_stream_have_both_forgotten_a_person_must_confirm(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with (
        redis.asyncio.Redis.from_url(own_valkey.url, decode_responses=True) as state,
        staged(tmp_path, own_nats, own_valkey) as stage,
    ):
        await until(stage.risk.is_granted, "a lease")
        await stage.runs["risk"].end()
        await state.flushall()
        client = await nats.connect(own_nats.url)
        await client.jetstream().purge_stream("mock-events")
        await client.close()
        await stage.restart_risk()
        await until(lambda: "has forgotten" in stage.risk.reason(), "it asks for a word")
        assert not any(lease.granted for lease in stage.risk.leases)


async def test_a_stopping_risk_takes_its_lease_back(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with staged(tmp_path, own_nats, own_valkey) as stage:
        await until(lambda: any(lease.granted for lease in stage.oms.leases()), "a lease")

        stage.runs["risk"].host.deliver("risk", Wake(timer="stop"))

        await until(lambda: stage.oms.leases()[-1].reason == "risk is stopping", "the OMS hears it")
