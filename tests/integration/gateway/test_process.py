"""The gateway as a process: its port, its token, its settings, its end."""

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from console.servers import NatsServer, ValkeyServer, free_port
from services.gateway.shell import CannotServe, bind, http_settings, token_for
from tests.support.waiting import until

ROOT = Path(__file__).parents[3]


def environment(folder: Path, **changes: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | {"RUN_DIR": str(folder / "run"), "JOURNAL": "false"} | changes


def run_to_end(folder: Path, **changes: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "services.gateway"]
    env = environment(folder, **changes)
    return subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False
    )


@contextmanager
def started(folder: Path, log: Path, **changes: str) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "services.gateway"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment(folder, **changes), stderr=output, stdout=output
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(30)


def test_a_busy_port_is_one_clear_line_and_exit_one(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run_to_end(tmp_path, GATEWAY_PORT=str(port))

    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert f"cannot listen on 127.0.0.1:{port}" in ended.stderr
    assert "set GATEWAY_PORT" in ended.stderr


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("GATEWAY_PORT", "http", "GATEWAY_PORT: Input should be a valid integer"),
        ("GATEWAY_PORT", "70000", "GATEWAY_PORT: Input should be less than or equal to 65535"),
        ("GATEWAY_TOKEN", "short", "GATEWAY_TOKEN: Value should have at least 16 items"),
        ("GATEWAY_HOST", "no.such.host.invalid", "cannot listen on no.such.host.invalid"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str, text: str) -> None:
    with pytest.raises(CannotServe, match=text):
        bind_as_told({name: value})


def bind_as_told(environ: dict[str, str]) -> None:
    settings = http_settings(environ)
    bind(settings.host, settings.port).close()


def test_a_wrong_token_setting_does_not_show_the_token() -> None:
    with pytest.raises(CannotServe) as caught:
        http_settings({"GATEWAY_TOKEN": "too-short"})

    assert "too-short" not in str(caught.value)


def test_a_token_is_made_once_and_kept_for_its_owner(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = token_for(None, tmp_path)
    second = token_for(None, tmp_path)

    assert second == first
    assert len(first) >= 32
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
    assert first not in capsys.readouterr().err


def test_a_new_token_is_shown_once_to_a_person_and_never_to_a_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("log", "terminal"):
        (tmp_path / folder).mkdir()
    token_for(None, tmp_path / "log")
    assert capsys.readouterr().err == "control API token: in the file token of the run directory\n"

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    first = token_for(None, tmp_path / "terminal")
    assert capsys.readouterr().err.endswith(f": {first}\n")
    token_for(None, tmp_path / "terminal")
    assert capsys.readouterr().err == ""


async def test_the_process_serves_and_ends_in_good_order_without_its_token_in_the_log(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "log"
    secret = "a-token-given-by-the-operator"
    settings = {
        "NATS_URL": own_nats.url,
        "REDIS_URL": own_valkey.url,
        "GATEWAY_PORT": str(port),
        "GATEWAY_TOKEN": secret,
    }
    with started(tmp_path, log, **settings) as process:
        await until(lambda: is_healthy(port), "the gateway healthy", 30.0)
        url = f"http://127.0.0.1:{port}/status"
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {secret}"}) as client:
            status = (await client.get(url)).json()
        assert status["links"] == {"bus": True, "state": True}

        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0

    text = log.read_text(encoding="utf-8")
    assert secret not in text
    assert "Traceback" not in text


def is_healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
    except httpx.TransportError:
        return False
