"""`docker compose up`, as a user types it: built, run, and steered through its control API."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.compose import Composed, what_is_missing

QUOTING_S = 60.0
ANSWER_S = 45.0
RESTART_S = 60.0

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def system() -> Iterator[Composed]:
    missing = what_is_missing()
    if missing is not None:
        pytest.skip(f"docker-compose.yml is not run: {missing}")
    composed = Composed()
    try:
        composed.up()
        yield composed
    finally:
        composed.down()


def is_quoting(status: Any) -> bool:
    return bool(status["quoting"] and status["open_orders"] > 0)


def test_it_quotes_is_paused_resumed_and_killed_and_stays_killed(system: Composed) -> None:
    status = system.until("/status", is_quoting, "quoting", QUOTING_S)
    assert status["env"] == "mock"
    assert status["mode"] == "active"

    system.post("/pause")
    paused = system.until(
        "/status", lambda now: now["open_orders"] == 0, "orders pulled by a pause", ANSWER_S
    )
    assert paused["mode"] == "paused"
    assert not paused["quoting"]

    system.post("/resume")
    system.until("/status", is_quoting, "quoting again", ANSWER_S)

    answer = system.post("/kill", reason="drill")
    assert answer["latched"]
    system.until(
        "/status",
        lambda now: now["mode"] == "killed" and now["open_orders"] == 0,
        "killed, nothing rests",
        ANSWER_S,
    )

    system.compose("restart", "redis", "oms", "risk", "quoter", "gateway")
    killed = system.until(
        "/status", lambda now: now["mode"] == "killed", "killed after a restart too", RESTART_S
    )
    assert killed["open_orders"] == 0
    assert not killed["quoting"]


def test_nothing_but_the_control_api_is_published_and_that_only_here(system: Composed) -> None:
    listed = system.compose("ps", "--format", "json").splitlines()
    published = {
        (container["Service"], port["URL"], port["PublishedPort"])
        for container in map(json.loads, listed)
        for port in container["Publishers"]
        if port["PublishedPort"]
    }
    assert published == {("gateway", "127.0.0.1", system.port)}


def test_no_container_runs_with_more_than_it_needs(system: Composed) -> None:
    for name in system.compose("ps", "--quiet").split():
        shown = subprocess.run(
            ["docker", "inspect", name], check=True, capture_output=True, text=True
        )
        host = json.loads(shown.stdout)[0]["HostConfig"]
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert "no-new-privileges:true" in host["SecurityOpt"]


def test_a_token_that_is_not_ours_opens_nothing(system: Composed) -> None:
    for headers in ({"Authorization": "Bearer wrong"}, {"Authorization": ""}):
        assert system.api.get("/status", headers=headers).status_code == 401
