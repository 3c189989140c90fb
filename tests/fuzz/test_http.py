"""The pure mock's HTTP face under fire: verbs, targets, headers and bodies of every kind.

Whatever comes has a JSON body and a status that fits it.
"""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_deribit.rpc.catalogue import METHODS
from mock_deribit.rpc.dispatch import HttpRequest
from tests.fuzz.hostile import ENVELOPES, ODD_TEXT, hostile, plausible
from tests.support.exchange import Bench, Json

HEADERS = [
    "Bearer", "Bearer ", "Bearer x", "Basic", "Basic !", "Basic bm8gY29sb24=", "Basic /////w==", "basic Og==",
    "deri-hmac-sha256", "deri-hmac-sha256 id=mock-maker,ts=²,sig=0,nonce=1",
    "deri-hmac-sha256 id=mock-maker,ts=" + "9" * 5_000 + ",sig=0,nonce=1",
    "deri-hmac-sha256 id=mock-maker,ts=1,sig=\xff,nonce=1", "deri-hmac-sha256 ,,,=,=", "Digest x", "\xff",
]  # fmt: skip


def ask(bench: Bench, verb: str, path: str, **changes: object) -> tuple[int, Json]:
    """Status and body of the answer to a request."""
    members = {"query": {}, "authorization": "", "body": b"", "peer": "10.0.0.9"} | changes
    request = HttpRequest(verb=verb, target=path, path=path, **members)  # type: ignore[arg-type]
    answer, _ = bench.core.http(bench.now, request)
    assert answer is not None
    body: Json = json.loads(answer.body)
    assert ("result" in body) != ("error" in body)
    assert answer.status == (200 if "result" in body else 400)
    return answer.status, body


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: repr(header[:40]))
def test_no_authorization_that_is_none_lets_anybody_in(header: str) -> None:
    bench = Bench()
    for path in ("/api/v2/private/get_positions", "/api/v2/public/get_time"):
        assert ask(bench, "GET", path, authorization=header)[0] == 400


@pytest.mark.parametrize("body", ENVELOPES, ids=lambda body: repr(body[:40]))
def test_every_body_is_answered(body: bytes) -> None:
    bench = Bench()
    for path in ("/api/v2", "/api/v2/public/test"):
        assert ask(bench, "POST", path, body=body)[1]["jsonrpc"] == "2.0"


@settings(max_examples=60)
@given(st.data())
def test_every_query_is_answered(data: st.DataObject) -> None:
    bench = Bench(non_matching_rate=1e6, non_matching_burst=1e6)
    for method in data.draw(st.lists(st.sampled_from(sorted(METHODS)), max_size=10)):
        query = {
            name: str(data.draw(st.one_of(st.sampled_from(plausible(name) + ODD_TEXT), hostile)))
            for name in METHODS[method].parameters
        }
        assert ask(bench, "GET", f"/api/v2/{method}", query=query)[1]["testnet"] is True


@pytest.mark.parametrize("verb", ["PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "BREW"])
@pytest.mark.parametrize(
    "path", ["/api/v2/public/test", "/api/v2/", "/api/v2/%2e%2e/x", "/api/v2//"]
)
def test_every_verb_and_path_is_answered(verb: str, path: str) -> None:
    assert ask(Bench(), verb, path)[1]["jsonrpc"] == "2.0"
