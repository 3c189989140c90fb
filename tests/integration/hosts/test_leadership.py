"""One process acts for an account: a second one waits, takes over from a dead one, fences a deposed one."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from console.servers import NatsServer, ValkeyServer
from shared.kernel import Effects, Event, LinkUp, Nanos, Restored, Started, Store, Wake
from shared.shell.health import read_beats
from shared.shell.host_nats import NatsHost
from shared.shell.leadership import LEASE_S, RENEW_S, Deposed, Leadership
from shared.shell.settings import Settings
from shared.shell.state_redis import RedisState
from tests.support.exchange import SECRET
from tests.support.hosting import running, settings_for
from tests.support.toys import Listener
from tests.support.waiting import until


class Trader(Listener):
    """A core with keys, which stores `key=value` timers."""

    def __init__(self) -> None:
        super().__init__("oms", links=("private",), remembers=("kill_latch", "inventory"))

    def handle(self, now: Nanos, event: Event) -> Effects:
        """Store."""
        super().handle(now, event)
        if isinstance(event, Wake) and "=" in event.timer:
            key, _, value = event.timer.partition("=")
            return (Store(key, value),)
        return ()

    def started(self) -> bool:
        """Whether it runs."""
        return any(isinstance(event, Started) for event in self.events)

    def restored(self) -> dict[str, str | None]:
        """What it was told it had stored."""
        return {event.key: event.value for event in self.events if isinstance(event, Restored)}


@pytest.fixture
async def client(own_valkey: ValkeyServer) -> AsyncIterator[redis.asyncio.Redis]:
    """The store, as a test looks into it."""
    async with redis.asyncio.Redis.from_url(own_valkey.url, decode_responses=True) as opened:
        yield opened


def settings(folder: Path, name: str, nats: NatsServer, valkey: ValkeyServer) -> Settings:
    """Of one of several instances with the same keys; nobody answers at the exchange's address."""
    return settings_for(
        folder / name,
        nats_url=nats.url,
        redis_url=valkey.url,
        venue_ws_url="ws://127.0.0.1:1/ws/api/v2",
        deribit_client_id="mock-maker",
        deribit_client_secret=SECRET,
    )


async def test_a_second_instance_is_told_who_leads_and_takes_over_when_that_one_ends(
    nats_server: NatsServer,
    own_valkey: ValkeyServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, second = Trader(), Trader()
    here = settings(tmp_path, "second", nats_server, own_valkey)
    leading = NatsHost([first], settings(tmp_path, "first", nats_server, own_valkey))
    async with running(leading) as (run,):
        await until(first.started, "the first leads")
        async with running(NatsHost([second], here)):
            await until(lambda: "standing by" in caplog.text, "the second says so")
            assert "process" in str(caplog.records[-1].__dict__)
            assert second.events == []
            await until(
                lambda: "another instance leads" in str(read_beats(here.run_dir)), "and its beat"
            )
            leading.deliver("oms", Wake(timer="inventory=the first's"))
            assert await run.end() == 0
            await until(second.started, "the second leads")
            assert second.restored()["inventory"] == "the first's"


async def test_a_standby_takes_over_from_a_dead_leader_within_the_stated_time(
    own_valkey: ValkeyServer, client: redis.asyncio.Redis
) -> None:
    dead, standby = (Leadership(client, "mock", "a") for _ in range(2))
    assert await dead.claim() == ""
    loop = asyncio.get_running_loop()
    died = loop.time()
    assert "process" in await standby.claim()

    async def leads() -> bool:
        return await standby.claim() == ""

    state = RedisState(own_valkey.url, "mock", "a")
    await state.load(())
    assert loop.time() - died <= LEASE_S + RENEW_S + 1.0
    assert not await leads()
    await state.close()
    assert await leads()
    assert standby.token > dead.token


async def test_a_deposed_leader_cannot_overwrite_its_successor(
    own_valkey: ValkeyServer, client: redis.asyncio.Redis
) -> None:
    asleep, successor = (Leadership(client, "mock", "a") for _ in range(2))
    await asleep.claim()
    await asleep.write({"mock:inventory": "old"})
    await client.delete("mock:leader:a")  # its lease ran out while it slept
    await successor.claim()
    await successor.write({"mock:inventory": "new"})
    with pytest.raises(Deposed, match="another instance leads"):
        await asleep.write({"mock:inventory": "older still"})
    await successor.release()
    with pytest.raises(Deposed, match="led meanwhile"):
        await asleep.renew()
    assert await client.get("mock:inventory") == "new"


async def test_a_host_that_is_deposed_says_by_whom_and_ends(
    nats_server: NatsServer,
    own_valkey: ValkeyServer,
    client: redis.asyncio.Redis,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    core = Trader()
    here = settings(tmp_path, "one", nats_server, own_valkey)
    async with running(NatsHost([core], here)) as (run,):
        await until(core.started, "it leads")
        await client.set(f"mock:leader:{here.account}", "somebody else")
        assert await asyncio.wait_for(run.task, 10.0) == 1
    assert "another instance leads this account: somebody else" in caplog.text
    assert Wake(timer="stop") in core.events


async def test_a_store_that_was_emptied_changes_the_token_and_gets_everything_back(
    nats_server: NatsServer, own_valkey: ValkeyServer, client: redis.asyncio.Redis, tmp_path: Path
) -> None:
    core = Trader()
    here = settings(tmp_path, "one", nats_server, own_valkey)
    host = NatsHost([core], here)
    async with running(host):
        await until(lambda: LinkUp(link="state") in core.events, "it leads")
        host.deliver("oms", Wake(timer="inventory=7"))
        await until(lambda: host.figures("oms")["state_pending"] == 0, "written")
        before = await client.get(f"mock:fence:{here.account}")
        await client.flushall()
        seen: dict[str, Any] = {}

        async def look() -> None:
            while seen.get("inventory") != "7":
                seen["inventory"] = await client.get("mock:inventory")

        await asyncio.wait_for(look(), 10.0)
        after = await client.get(f"mock:fence:{here.account}")
        assert int(str(after)) > int(str(before))


async def test_a_kill_latch_that_somebody_else_wrote_is_told_without_any_bus(
    nats_server: NatsServer, own_valkey: ValkeyServer, client: redis.asyncio.Redis, tmp_path: Path
) -> None:
    core = Trader()
    host = NatsHost([core], settings(tmp_path, "one", nats_server, own_valkey))
    async with running(host):
        await until(core.started, "it runs")
        assert core.restored() == {"kill_latch": None, "inventory": None}
        await client.set("mock:kill_latch", "now")
        await until(lambda: core.restored()["kill_latch"] == "now", "told")
        host.deliver("oms", Wake(timer="kill_latch=mine"))
        await until(lambda: host.figures("oms")["state_pending"] == 0, "written")
        await client.set("mock:kill_latch", "")
        await client.set("mock:inventory", "8")
        await client.set("mock:kill_latch", "again")
        await until(lambda: core.restored()["kill_latch"] == "again", "told again")
    told = [event.value for event in core.events if isinstance(event, Restored)]
    assert told == [None, None, "now", "again"], "its own word is no news, nor is an empty latch"
