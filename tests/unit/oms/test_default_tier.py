"""The lowest tier (5 a second, burst 20), by the exchange's own buckets: it never comes to a 10028."""

import json

import pytest

from mock_deribit.market.still import StillMarket
from shared.messages import Health, NoQuote
from shared.randomness import Stream
from shared.units import MILLISECOND, Side
from tests.unit.oms.line import LATENCY, PERPETUAL
from tests.unit.oms.rig import Rig

TIER: dict[str, object] = {
    "matching_rate": 5.0,
    "matching_burst": 20.0,
    "non_matching_rate": 20.0,
    "non_matching_burst": 100.0,
}
PARAMS = {"oms.rate_per_s": 100.0, "oms.burst": 200, "oms.reserve": 6}
"""Ours are far above the account's: only what the exchange itself states can hold us back."""


class Counted(Rig):
    """A rig on the lowest tier that keeps every refusal of the exchange."""

    def __init__(self) -> None:
        self.refusals: list[int] = []
        super().__init__(market=StillMarket(amount_usd=100.0), changes=PARAMS, limits=TIER)
        self.tamper = self._watch

    def _watch(self, frame: bytes) -> list[int]:
        error = json.loads(frame).get("error")
        if error is not None:
            self.refusals.append(error["code"])
        return [LATENCY]

    def storm(self, seconds: float, seed: int) -> None:
        """A quote that has moved, every 20 ms, with two layers a side; and now and then a sweep."""
        draws = Stream(f"{seed}|storm")
        for _ in range(round(seconds * 50)):
            shift = 0.5 * draws.below(40)
            self.quote(59_990.0 - shift, 60_010.0 + shift, 100.0, layers=2)
            if draws.chance(0.02):
                side = Side.BUY if draws.chance(0.5) else Side.SELL
                self.sweep(side, 60_000.0 + side.sign * 15.0, 100.0)
            self.pass_time(0.02)


@pytest.mark.parametrize("seed", range(3))
def test_a_storm_of_quotes_never_exhausts_the_exchange_and_the_last_one_is_reached(
    seed: int,
) -> None:
    rig = Counted()
    rig.live()
    rig.storm(30.0, seed)
    rig.quote(59_950.0, 60_050.0, 100.0, layers=2)
    rig.until(lambda: rig.prices() == [59_949.0, 59_950.0, 60_050.0, 60_051.0], 5.0)
    assert 10028 not in rig.refusals
    assert 10047 not in rig.refusals
    matching = rig.requests("private/buy", "private/sell", "private/edit", "private/cancel")
    assert len(matching) > 100, "what is allowed is used"
    assert len(matching) < 30 * 5 + 40, "edits were merged: one for many quotes"


@pytest.mark.parametrize("seed", range(3))
def test_in_the_middle_of_a_storm_a_kill_waits_for_no_credit(seed: int) -> None:
    rig = Counted()
    rig.live()
    rig.storm(10.0, seed)
    rig.until(rig.book, 5.0)
    rig.kill()
    killed = rig.now
    rig.until(lambda: not rig.book(), 1.0)
    assert rig.now - killed < 150 * MILLISECOND
    assert 10028 not in rig.refusals


def test_in_the_middle_of_a_storm_a_hedge_waits_for_no_credit() -> None:
    rig = Counted()
    rig.live()
    rig.quote(ask=None, amount=100.0)
    rig.pass_time(0.05)
    rig.sweep(Side.SELL, 59_990.0, 2_100.0)
    rig.until(lambda: rig.position().amount == 100.0)
    rig.storm(10.0, 1)
    rig.hedge(Side.SELL, 10.0, 59_980.0)
    rig.pass_time(0.01)
    assert "hedge_ignored" not in rig.anomalies()
    assert [f["params"]["amount"] for f in rig.requests("private/sell")][-1] == 10.0
    assert 10028 not in rig.refusals


def test_restarts_in_a_row_do_not_spend_the_same_credits_again() -> None:
    rig = Counted()
    for seed in range(4):
        rig.live()
        rig.storm(2.0, seed)
        rig.crash()
        rig.pass_time(0.5)
        rig.start()
    assert 10028 not in rig.refusals


def test_pulling_and_placing_in_turns_leaves_the_reserve_to_the_pulling() -> None:
    rig = Counted()
    rig.live()
    for turn in range(100):
        rig.quote(59_990.0 - turn % 3, 60_010.0, 100.0, layers=2)
        rig.pass_time(0.05)
        rig.tell(NoQuote(ts=rig.now, instrument=PERPETUAL, quote_id=0, reason="x", detail=""))
        rig.pass_time(0.05)
    rig.until(lambda: not rig.book(), 1.0)
    assert 10028 not in rig.refusals
    assert "too_many_requests" not in rig.of(Health)[-1].counters
