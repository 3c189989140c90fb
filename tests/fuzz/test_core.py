"""The pure mock under fire: every method, malformed and hostile parameters, any order.

Whatever comes is answered, by a result or by a JSON-RPC error of Deribit's vocabulary; nothing raises;
and what was refused has changed no account.
"""

import json
from itertools import product
from typing import NoReturn

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_deribit.rpc.catalogue import METHODS
from mock_deribit.rpc.outbox import Close, Reply
from tests.fuzz.hostile import ENVELOPES, PERP, SPOILT, Members, requests, well_meant
from tests.support.exchange import SECRET, Json, WholeBench

ACCOUNT = {
    "name": "maker",
    "client_id": "mock-maker",
    "balances": {"BTC": 0.9, "ETH": 10.0, "USDC": 50_000.0},
}
PROTECTION = {"interval": 10, "frozen_time": 0, "max_quote_quantity": 5.0, "quantity_limit": 2.0}
GENEROUS = {"matching_rate": 1e6, "matching_burst": 1e6, "non_matching_rate": 1e6,
            "non_matching_burst": 1e6}  # fmt: skip


def _no_constant(word: str) -> NoReturn:
    raise AssertionError(f"expected JSON, got {word}")


class Range:
    """A mock with one account that has an order open, one filled and one cancelled."""

    def __init__(self) -> None:
        self.bench = WholeBench(accounts=[ACCOUNT], **GENEROUS)
        self.conn = self._quoting()
        bid: Members = {"instrument_name": PERP, "amount": 10, "price": 59_000, "label": "quote"}
        opened = self.bench.call(self.conn, "private/buy", **bid)
        filled = self.bench.call(self.conn, "private/buy", **bid | {"price": 60_100})
        gone = self.bench.call(self.conn, "private/buy", **bid)
        self.bench.call(self.conn, "private/cancel", order_id=gone["order"]["order_id"])
        for group in ({}, {"mmp_group": "default"}):
            asked = {"index_name": "btc_usd", **PROTECTION, **group}
            self.bench.call(self.conn, "private/set_mmp_config", **asked)
        placed = {"$open": opened, "$filled": filled, "$cancelled": gone}
        self._own = {word: reply["order"]["order_id"] for word, reply in placed.items()}
        key = {
            "grant_type": "client_credentials",
            "client_id": "mock-maker",
            "client_secret": SECRET,
        }
        session = self.bench.call(self.conn, "public/auth", **key, scope="session:range")
        self._own["$refresh"] = session["refresh_token"]

    def _quoting(self) -> int:
        """A connection that may send mass quotes."""
        conn = self.bench.login()
        self.bench.call(conn, "private/enable_cancel_on_disconnect")
        return conn

    def ledger(self) -> bytes:
        """All that is known of every account."""
        return msgspec.json.encode(self.bench.core.ledger(self.bench.now))

    def request(self, members: Members) -> bytes:
        """The frame of a request, with what `$…` stands for filled in."""
        params = {
            name: self._own.get(value, value) if isinstance(value, str) else value
            for name, value in members["params"].items()
        }
        return json.dumps(members | {"params": params}).encode()

    def fire(self, frame: bytes) -> Json | None:
        """The answer to a frame, which is the only one; None where the socket was closed."""
        before = self.ledger()
        effects = self.bench.core.received(self.bench.now, self.conn, frame)
        texts = [
            json.loads(e.data, parse_constant=_no_constant) for e in effects if isinstance(e, Reply)
        ]
        answers = [text for text in texts if "method" not in text]
        if any(isinstance(effect, Close) for effect in effects):
            self.conn = self._quoting()
            return None
        answer: Json
        [answer] = answers
        check_answer(answer)
        if "error" in answer:
            assert self.ledger() == before
        return answer


def check_answer(answer: Json) -> None:
    """Exactly a result or an error, the error whole and none of the server's own making."""
    assert ("result" in answer) != ("error" in answer)
    assert {"jsonrpc", "usIn", "usOut", "usDiff", "testnet"} <= set(answer)
    if "error" in answer:
        error = answer["error"]
        assert isinstance(error["code"], int)
        assert isinstance(error["message"], str)
        assert error["code"] != 11094, error


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_well_meant_request_of_every_method_is_granted_so_that_the_fire_reaches_it(
    method: str,
) -> None:
    """A method that fails here wants a plausible value for one of its parameters."""
    refusals = []
    for number in range(12):
        range_ = Range()
        shot = {"id": 1, "method": method, "params": well_meant(method, number)}
        answer = range_.fire(range_.request(shot))
        if answer is None or "result" in answer:
            return
        refusals.append(answer["error"])
    assert refusals == []


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_hostile_value_of_every_parameter_is_answered(method: str) -> None:
    range_ = Range()
    for name, number in product(METHODS[method].parameters, range(3)):
        for value in SPOILT:
            params = well_meant(method, number) | {name: value}
            answer = range_.fire(range_.request({"id": 1, "method": method, "params": params}))
            assert answer is None or answer["id"] == 1


@settings(max_examples=60)
@given(st.lists(requests(), min_size=1, max_size=12))
def test_every_request_is_answered_and_a_refused_one_changes_no_account(
    shots: list[Members],
) -> None:
    range_ = Range()
    for shot in shots:
        answer = range_.fire(range_.request(shot))
        assert answer is None or answer["id"] == shot["id"]
    range_.bench.pass_time(1.0)
    assert range_.bench.call(range_.bench.open(), "public/test") == {"version": "1.2.26"}


@pytest.mark.parametrize("frame", ENVELOPES, ids=lambda frame: repr(frame[:50]))
def test_every_frame_that_is_no_request_is_answered(frame: bytes) -> None:
    range_ = Range()
    answer = range_.fire(frame)
    assert answer is not None
    assert range_.bench.call(range_.conn, "public/test") == {"version": "1.2.26"}


def test_any_bytes_at_all_are_answered() -> None:
    range_ = Range()

    @given(st.binary(max_size=200))
    def answered(frame: bytes) -> None:
        assert range_.fire(frame) is not None

    answered()
