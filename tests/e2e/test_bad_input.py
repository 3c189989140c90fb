"""Bad input of every kind, to real processes: settings, commands, the bus, the feed, and crashes.

What cannot be used is refused in one clear line; what can be survived is survived, and the exchange's own
record and the auditor say at the end that no fill was lost and no order stood beyond its lease.
"""

import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import nats
import pytest
import pytest_asyncio

from shared.messages import Quote
from shared.messages.codec import encode
from shared.subjects import subject_of
from tests.support.drill import Drill, drilling
from tests.support.waiting import until, until_asked

ROOT = Path(__file__).parents[2]
SECRET = "a-secret-that-nobody-may-see"
KEYS = {"DERIBIT_CLIENT_ID": "somebody", "DERIBIT_CLIENT_SECRET": SECRET}
SETTINGS = ("CONFIG_FILE", "DERIBIT_", "EXCHANGE", "GATEWAY_", "LIVE_TRADING", "MOCK_", "VENUE_")
WAITS = ("state store not reachable", "bus lost or not there")
PERPETUAL = "BTC-PERPETUAL"
NOWHERE = "BTC-1JAN99"

together = pytest.mark.asyncio(loop_scope="module")
pytestmark = pytest.mark.timeout(150)


# -- settings ------------------------------------------------------------------------------------


