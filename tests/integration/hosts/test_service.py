"""Services as processes: start, signals, exit codes, journals that replay byte for byte."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from console.servers import NatsServer, ValkeyServer
from shared.shell.health import read_beats
from shared.shell.journal import journal_parts, read_parts
from tests.support.waiting import until

Process = subprocess.Popen[bytes]


def environment(nats: NatsServer, valkey: ValkeyServer, folder: Path) -> dict[str, str]:
    return os.environ | {
        "EXCHANGE": "mock",
        "NATS_URL": nats.url,
        "REDIS_URL": valkey.url,
        "RUN_DIR": str(folder / "run"),
    }


@contextmanager
def service(name: str, variables: Mapping[str, str], folder: Path) -> Iterator[Process]:
    """A toy service, ended at the end of the test if it still runs."""
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.toy_service", name], env=variables, stderr=log
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def run_module(variables: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """A module that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env=variables,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


async def test_a_journal_of_processes_on_nats_replays_to_the_same_bytes(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    variables = environment(own_nats, own_valkey, tmp_path)
    run_dir = tmp_path / "run"

    def echoes() -> int:
        parts = journal_parts(run_dir / "journal", "oms")
        return sum(1 for _ in read_parts(parts)[1]) if parts else 0

    def ready() -> bool:
        beats = read_beats(run_dir)
        return len(beats) == 2 and all(beat.ready for beat in beats)

    with (
        service("oms", variables, tmp_path) as oms,
        service("marketdata", variables, tmp_path) as md,
    ):
        await until(lambda: echoes() > 300, "three hundred records on disk")
        await until(ready, "a beat that says ready")
        assert {beat.pid for beat in read_beats(run_dir)} == {oms.pid, md.pid}
        probed = await asyncio.to_thread(run_module, variables, "shared.shell.probe")
        assert probed.returncode == 0
        for process in (md, oms):
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
    assert read_beats(run_dir) == []
    for name in ("oms", "marketdata"):
        for hash_seed in ("1", "977"):
            replayed = await asyncio.to_thread(
                run_module,
                os.environ | {"PYTHONHASHSEED": hash_seed},
                *("tests.support.toy_replay", str(run_dir / "journal"), name),
            )
            assert replayed.returncode == 0, replayed.stderr
            records, differences = map(int, replayed.stdout.split())
            assert records > 300
            assert differences == 0


async def test_log_lines_of_a_service_are_json_without_secrets(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    variables = environment(own_nats, own_valkey, tmp_path) | {
        "DERIBIT_CLIENT_ID": "an-id-to-hide",
        "DERIBIT_CLIENT_SECRET": "a-secret-to-hide",
        "NATS_URL": "nats://a-secret-to-hide@127.0.0.1:1",
    }
    log = tmp_path / "oms.log"
    with service("oms", variables, tmp_path) as oms:
        await until(lambda: b"bus lost" in log.read_bytes(), "a line about the bus")
        oms.send_signal(signal.SIGINT)
        assert oms.wait(30) == 0
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert {"ts", "level", "name", "message"} <= set(lines[0])
    assert "to-hide" not in log.read_text(encoding="utf-8")


def test_a_mistake_in_the_settings_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    wrong = (
        ({"EXCHANGE": "live"}, "LIVE_TRADING=yes-i-know"),
        ({"EXCHANGE": "kraken"}, "EXCHANGE: Input should be 'mock', 'testnet' or 'live'"),
        ({"NATS_URL": "127.0.0.1:4222"}, "NATS_URL: must be an address with a scheme"),
        ({"REDIS_URL": "redis://host:port"}, "REDIS_URL"),
        ({"CONFIG_FILE": str(tmp_path / "none.toml")}, "none.toml cannot be read"),
        ({"RUN_DIR": "/proc/nowhere"}, "RUN_DIR /proc/nowhere cannot be written"),
    )
    for variables, expected in wrong:
        all_variables = os.environ | {"RUN_DIR": str(tmp_path / "run")} | variables
        ended = run_module(all_variables, "tests.support.toy_service", "oms")
        assert ended.returncode == 2, expected
        assert expected in ended.stderr
        assert len(ended.stderr.splitlines()) == 1
