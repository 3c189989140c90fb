"""The core: lease, mode, latch and hedge as the rest of the system sees them."""

import pytest

from shared.kernel import LinkDown, LinkUp, Nanos, Wake
from shared.messages import (
    Anomaly,
    Health,
    Hedge,
    Lease,
    Mode,
    ModeChanged,
    ParamsApplied,
    ParamsChanged,
    Pnl,
    Severity,
)
from shared.messages.codec import encode
from shared.params import LEASE_GUARD_MS, Params, change_params
from shared.units import HOUR, MILLISECOND, MINUTE, SECOND, Side
from tests.unit.risk.scene import (
    FUTURE,
    NOON,
    PERPETUAL,
    Scene,
    account,
    feed,
    fill,
    kill,
    listed,
    position,
    ticker,
)


def alarm(ts: Nanos, kind: str, severity: Severity = Severity.CRITICAL) -> Anomaly:
    return Anomaly(ts=ts, source="oms", kind=kind, severity=severity, detail="")


def test_a_start_grants_nothing_until_everything_was_heard() -> None:
    scene = Scene().start()
    assert not scene.lease().granted

    scene.alive()

    assert scene.lease().granted
    assert scene.lease().mode is Mode.ACTIVE
    assert scene.lease().reason == ""
    assert scene.lease().until == scene.lease().ts + (2_000 - LEASE_GUARD_MS) * MILLISECOND


def test_the_lease_is_renewed_at_its_interval() -> None:
    scene = Scene().start().alive()
    before = len(scene.said(Lease))

    scene.pass_time(5 * SECOND)

    leases = scene.said(Lease)[before:]
    assert len(leases) == 10
    assert all(lease.granted for lease in leases)
    assert [lease.number for lease in leases] == sorted({lease.number for lease in leases})


@pytest.mark.parametrize("silent", ["oms", "marketdata", PERPETUAL])
def test_a_silence_withdraws_the_lease_within_bounds_and_life_returns_it(silent: str) -> None:
    scene = Scene().start().alive()
    scene.pass_time(SECOND)

    scene.pass_time(4 * SECOND, silent)
    assert not scene.lease().granted
    assert silent in scene.lease().reason

    scene.pass_time(SECOND)
    assert scene.lease().granted


@pytest.mark.parametrize("lease_ms", [500, 750, 1_000, 2_000, 2_800])
@pytest.mark.parametrize("silent", ["oms", "marketdata"])
def test_a_silence_withdraws_the_lease_at_the_moment_at_which_its_last_word_wears_out(
    lease_ms: int, silent: str
) -> None:
    scene = Scene(lease_ms=lease_ms, lease_renewal_ms=150).start().alive()
    scene.pass_time(SECOND)
    last = scene.risk.picture.evidence.heard[silent]
    word = (lease_ms - LEASE_GUARD_MS) * MILLISECOND

    while scene.lease().granted:
        scene.pass_to_next_timer(silent)

    assert scene.lease().reason == f"{silent} is silent"
    assert last + word <= scene.lease().ts <= last + word + MILLISECOND


def test_a_future_that_is_followed_no_more_holds_quoting_up_for_two_rounds_of_listings() -> None:
    scene = Scene().start().alive()
    scene.pass_time(4 * SECOND, FUTURE)
    assert scene.lease().reason == f"{FUTURE} feed is stale"

    scene.pass_time(SECOND, FUTURE)
    scene.tell(listed(scene.now))

    assert scene.lease().granted


@pytest.mark.parametrize("link", ["bus", "state"])
def test_a_lost_link_withdraws_at_once_and_its_return_grants_at_once(link: str) -> None:
    scene = Scene().start().alive()

    before = len(scene.said(Lease))
    scene.tell(LinkDown(link=link, reason="gone"))
    assert [lease.granted for lease in scene.said(Lease)[before:]] == [False]
    assert scene.lease().reason == f"{link} link is down"

    scene.tell(LinkUp(link=link))
    assert scene.lease().granted


def test_beyond_the_hard_limit_only_reductions_until_back_at_the_soft_one() -> None:
    scene = Scene().start().alive()

    scene.hold(perpetual=0.31)
    assert scene.lease().granted
    assert (scene.lease().mode, scene.lease().reason) == (Mode.REDUCING, "hard limit")

    scene.hold(perpetual=0.25)
    assert scene.lease().mode is Mode.REDUCING
    scene.hold(perpetual=0.19)
    assert scene.lease().mode is Mode.ACTIVE


