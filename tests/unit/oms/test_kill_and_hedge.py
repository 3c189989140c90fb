"""The kill switch, and the only orders that may take: reductions that risk ordered."""

import json

import pytest

from shared.kernel import Effect, Nanos, Send, Store
from shared.messages import Anomaly, Kill, Liquidity, Mode, OrderState, Purpose
from shared.units import SECOND, Side
from tests.unit.oms.rig import Rig


def holding(amount: float = 1_000.0) -> Rig:
    """A rig that bought by its quote and rests nothing now."""
    rig = Rig().live()
    rig.quote(ask=None, amount=amount)
    rig.pass_time(0.02)
    rig.others(Side.SELL, 59_990.0, 200_000.0 + amount)
    rig.until(lambda: rig.position().amount == amount)
    rig.quote(bid=None, ask=None)
    rig.pass_time(0.02)
    assert rig.book() == []
    # Somebody stands where a hedge may sell.
    rig.others(Side.BUY, 59_980.0, 50_000.0)
    return rig


def resting() -> Rig:
    """A rig with both sides of a quote resting."""
    rig = Rig().live()
    rig.quote()
    rig.pass_time(0.02)
    assert len(rig.book()) == 2
    return rig


def test_a_kill_stores_its_latch_before_it_sends_anything() -> None:
    rig = resting()
    kill = Kill(ts=rig.now, command_id="k", by="ann", reason="drill")
    effects: list[Effect] = list(rig.oms.handle(rig.now, kill))
    kinds = [type(effect) for effect in effects if isinstance(effect, Store | Send)]
    assert kinds[0] is Store
    assert Send in kinds
    latch = json.loads(next(e.value for e in effects if isinstance(e, Store)))
    assert (latch["by"], latch["reason"], latch["flatten"]) == ("ann", "drill", False)


def test_after_a_kill_nothing_rests_and_nothing_is_placed() -> None:
    rig = resting()
    rig.kill()
    rig.pass_time(0.02)
    assert rig.book() == []
    placed = len(rig.requests("private/buy", "private/sell"))
    for _ in range(20):
        rig.quote()
        rig.lease()
        rig.pass_time(0.1)
    assert len(rig.requests("private/buy", "private/sell")) == placed
    assert rig.book() == []


def test_a_lease_that_crossed_the_kill_does_not_undo_it() -> None:
    rig = resting()
    rig.kill()
    rig.lease()
    rig.quote()
    rig.pass_time(0.1)
    assert rig.book() == []


def test_risks_word_on_an_earlier_kill_says_nothing_of_a_later_one() -> None:
    rig = resting()
    before = rig.now
    rig.pass_time(0.1)
    rig.kill()
    # On the way since before: risk was killed and resumed, and has not heard of this kill yet.
    rig.lease(ts=before, mode=Mode.KILLED, granted=False)
    rig.lease(ts=Nanos(before + 1))
    rig.quote()
    rig.pass_time(0.1)
    assert rig.book() == []
    assert rig.state["kill_latch"]


def test_risk_lifts_the_kill_only_after_having_said_killed_itself() -> None:
    rig = resting()
    rig.kill()
    rig.mode = Mode.KILLED
    rig.lease()
    rig.pass_time(0.1)
    assert rig.book() == []
    assert rig.state["kill_latch"]
    rig.mode = Mode.ACTIVE
    rig.lease()
    rig.pass_time(0.1)
    assert len(rig.book()) == 2
    assert rig.state["kill_latch"] == ""


def test_the_latch_survives_a_restart() -> None:
    rig = resting()
    rig.kill()
    rig.pass_time(0.02)
    rig.crash()
    rig.start()
    rig.live()
    rig.quote()
    rig.pass_time(1.0)
    assert rig.book() == []
    assert rig.requests("private/buy", "private/sell") == []


@pytest.mark.parametrize(("stored", "killed"), [("", False), ("null", True), ("{torn", True)])
def test_a_latch_that_cannot_be_read_counts_as_set(stored: str, killed: bool) -> None:
    rig = Rig(state={"kill_latch": stored}).live()
    rig.quote()
    rig.pass_time(0.1)
    assert (rig.book() == []) is killed


def test_a_kill_with_the_socket_down_cancels_on_reconnect() -> None:
    rig = resting()
    rig.cut()
    rig.kill()
    rig.pass_time(2.0)
    assert rig.book() == []
    assert rig.oms.drained