def ended(module: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A process that is expected to end by itself, in a surrounding of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    return subprocess.run(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env=kept | {"RUN_DIR": str(folder / "run")} | variables,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def assert_one_clear_line(process: subprocess.CompletedProcess[str], says: str) -> None:
    assert process.returncode not in (0, None)
    assert process.returncode > 0, "it was ended by a signal"
    assert says in process.stderr
    assert len(process.stderr.splitlines()) == 1, process.stderr
    assert SECRET not in process.stdout + process.stderr


@pytest.mark.parametrize(
    ("service", "variables", "says"),
    [
        ("quoter", {"EXCHANGE": "kraken"}, "EXCHANGE: Input should be 'mock', 'testnet' or 'live'"),
        ("risk", {"EXCHANGE": "live"}, "set LIVE_TRADING=yes-i-know as well"),
        ("oms", {"EXCHANGE": "live", "LIVE_TRADING": "yes", **KEYS}, "LIVE_TRADING=yes-i-know"),
        ("oms", {}, "oms trades and needs keys; set DERIBIT_CLIENT_ID and DERIBIT_CLIENT_SECRET"),
        ("oms", {"DERIBIT_CLIENT_SECRET": SECRET}, "are needed together"),
        ("marketdata", {"RUN_DIR": "/proc/nowhere"}, "RUN_DIR /proc/nowhere cannot be written"),
        ("gateway", {"RUN_DIR": "/proc/nowhere", "GATEWAY_PORT": "0"}, "RUN_DIR /proc/nowhere"),
        ("oms", {**KEYS, "NATS_URL": f"{SECRET}@localhost"}, "NATS_URL: must be an address"),
        ("oms", {**KEYS, "REDIS_URL": f"redis://:{SECRET}@host:port"}, "REDIS_URL"),
        ("gateway", {"GATEWAY_TOKEN": SECRET[:9]}, "GATEWAY_TOKEN: Value should have at least 16"),
    ],
    ids=[
        "an exchange nobody knows",
        "live without the second switch",
        "live with a wrong second switch",
        "no keys",
        "half a key",
        "a run directory that cannot be written",
        "a run directory in which no token can be kept",
        "a broker's address without a scheme",
        "a state store's address without a port",
        "a token too short",
    ],
)
def test_a_service_refuses_a_wrong_setting(
    tmp_path: Path, service: str, variables: dict[str, str], says: str
) -> None:
    process = ended(f"services.{service}", tmp_path, **variables)
    assert_one_clear_line(process, says)
    assert SECRET[:9] not in process.stderr


@pytest.mark.parametrize(
    ("service", "text", "says"),
    [
        ("quoter", "[quoter]\ngama = 0.02\n", "quoter.gama: Extra inputs are not permitted"),
        ("oms", "[oms]\nburst = 1e9\n", "oms.burst: Input should be less than or equal to 200"),
        ("risk", "[risk]\nsoft_limit_btc = 0.4\n", "risk.soft_limit_btc (0.4) must be below"),
        ("marketdata", "[marketdata\n", "is not TOML"),
        ("gateway", "[oms]\nburst = true\n", "oms.burst"),
    ],
    ids=["a typo", "out of bounds", "contradicting itself", "no TOML", "no number"],
)
def test_a_service_refuses_a_parameter_file(
    tmp_path: Path, service: str, text: str, says: str
) -> None:
    file = tmp_path / "params.toml"
    file.write_text(text, encoding="utf-8")
    settings = {"CONFIG_FILE": str(file), "GATEWAY_PORT": "0", **KEYS}
    process = ended(f"services.{service}", tmp_path, **settings)
    assert_one_clear_line(process, says)
    assert "params.toml" in process.stderr


@pytest.mark.parametrize(
    ("module", "variable"), [("services.gateway", "GATEWAY_PORT"), ("mock_deribit", "MOCK_PORT")]
)
def test_a_busy_port_is_named(tmp_path: Path, module: str, variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert_one_clear_line(ended(module, tmp_path, **{variable: port}), port)


# -- a running system ----------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def drill(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Drill]:
    """A system that was started before its broker and its state store, and is quoting now."""
    async with drilling(tmp_path_factory.mktemp("drill"), servers=False) as running:
        services = list(running.cast.services)

        def all_say(words: str) -> bool:
            running.cast.check()
            return all(words in running.log(name) for name in services)

        await until(lambda: all_say(WAITS[0]), "a line about the state store", 20.0)
        running.redis.start()
        await until(lambda: all_say(WAITS[1]), "a line about the broker", 20.0)
        running.nats.start()
        await running.until_quoting("once broker and state store are there")
        yield running


@together
async def test_services_started_before_their_servers_wait_and_say_so_once(drill: Drill) -> None:
    for name in drill.cast.services:
        for words in WAITS:
            said = [line for line in drill.log(name).splitlines() if words in line]
            assert len(said) == 1, f"{name}: {said}"
        assert "Traceback" not in drill.log(name)


@together
@pytest.mark.parametrize("path", ["/status", "/pause", "/kill", "/params"])
async def test_a_wrong_token_shows_and_does_nothing(drill: Drill, path: str) -> None:
    method = {"/status": "GET", "/params": "PATCH"}.get(path, "POST")
    answer = await drill.ask(method, path, {}, token="not-the-token-of-this-gateway")
    assert answer.status_code == 401
    assert set(answer.json()) == {"title", "detail", "status"}
    assert (await drill.status())["mode"] == "active"


@together
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"risk.hard_limit_btc": 50}, "risk.hard_limit_btc: Input should be less than or equal"),
        ({"risk.hard_limit_btc": "1e-9"}, "risk.hard_limit_btc"),
        ({"quoter.gama": 0.01}, "quoter.gama: there is no such parameter"),
    ],
    ids=["out of bounds", "below another limit", "a typo"],
)
async def test_a_patch_that_makes_no_sense_changes_nothing(
    drill: Drill, changes: dict[str, object], says: str
) -> None:
    before = (await drill.ask("GET", "/params")).json()
    answer = await drill.ask("PATCH", "/params", {"changes": changes})
    assert answer.status_code == 422
    assert says in answer.json()["detail"]
    assert (await drill.ask("GET", "/params")).json() == before


@together
async def test_a_patch_in_scientific_notation_is_applied_by_everyone(drill: Drill) -> None:
    answer = await drill.ask("PATCH", "/params", b'{"changes": {"quoter.gamma": 2.1e-2}}')
    assert answer.status_code == 200
    assert answer.json()["missing"] == []
    shown = (await drill.ask("GET", "/params")).json()
    assert shown["params"]["quoter"]["gamma"] == 0.021


@together
async def test_an_instrument_nobody_follows_is_named_by_the_control_api(drill: Drill) -> None:
    answer = await drill.ask("POST", "/pause", {"instrument": NOWHERE})
    assert answer.status_code == 404
    assert f"{NOWHERE} is not followed" in answer.json()["detail"]
    assert PERPETUAL in answer.json()["detail"]


async def publish(drill: Drill, subject: str, data: bytes) -> None:
    """Say something on the bus that no service of ours would say."""
    client = await nats.connect(drill.nats.url)
    try:
        await client.publish(subject, data)
        await client.flush()
    finally:
        await client.close()


async def until_three_more_quotes(drill: Drill) -> None:
    quotes = drill.auditor.counts["Quote"]
    await until(lambda: drill.auditor.counts["Quote"] >= quotes + 3, "more quotes")
    assert await drill.rests()


