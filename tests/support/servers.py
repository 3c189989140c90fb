"""Real servers for tests: nats-server and a Redis-protocol server on free ports, ended by pid."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from console.servers import NatsServer, ValkeyServer


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One broker for all tests that leave nothing behind in it and do not stop it."""
    with NatsServer(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """One state store for all tests that use keys of their own and do not stop it."""
    with ValkeyServer(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def own_nats(tmp_path: Path) -> Iterator[NatsServer]:
    """A broker of the test's own: it may be stopped, killed and started again on its port."""
    with NatsServer(tmp_path / "nats") as server:
        yield server


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A state store of the test's own."""
    with ValkeyServer(tmp_path / "valkey") as server:
        yield server
