"""What rests on the exchange, and everything that takes it away."""

import pytest

from shared.kernel import LinkDown, LinkUp, Nanos, Wake
from shared.messages import (
    FeedState,
    Health,
    Mode,
    NoQuote,
    OrderState,
    ParamsApplied,
    ParamsChanged,
    Position,
)
from shared.params import LEASE_GUARD_MS, Params, change_params
from shared.units import MILLISECOND, SECOND, Side
from tests.unit.oms.line import PERPETUAL
from tests.unit.oms.rig import Rig


def quoting() -> Rig:
    """A rig with both sides of a quote resting."""
    rig = Rig().live()
    rig.quote()
    rig.until(lambda: len(rig.book()) == 2)
    rig.pass_time(0.01)
    return rig


def test_a_quote_rests_post_only_with_a_label_and_a_deadline() -> None:
    rig = quoting()
    assert rig.prices() == [59_990.0, 60_010.0]
    for order in rig.book():
        assert order.post_only
        assert order.reject_post_only
        assert order.label.startswith("mm-1-BTC-PERPETUAL-")
    for frame in rig.requests("private/buy", "private/sell"):
        valid_for_ms = frame["params"]["valid_until"] - rig.now // MILLISECOND
        assert 0 < valid_for_ms <= 2_000


def test_tick_to_order_is_told_of_what_a_book_frame_leads_to_at_once() -> None:
    rig = quoting()
    rig.quote(bid=59_980.0)
    rig.pass_time(0.1)
    rig.quote(bid=59_970.0, trigger="beat")
    rig.pass_time(0.1)
    bids = [c for c in rig.changes() if c.side is Side.BUY]
    told = [(c.state, c.tick_to_order_us) for c in bids if c.tick_to_order_us is not None]
    assert told == [(OrderState.PENDING, 150.0), (OrderState.EDITING, 150.0)]
    assert bids[-1].price == 59_970.0


def test_an_unchanged_quote_sends_nothing() -> None:
    rig = quoting()
    before = len(rig.requests("private/edit", "private/buy", "private/sell"))
    rig.quote()
    rig.pass_time(0.1)
    assert len(rig.requests("private/edit", "private/buy", "private/sell")) == before


def test_a_moved_quote_edits_in_place() -> None:
    rig = quoting()
    ids = sorted(order.order_id for order in rig.book())
    rig.quote(bid=59_980.0, ask=60_000.5)
    rig.pass_time(0.1)
    assert rig.prices() == [59_980.0, 60_000.5]
    assert sorted(order.order_id for order in rig.book()) == ids


def test_a_side_that_is_no_longer_wanted_is_cancelled() -> None:
    rig = quoting()
    rig.quote(ask=None)
    rig.pass_time(0.1)
    assert rig.prices() == [59_990.0]


def test_a_change_during_a_request_is_sent_after_its_answer() -> None:
    rig = Rig().live()
    rig.quote()
    rig.quote(bid=59_985.0, ask=60_015.0)
    assert len(rig.requests("private/edit")) == 0
    rig.pass_time(0.1)
    assert rig.prices() == [59_985.0, 60_015.0]


def test_nothing_rests_before_the_positions_are_reconciled() -> None:
    rig = Rig()
    rig.market_data()
    rig.lease()
    rig.quote()
    assert rig.requests("private/buy", "private/sell") == []
    assert rig.of(Position)[-1].reconciled == 0
    rig.until(lambda: len(rig.book()) == 2)
    assert rig.position().reconciled > 0


def test_orders_are_gone_when_the_lease_runs_out() -> None:
    rig = quoting()
    rig.lease(1.0)
    ends = Nanos(rig.now + SECOND)
    rig.silent = True
    rig.until(lambda: not rig.book())
    assert ends <= rig.now <= ends + 10 * MILLISECOND


def test_a_lease_told_late_does_not_unset_the_alarm_of_the_present_one() -> None:
    rig = quoting()
    rig.silent = True
    rig.pass_time(0.2)
    rig.lease(1.25)
    rig.lease(0.1, ts=Nanos(rig.now - SECOND))
    rig.pass_time(1.30)
    assert rig.book() == []


@pytest.mark.parametrize("mode", [Mode.PAUSED, Mode.KILLED])
def test_a_mode_that_rests_nothing_pulls_everything(mode: Mode) -> None:
    rig = quoting()
    rig.mode = mode
    rig.lease()
    rig.pass_time(0.01)
    assert rig.book() == []


def test_a_lease_that_is_withdrawn_pulls_everything_and_a_new_one_lets_it_rest_again() -> None:
    rig = quoting()
    rig.lease(granted=False, reason="position_unknown")
    rig.pass_time(0.01)
    assert rig.book() == []
    rig.lease()
    rig.pass_time(0.01)
    assert len(rig.book()) == 2


