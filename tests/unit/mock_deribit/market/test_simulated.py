"""The simulated market: plausible on every seed, never crossed, equal by seed, faster than time."""

import hashlib
import math
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.events import (
    BookChanged,
    Event,
    IndexChanged,
)
from mock_deribit.exchange.listing import btc_listings
from mock_deribit.exchange.messages import OrderRequest
from mock_deribit.market.regime import REGIMES, Regime, Weather
from mock_deribit.market.simulated import SimulatedMarket
from mock_deribit.market.takers import HawkesClock
from mock_deribit.market.value import OTHER_VARIANCE, EfficientPrice
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import SECOND, Side
from tests.support.floor import OPENING, PERPETUAL, accepted, play


def run(seed: str, seconds: float, regime: Regime) -> tuple[Exchange, list[Event]]:
    market = SimulatedMarket(seed, 85_000.0, regime)
    exchange = Exchange(OPENING, btc_listings(OPENING), market.index_prices, seed)
    return exchange, play(exchange, market, OPENING, seconds)


def rebuilt_spreads(events: list[Event], instrument: str) -> list[float]:
    """The spread after every change of a book, from what was told; fails on a crossed book."""
    bids: dict[float, float] = {}
    asks: dict[float, float] = {}
    spreads = []
    for event in events:
        if isinstance(event, BookChanged) and event.instrument == instrument:
            for side, levels in ((bids, event.bids), (asks, event.asks)):
                for level in levels:
                    side[level.price] = level.amount
                    if not level.amount:
                        del side[level.price]
            if bids and asks:
                assert max(bids) < min(asks)
                spreads.append(min(asks) - max(bids))
    return spreads


@pytest.mark.parametrize("seed", ["a", "b", "c"])
def test_a_few_minutes_look_like_a_market(seed: str) -> None:
    seconds = 240.0
    exchange, events = run(seed, seconds, Regime())
    changes = [e for e in events if isinstance(e, BookChanged) and e.instrument == PERPETUAL]
    assert 10.0 <= len(changes) / seconds <= 80.0
    book = exchange.book(PERPETUAL)
    assert len(book.bids) > 40
    assert len(book.asks) > 40
    assert len(exchange.trades(PERPETUAL)) > 10
    indices = [e.price for e in events if isinstance(e, IndexChanged)]
    assert seconds - 2 <= len(indices) <= seconds
    for listing in exchange.listings:
        ticker = exchange.ticker(listing.name)
        assert ticker.best_bid_price is not None
        assert ticker.best_ask_price is not None
        assert ticker.best_ask_price - ticker.best_bid_price <= 20 * listing.instrument.tick
        assert abs(ticker.mark_price / exchange.index_price("btc_usd") - 1.0) < 0.05
    assert sum(exchange.position(a, PERPETUAL).size for a in exchange.accounts) == 0.0


def test_the_spread_is_one_tick_most_of_the_time_and_no_book_ever_crosses() -> None:
    market = SimulatedMarket("spread", 85_000.0, Regime())
    exchange = Exchange(OPENING, btc_listings(OPENING), market.index_prices, "spread")
    now, due = OPENING, market.start(OPENING, exchange)
    one_tick = 0
    while now < OPENING + 180 * SECOND:
        before, (bid, ask) = now, exchange.best(PERPETUAL)
        now = min(due, exchange.next_wake())
        exchange.advance(now)
        due = market.wake(now)
        assert bid is not None
        assert ask is not None
        assert bid < ask
        one_tick += (now - before) if ask - bid == 0.5 else 0
    assert one_tick / (now - OPENING) > 0.75


def test_told_books_of_every_instrument_never_cross() -> None:
    exchange, events = run("told", 60.0, Regime(activity=3.0))
    for listing in exchange.listings:
        assert rebuilt_spreads(events, listing.name)


def test_activity_drives_book_messages_and_leaves_volatility_alone() -> None:
    _, calm = run("dial", 20.0, Regime())
    _, busy = run("dial", 20.0, Regime(activity=30.0))

    def rate(events: list[Event]) -> float:
        return sum(isinstance(e, BookChanged) for e in events) / 20.0

    assert rate(busy) > 10.0 * rate(calm)
    assert rate(busy) > 700.0


def realised(volatility: float, step: float, seconds: float, horizon: float) -> float:
    weather = Weather(Regime(volatility=volatility, news_per_day=0.0))
    now, price = OPENING, EfficientPrice(OPENING, 85_000.0, weather, Stream(f"vol|{step}"))
    prices = [price.price]
    for _ in range(int(seconds / horizon)):
        for _ in range(int(horizon / step)):
            now = Nanos(now + round(step * SECOND))
            price.step(now)
        prices.append(price.price)
    returns = [math.log(b / a) for a, b in pairwise(prices)]
    variance = sum(r * r for r in returns) / len(returns)
    return math.sqrt(variance * 365 * 86_400 / horizon)


@pytest.mark.parametrize("step", [0.5, 5.0])
def test_volatility_over_half_a_minute_is_the_dial_whatever_the_pace_of_moves(step: float) -> None:
    mine = math.sqrt(1.0 - OTHER_VARIANCE)
    assert realised(0.35, step, 60_000.0, 30.0) == pytest.approx(0.35 * mine, rel=0.25)


