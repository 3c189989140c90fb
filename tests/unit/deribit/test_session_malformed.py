"""Whatever the venue sends, a session says what it could not understand and goes on."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.deribit.outputs import (
    Answered,
    Distrust,
    Malformed,
    SessionConfig,
    Transmit,
    Unanswered,
)
from shared.units import SECOND
from tests.unit.deribit.dialogue import Dialogue, only, the


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'"text"',
        b"\xff\xfe",
        b'{"id":1e999,"result":1}',
        b'{"id":true,"result":1}',
        b'{"id":null,"result":1}',
        b'{"id":"1","result":1}',
        b'{"id":99999,"result":1}',
        b'{"method":"subscription"}',
        b'{"method":"subscription","params":{"data":1}}',
        b'{"method":"subscription","params":[]}',
        b'{"method":"news","params":{}}',
        b'{"error":{"code":11050,"message":"bad_request","data":"invalid json"}}',
        b'{"id":1,"error":"text"}',
        b'{"result":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_cannot_be_understood_is_malformed_and_changes_nothing(
    public: Dialogue, frame: Any
) -> None:
    public.made_ready()
    assert len(the(public.say(frame), Malformed).detail) < 400
    assert public.session.ready


def test_a_reply_without_result_and_error_leaves_its_request_open_until_it_times_out(
    private: Dialogue,
) -> None:
    private.made_ready()
    private.ask()
    request = private.pop("private/buy")
    assert only(private.say({"id": request["id"]}), Malformed)
    assert only(private.wait(3 * SECOND), Unanswered)


def test_unknown_members_nulls_and_ids_in_scientific_notation_are_tolerated(
    private: Dialogue,
) -> None:
    private.made_ready()
    private.ask()
    request = private.pop("private/buy")
    frame = f'{{"id":{request["id"]}.0,"error":null,"result":null,"new":[1],"testnet":null}}'
    assert only(private.say(frame.encode()), Answered)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
MEMBERS = {
    "id": JSON | st.integers(1, 9),
    "method": JSON | st.sampled_from(["subscription", "heartbeat"]),
    "params": JSON | st.fixed_dictionaries({"type": JSON | st.just("test_request")}),
    "result": JSON | st.just({"expires_in": 1e300, "enabled": True}),
    "error": JSON | st.fixed_dictionaries({"code": JSON | st.just(13009), "message": JSON}),
    "usIn": JSON,
    "usOut": JSON,
}


@given(
    st.lists(
        st.binary(max_size=40)
        | st.fixed_dictionaries({}, optional=MEMBERS).map(lambda frame: json.dumps(frame).encode()),
        max_size=12,
    )
)
def test_no_frame_ever_makes_a_session_raise(frames: list[bytes]) -> None:
    dialogue = Dialogue(
        SessionConfig(link="p", private=True, channels=("c",), cancel_on_disconnect=True)
    )
    dialogue.open()
    distrusted = 0
    for frame in frames:
        dialogue.later(SECOND // 2)
        outputs = dialogue.session.received(dialogue.now, frame) + dialogue.session.woke(
            dialogue.now
        )
        distrusted += len(only(outputs, Distrust))
        for transmit in only(outputs, Transmit):
            assert json.loads(transmit.data)["jsonrpc"] == "2.0"
    assert distrusted <= 1