def test_offsetting_positions_are_no_exposure() -> None:
    scene = Scene().start().alive()
    scene.hold(perpetual=0.2, future=-0.2)
    scene.tell(position(scene.now, 0.4, PERPETUAL))
    scene.tell(position(scene.now, -0.4, FUTURE))

    assert scene.lease().mode is Mode.ACTIVE


def test_the_kill_limit_latches_and_flattens_by_slices() -> None:
    scene = Scene().start().alive()

    scene.hold(perpetual=0.46)

    assert "kill_latch" in scene.state
    assert scene.lease().mode is Mode.KILLED
    hedge = scene.said(Hedge)[-1]
    assert (hedge.instrument, hedge.side, hedge.reason) == (PERPETUAL, Side.SELL, "flatten")


def test_no_hedge_is_sent_on_a_book_or_a_position_that_cannot_be_believed() -> None:
    scene = Scene().start().alive()
    scene.tell(feed(scene.now, state="gap"))
    scene.hold(perpetual=0.37)
    assert scene.said(Hedge) == []

    scene.tell(position(scene.now, 0.37, reconciled=0))
    scene.tell(feed(scene.now))
    assert scene.said(Hedge) == []

    scene.tell(position(scene.now, 0.37))
    assert len(scene.said(Hedge)) == 1


def test_no_hedge_is_sent_through_a_feed_that_went_silent_after_its_last_live_word() -> None:
    scene = Scene().start().alive()
    scene.pass_time(4 * SECOND, PERPETUAL)

    scene.hold(perpetual=0.37)
    assert scene.said(Hedge) == []

    scene.beat()
    scene.hold(perpetual=0.37)
    assert len(scene.said(Hedge)) == 1


def test_a_new_day_lifts_what_the_loss_of_the_day_before_reduced() -> None:
    scene = Scene().start().alive(perpetual=0.2)
    scene.tell(ticker(scene.now, 54_000.0))
    assert scene.lease().mode is Mode.REDUCING
    # Flat, the loss is behind us; it stands all the same until eight o'clock.
    scene.hold()
    assert scene.lease().mode is Mode.REDUCING

    scene.now = Nanos(scene.now + 20 * HOUR)
    scene.hold()
    scene.tell(ticker(scene.now, 54_000.0))

    assert scene.said(ModeChanged)[-1].mode is Mode.ACTIVE


def test_a_new_day_does_not_lift_a_kill() -> None:
    scene = Scene().start().alive(perpetual=0.2)
    scene.tell(ticker(scene.now, 47_000.0))
    assert scene.lease().mode is Mode.KILLED

    scene.now = Nanos(scene.now + 20 * HOUR)
    scene.hold()

    assert scene.lease().mode is Mode.KILLED
    assert scene.state["kill_latch"]


def test_a_falling_mark_reduces_then_kills_by_the_days_loss() -> None:
    # Long 0.2 BTC: to lose 0.02 and 0.05 BTC the mark must fall by a tenth and by a fifth.
    scene = Scene().start().alive(perpetual=0.2)

    scene.tell(ticker(scene.now, 54_000.0))
    assert scene.lease().mode is Mode.REDUCING
    assert "day loss" in scene.lease().reason
    assert "drawdown" in scene.lease().reason

    scene.tell(ticker(scene.now, 47_000.0))
    assert scene.lease().mode is Mode.KILLED
    assert scene.lease().reason.startswith("day loss (kill)")


def test_margin_reduces() -> None:
    scene = Scene().start().alive()

    scene.tell(account(scene.now, 1.0, initial_margin=0.36))

    assert (scene.lease().mode, scene.lease().reason) == (Mode.REDUCING, "margin")


def test_margin_without_equity_reduces() -> None:
    scene = Scene().start().alive()

    scene.tell(account(scene.now, -0.01, initial_margin=0.1))

    assert scene.lease().mode is not Mode.ACTIVE
    assert "margin" in scene.lease().reason


def test_a_critical_anomaly_reduces_for_its_time_and_a_warning_does_not() -> None:
    scene = Scene().start().alive()
    scene.tell(alarm(scene.now, "position_mismatch", Severity.WARNING))
    assert scene.lease().mode is Mode.ACTIVE

    scene.tell(alarm(scene.now, "position_mismatch"))
    assert scene.lease().reason == "anomaly position_mismatch"

    scene.tell(alarm(scene.now, "position_mismatch"))
    scene.now = Nanos(scene.now + MINUTE)
    scene.alive()
    assert scene.lease().mode is Mode.ACTIVE