def test_takers_flow_moves_the_price_their_way_and_less_than_in_proportion() -> None:
    def move(usd: float, impact: float = 1.0) -> float:
        weather = Weather(Regime(impact=impact))
        price = EfficientPrice(OPENING, 85_000.0, weather, Stream("flow"))
        price.absorb(usd)
        return price.price / 85_000.0 - 1.0

    assert move(10_000.0) == pytest.approx(0.26e-4, rel=0.01)
    assert move(160_000.0) == pytest.approx(0.26e-4 * 16.0**0.4, rel=0.01)
    assert move(-10_000.0) == pytest.approx(-0.26e-4, rel=0.01)
    assert move(0.0) == 0.0
    assert move(10_000.0, impact=0.0) == 0.0


def test_arrivals_of_takers_cluster() -> None:
    clock, now, gaps = HawkesClock(Stream("clock")), OPENING, []
    for _ in range(8_000):
        after = clock.next(now, 0.048)
        gaps.append((after - now) / SECOND)
        now = after
    mean = sum(gaps) / len(gaps)
    deviation = math.sqrt(sum((g - mean) ** 2 for g in gaps) / len(gaps))
    assert mean == pytest.approx(0.16 / 0.048, rel=0.25)
    assert deviation / mean > 1.8


def digest(seed: str) -> str:
    """A fingerprint of everything a short run tells."""
    _, events = run(seed, 15.0, Regime(activity=3.0))
    return hashlib.sha256(b"".join(msgspec.json.encode(event) for event in events)).hexdigest()


def test_the_same_seed_gives_the_same_bytes_in_any_process() -> None:
    script = f"import {__name__} as t; print(t.digest('golden'))"
    fingerprints = [digest("golden")]
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        result = subprocess.run(
            [sys.executable, "-c", script],
            cwd=Path(__file__).parents[4], env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        fingerprints.append(result.stdout.strip())
    assert len(dict.fromkeys(fingerprints)) == 1
    assert digest("other") != fingerprints[0]


def test_an_idle_account_changes_nothing() -> None:
    market = SimulatedMarket("idle", 85_000.0, Regime())
    watched = Exchange(OPENING, btc_listings(OPENING), market.index_prices, "idle")
    watched.open_account("alice", {"BTC": 1.0})
    with_idle = play(watched, market, OPENING, 10.0)
    _, without = run("idle", 10.0, Regime())
    assert with_idle == without


def directed(seed: str, regime: Regime = REGIMES["NORMAL"]) -> tuple[Exchange, SimulatedMarket]:
    market = SimulatedMarket(seed, 85_000.0, regime)
    exchange = Exchange(OPENING, btc_listings(OPENING), market.index_prices, seed)
    play(exchange, market, OPENING, 5.0)
    return exchange, market


def advance(exchange: Exchange, market: SimulatedMarket, due: Nanos, seconds: float) -> None:
    end = Nanos(exchange.now + round(seconds * SECOND))
    while min(due, exchange.next_wake()) <= end:
        now = min(due, exchange.next_wake())
        exchange.advance(now)
        due = market.wake(now)


def test_news_moves_every_book_of_the_coin() -> None:
    exchange, market = directed("news")
    before = {listing.name: exchange.best(listing.name)[0] or 0.0 for listing in exchange.listings}
    advance(exchange, market, market.shift(exchange.now, 40.0), 2.0)
    for name, bid in before.items():
        assert (exchange.best(name)[0] or 0.0) / bid - 1.0 == pytest.approx(40e-4, abs=8e-4)


def test_a_sweep_takes_everything_within_its_reach() -> None:
    exchange, market = directed("sweep")
    best = exchange.best(PERPETUAL)[1] or 0.0
    market.sweep(exchange.now, PERPETUAL, 1, 5.0)
    assert (exchange.best(PERPETUAL)[1] or 0.0) >= best * 1.0005 - 0.5
    with pytest.raises(ValueError, match="nobody trades 'X'"):
        market.sweep(exchange.now, "X", 1, 5.0)


@pytest.mark.parametrize(("name", "left"), [("NORMAL", 0), ("BENIGN", 1)])
def test_a_quote_that_news_left_behind_is_sniped_but_not_where_nobody_knows(
    name: str, left: int
) -> None:
    exchange, market = directed("stale", REGIMES[name])
    exchange.open_account("alice", {"BTC": 10.0})
    best = exchange.best(PERPETUAL)[1] or 0.0
    request = OrderRequest(instrument=PERPETUAL, side=Side.SELL, amount=10.0, price=best + 1.0)
    accepted(exchange.place(exchange.now, "alice", request))
    advance(exchange, market, market.shift(exchange.now, 40.0), 0.02)
    assert len(exchange.open_orders("alice")) == left


def test_a_regime_changes_by_name() -> None:
    exchange, market = directed("weather")
    assert market.set_regime(exchange.now, "TOXIC") > exchange.now
    with pytest.raises(ValueError, match="expected one of CALM, NORMAL"):
        market.set_regime(exchange.now, "FOGGY")


def test_a_future_that_takes_the_place_of_an_expired_one_is_traded_too() -> None:
    market = SimulatedMarket("roll", 85_000.0, Regime())
    exchange = Exchange(OPENING, btc_listings(OPENING), market.index_prices, "roll")
    eve = Nanos(exchange.listings[1].instrument.expiry - SECOND)
    exchange.advance(eve)
    play(exchange, market, eve, 20.0)
    names = [listing.name for listing in exchange.listings]
    assert names[-1] == "BTC-30OCT26"
    assert None not in exchange.best(names[-1])
    assert exchange.best(names[1]) == (None, None)
