"""A tick that grows tenfold while we quote: refusals end, and quotes stand on the new grid."""

import tomllib
from pathlib import Path

import msgspec

from backtest.stage import Stage
from mock_deribit.exchange.messages import OrderRequest, TimeInForce
from mock_deribit.market.still import StillMarket
from mock_deribit.settings import MockSettings
from shared.instruments import TickStep
from shared.kernel import Nanos
from shared.params import parse_params
from shared.units import SECOND, Side, is_multiple

ROOT = Path(__file__).parents[2]
START = Nanos(1_790_109_000 * SECOND)
PERPETUAL = "BTC-PERPETUAL"
NEW_TICK = 5.0
NOTICED_S = 61
CALM_S = 10
BEST_BID_USD = 10_000.0


def prices(stage: Stage) -> list[float]:
    """Of our orders on the perpetual, as the exchange has them."""
    books = msgspec.to_builtins(stage.exchange.ledger(stage.world.now))
    orders = books["accounts"]["maker"]["open_orders"]
    return sorted(order["price"] for order in orders if order["instrument"] == PERPETUAL)


def fill_our_bid(stage: Stage) -> None:
    """Somebody sells through the best bid and us, so that a new order must be placed."""
    exchange = stage.exchange._exchange
    exchange.place(
        stage.world.now,
        "crowd",
        OrderRequest(
            instrument=PERPETUAL,
            side=Side.SELL,
            amount=30 * BEST_BID_USD,
            price=60_000.0 - NEW_TICK,
            time_in_force=TimeInForce.IOC,
        ),
    )


def refusals(stage: Stage) -> float:
    """How often the exchange has refused an order, as the OMS counts."""
    return stage.auditor.health["oms"].counters.get("refusals", 0.0)


def test_a_tick_that_changes_while_quoting_refuses_nothing_for_ever() -> None:
    params = parse_params(tomllib.loads((ROOT / "config" / "demo.toml").read_text()))
    stage = Stage(
        start=START,
        seed="tick",
        params=params,
        market=StillMarket(),
        settings=MockSettings(maker_fee=0.0),
    )
    stage.run(10)
    before = prices(stage)
    assert before
    assert not all(is_multiple(price, NEW_TICK) for price in before)

    steps = (TickStep(above_price=1.0, tick=NEW_TICK),)
    stage.exchange._exchange.set_tick(stage.world.now, PERPETUAL, steps=steps)
    fill_our_bid(stage)
    stage.run(5)
    assert refusals(stage) > 0, "the new tick put nothing to the test"

    stage.run(NOTICED_S)
    assert stage.auditor.anomalies["marketdata:instrument_changed"] == 1
    after, refused = prices(stage), refusals(stage)
    assert len(after) == 2
    assert all(is_multiple(price, NEW_TICK) for price in after), after

    fill_our_bid(stage)
    stage.run(CALM_S)
    assert len(prices(stage)) == 2
    assert refusals(stage) == refused
    assert [verdict for verdict in stage.audit() if not verdict.held] == []
