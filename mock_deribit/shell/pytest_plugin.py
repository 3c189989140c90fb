"""Fixtures for the tests of any project: `pytest_plugins = ["mock_deribit.shell.pytest_plugin"]` in its
topmost conftest.py.

`deribit` is a mock in the test's own event loop (pytest-asyncio), `deribit_process` one as a process. A
marker says what either is like:

    @pytest.mark.deribit(seed=7, market="simulated", accounts=[{"name": "ann", "client_id": "ann-1"}])
    async def test_a_client(deribit): ...

    @pytest.mark.deribit("--scenario", "lost-answers")
    def test_another(deribit_process): ...
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from mock_deribit.shell.fixture import ExchangeProcess, Running, running


def pytest_configure(config: pytest.Config) -> None:
    """pytest: the marker is known."""
    config.addinivalue_line(
        "markers", "deribit(*flags, **settings): what the mock exchange is like"
    )


def _marked(request: pytest.FixtureRequest) -> tuple[tuple[Any, ...], dict[str, Any]]:
    marker = request.node.get_closest_marker("deribit")
    return ((), {}) if marker is None else (marker.args, marker.kwargs)


@pytest_asyncio.fixture
async def deribit(request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    """A mock exchange in this event loop, with the marker's settings."""
    _, settings = _marked(request)
    async with running(**settings) as exchange:
        yield exchange


@pytest.fixture
def deribit_process(request: pytest.FixtureRequest) -> Iterator[ExchangeProcess]:
    """A mock exchange as a process of its own, with the marker's flags."""
    flags, _ = _marked(request)
    with ExchangeProcess(*flags) as exchange:
        yield exchange
