"""An operator's word: kill, pause and resume, and what a restart remembers of them."""

import msgspec

from shared.kernel import LinkDown, Nanos, Publish, Restored, Store
from shared.messages import (
    Anomaly,
    Hedge,
    Lease,
    Mode,
    ModeChanged,
)
from shared.units import SECOND
from tests.unit.risk.scene import (
    FUTURE,
    Scene,
    kill,
    pause,
    position,
    resume,
    ticker,
)


def test_a_kill_is_stored_before_it_is_told_and_ends_the_lease() -> None:
    scene = Scene().start().alive()

    word = kill(scene.now)
    effects = scene.tell(word)

    assert isinstance(effects[0], Store)
    assert effects[0].key == "kill_latch"
    assert msgspec.json.decode(effects[0].value) == {
        "reason": "drill",
        "by": "ana",
        "ts": word.ts,
        "flatten": False,
    }
    told = [effect.message for effect in effects[1:] if isinstance(effect, Publish)]
    assert [type(message) for message in told] == [ModeChanged, Lease]
    assert scene.lease().mode is Mode.KILLED
    assert not scene.lease().granted
    assert scene.said(ModeChanged)[-1].by == "ana"


def test_the_latch_survives_a_restart() -> None:
    killed = Scene().start().alive()
    killed.tell(kill(killed.now))

    scene = Scene().start(killed.state).alive()

    assert scene.lease().mode is Mode.KILLED
    assert not scene.lease().granted
    assert scene.lease().reason == "drill"


def test_a_latch_that_cannot_be_read_is_a_latch() -> None:
    scene = Scene().start({"kill_latch": "{broken"}).alive()

    assert scene.lease().mode is Mode.KILLED


def test_only_a_confirmed_resume_with_known_positions_leaves_killed() -> None:
    scene = Scene().start().alive()
    scene.tell(kill(scene.now))

    scene.tell(resume(scene.now))
    assert scene.lease().mode is Mode.KILLED
    assert "must be confirmed" in scene.said(Anomaly)[-1].detail

    scene.tell(position(scene.now, reconciled=0))
    scene.tell(resume(scene.now, confirm=True))
    assert scene.lease().mode is Mode.KILLED
    assert "not reconciled" in scene.said(Anomaly)[-1].detail

    scene.hold()
    scene.tell(resume(scene.now, confirm=True))
    assert scene.lease().granted
    assert scene.state["kill_latch"] == ""
    assert scene.said(ModeChanged)[-1].by == "ana"


def test_a_pause_holds_everything_over_a_restart_until_resumed() -> None:
    scene = Scene().start().alive()
    scene.tell(pause(scene.now))
    assert scene.lease().mode is Mode.PAUSED
    assert scene.lease().reason == "paused by ana"

    again = Scene().start(scene.state).alive()
    assert again.lease().mode is Mode.PAUSED
    assert not again.lease().granted

    again.tell(resume(again.now))
    assert again.lease().granted


def test_pausing_one_instrument_leaves_the_lease_of_the_others() -> None:
    scene = Scene().start().alive()

    scene.tell(pause(scene.now, FUTURE))
    assert scene.lease().granted
    assert scene.lease().paused == (FUTURE,)

    scene.tell(resume(scene.now, instrument=FUTURE))
    assert scene.lease().paused == ()


def test_an_operators_kill_hedges_nothing_unless_asked_to_flatten() -> None:
    scene = Scene().start().alive(perpetual=0.1)

    scene.tell(kill(scene.now))
    scene.pass_time(5 * SECOND)
    assert scene.said(Hedge) == []

    scene.tell(kill(scene.now, flatten=True))
    assert len(scene.said(Hedge)) == 1


def test_a_confirmed_resume_counts_losses_anew() -> None:
    scene = Scene().start().alive(perpetual=0.2)
    scene.tell(ticker(scene.now, 54_000.0))
    scene.tell(position(scene.now, 0.0))

    scene.tell(resume(scene.now))
    assert scene.lease().mode is Mode.REDUCING, "an unconfirmed resume forgives no loss"
    scene.tell(resume(scene.now, confirm=True))
    assert scene.lease().mode is Mode.ACTIVE


def test_a_kill_keeps_its_reason_whatever_else_is_down() -> None:
    scene = Scene().start().alive()
    scene.tell(kill(scene.now))

    scene.tell(LinkDown(link="state", reason="gone"))
    scene.pass_time(SECOND)

    assert scene.lease().reason == "drill"


def lost(scene: Scene) -> dict[str, str]:
    """What is left of shared state that was restored from a moment before the kill."""
    return {key: value for key, value in scene.state.items() if key != "kill_latch"}


def test_the_last_lease_tells_of_a_kill_that_shared_state_lost() -> None:
    killed = Scene().start().alive()
    killed.tell(kill(killed.now, flatten=True))

    scene = Scene().start(lost(killed))
    scene.tell(killed.lease())
    scene.alive()

    assert scene.lease().mode is Mode.KILLED
    assert scene.lease().reason == "drill (shared state had lost this kill)"
    assert "kill_latch" in scene.state, "kept again"
    assert [a.kind for a in scene.said(Anomaly)] == ["latch_recalled"]
    assert scene.said(Hedge) == [], "whether to flatten is not known any more"


def test_a_kill_that_was_said_while_risk_was_away_is_obeyed_and_one_from_before_is_not() -> None:
    before = Scene().start().alive()
    old = kill(before.now)
    before.tell(old)
    before.pass_time(SECOND)
    before.hold()
    before.tell(resume(before.now, confirm=True))
    assert before.lease().granted

    scene = Scene().start(before.state)
    scene.tell(before.lease())
    scene.tell(old)
    assert scene.alive().lease().granted

    missed = Scene().start(before.state)
    missed.tell(before.lease())
    missed.tell(kill(Nanos(before.now + 1)))
    assert missed.alive().lease().mode is Mode.KILLED


def test_two_witnesses_that_have_forgotten_keep_it_from_quoting_until_confirmed() -> None:
    word = Restored(key="events", value="the event stream has forgotten every Lease")
    scene = Scene().start()
    scene.tell(word)
    scene.alive()
    assert scene.lease().mode is Mode.KILLED
    assert "confirm that trading may go on" in scene.lease().reason
    scene.hold()
    scene.tell(resume(scene.now, confirm=True))
    assert scene.lease().granted

    remembers = Scene().start(scene.state)
    remembers.tell(word)
    assert remembers.alive().lease().granted, "shared state knows that it was resumed"


def test_a_latch_told_while_running_kills_without_a_bus() -> None:
    scene = Scene().start().alive()
    latch = '{"reason":"by hand","by":"ana","ts":1,"flatten":false}'
    scene.tell(Restored(key="kill_latch", value=latch))
    assert scene.lease().mode is Mode.KILLED
    assert scene.said(ModeChanged)[-1].by == "ana"


def test_a_resume_waits_for_a_reconciliation_after_the_kill_and_for_the_last_order() -> None:
    scene = Scene().start().alive()
    scene.tell(kill(scene.now))
    scene.tell(resume(scene.now, confirm=True))
    assert "since the kill" in scene.said(Anomaly)[-1].detail
    scene.hold()
    scene.tell(position(scene.now, working_buy=600.0))
    scene.tell(resume(scene.now, confirm=True))
    assert scene.lease().mode is Mode.KILLED
    scene.hold()
    scene.tell(resume(scene.now, confirm=True))
    assert scene.lease().granted
