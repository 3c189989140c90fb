"""A session that is ready: requests and replies, heartbeat, tokens, the clock."""

from typing import Any

import msgspec
import pytest

from shared.deribit.outputs import (
    Answered,
    Distrust,
    Malformed,
    Notified,
    Refused,
    Unanswered,
)
from shared.units import MILLISECOND, SECOND
from tests.unit.deribit.dialogue import Dialogue, only, the


def test_an_answer_carries_the_id_the_method_and_the_context_of_its_request(
    private: Dialogue,
) -> None:
    private.made_ready()
    request_id = private.ask()
    answered = the(private.answer("private/buy", {"order": {}, "trades": []}), Answered)
    assert answered == Answered(
        request_id=request_id,
        method="private/buy",
        context="quote 7",
        result=answered.result,
    )
    assert msgspec.json.decode(answered.result) == {"order": {}, "trades": []}


def test_answers_find_their_requests_in_any_order(private: Dialogue) -> None:
    private.made_ready()
    ids = [private.ask("private/buy", n) for n in range(4)]
    requests = [private.pop("private/buy") for _ in ids]
    contexts = [
        the(private.say({"id": request["id"], "result": 1}), Answered).context
        for request in reversed(requests)
    ]
    assert contexts == [3, 2, 1, 0]


def test_a_refusal_carries_code_message_and_data(private: Dialogue) -> None:
    private.made_ready()
    private.ask()
    data = {"reason": "must be multiple of tick size", "param": "price"}
    refused = the(private.refuse("private/buy", 10043, "price_wrong_tick", data), Refused)
    assert (refused.code, refused.message) == (10043, "price_wrong_tick")
    assert msgspec.json.decode(refused.data) == data


def test_a_frame_of_a_channel_may_come_before_the_reply(private: Dialogue) -> None:
    private.made_ready()
    private.ask()
    frame = {"method": "subscription", "params": {"channel": "user.changes.x", "data": {"a": 1}}}
    told = the(private.say(frame), Notified)
    assert told == Notified("user.changes.x", told.data)
    assert msgspec.json.decode(told.data) == {"a": 1}
    assert only(private.answer("private/buy", {}), Answered)


def test_an_unanswered_request_is_reported_and_its_late_reply_is_marked(private: Dialogue) -> None:
    private.made_ready()
    request_id = private.ask()
    request = private.pop("private/buy")
    assert private.wait(2_999 * MILLISECOND) == []
    (unanswered,) = private.wait(1 * MILLISECOND)
    assert unanswered == Unanswered(
        request_id=request_id, method="private/buy", context="quote 7", why="no answer within 3 s"
    )
    late = the(private.say({"id": request["id"], "result": {}}), Answered)
    assert late.late
    assert late.request_id == request_id
    assert only(private.say({"id": request["id"], "result": {}}), Malformed)


def test_a_late_refusal_is_marked_too(private: Dialogue) -> None:
    private.made_ready()
    private.ask()
    private.wait(3 * SECOND)
    assert the(private.refuse("private/buy", 11054, "post_only_reject"), Refused).late


def test_when_the_socket_is_lost_every_open_request_of_the_owner_is_unanswered(
    private: Dialogue,
) -> None:
    private.made_ready()
    ids = [private.ask("private/buy", n) for n in range(3)]
    private.say({"method": "heartbeat", "params": {"type": "test_request"}})
    outputs = private.session.closed(private.now, "1006")
    lost = only(outputs, Unanswered)
    assert [request.request_id for request in lost] == ids
    assert len(outputs) == len(ids)
    assert {request.why for request in lost} == {"socket lost: 1006"}
    assert private.session.next_wake is None


def test_a_reply_of_the_old_socket_is_not_taken_for_one_of_the_new(private: Dialogue) -> None:
    private.made_ready()
    private.ask()
    old = private.pop("private/buy")
    private.session.closed(private.now, "cut")
    assert private.say({"id": old["id"], "result": {}}) == []
    private.made_ready()
    private.ask()
    assert only(private.say({"id": old["id"], "result": {}}), Malformed)


def test_asking_before_the_session_is_ready_is_the_owners_error(private: Dialogue) -> None:
    private.open()
    with pytest.raises(RuntimeError, match=r"private/buy: expected a ready session.*heartbeat"):
        private.session.request(private.now, "private/buy", {})


