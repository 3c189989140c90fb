"""PATCH /params: stored, told, confirmed, or refused whole."""

import pytest

from shared.messages import ParamsChanged
from shared.messages.codec import decode_message
from shared.params import Params
from tests.unit.gateway.plane import Plane


async def test_params_are_stored_told_and_confirmed_by_who_applied_them(plane: Plane) -> None:
    body = {"changes": {"risk": {"hard_limit_btc": 0.25}}, "by": "ana", "expected_version": 0}
    answer = (await plane.send("PATCH", "/params", body)).json()

    assert plane.order == ["params", "ParamsChanged"]
    assert answer["version"] == 1
    assert answer["confirmed"] == ["risk"]
    assert answer["missing"] == ["marketdata", "quoter", "oms"]
    assert plane.scene.lease().hard_limit == 0.25

    shown = (await plane.get("/params")).json()
    assert (shown["version"], shown["by"]) == (1, "ana")
    assert shown["params"]["risk"]["hard_limit_btc"] == 0.25
    assert shown["services"]["risk"] == {"version": 1, "applied": True, "reason": ""}


async def test_what_is_stored_is_what_services_restore(plane: Plane) -> None:
    await plane.send("PATCH", "/params", {"changes": {"quoter.gamma": 0.03}})

    stored = decode_message(plane.state["params"].encode())

    assert stored == plane.said[-1]
    assert isinstance(stored, ParamsChanged)
    assert Params.model_validate(stored.params).quoter.gamma == 0.03


async def test_a_stale_version_is_a_conflict_that_names_the_one_in_force(plane: Plane) -> None:
    await plane.send("PATCH", "/params", {"changes": {"quoter.gamma": 0.03}, "by": "ana"})

    body = {"changes": {"quoter.gamma": 0.04}, "expected_version": 0}
    answer = await plane.send("PATCH", "/params", body)

    assert answer.json() == {
        "title": "Version conflict",
        "detail": "expected version 0, but 1 is in force (by ana); read GET /params and try again",
        "status": 409,
    }


async def test_params_that_cannot_be_stored_are_not_told(plane: Plane) -> None:
    plane.state_fault = "gone"

    answer = await plane.send("PATCH", "/params", {"changes": {"quoter.gamma": 0.03}})

    assert answer.status_code == 503
    assert answer.json()["detail"] == "nothing was changed: gone"
    assert plane.said == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", "/resume", None), ("PATCH", "/params", {"changes": {"quoter.gamma": 0.03}})],
)
async def test_without_a_bus_nothing_is_changed(
    plane: Plane, method: str, path: str, body: object
) -> None:
    plane.cut_bus()

    answer = await plane.send(method, path, body)

    assert answer.status_code == 503
    assert answer.json()["title"] == "Bus is away"
    assert plane.said == []
    assert plane.state == {}
