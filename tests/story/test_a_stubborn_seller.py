"""Somebody sells into our bids without end: inventory is hedged back, and a kill flattens the rest."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from backtest.stage import Stage
from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.messages import OrderRequest, Placed, SelfMatch, TimeInForce
from mock_deribit.settings import MockSettings
from shared.kernel import Nanos
from shared.messages import Kill, Mode, Purpose
from shared.params import Params, change_params, parse_params
from shared.units import MILLISECOND, SECOND, Side

ROOT = Path(__file__).parents[2]
START = Nanos(1_790_109_000 * SECOND)
PRICE = 60_000.0
PERPETUAL = "BTC-PERPETUAL"
WALL_USD = 50_000.0
CLIP_USD = 1_000.0


class StubbornSeller:
    """Still walls on both sides, and clips sold at the best bid four times a second."""

    ended: str | None = None
    index_prices: Mapping[str, float] = MappingProxyType({"btc_usd": PRICE})

    def start(self, now: Nanos, exchange: Exchange) -> Nanos:
        """Put up five levels a side in every book."""
        self._exchange = exchange
        for account in ("walls", "seller"):
            exchange.open_account(
                account, {"BTC": 1e6}, house=True, self_match=SelfMatch.CANCEL_MAKER
            )
        for listing in exchange.listings:
            tick = listing.instrument.tick
            for level in range(6, 12):
                for side in Side:
                    price = PRICE - side.sign * level * tick
                    self._place(now, "walls", listing.name, side, price, WALL_USD)
        return Nanos(now + SECOND)

    def wake(self, now: Nanos) -> Nanos:
        """One clip at whatever the best bid is, as long as that is not the wall."""
        self._exchange.set_index(now, "btc_usd", PRICE)
        bids = self._exchange.book(PERPETUAL).bids
        if bids and bids[0][0] > PRICE - 6 * 0.5:
            self._place(now, "seller", PERPETUAL, Side.SELL, bids[0][0], CLIP_USD, TimeInForce.IOC)
        return Nanos(now + 250 * MILLISECOND)

    def _place(
        self,
        now: Nanos,
        who: str,
        name: str,
        side: Side,
        price: float,
        amount: float,
        time_in_force: TimeInForce = TimeInForce.GTC,
    ) -> None:
        request = OrderRequest(
            instrument=name, side=side, amount=amount, price=price, time_in_force=time_in_force
        )
        placed = self._exchange.place(now, who, request)
        assert isinstance(placed, Placed), placed


def params() -> Params:
    """The demo's, with a hedge that starts early."""
    demo = parse_params(tomllib.loads((ROOT / "config" / "demo.toml").read_text()))
    return change_params(
        demo,
        {
            "risk.hedge_trigger_btc": 0.10,
            "risk.hedge_target_btc": 0.05,
            "risk.hedge_delay_s": 0.5,
            "quoter.gamma": 0.0005,
        },
    )


def test_inventory_beyond_the_trigger_is_hedged_and_a_kill_flattens_the_rest() -> None:
    stage = Stage(
        start=START,
        seed="seller",
        params=params(),
        market=StubbornSeller(),
        settings=MockSettings(maker_fee=0.0),
    )
    auditor = stage.auditor
    worst = 0.0
    for _ in range(600):
        stage.run(0.1)
        if auditor.pnl is not None:
            worst = max(worst, abs(auditor.pnl.net_delta))
    hedges = [fill for fill in auditor.fills.values() if fill.purpose is Purpose.HEDGE]
    assert worst > 0.10, f"the seller did not get through to us: {worst}"
    assert hedges, "inventory beyond the trigger was not hedged"
    assert all(fill.side is Side.SELL for fill in hedges)
    assert worst < stage.params.risk.soft_limit_btc + stage.params.quoter.order_size_btc
    assert auditor.pnl is not None
    assert auditor.pnl.hedge < 0.0, "taking liquidity costs, and the cost must be seen"

    stage.operator(
        Kill(ts=stage.world.now, command_id="1", by="test", reason="enough", flatten=True)
    )
    stage.run(20)
    assert auditor.mode is Mode.KILLED
    ledger = stage.ledger()
    assert ledger.open_labels == ()
    assert sum(abs(amount) for amount in ledger.positions.values()) <= 30.0, ledger.positions
    assert [verdict for verdict in stage.audit() if not verdict.held] == []