def test_an_instrument_that_an_operator_paused_rests_nothing() -> None:
    rig = quoting()
    rig.lease(paused=(PERPETUAL,))
    rig.pass_time(0.01)
    assert rig.book() == []


@pytest.mark.parametrize("link", ["bus", "state"])
def test_losing_the_bus_or_the_state_pulls_everything(link: str) -> None:
    rig = quoting()
    rig.tell(LinkDown(link=link, reason="gone"))
    rig.pass_time(0.01)
    assert rig.book() == []
    rig.tell(LinkUp(link=link))
    rig.quote()
    rig.pass_time(0.01)
    assert len(rig.book()) == 2


@pytest.mark.parametrize("state", [s for s in FeedState if s is not FeedState.LIVE])
def test_a_feed_that_is_not_live_pulls_its_instrument(state: FeedState) -> None:
    rig = quoting()
    rig.feed(state)
    rig.pass_time(0.01)
    assert rig.book() == []


def test_no_quote_pulls() -> None:
    rig = quoting()
    rig.tell(NoQuote(ts=rig.now, instrument=PERPETUAL, quote_id=9, reason="mode", detail=""))
    rig.pass_time(0.01)
    assert rig.book() == []


def test_a_quote_that_nobody_renews_is_pulled_when_it_ends() -> None:
    rig = quoting()
    rig.quote(valid_s=0.7)
    ends = Nanos(rig.now + 700 * MILLISECOND)
    rig.until(lambda: not rig.book())
    assert ends <= rig.now <= ends + 10 * MILLISECOND


def test_an_order_in_flight_when_the_lease_ends_is_pulled_as_soon_as_it_is_answered() -> None:
    rig = Rig().live()
    rig.quote()
    rig.lease(granted=False)
    rig.pass_time(0.05)
    assert rig.book() == []
    cancelled = [c.reason for c in rig.changes() if c.state is OrderState.CANCELLED]
    assert cancelled == ["lease_withdrawn", "lease_withdrawn"]


def test_a_quote_beyond_the_hard_limit_is_denied_and_said_once() -> None:
    rig = Rig().live()
    rig.hard_limit = 0.01
    rig.lease()
    rig.quote(amount=900.0)
    rig.quote(amount=900.0)
    rig.pass_time(0.02)
    assert rig.book() == []
    assert rig.anomalies() == ["denied_hard_limit", "denied_hard_limit"]
    rig.quote(amount=500.0)
    rig.pass_time(0.02)
    assert len(rig.book()) == 2


def test_a_fill_that_uses_up_the_limit_pulls_what_would_add_to_it() -> None:
    rig = quoting()
    rig.hard_limit = 0.025
    rig.lease()
    rig.others(Side.SELL, 59_990.0, 200_600.0)
    rig.until(rig.fills)
    rig.pass_time(0.05)
    assert [order.side for order in rig.book()] == [Side.BUY, Side.SELL]
    assert rig.position().working_buy == 400.0
    rig.hard_limit = 0.016
    rig.lease()
    rig.pass_time(0.05)
    assert [order.side for order in rig.book()] == [Side.SELL]


def test_while_reducing_only_what_shrinks_the_net_delta_rests() -> None:
    rig = quoting()
    rig.others(Side.SELL, 59_990.0, 201_000.0)
    rig.until(lambda: rig.position().amount == 1_000.0)
    rig.quote()
    rig.pass_time(0.02)
    rig.mode = Mode.REDUCING
    rig.lease()
    rig.pass_time(0.05)
    assert [order.side for order in rig.book()] == [Side.SELL]
    assert rig.prices() == [60_010.0]


def test_a_quote_that_would_take_is_rejected_and_not_tried_again_for_the_same_quote() -> None:
    rig = Rig().live()
    rig.quote(bid=60_005.0, ask=60_015.0)
    rig.pass_time(3.0)
    assert rig.prices() == [60_015.0]
    assert len(rig.requests("private/buy")) == 1
    rejected = [c for c in rig.changes() if c.state is OrderState.REJECTED]
    assert [c.reason for c in rejected] == ["post_only_reject"]
    rig.quote(bid=59_990.0, ask=60_015.0)
    rig.pass_time(0.05)
    assert rig.prices() == [59_990.0, 60_015.0]


def test_three_rejects_in_a_row_hold_the_side_for_a_second() -> None:
    rig = Rig().live()
    for _ in range(5):
        rig.quote(bid=60_005.0, ask=None)
        rig.pass_time(0.05)
    assert len(rig.requests("private/buy")) == 3
    rig.pass_time(1.0)
    rig.quote(bid=59_990.0, ask=None)
    rig.pass_time(0.05)
    assert rig.prices() == [59_990.0]


