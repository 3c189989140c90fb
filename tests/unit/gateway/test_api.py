"""The API: who may ask, what is answered, and that every mistake is told in words."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from shared.messages import Kill, Pause, Resume
from shared.units import SECOND, Side
from tests.unit.gateway.plane import Plane, order, quote
from tests.unit.risk.scene import PERPETUAL, fill

READS = ("/status", "/positions", "/orders", "/fills", "/pnl", "/params", "/params/schema")
MORE_READS = ("/quotes", "/anomalies", "/metrics")
COMMANDS = (("POST", "/pause"), ("POST", "/resume"), ("POST", "/kill"), ("PATCH", "/params"))


@pytest.mark.parametrize(
    ("method", "path"), [*(("GET", path) for path in READS + MORE_READS), *COMMANDS]
)
@pytest.mark.parametrize(
    ("header", "title"),
    [
        (None, "No token"),
        ("Bearer wrong", "Wrong token"),
        ("Bearer ", "No token"),
        ("Basic dXNlcjpwYXNz", "No token"),
        ("Bearer the-right-token-of-this-tes", "Wrong token"),
    ],
)
async def test_nothing_is_told_or_done_without_the_token(
    plane: Plane, method: str, path: str, header: str | None, title: str
) -> None:
    headers = {} if header is None else {"Authorization": header}
    del plane.client.headers["Authorization"]

    answer = await plane.client.request(method, path, headers=headers)

    assert answer.status_code == 401
    assert answer.json()["title"] == title
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert plane.said == []


async def test_health_is_open_and_says_what_is_down(plane: Plane) -> None:
    del plane.client.headers["Authorization"]
    assert (await plane.get("/health")).json() == {
        "ready": True,
        "links": {"bus": True, "state": True},
    }

    plane.cut_bus()
    answer = await plane.get("/health")
    assert answer.status_code == 503
    assert answer.json()["links"] == {"bus": False, "state": True}


@pytest.mark.parametrize("path", [*READS[:4], "/params", "/params/schema", *MORE_READS])
async def test_every_report_answers_a_fresh_and_a_living_system(path: str) -> None:
    for plane in (Plane(), Plane().start()):
        answer = await plane.get(path)
        assert answer.status_code == 200
        assert answer.content


async def test_pnl_says_when_there_is_none_yet_and_then_gives_its_parts(plane: Plane) -> None:
    answer = await plane.get("/pnl")
    assert answer.json() == {
        "title": "No PnL yet",
        "detail": "risk has not published any; see GET /status",
        "status": 503,
    }

    plane.scene.pass_time(SECOND)
    plane.carry()
    pnl = (await plane.get("/pnl")).json()
    assert pnl["net_delta"] == pytest.approx(0.02)
    assert pnl["total"] == 0.0


async def test_positions_orders_fills_and_quotes_show_what_was_said(plane: Plane) -> None:
    plane.tell(order(plane.now()))
    plane.tell(quote(plane.now()))
    plane.tell(fill(plane.now(), Side.SELL, 20.0, 60_010.0))
    plane.tell(plane.scene.risk.picture.evidence.positions[PERPETUAL])

    (position,) = (await plane.get("/positions")).json()["positions"]
    (resting,) = (await plane.get("/orders")).json()["orders"]
    (trade,) = (await plane.get("/fills")).json()["fills"]
    wanted = (await plane.get("/quotes")).json()["quotes"][PERPETUAL]

    assert (position["instrument"], position["amount"]) == (PERPETUAL, 1_200.0)
    assert (resting["state"], resting["price"]) == ("open", 59_990.0)
    assert (trade["side"], trade["amount"]) == ("sell", 20.0)
    assert wanted["levels"][0]["parts"] == [["mid", 60_000.0], ["fee_floor", -10.0]]


async def test_a_pause_is_said_and_confirmed_by_risk(plane: Plane) -> None:
    answer = (await plane.send("POST", "/pause", {"by": "ana"})).json()

    assert (answer["confirmed"], answer["mode"], answer["reason"]) == (
        True,
        "paused",
        "paused by ana",
    )
    (said,) = plane.said
    assert isinstance(said, Pause)
    assert (said.by, said.instrument) == ("ana", None)


async def test_commands_need_no_body(plane: Plane) -> None:
    for path in ("/pause", "/resume", "/kill"):
        assert (await plane.send("POST", path)).status_code == 200
    assert [type(message) for message in plane.said] == [Pause, Resume, Kill]


async def test_pausing_and_resuming_one_instrument(plane: Plane) -> None:
    await plane.send("POST", "/pause", {"instrument": PERPETUAL})
    shown = (await plane.get("/status")).json()
    assert shown["lease"]["paused_instruments"] == [PERPETUAL]

    answer = (await plane.send("POST", "/resume", {"instrument": PERPETUAL})).json()
    assert answer["confirmed"]
    shown = (await plane.get("/status")).json()
    assert shown["lease"]["paused_instruments"] == []


async def test_an_instrument_that_is_not_followed_is_named(plane: Plane) -> None:
    answer = await plane.send("POST", "/pause", {"instrument": "ETH-PERPETUAL"})

    assert answer.json() == {
        "title": "Unknown instrument",
        "detail": f"ETH-PERPETUAL is not followed; followed: {PERPETUAL}",
        "status": 404,
    }
    assert plane.said == []


async def test_a_kill_is_latched_before_it_is_told(plane: Plane) -> None:
    body = {"by": "ana", "reason": "drill", "flatten": True}
    answer = (await plane.send("POST", "/kill", body)).json()

    assert plane.order == ["kill_latch", "Kill"]
    latch = msgspec.json.decode(plane.state["kill_latch"])
    assert (latch["reason"], latch["by"], latch["flatten"]) == ("drill", "ana", True)
    assert (answer["latched"], answer["told"], answer["confirmed"]) == (True, True, True)
    assert answer["mode"] == "killed"


async def test_a_command_typed_into_curl_without_a_content_type_is_obeyed(plane: Plane) -> None:
    answer = await plane.client.post(
        "/kill",
        content=b'{"reason": "three in the morning"}',
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 200, answer.text
    assert msgspec.json.decode(plane.state["kill_latch"])["reason"] == "three in the morning"


async def test_a_kill_goes_on_when_the_state_store_fails(plane: Plane) -> None:
    plane.state_fault = "no answer in time"

    answer = await plane.send("POST", "/kill")

    assert answer.status_code == 200
    assert answer.json()["latched"] is False
    assert answer.json()["latch_failure"] == "no answer in time"
    assert answer.json()["mode"] == "killed"


async def test_a_kill_without_a_bus_is_latched_and_says_that_nobody_was_told(plane: Plane) -> None:
    plane.cut_bus()

    answer = (await plane.send("POST", "/kill")).json()

    assert (answer["latched"], answer["told"], answer["confirmed"]) == (True, False, False)
    assert isinstance(plane.said[-1], Kill), "kept for the bus"


async def test_a_kill_that_reached_nothing_is_the_only_one_that_fails(plane: Plane) -> None:
    plane.cut_bus()
    plane.state_fault = "connection refused"

    answer = await plane.send("POST", "/kill")

    assert answer.status_code == 503
    assert answer.json()["title"] == "Kill neither stored nor told"
    assert "connection refused" in answer.json()["detail"]


async def test_a_kill_is_not_confirmed_while_orders_are_open(plane: Plane) -> None:
    plane.tell(order(plane.now()))

    answer = (await plane.send("POST", "/kill")).json()

    assert (answer["confirmed"], answer["open_orders"]) == (False, 1)


async def test_a_kill_is_not_confirmed_before_the_exchange_has_shown_it(plane: Plane) -> None:
    plane.sweeps = False

    answer = (await plane.send("POST", "/kill")).json()

    assert (answer["confirmed"], answer["open_orders"]) == (False, 0)


@pytest.mark.parametrize("instrument", [PERPETUAL, None])
async def test_a_pause_is_not_confirmed_while_orders_are_open(
    plane: Plane, instrument: str | None
) -> None:
    plane.tell(order(plane.now()))

    answer = (await plane.send("POST", "/pause", {"instrument": instrument})).json()

    assert (answer["confirmed"], answer["open_orders"]) == (False, 1)


async def test_a_pause_of_one_instrument_does_not_wait_for_the_orders_of_another(
    plane: Plane,
) -> None:
    plane.tell(order(plane.now(), instrument="BTC-25DEC26"))

    answer = (await plane.send("POST", "/pause", {"instrument": PERPETUAL})).json()

    assert (answer["confirmed"], answer["open_orders"]) == (True, 1)


async def test_leaving_killed_without_confirming_is_refused_in_risks_words(plane: Plane) -> None:
    await plane.send("POST", "/kill")

    refused = await plane.send("POST", "/resume")
    assert refused.json() == {
        "title": "Resume refused",
        "detail": "killed: a resume must be confirmed (confirm: true)",
        "status": 409,
    }

    plane.scene.hold()
    answer = (await plane.send("POST", "/resume", {"confirm": True})).json()
    assert (answer["confirmed"], answer["mode"]) == (True, "active")


async def test_a_command_that_risk_does_not_answer_is_not_called_done(plane: Plane) -> None:
    plane.risk_hears = False

    answer = await plane.send("POST", "/pause")

    assert answer.status_code == 200
    assert answer.json()["confirmed"] is False
    assert answer.json()["mode"] == "active"


@pytest.mark.parametrize(
    ("method", "path", "body", "detail"),
    [
        ("POST", "/pause", {"instrumnt": "X"}, "instrumnt: Extra inputs are not permitted"),
        ("POST", "/resume", {"confirm": "maybe"}, "confirm: Input should be a valid boolean"),
        ("POST", "/kill", {"reason": ""}, "reason: String should have at least 1 character"),
        ("POST", "/kill", {"flaten": True}, "flaten: Extra inputs are not permitted"),
        ("PATCH", "/params", {}, "changes: Field required"),
        ("PATCH", "/params", {"changes": {}}, "changes: Dictionary should have at least 1 item"),
        ("PATCH", "/params", {"changes": {"risk.x": 1}}, "risk.x: there is no such parameter"),
        (
            "PATCH",
            "/params",
            {"changes": {"quoter.gamma": 9}},
            "quoter.gamma: Input should be less than or equal to 0.2 (came: 9)",
        ),
        (
            "PATCH",
            "/params",
            {"changes": {"risk.soft_limit_btc": 0.31}},
            "risk.soft_limit_btc (0.31) must be below risk.hard_limit_btc (0.3)",
        ),
        (
            "PATCH",
            "/params",
            {"changes": {"quoter.gamma": "much"}},
            "quoter.gamma: Input should be a valid number",
        ),
    ],
)
async def test_a_mistake_in_a_body_is_named_and_nothing_is_done(
    plane: Plane, method: str, path: str, body: object, detail: str
) -> None:
    answer = await plane.send(method, path, body)

    assert answer.status_code == 422
    assert detail in answer.json()["detail"]
    assert answer.json()["status"] == 422
    assert plane.said == []
    assert plane.state == {}


async def test_a_body_that_is_no_json_is_refused(plane: Plane) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await plane.client.post("/pause", content=b"{no", headers=headers)

    assert answer.status_code == 422
    assert "JSON decode error" in answer.json()["detail"]
    assert plane.said == []


async def test_a_body_too_large_for_a_command_is_refused_before_it_is_read(plane: Plane) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 2**24:
            sent += 2**14
            yield b" " * 2**14

    del plane.client.headers["Authorization"]
    answer = await plane.client.post("/kill", content=endless())

    assert answer.status_code == 413
    assert answer.json()["title"] == "Body too large"
    assert sent < 2**20
    assert plane.said == []


async def test_an_unknown_path_points_to_the_documentation(plane: Plane) -> None:
    answer = await plane.get("/staus")

    assert answer.json() == {
        "title": "Not Found",
        "detail": "GET /staus: Not Found; see /docs for what there is",
        "status": 404,
    }


async def test_the_schema_gives_meaning_and_bounds(plane: Plane) -> None:
    schema = (await plane.get("/params/schema")).json()

    gamma = schema["$defs"]["QuoterParams"]["properties"]["gamma"]
    assert (gamma["minimum"], gamma["maximum"]) == (0.0005, 0.2)
    assert "1/USD" in gamma["description"]


async def test_limits_of_a_list_are_checked(plane: Plane) -> None:
    answer = await plane.get("/fills", params={"limit": 0})

    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("query.limit: Input should be greater than")


async def test_metrics_agree_with_the_view(plane: Plane) -> None:
    plane.tell(order(plane.now(), tick_to_order_us=250.0))

    text = (await plane.get("/metrics")).text

    assert 'mm_mode{mode="active"} 1.0' in text
    assert 'mm_mode{mode="killed"} 0.0' in text
    assert 'mm_tick_to_order_us{quantile="p99"} 250.0' in text
    assert 'mm_messages_total{type="OrderChanged"} 1.0' in text


async def test_the_documentation_covers_every_route_with_examples(plane: Plane) -> None:
    schema = (await plane.get("/openapi.json")).json()

    assert set(schema["paths"]) == {*READS, *MORE_READS, "/health", "/pause", "/resume", "/kill"}
    kill = schema["components"]["schemas"]["KillBody"]
    assert kill["examples"][0]["reason"] == "drill"
    assert kill["additionalProperties"] is False
