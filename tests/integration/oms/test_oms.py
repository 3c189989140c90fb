"""The OMS against a mock exchange over a real socket, a real broker and a real state store."""

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from console import kill
from console.servers import NatsServer, ValkeyServer
from mock_deribit.faults import Cut, LoseAnswer
from services.oms.core import Oms
from shared.messages import Health, Mode, OrderState, Swept
from shared.params import Params
from shared.shell.host_nats import NatsHost
from shared.units import Side
from tests.integration.oms.stage import PERPETUAL, Stage, staged
from tests.support.exchange import ROOT, SECRET, talk
from tests.support.hosting import running
from tests.support.relay import Relay
from tests.support.waiting import until


async def test_a_quote_becomes_orders_that_follow_it_and_go_with_it(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with staged(tmp_path, own_nats, own_valkey) as stage:
        await stage.quoting()
        before = stage.labels()
        stage.quote(59_980.0, 60_005.0)
        await until(lambda: stage.prices() == [59_980.0, 60_005.0], "both moved")
        assert stage.labels() == before
        stage.no_quote()
        await until(lambda: not stage.prices(), "both are gone")
        first = [c.tick_to_order_us for c in stage.orders() if c.state is OrderState.PENDING]
        assert all(us is not None and us > 0 for us in first)
        assert stage.anomalies() == []


async def test_a_fill_reaches_the_bus_once_and_the_position_the_state_store(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with staged(tmp_path, own_nats, own_valkey) as stage:
        await stage.quoting()
        stage.others(Side.SELL, 59_990.0, 200_600.0)
        await until(stage.fills, "the fill")
        await until(
            lambda: f'"{PERPETUAL}":{{"amount":600.0' in stage.stored("inventory"), "stored"
        )
        position = stage.position()
        assert position is not None
        assert position.amount == stage.real_position() == 600.0
        reconciled = position.reconciled
        await until(lambda: (p := stage.position()) and p.reconciled > reconciled, "agreed again")
        assert [fill.amount for fill in stage.fills()] == [600.0]
        assert "position_mismatch" not in stage.anomalies()


async def test_when_risk_falls_silent_the_book_is_empty_as_the_lease_ends(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with staged(tmp_path, own_nats, own_valkey) as stage:
        await stage.quoting()
        stage.director.silent = True
        await until(lambda: not stage.prices(), "the lease took them away", 5.0)
        await until(lambda: len(reasons(stage)) == 2, "and the bus heard of it")
        assert reasons(stage) == ["lease_expired", "lease_expired"]


def reasons(stage: Stage) -> list[str]:
    """Why orders were cancelled."""
    return [c.reason for c in stage.orders() if c.state is OrderState.CANCELLED]


async def test_a_broker_that_dies_takes_the_orders_away_and_one_that_is_back_lets_them_rest(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with staged(tmp_path, own_nats, own_valkey) as stage:
        await stage.quoting()
        own_nats.stop()
        await until(lambda: not stage.prices(), "pulled without a bus", 5.0)
        own_nats.start()
        await until(lambda: len(stage.prices()) == 2, "resting again")


async def test_a_state_store_that_dies_takes_the_orders_away_and_gets_everything_back(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with staged(tmp_path, own_nats, own_valkey) as stage:
        await stage.quoting()
        own_valkey.stop()
        await until(lambda: not stage.prices(), "pulled without state")
        own_valkey.start()
        await until(lambda: len(stage.prices()) == 2, "resting again")
        await until(lambda: stage.stored("inventory"), "the inventory is there again")


async def test_at_the_start_stale_orders_of_ours_go_and_foreign_ones_stay(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with (
        staged(tmp_path, own_nats, own_valkey, oms=False) as stage,
        await talk(stage.address) as client,
    ):
        await client.login(stage.address)
        order = {"instrument_name": PERPETUAL, "amount": 50.0, "price": 59_000.0}
        for label in ("by-hand", "mm-0-BTC-PERPETUAL-b0-1"):
            await client.call("private/buy", **order, label=label, type="limit")
        async with running(NatsHost([Oms(Params())], stage.settings)):
            await until(lambda: stage.labels() == ["by-hand"], "only ours is gone")
            await stage.quoting(beside=(59_000.0,))
        assert stage.labels() == ["by-hand"]
        assert "unknown_order" in stage.anomalies()


async def test_a_cut_socket_and_a_lost_answer_never_double_an_order(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with staged(tmp_path, own_nats, own_valkey) as stage:
        await until(stage.is_ready, "the OMS is ready")
        stage.fault(LoseAnswer(method="private/sell"))
        stage.quote()
        await until(lambda: stage.prices() == [59_990.0, 60_010.0], "one order a side")
        stage.fault(Cut())
        assert stage.prices() == []
        await until(lambda: stage.prices() == [59_990.0, 60_010.0], "one order a side again")
        rounds = len(stage.director.of(Health))
        await until(lambda: len(stage.director.of(Health)) > rounds + 2, "three beats later")
        assert stage.prices() == [59_990.0, 60_010.0]


async def test_an_exchange_that_dies_and_comes_back_empty_is_quoted_again(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with staged(tmp_path, own_nats, own_valkey) as stage:
        await stage.quoting()
        await stage.restart_exchange()
        await until(lambda: stage.prices() == [59_990.0, 60_010.0], "quoted anew", 20.0)


async def test_a_kill_empties_the_book_and_its_latch_outlives_the_process(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with staged(tmp_path, own_nats, own_valkey) as stage:
        await stage.quoting()
        stage.kill()
        await until(lambda: not stage.prices(), "everything is cancelled")
        await until(lambda: stage.stored("kill_latch"), "the latch is stored")
        assert json.loads(stage.stored("kill_latch"))["by"] == "ann"
        await stage.oms.end()
        beats = len(stage.director.of(Health))
        async with running(NatsHost([Oms(Params())], stage.settings)):
            await until(lambda: len(stage.director.of(Health)) > beats + 1, "two beats")
            stage.quote()
            heard = len(stage.director.of(Health))
            await until(lambda: len(stage.director.of(Health)) > heard + 1, "two more beats")
            assert stage.director.of(Health)[-1].detail == "killed"
            assert stage.prices() == []
            stage.director.mode = Mode.KILLED
            await until(lambda: len(stage.director.of(Health)) > heard + 2, "risk says killed")
            stage.director.mode = Mode.ACTIVE
            await until(lambda: len(stage.prices()) == 2, "resumed")
            await until(lambda: not stage.stored("kill_latch"), "the latch is cleared")


async def test_a_kill_over_a_socket_that_is_open_and_silent_goes_by_http(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with (
        staged(tmp_path, own_nats, own_valkey, oms=False) as stage,
        Relay(stage.address.port) as relay,
        await talk(stage.address) as client,
    ):
        await client.login(stage.address)
        by_hand = {"instrument_name": PERPETUAL, "amount": 50.0, "price": 59_000.0}
        await client.call("private/buy", **by_hand, label="by-hand", type="limit")
        url = f"ws://127.0.0.1:{relay.port}/ws/api/v2"
        settings = stage.settings.model_copy(update={"venue_ws_url": url})
        async with running(NatsHost([Oms(Params())], settings)):
            await stage.quoting(beside=(59_000.0,))
            relay.stall()
            stage.kill()
            await until(lambda: stage.labels() == ["by-hand"], "cancelled by the second way")
            await until(lambda: stage.director.of(Swept), "and proved")
        assert stage.labels() == ["by-hand"]


async def test_an_event_stream_that_lost_its_store_is_begun_anew_and_nothing_else_is_lost(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with staged(tmp_path, own_nats, own_valkey) as stage:
        await stage.quoting()
        stage.others(Side.SELL, 59_990.0, 200_600.0)
        await until(stage.fills, "a fill")
        own_nats.kill()
        await until(lambda: not stage.prices(), "pulled without a bus", 5.0)
        shutil.rmtree(own_nats.store)
        own_nats.start()
        await until(lambda: len(stage.prices()) == 2, "resting again")
        position = stage.position()
        assert position is not None
        assert position.amount == stage.real_position() == 600.0


async def test_a_state_store_full_of_rubbish_is_told_of_and_the_exchange_is_believed(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    with redis.Redis(host="127.0.0.1", port=own_valkey.port) as client:
        for key in ("inventory", "params"):
            client.set(f"mock:{key}", bytes(range(128, 256)))
    async with staged(tmp_path, own_nats, own_valkey) as stage:
        await stage.quoting()
        assert sorted(stage.anomalies()) == ["stored_inventory", "stored_params"]
        await until(lambda: '"holdings"' in stage.stored("inventory"), "written anew")


@pytest.mark.parametrize("bus", ["without an API", "without an API and a bus"])
async def test_a_kill_from_a_terminal_needs_no_api_and_no_bus(
    own_nats: NatsServer,
    own_valkey: ValkeyServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bus: str,
) -> None:
    async with staged(tmp_path, own_nats, own_valkey) as stage:
        await stage.quoting()
        if "bus" in bus:
            own_nats.stop()
        monkeypatch.setenv("REDIS_URL", own_valkey.url)
        monkeypatch.setenv("RUN_DIR", str(tmp_path))
        parser = argparse.ArgumentParser()
        kill.add_arguments(parser)
        args = parser.parse_args(["--by", "ann", "--url", "http://127.0.0.1:1"])
        assert await asyncio.to_thread(kill.run, args) == kill.LATCHED
        await until(lambda: not stage.prices(), "nothing rests")
        if "bus" in bus:
            own_nats.start()
        await until(lambda: stage.director.of(Health)[-1].detail == "killed", "by the latch")
        await until(lambda: stage.director.of(Swept), "and the exchange has shown it")


def test_a_kill_that_reaches_nothing_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("RUN_DIR", str(tmp_path))
    parser = argparse.ArgumentParser()
    kill.add_arguments(parser)
    assert kill.run(parser.parse_args(["--url", "http://127.0.0.1:1"])) == kill.FAILED
    assert "stop the OMS" in capsys.readouterr().err


def spawn(stage: Stage) -> subprocess.Popen[bytes]:
    """`python -m services.oms`, as deployed."""
    environment = {
        **os.environ,
        "NATS_URL": stage.nats.url,
        "REDIS_URL": stage.valkey.url,
        "VENUE_WS_URL": stage.address.websocket,
        "DERIBIT_CLIENT_ID": "mock-maker",
        "DERIBIT_CLIENT_SECRET": SECRET,
        "RUN_DIR": str(stage.folder / "process"),
        "JOURNAL": "false",
    }
    command = [sys.executable, "-m", "services.oms"]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -9)])
async def test_however_the_process_ends_no_order_of_ours_is_left(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path, number: int, code: int
) -> None:
    async with staged(tmp_path, own_nats, own_valkey, oms=False) as stage:
        process = spawn(stage)
        try:
            await stage.quoting()
            process.send_signal(number)
            await until(lambda: not stage.prices(), "by its own cancels, or by the exchange's")
            assert await asyncio.to_thread(process.wait, 10.0) == code
        finally:
            process.kill()
            process.wait()