def test_an_edit_that_would_take_loses_the_order_and_the_next_quote_brings_a_new_one() -> None:
    rig = quoting()
    rig.quote(bid=60_005.0)
    rig.pass_time(0.5)
    assert rig.prices() == [60_010.0]
    lost = [c for c in rig.changes() if c.state is OrderState.CANCELLED]
    assert len(lost) == 1
    assert lost[0].side is Side.BUY
    rig.quote()
    rig.pass_time(0.05)
    assert rig.prices() == [59_990.0, 60_010.0]


def test_a_burst_of_quotes_leaves_credits_for_every_cancel() -> None:
    changes = {"oms.burst": 10, "oms.rate_per_s": 1, "oms.reserve": 6}
    rig = Rig(changes=changes).live()
    rig.quote()
    for move in range(1, 30):
        rig.quote(bid=59_990.0 - 4.5 * move, ask=60_010.0 + 4.5 * move)
        rig.pass_time(0.01)
    edits = len(rig.requests("private/edit"))
    assert edits <= 4
    rig.lease(granted=False)
    rig.pass_time(0.05)
    assert rig.book() == []


def test_comfort_waits_for_credits_and_is_done_when_they_come_back() -> None:
    rig = Rig(changes={"oms.burst": 8, "oms.rate_per_s": 2, "oms.reserve": 6}).live()
    rig.pass_time(5.0)
    rig.quote()
    rig.pass_time(0.01)
    rig.quote(bid=59_995.0, ask=60_005.0)
    rig.pass_time(0.01)
    assert rig.prices() == [59_990.0, 60_010.0]
    rig.pass_time(2.0)
    assert rig.prices() == [59_995.0, 60_005.0]


def test_an_order_too_near_is_cancelled_when_no_credit_is_left_to_move_it() -> None:
    rig = Rig(changes={"oms.burst": 8, "oms.rate_per_s": 1, "oms.reserve": 6}).live()
    rig.pass_time(10.0)
    rig.quote()
    rig.pass_time(0.01)
    assert len(rig.book()) == 2
    rig.quote(bid=59_970.0, ask=60_000.5)
    rig.pass_time(0.01)
    rig.quote(bid=59_970.0, ask=60_020.0)
    rig.pass_time(0.01)
    assert all(order.side is Side.BUY for order in rig.book())


def test_a_stop_pulls_everything_and_says_the_positions_a_last_time() -> None:
    rig = quoting()
    assert not rig.oms.drained
    rig.said.clear()
    rig.tell(Wake(timer="stop"))
    assert not rig.oms.drained
    rig.until(lambda: rig.oms.drained)
    assert rig.book() == []
    last = rig.position()
    assert (last.working_buy, last.working_sell) == (0.0, 0.0)
    rig.quote()
    rig.pass_time(0.1)
    assert rig.book() == []


def test_parameters_are_applied_live_and_refused_whole() -> None:
    rig = quoting()
    params = change_params(Params(), {"oms.tolerance_passive": 0.9})
    rig.tell(ParamsChanged(ts=rig.now, version=7, by="test", params=params.model_dump()))
    rig.quote(bid=59_995.0, ask=60_005.0)
    rig.pass_time(0.05)
    assert rig.prices() == [59_990.0, 60_010.0]
    rig.tell(ParamsChanged(ts=rig.now, version=8, by="test", params={"oms": {"burst": -1}}))
    answers = [(a.version, a.applied) for a in rig.of(ParamsApplied)]
    assert answers == [(7, True), (8, False)]
    assert "oms.burst" in rig.of(ParamsApplied)[-1].reason


@pytest.mark.parametrize("lease_ms", [500, 1_000, 2_000, 10_000])
def test_health_is_said_at_a_period_that_follows_the_lease(lease_ms: int) -> None:
    changes = {"risk.lease_ms": lease_ms, "risk.lease_renewal_ms": 100}
    rig = Rig(changes=changes).live()
    rig.said.clear()
    rig.pass_time(3.0)
    period_s = min((lease_ms - LEASE_GUARD_MS) / 4_000, 1.0)
    assert abs(len(rig.of(Health)) - 3.0 / period_s) <= 1.5


def test_a_shorter_lease_is_followed_at_once() -> None:
    rig = quoting()
    wanted = change_params(Params(), {"risk.lease_ms": 500, "risk.lease_renewal_ms": 100})
    rig.tell(ParamsChanged(ts=rig.now, version=7, by="test", params=wanted.model_dump()))
    rig.said.clear()
    rig.pass_time(0.1)
    assert len(rig.of(Health)) == 2


def test_health_says_why_nothing_rests() -> None:
    rig = quoting()
    rig.pass_time(1.0)
    assert rig.of(Health)[-1].ready
    rig.lease(granted=False)
    rig.silent = True
    rig.pass_time(1.0)
    assert rig.of(Health)[-1].detail == "lease_withdrawn"
    assert rig.of(Health)[-1].counters["orders_placed"] == 2.0
