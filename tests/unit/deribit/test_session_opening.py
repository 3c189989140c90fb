"""The opening sequence, and everything that makes a socket not worth trusting."""

from typing import Any

import pytest

from shared.deribit.outputs import Distrust, NotGranted, Output, Ready, SessionConfig
from shared.deribit.session import Session
from shared.units import SECOND
from tests.unit.deribit.dialogue import Dialogue, only


def reasons(outputs: list[Output]) -> list[str]:
    return [distrust.reason for distrust in only(outputs, Distrust)]


def test_a_private_session_opens_step_by_step_and_is_ready_only_at_the_end(
    private: Dialogue,
) -> None:
    private.open()
    seen = []
    while private.asked:
        assert not private.session.ready
        seen += private.answer(private.asked[0]["method"])
    assert [m for m in private.methods if m != "public/hello"] == [
        "public/set_heartbeat",
        "public/auth",
        "private/enable_cancel_on_disconnect",
        "private/get_cancel_on_disconnect",
        "private/get_cancel_on_disconnect",
        "private/subscribe",
    ]
    assert seen == [Ready()]
    assert private.session.ready


def test_a_public_session_without_login_only_sets_the_heartbeat_and_subscribes(
    public: Dialogue,
) -> None:
    public.open()
    assert public.answer_all() == [Ready()]
    assert [m for m in public.methods if m != "public/hello"] == [
        "public/set_heartbeat",
        "public/subscribe",
    ]


def test_a_public_session_with_login_authenticates_before_it_subscribes() -> None:

    config = SessionConfig(
        link="public", private=False, login=True, channels=("book.BTC-PERPETUAL.raw",)
    )
    dialogue = Dialogue(config).made_ready()
    assert dialogue.methods.index("public/auth") < dialogue.methods.index("public/subscribe")


def test_secrets_are_placeholders_in_what_a_session_transmits(private: Dialogue) -> None:
    private.open()
    private.answer("public/set_heartbeat")
    params = private.pop("public/auth")["params"]
    assert params["client_id"] == "{{client_id}}"
    assert params["client_secret"] == "{{client_secret}}"


def test_a_session_without_channels_is_ready_after_its_heartbeat_is_set(public: Dialogue) -> None:
    public.session.want(public.now, ())
    public.open()
    assert Ready() in public.answer("public/set_heartbeat")


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        ("public/set_heartbeat", "heartbeat refused"),
        ("public/auth", "login refused"),
        ("private/get_cancel_on_disconnect", "cancel-on-disconnect is not active"),
    ],
)
def test_a_refused_step_of_the_opening_is_distrusted(
    private: Dialogue, refused: str, said: str
) -> None:
    private.open()
    while private.asked[0]["method"] != refused:
        private.answer(private.asked[0]["method"])
    outputs = private.refuse(refused, 13004, "invalid_credentials")
    assert said in reasons(outputs)[0]
    private.answer_all()
    assert not private.session.ready


def test_cancel_on_disconnect_is_believed_only_when_read_back_as_enabled(private: Dialogue) -> None:
    private.open()
    for method in ("public/set_heartbeat", "public/auth", "private/enable_cancel_on_disconnect"):
        private.answer(method)
    scopes = [frame["params"]["scope"] for frame in private.asked[-2:]]
    assert scopes == ["connection", "account"]
    assert private.answer("private/get_cancel_on_disconnect") == []
    read_back = {"scope": "account", "enabled": False}
    outputs = private.answer("private/get_cancel_on_disconnect", read_back)
    assert reasons(outputs)[0].endswith("not active for the account (enabling it: accepted)")


def test_a_key_that_may_not_enable_cancel_on_disconnect_is_fine_when_the_account_has_it(
    private: Dialogue,
) -> None:
    private.open()
    private.answer("public/set_heartbeat")
    private.answer("public/auth")
    private.refuse("private/enable_cancel_on_disconnect", 13021, "forbidden")
    assert Ready() in private.answer_all()


def test_a_login_that_was_clipped_to_reading_is_distrusted(private: Dialogue) -> None:
    private.open()
    private.answer("public/set_heartbeat")
    outputs = private.answer("public/auth", {"expires_in": 900, "scope": "connection trade:read"})
    assert "expected the scope trade:read_write" in reasons(outputs)[0]


@pytest.mark.parametrize("grant", ["ok", [], {"expires_in": "soon"}])
def test_a_login_answer_that_is_no_grant_is_distrusted(private: Dialogue, grant: Any) -> None:
    private.open()
    private.answer("public/set_heartbeat")
    assert reasons(private.answer("public/auth", grant))


@pytest.mark.parametrize("step", ["public/set_heartbeat", "public/auth", "private/subscribe"])
def test_a_step_of_the_opening_that_is_never_answered_is_distrusted_once(
    private: Dialogue, step: str
) -> None:
    private.open()
    while step not in [request["method"] for request in private.asked]:
        private.answer(private.asked[0]["method"])
    found = reasons(private.wait(10 * SECOND))
    assert found == [f"{step}: no answer within 3 s"]


def test_the_greeting_may_stay_unanswered(public: Dialogue) -> None:
    public.open()
    public.answer("public/set_heartbeat")
    public.answer("public/subscribe")
    assert public.wait(5 * SECOND) == []
    assert public.session.ready


def test_after_a_reconnect_everything_is_done_again_with_new_ids(private: Dialogue) -> None:
    private.made_ready()
    first = list(private.methods)
    ids = {request["id"] for request in private.asked}
    private.session.closed(private.now, "gone")
    assert not private.session.ready
    private.methods.clear()
    private.open()
    assert ids.isdisjoint(request["id"] for request in private.asked)
    private.answer_all()
    assert private.methods == first
    assert private.session.ready


def test_channels_left_out_of_the_answer_are_reported_and_do_not_block(public: Dialogue) -> None:
    public.open()
    public.answer("public/set_heartbeat")
    outputs = public.answer("public/subscribe", ["ticker.BTC-PERPETUAL.100ms"])
    assert outputs == [
        NotGranted(("book.BTC-PERPETUAL.100ms",), "left out of the granted channels"),
        Ready(),
    ]


def test_a_refused_subscription_names_its_code(public: Dialogue) -> None:
    public.open()
    public.answer("public/set_heartbeat")
    outputs = public.refuse("public/subscribe", 13778, "raw_subscriptions_not_available")
    assert outputs[0] == NotGranted(
        ("book.BTC-PERPETUAL.100ms", "ticker.BTC-PERPETUAL.100ms"),
        "13778 raw_subscriptions_not_available",
    )


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (SessionConfig(link="l", private=False, heartbeat_s=5), "heartbeat_s"),
        (SessionConfig(link="l", private=False, cancel_on_disconnect=True), "private"),
    ],
)
def test_a_config_the_venue_would_refuse_is_an_error_at_once(
    config: SessionConfig, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Session(config)