def test_pnl_is_published_twice_a_second_and_adds_up() -> None:
    scene = Scene().start().alive()
    scene.tell(fill(scene.now, Side.BUY, 600.0, 59_990.0, fee=1e-6))
    scene.tell(position(scene.now, 0.01))
    scene.tell(ticker(scene.now, 60_100.0))

    before = len(scene.said(Pnl))
    scene.pass_time(2 * SECOND)
    statements = scene.said(Pnl)[before:]
    assert len(statements) == 4

    pnl = statements[-1]
    parts = pnl.spread + pnl.inventory + pnl.hedge - pnl.fees + pnl.funding
    assert pnl.total == pytest.approx(parts, abs=1e-15)
    assert pnl.total == pytest.approx(600 * (1 / 59_990 - 1 / 60_100) - 1e-6)
    assert pnl.equity_change - pnl.total == pytest.approx(pnl.unexplained, abs=1e-15)
    assert pnl.deltas[PERPETUAL] == pytest.approx(600 / 60_100)


def test_equity_that_stays_unexplained_is_an_anomaly_once() -> None:
    scene = Scene().start().alive()
    for _ in range(6):
        scene.tell(account(scene.now, 1.1))
        scene.pass_time(SECOND)

    found = [anomaly for anomaly in scene.said(Anomaly) if anomaly.kind == "unexplained_equity"]
    assert len(found) == 1
    assert "+0.10000000 BTC" in found[0].detail


def test_new_params_are_confirmed_and_in_force_at_once() -> None:
    scene = Scene().start().alive()
    wanted = change_params(Params(), {"risk.lease_ms": 1_500, "risk.hard_limit_btc": 0.25})

    scene.tell(ParamsChanged(ts=scene.now, version=7, by="ana", params=wanted.model_dump()))

    answer = scene.said(ParamsApplied)[-1]
    assert (answer.version, answer.applied, answer.source) == (7, True, "risk")
    assert scene.lease().hard_limit == 0.25
    scene.pass_time(SECOND)
    assert scene.lease().until == scene.lease().ts + (1_500 - LEASE_GUARD_MS) * MILLISECOND


def test_params_that_make_no_sense_are_refused_and_the_old_ones_stay() -> None:
    scene = Scene().start().alive()

    scene.tell(ParamsChanged(ts=scene.now, version=7, by="ana", params={"risk": {"lease": 1}}))

    answer = scene.said(ParamsApplied)[-1]
    assert not answer.applied
    assert "risk.lease" in answer.reason
    assert scene.risk.params == Params()


def test_stored_params_are_in_force_from_the_start() -> None:
    wanted = change_params(Params(), {"risk.lease_ms": 1_500})
    stored = ParamsChanged(ts=NOON, version=3, by="ana", params=wanted.model_dump())

    scene = Scene().start({"params": encode(stored).decode()}).alive()

    assert scene.lease().until == scene.lease().ts + (1_500 - LEASE_GUARD_MS) * MILLISECOND
    assert scene.said(ParamsApplied)[-1].version == 3


@pytest.mark.parametrize("key", ["params", "mode", "pnl_day"])
def test_stored_state_that_cannot_be_read_is_reported_and_left_out(key: str) -> None:
    scene = Scene().start({key: "{broken"}).alive()

    assert scene.lease().granted
    assert f"stored {key} cannot be read" in scene.said(Anomaly)[0].detail


def test_stopping_withdraws_the_lease_and_grants_none_again() -> None:
    scene = Scene().start().alive()

    scene.tell(Wake(timer="stop"))
    assert scene.lease().reason == "risk is stopping"
    scene.pass_time(SECOND)
    assert not scene.lease().granted


def test_health_comes_every_second_and_says_whether_a_lease_stands() -> None:
    scene = Scene().start().alive()
    before = len(scene.said(Health))

    scene.pass_time(3 * SECOND)

    beats = scene.said(Health)[before:]
    assert len(beats) == 3
    assert beats[-1].ready
    assert beats[-1].detail == "active"


def test_the_same_events_give_the_same_effects_byte_for_byte() -> None:
    def run() -> bytes:
        scene = Scene().start().alive()
        scene.hold(perpetual=0.37)
        scene.pass_time(5 * SECOND)
        scene.tell(kill(scene.now, flatten=True))
        scene.pass_time(2 * SECOND)
        return b"\n".join(encode(effect) for effect in scene.effects)

    assert run() == run()


def test_a_position_without_a_mark_withdraws_the_lease() -> None:
    scene = Scene().start().alive()

    scene.tell(position(scene.now, 0.1, "BTC-26MAR27"))

    assert scene.lease().reason == "no mark for BTC-26MAR27"