def test_a_test_request_is_answered_at_once_and_a_plain_heartbeat_is_not(public: Dialogue) -> None:
    public.made_ready()
    public.methods.clear()
    public.say({"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "heartbeat"}})
    assert public.methods == []
    public.say({"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "test_request"}})
    assert public.methods == ["public/test"]
    assert public.answer("public/test") == []


def test_silence_beyond_one_and_a_half_heartbeats_is_distrusted(public: Dialogue) -> None:
    public.made_ready()
    public.later(9 * SECOND)
    public.say({"method": "heartbeat", "params": {"type": "heartbeat"}})
    assert public.wait(14_999 * MILLISECOND) == []
    assert public.wait(1 * MILLISECOND) == [Distrust("nothing heard for 15.0 s")]
    assert not public.session.ready
    assert public.wait(60 * SECOND) == []


def test_a_busy_socket_does_not_move_the_next_wake_with_every_frame(public: Dialogue) -> None:
    public.made_ready()
    before = public.session.next_wake
    for _ in range(50):
        public.later(10 * MILLISECOND)
        public.say({"method": "subscription", "params": {"channel": "c", "data": 1}})
    assert public.session.next_wake == before


def test_a_token_is_renewed_at_the_share_of_its_life_and_again_after_that(
    private: Dialogue,
) -> None:
    private.made_ready()
    private.methods.clear()

    for _ in range(2):
        private.stay_alive(719)
        assert "public/auth" not in private.methods
        private.stay_alive(1)
        (renewal,) = [r for r in private.asked if r["method"] == "public/auth"]
        assert renewal["params"] == {
            "grant_type": "refresh_token",
            "refresh_token": "{{refresh_token}}",
        }
        assert private.answer("public/auth") == []
        assert private.session.ready
        private.methods.clear()


def test_a_refused_renewal_logs_in_anew_and_only_a_refused_login_is_distrusted(
    private: Dialogue,
) -> None:
    private.made_ready()
    private.stay_alive(720)
    assert private.refuse("public/auth", 13009, "unauthorized") == []
    assert private.asked[-1]["params"]["grant_type"] == "client_credentials"
    assert only(private.refuse("public/auth", 13004, "invalid_credentials"), Distrust)


@pytest.mark.parametrize("life", [None, 0, -5])
def test_a_grant_without_a_life_is_never_renewed(private: Dialogue, life: int | None) -> None:
    private.open()
    private.answer("public/set_heartbeat")
    private.answer("public/auth", {"expires_in": life, "scope": "trade:read_write"})
    private.answer_all()
    assert private.session.ready
    assert private.session.next_wake == private.now + 15 * SECOND


def test_a_lost_login_is_distrusted_and_a_missing_right_is_not(private: Dialogue) -> None:
    private.made_ready()
    private.ask()
    (refused,) = private.refuse("private/buy", 13009, "unauthorized", {"reason": "scope"})
    assert isinstance(refused, Refused)
    private.ask()
    outputs = private.refuse("private/buy", 13009, "unauthorized", {"reason": "invalid_token"})
    assert [type(output) for output in outputs] == [Refused, Distrust]


def test_replies_and_fills_are_still_told_after_the_socket_is_distrusted(private: Dialogue) -> None:
    private.made_ready()
    private.ask()
    private.ask("private/cancel")
    private.refuse("private/cancel", 13009, "unauthorized", {"reason": "session_not_found"})
    assert not private.session.ready
    assert only(private.answer("private/buy", {}), Answered)
    assert only(
        private.say({"method": "subscription", "params": {"channel": "c", "data": []}}), Notified
    )


def test_the_clock_offset_is_that_of_the_quickest_round_trip(public: Dialogue) -> None:
    public.made_ready()
    ahead_us = 25_000

    def round_trip(out_ms: int, back_ms: int) -> None:
        public.ask("public/get_time")
        request = public.pop("public/get_time")
        public.later(out_ms * MILLISECOND)
        us = public.now // 1000 + ahead_us
        public.later((back_ms + 2) * MILLISECOND)
        public.say({"id": request["id"], "result": 0, "usIn": us, "usOut": us + 2_000})

    for _ in range(8):
        round_trip(40, 5)
    assert public.session.clock_offset == (ahead_us + 17_500) * 1000
    round_trip(3, 3)
    round_trip(40, 5)
    assert public.session.clock_offset == ahead_us * 1000


@pytest.mark.parametrize("clock", [{}, {"usIn": "x", "usOut": 1}, {"usIn": 1e308, "usOut": 1e308}])
def test_a_reply_without_a_usable_clock_is_a_reply_all_the_same(
    public: Dialogue, clock: dict[str, Any]
) -> None:
    public.made_ready()
    before = public.session.clock_offset
    public.ask("public/get_time")
    request = public.pop("public/get_time")
    assert only(public.say({"id": request["id"], "result": 0, **clock}), Answered)
    assert public.session.clock_offset == before
