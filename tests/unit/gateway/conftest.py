"""A gateway with its API, a real risk core beside it, and a bus and a state store that are lists."""

import pytest

from tests.unit.gateway.plane import Plane


@pytest.fixture
def plane() -> Plane:
    """Everybody up and talking."""
    return Plane().start()