def test_a_hedge_takes_reduces_and_never_rests() -> None:
    rig = holding()
    rig.hedge(Side.SELL, 600.0, 59_980.0)
    rig.pass_time(0.1)
    assert rig.position().amount == rig.real_position() == 400.0
    fill = rig.fills()[-1]
    assert (fill.purpose, fill.liquidity) == (Purpose.HEDGE, Liquidity.TAKER)
    (frame,) = rig.requests("private/sell")
    assert frame["params"]["time_in_force"] == "immediate_or_cancel"
    assert frame["params"]["reduce_only"] is True
    assert rig.book() == []
    assert rig.anomalies() == []


def test_what_a_hedge_cannot_fill_is_gone() -> None:
    rig = holding()
    rig.hedge(Side.SELL, 600.0, 59_995.0)
    rig.pass_time(0.1)
    assert rig.real_position() == 1_000.0
    assert rig.book() == []
    assert rig.changes()[-1].state is OrderState.CANCELLED
    assert rig.oms.drained


def test_a_hedge_is_carried_out_without_a_lease_and_while_paused() -> None:
    rig = holding()
    rig.silent = True
    rig.mode = Mode.PAUSED
    rig.lease()
    rig.hedge(Side.SELL, 600.0, 59_980.0)
    rig.pass_time(0.1)
    assert rig.position().amount == 400.0


@pytest.mark.parametrize(("flatten", "left"), [(True, 400.0), (False, 1_000.0)])
def test_after_a_kill_a_hedge_passes_only_to_flatten(flatten: bool, left: float) -> None:
    rig = holding()
    rig.kill(flatten=flatten)
    rig.hedge(Side.SELL, 600.0, 59_980.0)
    rig.pass_time(0.1)
    assert rig.position().amount == left


def test_a_hedge_is_carried_out_once() -> None:
    rig = holding()
    for _ in range(3):
        rig.hedge(Side.SELL, 300.0, 59_980.0, hedge_id=77)
    rig.pass_time(0.1)
    assert rig.position().amount == 700.0
    assert rig.anomalies() == ["hedge_ignored", "hedge_ignored"]


@pytest.mark.parametrize(
    ("side", "amount", "why"),
    [
        (Side.BUY, 100.0, "reduce_only"),
        (Side.SELL, 1_010.0, "reduce_only"),
        (Side.SELL, 105.0, "lot"),
    ],
)
def test_a_hedge_that_is_no_reduction_is_ignored(side: Side, amount: float, why: str) -> None:
    rig = holding()
    rig.hedge(side, amount, 59_980.0)
    rig.pass_time(0.1)
    assert rig.position().amount == 1_000.0
    assert rig.anomalies() == ["hedge_ignored"]
    assert why in rig.of(Anomaly)[-1].detail


def test_an_expired_hedge_is_ignored() -> None:
    rig = holding()
    rig.hedge(Side.SELL, 100.0, 59_980.0, expires=Nanos(rig.now - SECOND))
    rig.pass_time(0.1)
    assert rig.position().amount == 1_000.0
    assert rig.anomalies() == ["hedge_ignored"]


def test_two_hedges_at_once_never_turn_the_position_over() -> None:
    rig = holding()
    rig.hedge(Side.SELL, 600.0, 59_980.0, hedge_id=1)
    rig.hedge(Side.SELL, 600.0, 59_980.0, hedge_id=2)
    rig.pass_time(0.1)
    assert rig.position().amount == rig.real_position() == 400.0
    assert rig.anomalies() == ["hedge_ignored"]


def test_a_hedge_takes_its_own_quote_away_before_it_could_meet_it() -> None:
    rig = holding()
    rig.quote(bid=59_985.0, ask=None)
    rig.pass_time(0.02)
    assert rig.prices() == [59_985.0]
    rig.hedge(Side.SELL, 600.0, 59_980.0)
    rig.pass_time(0.1)
    assert rig.position().amount == rig.real_position() == 400.0
    assert [fill.price for fill in rig.fills()[1:]] == [59_980.0]


def test_a_hedge_limit_beyond_the_price_band_is_drawn_back_onto_it() -> None:
    rig = holding()
    # The mark ran up: the market's own bid lies just inside the band, the slippage beyond it.
    rig.ticker(mark=60_893.0)
    lowest = 60_893.0 * 0.985
    rig.hedge(Side.SELL, 500.0, 59_975.0)
    rig.until(lambda: rig.position().amount == 500.0)
    (sold,) = rig.requests("private/sell")
    assert lowest <= sold["params"]["price"] <= lowest + 0.5
