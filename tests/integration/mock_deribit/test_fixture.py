"""The mock as a fixture: what the tests of another project would write."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from mock_deribit.clock import Pause
from mock_deribit.faults import Cut, Deposit
from mock_deribit.shell.fixture import ROOT, ExchangeFailed, ExchangeProcess, running
from mock_deribit.shell.pytest_plugin import deribit, deribit_process
from tests.support.exchange import Running, talk

__all__ = ["deribit", "deribit_process"]

PLUGIN = 'pytest_plugins = ["mock_deribit.shell.pytest_plugin"]'
THEIRS = """
import json, pytest
from websockets.asyncio.client import connect
from websockets.sync.client import connect as blocking

ASKED = '{"id": 1, "method": "public/ticker", "params": {"instrument_name": "BTC-PERPETUAL"}}'

@pytest.mark.asyncio
@pytest.mark.deribit(price=50_000.0)
async def test_ours(deribit):
    async with connect(deribit.address.websocket) as socket:
        await socket.send(ASKED)
        assert json.loads(await socket.recv())["result"]["best_bid_price"] == 49_999.5

@pytest.mark.deribit("--price", "40000")
def test_theirs(deribit_process):
    with blocking(deribit_process.address.websocket) as socket:
        socket.send(ASKED)
        assert json.loads(socket.recv())["result"]["best_bid_price"] == 39_999.5
        assert deribit_process.post("/faults", fault="cut")["status"] == "ok"
"""


def test_another_project_uses_both_fixtures(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "test_theirs.py").write_text(THEIRS, encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--strict-markers",
            "-p",
            "no:cacheprovider",
            str(tmp_path),
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


async def test_the_marker_is_optional_and_the_mock_answers_to_the_test_directly(
    deribit: Running,
) -> None:
    deribit.fault(Deposit(account="maker", currency="BTC", amount=0.1))
    assert deribit.ledger()["accounts"]["maker"]["portfolios"]["BTC"]["balance"] == pytest.approx(
        1.0
    )
    deribit.clock(Pause())
    async with connect(deribit.address.websocket) as socket:
        deribit.fault(Cut())
        await socket.wait_closed()
    with pytest.raises(ValueError, match="no connection 7"):
        deribit.fault(Cut(conn=7))


async def test_accounts_are_those_that_were_asked_for() -> None:
    accounts = [{"name": "ann", "client_id": "a"}, {"name": "ben", "client_id": "b"}]
    async with running(accounts=accounts) as exchange:
        assert [each.name for each in exchange.address.accounts] == ["ann", "ben"]
        async with await talk(exchange.address) as client:
            await client.login(exchange.address)


def test_a_refused_word_is_an_error_that_says_why_and_a_faults_number_lifts_it(
    deribit_process: ExchangeProcess,
) -> None:
    with pytest.raises(ValueError, match="there is no index 'x' here"):
        deribit_process.post("/faults", fault="lock", index="x")
    number = deribit_process.post("/faults", fault="drop_frames")["number"]
    assert [each["number"] for each in deribit_process.get("/faults")] == [number]
    assert deribit_process.delete(f"/faults/{number}") == {"status": "ok"}


def test_a_process_that_cannot_start_says_why() -> None:
    with pytest.raises(ExchangeFailed, match="regime"):
        ExchangeProcess("--regime", "HAIL")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(ExchangeFailed, match=f"port {port} .* choose another, or 0"):
            ExchangeProcess("--port", port)


async def test_an_address_of_the_sixth_version_is_one_that_a_client_can_use() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    async with running(host="::1", control_host="::") as exchange:
        assert exchange.address.control.startswith("http://[::1]:")
        async with connect(exchange.address.websocket) as client:
            await client.send('{"id": 1, "method": "public/test"}')
            assert '"version"' in str(await client.recv())
