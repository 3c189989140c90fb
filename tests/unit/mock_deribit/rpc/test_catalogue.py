"""Every method of Deribit's: served, or refused by name."""

from typing import Any

import pytest

from mock_deribit.rpc.catalogue import METHODS, NOT_HERE
from tests.support.exchange import Bench

PERP = "BTC-PERPETUAL"


def test_no_method_is_both_here_and_absent_and_each_says_what_it_does() -> None:
    assert not set(METHODS) & set(NOT_HERE)
    for name, method in METHODS.items():
        said = method.run.__doc__
        assert said, name
        assert said.partition("\n")[0].endswith("."), name
        assert (method.scope is not None) == name.startswith("private/"), name


@pytest.mark.parametrize("name", ["private/withdraw", "public/get_combos", "private/send_rfq"])
def test_a_method_that_only_deribit_has_is_refused_with_the_reason(name: str) -> None:
    bench = Bench()
    error = bench.error(bench.login(), name)
    assert (error["code"], error["message"]) == (13025, "method_switched_off_by_admin")
    assert error["data"]["reason"] == f"not here: {NOT_HERE[name]}"


def test_a_method_nobody_has_is_not_found() -> None:
    bench = Bench()
    assert bench.error(bench.open(), "private/get_rich") == {
        "code": -32601,
        "message": "Method not found",
    }


@pytest.mark.parametrize("name", [name for name in METHODS if name.startswith("private/")])
def test_a_private_method_needs_a_login(name: str) -> None:
    bench = Bench()
    error = bench.error(bench.open(), name)
    assert (error["code"], error["data"]) == (13009, {"reason": "invalid_token"})


def test_a_parameter_the_method_does_not_have_is_ignored_or_refused_as_the_rule_says() -> None:
    lenient, strict = Bench(), Bench(rules={"unknown_parameters": "refused"})
    given = {"instrument_name": PERP, "instrument": PERP}
    assert lenient.call(lenient.open(), "public/ticker", **given)["state"] == "open"
    error = strict.error(strict.open(), "public/ticker", **given)
    assert error["data"] == {"reason": "unknown parameter", "param": "instrument"}


def test_a_frame_that_is_no_request_is_answered_with_its_id_if_it_has_one() -> None:
    bench = Bench()
    conn = bench.open()
    bench.raw(conn, b'{"id":"q","method":"public/test","params":[1]}')
    bench.raw(conn, b'[{"id":1,"method":"public/test"}]')
    bench.raw(conn, b"\xff\xfe")
    first, second, third = bench.inbox[conn]
    assert (first["id"], first["error"]["code"]) == ("q", -32602)
    assert ("id" in second, second["error"]["code"]) == (False, -32602)
    assert third["error"]["code"] == 11050


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"type": "stop_limit", "trigger_price": 58_000}, "trigger_price"),
        ({"type": "trailing_stop"}, "type"),
        ({"linked_order_type": "one_cancels_other"}, "linked_order_type"),
        ({"otoco_config": []}, "otoco_config"),
        ({"advanced": "usd"}, "advanced"),
    ],
)
def test_orders_of_kinds_that_are_not_here_are_refused_by_name(
    changes: dict[str, Any], param: str
) -> None:
    bench = Bench()
    conn = bench.login()
    order = {"instrument_name": PERP, "amount": 10, "price": 59_000} | changes
    error = bench.error(conn, "private/buy", **order)
    assert (error["code"], error["data"]["param"]) == (-32602, param)
    assert "not implemented here" in error["data"]["reason"]
