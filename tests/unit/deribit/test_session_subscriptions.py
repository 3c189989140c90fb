"""Subscriptions of a session: wanted, granted, refused, renewed."""

import pytest

from shared.deribit.outputs import (
    Distrust,
    NotGranted,
    SessionConfig,
)
from tests.unit.deribit.dialogue import Dialogue, only


def test_wanting_other_channels_leaves_the_old_and_asks_for_the_new(public: Dialogue) -> None:
    public.made_ready()
    kept, added = "ticker.BTC-PERPETUAL.100ms", "book.BTC-27MAR26.100ms"
    public.heard(public.session.want(public.now, (kept, added)))
    assert public.pop("public/unsubscribe")["params"] == {"channels": ["book.BTC-PERPETUAL.100ms"]}
    assert public.pop("public/subscribe")["params"] == {"channels": [added]}
    assert public.asked == []


def test_a_channel_dropped_while_it_was_being_asked_for_is_left_once_it_is_granted(
    public: Dialogue,
) -> None:
    public.made_ready()
    wanted = ("book.BTC-PERPETUAL.100ms", "ticker.BTC-PERPETUAL.100ms")
    public.heard(public.session.want(public.now, (*wanted, "trades.BTC-PERPETUAL.100ms")))
    public.heard(public.session.want(public.now, wanted))
    public.answer("public/subscribe")
    gone = public.pop("public/unsubscribe")
    assert gone["params"] == {"channels": ["trades.BTC-PERPETUAL.100ms"]}


def test_a_refused_channel_is_asked_for_again_only_when_it_is_wanted_again(
    public: Dialogue,
) -> None:
    public.open()
    public.answer("public/set_heartbeat")
    public.answer("public/subscribe", [])
    assert [r["method"] for r in public.asked] == ["public/hello"]
    public.heard(public.session.want(public.now, ("book.BTC-PERPETUAL.100ms",)))
    assert public.pop("public/subscribe")["params"] == {"channels": ["book.BTC-PERPETUAL.100ms"]}


def test_renewing_unsubscribes_and_subscribes_only_after_the_venue_let_go(public: Dialogue) -> None:
    public.made_ready()
    book = "book.BTC-PERPETUAL.100ms"
    public.heard(public.session.renew(public.now, book))
    assert [request["method"] for request in public.asked] == ["public/unsubscribe"]
    assert public.session.renew(public.now, book) == []
    public.answer("public/unsubscribe")
    assert public.pop("public/subscribe")["params"] == {"channels": [book]}
    assert public.session.ready


def test_a_raw_channel_refused_for_want_of_a_login_that_was_there_ends_the_socket() -> None:
    raw = "book.BTC-PERPETUAL.raw"
    config = SessionConfig(link="public", private=False, login=True, channels=(raw,))
    dialogue = Dialogue(config).made_ready()
    dialogue.heard(dialogue.session.renew(dialogue.now, raw))
    dialogue.answer("public/unsubscribe")
    refused = dialogue.refuse("public/subscribe", 13778, "raw_subscriptions_not_available")
    assert refused == [
        NotGranted((raw,), "13778 raw_subscriptions_not_available"),
        Distrust("the login is lost: 13778 raw_subscriptions_not_available"),
    ]


def test_a_raw_channel_that_was_never_granted_is_told_and_no_reason_to_dial_again() -> None:
    raw = "book.BTC-PERPETUAL.raw"
    dialogue = Dialogue(SessionConfig(link="public", private=False, login=True, channels=(raw,)))
    dialogue.open()
    dialogue.answer("public/set_heartbeat")
    dialogue.answer("public/auth")
    refused = dialogue.refuse("public/subscribe", 13778, "raw_subscriptions_not_available")
    assert NotGranted((raw,), "13778 raw_subscriptions_not_available") in refused
    assert not any(isinstance(output, Distrust) for output in refused)


def test_renewing_a_channel_nobody_wants_is_the_owners_error(public: Dialogue) -> None:
    public.made_ready()
    with pytest.raises(ValueError, match="wanted channel"):
        public.session.renew(public.now, "book.ETH-PERPETUAL.100ms")


def test_many_channels_are_asked_for_in_chunks_and_ready_waits_for_all_of_them() -> None:
    channels = tuple(f"ticker.BTC-{n}.100ms" for n in range(450))
    dialogue = Dialogue(SessionConfig(link="p", private=False, channels=channels))
    dialogue.open()
    dialogue.answer("public/set_heartbeat")
    chunks = [r["params"]["channels"] for r in dialogue.asked if r["method"] == "public/subscribe"]
    assert [len(chunk) for chunk in chunks] == [200, 200, 50]
    assert [channel for chunk in chunks for channel in chunk] == list(channels)
    dialogue.answer("public/subscribe")
    dialogue.answer("public/subscribe")
    assert not dialogue.session.ready
    dialogue.answer("public/subscribe")
    assert dialogue.session.ready


def test_a_channel_echoed_in_lower_case_counts_as_granted() -> None:
    config = SessionConfig(link="p", private=True, channels=("user.portfolio.BTC",))
    dialogue = Dialogue(config)
    dialogue.open()
    dialogue.answer("public/set_heartbeat")
    dialogue.answer("public/auth")
    outputs = dialogue.answer("private/subscribe", ["user.portfolio.btc"])
    assert not only(outputs, NotGranted)
    assert dialogue.session.ready
