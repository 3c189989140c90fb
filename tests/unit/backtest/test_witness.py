"""The witness sees what the bus does not say: each of its rules is broken once."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from backtest.invariants import Auditor
from backtest.witness import GRACE, HEARTBEAT_BOUND, Breach, Witness
from mock_deribit.core import MockDeribit
from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.listing import btc_listings
from mock_deribit.exchange.messages import OrderRequest, Placed, TimeInForce
from mock_deribit.market.still import StillMarket
from mock_deribit.settings import MockSettings
from shared.instruments import BookState
from shared.kernel import Nanos
from shared.messages import (
    Book,
    FeedState,
    FeedStatus,
    Filled,
    Kill,
    Lease,
    Liquidity,
    Mode,
    Purpose,
    Quote,
    Resume,
    Ticker,
)
from shared.params import change_params, parse_params
from shared.units import SECOND, Side, from_seconds
from tests.support.exchange import START

ROOT = Path(__file__).parents[3]
PERPETUAL = "BTC-PERPETUAL"
PRICE = 60_000.0
PARAMS = change_params(parse_params({}), {"risk.lease_ms": 2_000})
LEASE_S = 2.0


class Scene:
    """A witness of a motionless exchange, and a hand that trades on it as `maker`."""

    def __init__(self) -> None:
        settings = MockSettings(maker_fee=0.0).with_secrets("a secret")
        self.mock = MockDeribit(START, settings, btc_listings(START), StillMarket(PRICE))
        self.witness = Witness(Auditor(grace_ms=60_000), PARAMS, "maker")
        self.engine: Exchange = self.mock.watch(self.witness.observe)
        self.witness.take_place(self.engine)
        self.at_s = 0.0

    @property
    def now(self) -> Nanos:
        return Nanos(START + from_seconds(self.at_s))

    def later(self, seconds: float) -> None:
        """Time passes."""
        self.at_s += seconds
        self.mock.wake(self.now)

    def lease(self) -> None:
        """Risk grants a lease, and is heard."""
        until = Nanos(self.now + from_seconds(LEASE_S))
        self.witness.handle(
            self.now,
            Lease(
                ts=self.now,
                number=1,
                mode=Mode.ACTIVE,
                granted=True,
                reason="",
                until=until,
                hard_limit=0.3,
            ),
        )

    def marked(self) -> None:
        """The mark is heard."""
        self.witness.handle(self.now, ticker(self.now))

    def place(self, *, post_only: bool = True, usd: float = 100.0, take: bool = False) -> Placed:
        """An order of ours, far from the market or through it."""
        placed = self.engine.place(
            self.now,
            "maker",
            OrderRequest(
                instrument=PERPETUAL,
                side=Side.BUY,
                amount=usd,
                price=PRICE + (100.0 if take else -100.0),
                post_only=post_only,
                time_in_force=TimeInForce.IOC if take else TimeInForce.GTC,
                label="mm-1-BTC-PERPETUAL-b0-1",
            ),
        )
        assert isinstance(placed, Placed), placed
        self.mock.wake(self.now)
        return placed

    def look(self) -> None:
        self.witness.look(self.now)


def ticker(now: Nanos) -> Ticker:
    """The perpetual at its mark."""
    return Ticker(
        ts=now,
        instrument=PERPETUAL,
        seen=now,
        state=BookState.OPEN,
        mark_price=PRICE,
        index_price=PRICE,
        min_price=1.0,
        max_price=1e6,
    )


@pytest.fixture
def scene() -> Scene:
    return Scene()


def broken(scene: Scene, act: Callable[[], object]) -> str:
    """The rule that an act breaks."""
    act()
    with pytest.raises(Breach) as caught:
        scene.look()
    return caught.value.rule


def test_an_order_under_a_lease_is_no_breach_and_one_beyond_it_is(scene: Scene) -> None:
    scene.lease()
    scene.place()
    scene.later(LEASE_S + GRACE / SECOND)
    scene.look()
    assert broken(scene, lambda: scene.later(0.01)) == "lease_covers_orders"


def test_while_the_oms_is_blind_the_exchange_has_the_time_of_its_heartbeat(scene: Scene) -> None:
    scene.lease()
    scene.place()
    scene.witness.excuse(scene.now, Nanos(scene.now + 60 * SECOND))
    scene.later(HEARTBEAT_BOUND / SECOND)
    scene.look()
    assert broken(scene, lambda: scene.later(0.01)) == "lease_covers_orders"


def test_an_order_after_a_kill_is_a_breach_until_an_operator_resumes(scene: Scene) -> None:
    scene.witness.handle(scene.now, Kill(ts=scene.now, command_id="1", by="test", reason="because"))
    scene.later(LEASE_S + 2.0)
    scene.lease()
    resumed = Resume(ts=scene.now, command_id="2", by="test", confirm=True)
    unconfirmed = msgspec.structs.replace(resumed, confirm=False)
    scene.witness.handle(scene.now, unconfirmed)
    assert broken(scene, scene.place) == "kill_is_final"
    fresh = Scene()
    fresh.witness.handle(fresh.now, Kill(ts=fresh.now, command_id="1", by="test", reason="because"))
    fresh.later(LEASE_S + 2.0)
    fresh.lease()
    fresh.witness.handle(fresh.now, resumed)
    fresh.place()
    fresh.look()


def test_orders_that_could_exceed_the_hard_limit_together_are_a_breach(scene: Scene) -> None:
    scene.lease()
    scene.marked()
    limit_usd = PARAMS.risk.hard_limit_btc * PRICE
    scene.place(usd=round(limit_usd / 2, -1))
    scene.look()
    more = round(limit_usd / 2, -1) + 200.0
    assert broken(scene, lambda: scene.place(usd=more)) == "within_hard_limit"


def test_an_order_that_is_neither_post_only_nor_a_reduction_is_a_breach(scene: Scene) -> None:
    scene.lease()
    assert broken(scene, lambda: scene.place(post_only=False)) == "post_only"


def test_a_quote_that_took_liquidity_is_a_breach(scene: Scene) -> None:
    scene.lease()
    assert broken(scene, lambda: scene.place(post_only=False, take=True)) == "post_only"


def test_a_fill_that_the_exchange_does_not_know_is_a_breach(scene: Scene) -> None:
    fill = Filled(
        ts=scene.now,
        instrument=PERPETUAL,
        trade_id="invented",
        trade_seq=1,
        order_id="1",
        label="mm-1-BTC-PERPETUAL-b0-1",
        side=Side.BUY,
        price=PRICE,
        amount=10.0,
        fee=0.0,
        realized=0.0,
        liquidity=Liquidity.MAKER,
        purpose=Purpose.QUOTE,
        mark_price=PRICE,
        index_price=PRICE,
        seen=scene.now,
    )
    assert broken(scene, lambda: scene.witness.handle(scene.now, fill)) == "fill_exists"


def test_a_published_book_that_never_was_is_a_breach(scene: Scene) -> None:
    true = scene.engine.book(PERPETUAL)
    book = Book(
        ts=scene.now,
        instrument=PERPETUAL,
        change_id=true.change_id,
        seen=scene.now,
        bids=true.bids[:10],
        asks=true.asks[:10],
    )
    scene.witness.handle(scene.now, book)
    scene.look()
    (price, amount), *rest = true.bids[:10]
    wrong = msgspec.structs.replace(book, bids=((price, amount + 10.0), *rest))
    assert broken(scene, lambda: scene.witness.handle(scene.now, wrong)) == "book_true"


def test_a_quote_long_after_the_last_live_feed_is_a_breach(scene: Scene) -> None:
    live = FeedStatus(
        ts=scene.now, instrument=PERPETUAL, state=FeedState.LIVE, reason="", heard=scene.now
    )
    scene.witness.handle(scene.now, live)

    def quote() -> Quote:
        return Quote(
            ts=scene.now,
            instrument=PERPETUAL,
            quote_id=1,
            levels=(),
            fair=1.0,
            reservation=1.0,
            half_spread=1.0,
            sigma=1.0,
            valid_until=scene.now,
            change_id=1,
            book_ts=live.ts,
            book_seen=live.ts,
            params_version=1,
        )

    scene.witness.handle(scene.now, quote())
    scene.look()
    scene.later(PARAMS.marketdata.stale_ms / 1e3 + 2.1)
    rule = broken(scene, lambda: scene.witness.handle(scene.now, quote()))
    assert rule == "quote_from_fresh_feed"


def test_a_refusal_for_too_many_requests_is_a_breach_unless_the_credits_were_taken(
    scene: Scene,
) -> None:
    refusal = b'{"error":{"code":10028}}'
    scene.witness.spare_credits(Nanos(scene.now + SECOND))
    scene.witness.frame(scene.now, refusal)
    scene.look()
    scene.later(1.1)
    assert broken(scene, lambda: scene.witness.frame(scene.now, refusal)) == "credits_kept"
