"""Subscriptions of a session: wanted, granted, refused, renewed."""

import pytest

from shared.deribit.outputs import (
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
