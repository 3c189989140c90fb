"""Liquidation: what is locked, what is sold, and where the money goes."""

import pytest

from mock_deribit.exchange.events import AccountLocked
from mock_deribit.exchange.messages import OrderState, OrderView
from mock_deribit.exchange.records import LogType
from mock_deribit.exchange.rules import Rules
from shared.units import SECOND, Side
from tests.support.floor import PERPETUAL, Floor, accepted, code

SIZE = 2_400_000.0


def leveraged(rules: Rules | None = None) -> Floor:
    """Alice is long forty times her money; a crowd stands ready to buy from her."""
    floor = Floor(rules=rules)
    floor.exchange.open_account("crowd", {}, house=True)
    floor.exchange.deposit(floor.now, "alice", "BTC", 0.5)
    accepted(floor.send("crowd", Side.SELL, SIZE, 60_000.0))
    accepted(floor.send("alice", Side.BUY, SIZE, 60_000.0))
    return floor


def fall(floor: Floor, price: float, bids: float) -> None:
    if bids:
        accepted(floor.send("crowd", Side.BUY, bids, price - 10.0))
        accepted(floor.send("crowd", Side.SELL, 10.0, price + 10.0))
    floor.exchange.set_index(floor.now, "btc_usd", price)
    floor.wait(SECOND)


def test_an_account_below_maintenance_is_locked_and_sold_down_until_it_is_safe() -> None:
    floor = leveraged()
    resting = floor.sell("alice", 10.0, 60_500.0)
    before = floor.exchange.money("BTC")
    floor.exchange.drain()
    fall(floor, 58_480.0, 2 * SIZE)
    gone = floor.exchange.order("alice", resting.order_id)
    assert isinstance(gone, OrderView)
    assert (gone.state, gone.cancel_reason) == (OrderState.CANCELLED, "autoliquidation")
    size = floor.exchange.position("alice", PERPETUAL).size
    assert 0.0 < size < SIZE
    portfolio = floor.exchange.portfolio("alice", "BTC")
    assert portfolio.equity >= portfolio.maintenance_margin
    locks = [e.locked for e in floor.exchange.drain() if isinstance(e, AccountLocked)]
    assert locks == [True, False]
    assert not floor.exchange.is_liquidating("alice")
    fills = [fill for fill in floor.exchange.user_trades("alice") if fill.is_liquidation]
    assert {fill.trade.liquidation for fill in fills} == {"T"}
    assert fills[0].fee == round(fills[0].trade.amount / fills[0].trade.price * 0.01, 8)
    assert floor.exchange.transaction_log("alice", "BTC")[0].type is LogType.LIQUIDATION
    assert floor.exchange.money("BTC") == before


def test_while_nothing_can_be_sold_the_account_waits_locked() -> None:
    floor = leveraged()
    fall(floor, 58_480.0, 0.0)
    assert floor.exchange.is_liquidating("alice")
    assert floor.exchange.position("alice", PERPETUAL).size == SIZE
    assert floor.exchange.closed_orders("alice") == floor.exchange.closed_orders("alice")[:1]
    assert code(floor.send("alice", Side.SELL, 10.0, 60_500.0)) == 11098
    assert code(floor.exchange.cancel(floor.now, "alice", "7")) == 11098
    accepted(floor.send("crowd", Side.BUY, 2 * SIZE, 58_470.0))
    floor.wait(5 * SECOND)
    assert not floor.exchange.is_liquidating("alice")


def test_the_insurance_pays_what_a_bankrupt_account_cannot_and_money_is_conserved() -> None:
    floor = leveraged()
    before = floor.exchange.money("BTC")
    fall(floor, 55_000.0, 2 * SIZE)
    floor.wait(10 * SECOND)
    assert floor.exchange.position("alice", PERPETUAL).size == 0.0
    assert floor.exchange.portfolio("alice", "BTC").equity == 0.0
    assert not floor.exchange.is_liquidating("alice")
    assert floor.exchange.transaction_log("alice", "BTC")[0].type is LogType.BANKRUPTCY
    assert floor.exchange.money("BTC") == before


def test_a_liquidation_by_command_closes_everything_at_once() -> None:
    floor = leveraged()
    dated = floor.exchange.listings[1].name
    accepted(floor.send("crowd", Side.BUY, 600.0, 60_000.0, instrument=dated))
    accepted(floor.send("alice", Side.SELL, 600.0, 60_000.0, instrument=dated))
    accepted(floor.send("crowd", Side.SELL, 600.0, 60_010.0, instrument=dated))
    accepted(floor.send("crowd", Side.BUY, SIZE, 59_990.0))
    before = floor.exchange.money("BTC")
    floor.exchange.liquidate(floor.now, "alice")
    assert {view.size for view in floor.exchange.positions("alice")} == {0.0}
    assert not floor.exchange.is_liquidating("alice")
    assert floor.exchange.money("BTC") == before
    accepted(floor.send("alice", Side.BUY, 10.0, 59_000.0))


def test_an_ordered_liquidation_goes_on_when_liquidity_comes() -> None:
    floor = leveraged(Rules(liquidates=False))
    floor.exchange.liquidate(floor.now, "alice")
    assert floor.exchange.is_liquidating("alice")
    accepted(floor.send("crowd", Side.BUY, SIZE, 59_990.0))
    floor.wait(SECOND)
    assert floor.exchange.position("alice", PERPETUAL).size == 0.0


def test_nobody_is_liquidated_where_the_rules_say_so() -> None:
    floor = leveraged(Rules(liquidates=False))
    fall(floor, 58_480.0, 2 * SIZE)
    assert floor.exchange.position("alice", PERPETUAL).size == SIZE
    assert not floor.exchange.is_liquidating("alice")


def test_the_estimated_liquidation_price_is_where_it_happens() -> None:
    floor = leveraged()
    estimate = floor.exchange.position("alice", PERPETUAL).estimated_liquidation_price
    assert estimate is not None
    fall(floor, round(estimate * 1.002, 2), 0.0)
    assert not floor.exchange.is_liquidating("alice")
    fall(floor, round(estimate * 0.998, 2), 0.0)
    assert floor.exchange.is_liquidating("alice")


@pytest.mark.parametrize(("size", "way"), [(1.0, -1.0), (-1.0, 1.0)])
def test_linear_positions_have_a_liquidation_price_on_the_right_side(
    size: float, way: float
) -> None:
    floor = Floor(whole_venue=True)
    floor.exchange.open_account("crowd", {}, house=True)
    side, other = (Side.BUY, Side.SELL) if size > 0 else (Side.SELL, Side.BUY)
    floor.exchange.deposit(floor.now, "alice", "USDC", -90_000.0)
    linear = "BTC_USDC-PERPETUAL"
    accepted(floor.send("crowd", other, 1.0, 60_000.0, instrument=linear))
    accepted(floor.send("alice", side, 1.0, 60_000.0, instrument=linear))
    view = floor.exchange.position("alice", linear)
    assert view.estimated_liquidation_price is not None
    assert way * (view.estimated_liquidation_price - 60_000.0) == pytest.approx(9_400.0, rel=0.03)
