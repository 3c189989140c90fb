"""Sizes and sides: what is wanted at which inventory and in which mode."""

import pytest

from shared.kernel import Nanos
from shared.messages import Mode, OrderChanged, OrderState, Purpose
from shared.units import SECOND, Side
from tests.unit.quoter.scene import DATED, PERPETUAL, Scene


def sides(scene: Scene, name: str = PERPETUAL) -> dict[str, float]:
    return {level.side.value: level.amount for level in scene.quote(name).levels}


def test_a_flat_book_quotes_the_order_size_in_usd_rounded_down_to_the_lot() -> None:
    # 0.02 BTC at 85,000.25 is 1,700.005 USD; the lot is 10 USD.
    assert sides(Scene().warm()) == {"buy": 1_700.0, "sell": 1_700.0}


def test_the_adding_side_fades_linearly_to_the_soft_limit() -> None:
    scene = Scene()
    scene.amounts[PERPETUAL] = 8_500.0  # 0.1 BTC, half of the soft limit
    assert sides(scene.warm()) == {"buy": 850.0, "sell": 1_700.0}


def test_at_the_soft_limit_only_the_reducing_side_is_left() -> None:
    scene = Scene()
    scene.amounts[PERPETUAL] = -17_100.0
    quote = scene.warm().quote()
    assert [level.side for level in quote.levels] == [Side.BUY]
    assert quote.withheld == (("sell", "size"),)


def test_inventory_in_one_instrument_leans_the_quotes_of_the_other() -> None:
    flat, long = Scene((PERPETUAL, DATED)), Scene((PERPETUAL, DATED))
    long.amounts[DATED] = 8_500.0
    flat_quote, long_quote = flat.warm().quote(), long.warm().quote()
    shift = dict(long_quote.levels[0].parts)["inventory_shift"]
    assert shift == pytest.approx(-0.02 * 2.0**2 * 60 * 0.1, rel=1e-3)
    assert dict(flat_quote.levels[0].parts)["inventory_shift"] == 0.0
    assert sides(long) == {"buy": 850.0, "sell": 1_700.0}


def test_a_hedged_pair_counts_as_flat() -> None:
    scene = Scene((PERPETUAL, DATED))
    scene.amounts = {PERPETUAL: 17_000.0, DATED: -17_000.0}
    assert sides(scene.warm()) == {"buy": 1_700.0, "sell": 1_700.0}


def test_reducing_quotes_only_what_reduces_both_the_whole_and_the_instrument() -> None:
    scene = Scene((PERPETUAL, DATED))
    scene.lease_changes = {"mode": Mode.REDUCING, "reason": "day loss"}
    scene.amounts = {PERPETUAL: 17_000.0, DATED: -4_250.0}
    scene.warm()
    assert sides(scene) == {"sell": 1_700.0}
    assert scene.refusal(DATED) == "reducing"


def test_reducing_never_carries_a_position_through_zero() -> None:
    scene = Scene()
    scene.lease_changes = {"mode": Mode.REDUCING}
    scene.amounts[PERPETUAL] = 120.0
    assert sides(scene.warm()) == {"sell": 120.0}


def test_reducing_with_nothing_to_reduce_quotes_nothing() -> None:
    scene = Scene()
    scene.lease_changes = {"mode": Mode.REDUCING}
    assert scene.warm().refusal() == "reducing"


def test_an_order_below_one_lot_is_no_order() -> None:
    scene = Scene(params={"quoter.order_size_btc": 0.0002})
    scene.mids[PERPETUAL] = 40_000.25
    assert scene.warm().refusal() == "size"


def test_a_fall_takes_the_bid_away_and_leaves_the_ask() -> None:
    scene = Scene().warm()
    scene.mids[PERPETUAL] -= 40.0
    scene.pass_time(0.2)
    quote = scene.quote()
    assert [level.side for level in quote.levels] == [Side.SELL]
    assert quote.withheld == (("buy", "momentum"),)
    scene.pass_time(6.5)
    assert len(scene.quote().levels) == 2


def resting(scene: Scene, side: Side, price: float, amount: float) -> OrderChanged:
    return OrderChanged(
        ts=scene.now,
        instrument=PERPETUAL,
        label=f"mm-{side}",
        order_id="1",
        state=OrderState.OPEN,
        side=side,
        price=price,
        amount=amount,
        filled=0.0,
        purpose=Purpose.QUOTE,
        layer=0,
        quote_id=1,
        reason="",
        venue_ts=scene.now,
    )


def test_our_own_orders_are_not_the_market() -> None:
    scene = Scene().warm()
    before = scene.quote()
    scene.tell(resting(scene, Side.BUY, 85_000.0, 10_000.0))
    scene.now = Nanos(scene.now + 5 * SECOND)
    scene.everybody_speaks()
    scene.tell(scene.position(PERPETUAL, amount=10.0))
    assert scene.quote().fair == before.fair - 0.25


def test_a_level_that_others_share_with_us_stays() -> None:
    scene = Scene().warm()
    scene.tell(resting(scene, Side.BUY, 85_000.0, 1_700.0))
    scene.tell(scene.position(PERPETUAL, amount=10.0))
    assert scene.quote().fair == 85_000.25
