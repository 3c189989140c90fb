"""The demo as a user starts it, and the journals it leaves behind.

Every journal of the live run is pushed through the same core built anew: the effects must be equal byte
for byte, whatever Python's hash seed. That is the proof that the cores decide by what they hear alone.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backtest.invariants import RULES
from services.system import CORES
from shared.shell.journal import journal_parts, read_parts

ROOT = Path(__file__).parents[2]
TAPE = ROOT.parent / "shared/data/deribit/cyri113/BTC-PERPETUAL_trades_2026-08-17_part1.csv"
REPLAY = """
import sys
from pathlib import Path
from backtest.world import replay
from services.system import build
from shared.params import parse_params
from shared.shell.journal import journal_parts, read_parts
header, records = read_parts(journal_parts(Path(sys.argv[1]), sys.argv[2]))
differences = replay(header, records, build(header.core, parse_params(header.config)))
for d in differences[:3]:
    print(d.record, d.journaled, d.replayed, sep="\\n")
print("differences", len(differences))
"""


def demo(*arguments: str) -> subprocess.Popen[str]:
    """`./mm demo` with a free port for the control API."""
    return subprocess.Popen(
        [sys.executable, "-m", "console", "demo", "--port", "0", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def output_of(process: subprocess.Popen[str], timeout_s: float = 90.0) -> str:
    """Everything it says until its end."""
    output, _ = process.communicate(timeout=timeout_s)
    return output


def children_in(folder: Path) -> list[str]:
    """Command lines of processes that still work in a run's folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environ = (entry / "environ").read_bytes()
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in environ + command and int(entry.name) != os.getpid():
                found.append(command.replace(b"\0", b" ").decode())
    return found


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, dict[str, Any], str]:
    """A demo of some seconds: its folder, its report, what it said."""
    folder = tmp_path_factory.mktemp("demo")
    process = demo(
        *("--for", "15", "--headless", "--activity", "8"),
        *("--report", str(folder / "report.json"), "--keep", str(folder / "run")),
    )
    output = output_of(process)
    assert process.returncode == 0, output
    return folder / "run", json.loads((folder / "report.json").read_text()), output


def test_the_demo_trades_and_every_invariant_holds(
    finished: tuple[Path, dict[str, Any], str],
) -> None:
    _, report, output = finished
    assert report["ticks"]["books"] > 20
    assert report["quotes"] > 0
    assert report["orders"] > 0
    assert len(report["positions"]) == 3
    assert set(report["services"]) == {"marketdata", "quoter", "oms", "risk", "gateway"}
    assert [rule["rule"] for rule in report["invariants"]] == list(RULES)
    assert report["all_held"] is True
    assert "every invariant held" in output


def test_the_demo_leaves_no_process_behind(finished: tuple[Path, dict[str, Any], str]) -> None:
    run, _, _ = finished
    assert children_in(run) == []


@pytest.mark.parametrize("core", list(CORES))
@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_a_live_journal_replays_byte_for_byte(
    finished: tuple[Path, dict[str, Any], str], core: str, hash_seed: str
) -> None:
    run, _, _ = finished
    folder = run / core / "journal"
    _, records = read_parts(journal_parts(folder, core))
    assert sum(1 for _ in records) > 50, "the journal is too short to prove anything"
    replayed = subprocess.run(
        [sys.executable, "-c", REPLAY, str(folder), core],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert replayed.returncode == 0, replayed.stderr
    assert replayed.stdout.strip() == "differences 0", replayed.stdout


def test_an_interrupt_pulls_the_orders_first_and_ends_everything(tmp_path: Path) -> None:
    process = demo("--headless", "--keep", str(tmp_path / "run"))
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("control API"):
            break
    process.send_signal(signal.SIGINT)
    said.append(output_of(process, 30))
    text = "".join(said)
    assert process.returncode == 0, text
    assert "pulling all orders" in text
    assert "held         1 checks  no order of ours is left on the exchange" in text
    assert children_in(tmp_path) == []


def test_a_bad_day_is_survived_with_every_invariant(tmp_path: Path) -> None:
    scenario, report = tmp_path / "bad.toml", tmp_path / "report.json"
    scenario.write_text(
        '[[timeline]]\nevery = 2\nfault = "gap"\ninstrument = "BTC-PERPETUAL"\n'
        '[[timeline]]\nevery = 3\nfault = "lose_answer"\nmethod = "private/"\naccount = "maker"\n'
        '[[timeline]]\nat = 9\nfault = "cut"\n',
        encoding="utf-8",
    )
    output = output_of(
        demo(
            *("--scenario", str(scenario), "--for", "20", "--headless", "--report", str(report)),
            *("--activity", "8"),
        )
    )
    heard = json.loads(report.read_text(encoding="utf-8"))
    assert "every invariant held" in output, output
    assert heard["all_held"]
    assert heard["anomalies"]["marketdata:book_gap"] > 0
    assert heard["orders"] > 0


def test_a_recorded_tape_is_traded(tmp_path: Path) -> None:
    if not TAPE.is_file():
        pytest.skip(f"the recorded tape is not here: {TAPE.name}")
    report = tmp_path / "report.json"
    process = demo(
        *("--tape", str(TAPE), "--for", "12", "--headless", "--report", str(report)),
    )
    output = output_of(process)
    assert process.returncode == 0, output
    found = json.loads(report.read_text())
    assert TAPE.name in found["market"]
    assert found["ticks"]["trades"] > 0
    assert found["all_held"] is True


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--tape", "nowhere.csv"], "there is no such file"),
        (["--scenario", "nowhere"], "expected a file or one of expiry, flaky-feed"),
        (["--scenario", "expiry"], "it moves the exchange's time"),
        (["--report", "nowhere/r.json"], "its folder does not exist"),
        (["--config", "nowhere.toml"], "cannot be read"),
        (["--for", "-3"], "expected a number above 0"),
        (["--speed", "fast"], "expected a number above 0, came 'fast'"),
        (["--fro", "3"], "--fro"),
    ],
)
def test_a_wrong_option_is_one_clear_line(arguments: list[str], says: str) -> None:
    process = demo(*arguments)
    output = output_of(process, 30)
    assert process.returncode != 0
    assert says in output
    assert "Traceback" not in output


def test_a_config_typo_names_the_parameter(tmp_path: Path) -> None:
    config = tmp_path / "typo.toml"
    config.write_text("[quoter]\ngama = 0.02\n")
    process = demo("--config", str(config))
    output = output_of(process, 30)
    assert process.returncode == 1
    assert "quoter.gama" in output
    assert "Traceback" not in output


def test_a_port_that_is_taken_is_said_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = subprocess.run(
            [sys.executable, "-m", "console", "demo", "--port", str(port)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert process.returncode == 1
    assert f"port {port} is taken" in process.stderr
    assert "--port" in process.stderr