@together
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "truncated"),
        ("[]", "Expected `object`, got `array`"),
        ('{"type":"Lese","ts":1}', "Invalid value 'Lese'"),
        ('{"type":"Lease","ts":"soon"}', "Expected `int`, got `str`"),
        ('{"type":"Kill","ts":1,"command_id":"1","by":"x","reason":"x"}', "Kill belongs on"),
    ],
    ids=["no JSON", "no message", "unknown type", "wrong type of a field", "another's subject"],
)
async def test_a_malformed_message_on_the_bus_is_named_and_ignored(
    drill: Drill, text: str, why: str
) -> None:
    subject = "mock.evt.risk.lease"
    await publish(drill, subject, text.encode())

    def named() -> bool:
        lines = drill.log("oms").splitlines()
        return any("malformed" in line and subject in line and why in line for line in lines)

    await until(named, f"a line that says {why}")
    await until_three_more_quotes(drill)
    assert (await drill.status())["mode"] == "active"


@together
async def test_a_quote_for_an_instrument_nobody_lists_becomes_no_order(drill: Drill) -> None:
    quoted = drill.auditor.quotes[PERPETUAL]
    stray = msgspec.structs.replace(quoted, instrument=NOWHERE)
    await publish(drill, subject_of("mock", stray), encode(stray))
    await until(lambda: NOWHERE in drill.auditor.quotes, "the stray quote")
    await until_three_more_quotes(drill)
    assert not [order for order in (await drill.ledger()).open_labels if NOWHERE in order]


@together
async def test_unknown_fields_and_scientific_notation_on_the_bus_are_understood(
    drill: Drill,
) -> None:
    quoted = drill.auditor.quotes[PERPETUAL]
    stray = msgspec.structs.replace(quoted, instrument=NOWHERE)
    fields = msgspec.json.decode(encode(stray)) | {"colour": "red"}
    text = msgspec.json.encode(fields | {"sigma": 0.5}).replace(b'"sigma":0.5', b'"sigma":7.5e3')
    await publish(drill, subject_of("mock", stray), text)

    def understood() -> bool:
        heard = drill.auditor.quotes.get(NOWHERE)
        return isinstance(heard, Quote) and heard.sigma == 7_500.0

    await until(understood, "the quote with an unknown field")
    await until_three_more_quotes(drill)


@together
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"fault": "crossed_book", "instrument": PERPETUAL}, "crossed"),
        ({"fault": "drop_frames", "channel": f"book.{PERPETUAL}", "count": 1}, "gap"),
    ],
    ids=["crossed", "with a gap"],
)
async def test_a_book_that_is_broken_is_taken_out_of_use_and_quoted_again(
    drill: Drill, fault: dict[str, object], said: str
) -> None:
    def times() -> int:
        return sum(count for kind, count in drill.auditor.anomalies.items() if said in kind)

    before = times()
    await drill.fault(**fault)
    await until(lambda: times() > before, f"an anomaly that says {said}")
    await drill.until_quoting(f"after a book {said}")


# -- crashes -------------------------------------------------------------------------------------


@together
@pytest.mark.parametrize("name", ["marketdata", "quoter", "oms", "risk"])
async def test_a_service_that_is_killed_takes_the_orders_along_and_quotes_again_once_restarted(
    drill: Drill, name: str
) -> None:
    await drill.until_quoting("before the crash")
    await drill.kill(name)
    await drill.until_gone(f"without {name}")
    await drill.cast.start(name)
    await drill.until_quoting(f"with a new {name}")
    assert drill.cast.services[name].running


@together
async def test_quoting_goes_on_without_a_gateway_and_a_new_one_knows_the_system(
    drill: Drill,
) -> None:
    await drill.until_quoting("before the crash")
    await drill.kill("gateway")
    quotes = drill.auditor.counts["Quote"]
    await until(lambda: drill.auditor.counts["Quote"] > quotes + 5, "more quotes")
    await drill.cast.start("gateway")

    async def knows() -> bool:
        return "control API" in drill.log("gateway") and (await drill.status())["quoting"]

    await until_asked(knows, "a gateway that knows", 20.0)


@together
async def test_after_all_that_no_fill_is_lost_and_no_invariant_broken(drill: Drill) -> None:
    assert await drill.audit() == []
