"""Shared state against a real server: restored at the start, written behind, written again after a loss."""

import shutil
from pathlib import Path

import pytest
import redis.asyncio

from console.servers import NatsServer, ValkeyServer
from shared.kernel import (
    Effects,
    Event,
    LinkDown,
    LinkUp,
    Nanos,
    Restored,
    Started,
    Store,
    Wake,
)
from shared.shell.host_nats import NatsHost
from shared.shell.state_redis import RedisState
from tests.support.hosting import running, settings_for
from tests.support.toys import Listener
from tests.support.waiting import until


class Keeper(Listener):
    """Stores under the name of every timer it is woken with."""

    def __init__(self) -> None:
        super().__init__("risk", remembers=("kill_latch", "other"))

    def handle(self, now: Nanos, event: Event) -> Effects:
        """Store `key=value` timers."""
        super().handle(now, event)
        if isinstance(event, Wake) and "=" in event.timer:
            key, _, value = event.timer.partition("=")
            return (Store(key, value),)
        return ()

    def ups_and_downs(self) -> list[str]:
        """How the state link came and went."""
        told = [event for event in self.events if isinstance(event, LinkUp | LinkDown)]
        return [type(event).__name__ for event in told if event.link == "state"]


async def stored(server: ValkeyServer, key: str) -> str | None:
    async with redis.asyncio.Redis.from_url(server.url, decode_responses=True) as client:
        value = await client.get(key)
    return None if value is None else str(value)


async def test_what_one_process_stored_the_next_is_told_before_it_starts(
    nats_server: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, nats_url=nats_server.url, redis_url=own_valkey.url)
    first, second = Keeper(), Keeper()
    host = NatsHost([first], settings)
    async with running(host):
        await until(first.ups_and_downs, "state is up")
        for n in range(100):
            host.deliver("risk", Wake(timer=f"kill_latch={n}"))
    assert await stored(own_valkey, "mock:kill_latch") == "99"
    async with running(NatsHost([second], settings)):
        await until(second.ups_and_downs, "state is up")
    assert second.events[:2] == [
        Restored(key="kill_latch", value="99"),
        Restored(key="other", value=None),
    ]
    incarnations = [
        event.incarnation for event in first.events + second.events if isinstance(event, Started)
    ]
    assert incarnations == sorted(set(incarnations))


async def test_after_a_loss_every_key_of_this_process_is_written_again(
    nats_server: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, nats_url=nats_server.url, redis_url=own_valkey.url)
    core = Keeper()
    host = NatsHost([core], settings)
    async with running(host):
        await until(core.ups_and_downs, "state is up")
        host.deliver("risk", Wake(timer="other=before"))
        await until(lambda: host.figures("risk")["state_pending"] == 0, "written")
        assert await stored(own_valkey, "mock:other") == "before"
        own_valkey.kill()
        await until(lambda: core.ups_and_downs()[-1] == "LinkDown", "the loss is told")
        host.deliver("risk", Wake(timer="kill_latch=during"))
        shutil.rmtree(tmp_path / "valkey" / "valkey")
        own_valkey.start()
        await until(
            lambda: core.ups_and_downs() == ["LinkUp", "LinkDown", "LinkUp"], "the return is told"
        )
        assert await stored(own_valkey, "mock:kill_latch") == "during"
        assert await stored(own_valkey, "mock:other") == "before"


async def test_nothing_starts_before_the_state_is_known(
    nats_server: NatsServer,
    own_valkey: ValkeyServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    own_valkey.stop()
    settings = settings_for(tmp_path, nats_url=nats_server.url, redis_url=own_valkey.url)
    core = Keeper()
    async with running(NatsHost([core], settings)):
        await until(lambda: "state store not reachable" in caplog.text, "a log line")
        assert core.events == []
        own_valkey.start()
        await until(core.ups_and_downs, "started and up")
    assert isinstance(core.events[2], Started)


async def test_a_process_that_waits_for_its_state_can_be_stopped(
    nats_server: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    own_valkey.stop()
    settings = settings_for(tmp_path, nats_url=nats_server.url, redis_url=own_valkey.url)
    core = Keeper()
    async with running(NatsHost([core], settings)) as (run,):
        assert await run.end() == 0
    assert core.events == []


async def test_the_kill_latch_is_written_before_what_was_stored_earlier(
    own_valkey: ValkeyServer,
) -> None:
    state = RedisState(own_valkey.url, "mock")
    async with (
        redis.asyncio.Redis.from_url(own_valkey.url, decode_responses=True) as watcher,
        watcher.monitor() as monitor,
    ):
        for key in ("inventory", "kill_latch", "pnl_day"):
            state.store(key, "1")
        await state.close()
        written: list[str] = []
        while len(written) < 3:
            command = str((await monitor.next_command())["command"])
            if command.startswith("SET "):
                written.append(command.split()[1])
    assert written == ["mock:kill_latch", "mock:inventory", "mock:pnl_day"]
