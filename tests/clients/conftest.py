"""The environment of other people's clients, and what one of them makes of a running mock."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from console.setup import SetupFailed, clients
from mock_deribit.market.still import StillMarket
from mock_deribit.shell.server import Address, MockServer
from tests.support.exchange import Json, settings_for_tests

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def client_python() -> Path:
    """The Python that has the clients; the tests are skipped where none can be had."""
    environment = clients()
    try:
        environment.ensure("runtime")
    except SetupFailed as failed:
        pytest.skip(f"no clients to test with: {failed}")
    return environment.python


@pytest.fixture(scope="module")
def told(request: pytest.FixtureRequest, client_python: Path) -> Json:
    """What the script that the test's module names says of a session, and the exchange's own `ledger`."""
    return asyncio.run(_session(client_python, HERE / request.module.SCRIPT))


async def _session(python: Path, script: Path) -> Json:
    server = MockServer(settings_for_tests(), StillMarket())
    address = await server.start()
    try:
        told = await _told(python, script, address)
        async with httpx.AsyncClient() as web:
            told["ledger"] = (await web.get(f"{address.control}/ledger")).json()
        return told
    finally:
        await server.stop()


async def _told(python: Path, script: Path, address: Address) -> Json:
    where = f"{address.host}:{address.port}"
    process = await asyncio.create_subprocess_exec(
        *(str(python), "-I", str(script), where, address.client_id, address.client_secret),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()
    told: Json = json.loads(said)
    return told
