"""The agents one by one: each does what its docstring says, by its own stream."""

import math
from itertools import pairwise

import pytest

from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.listing import btc_listings
from mock_deribit.exchange.messages import OrderRequest
from mock_deribit.market.agenda import Agenda
from mock_deribit.market.hours import busyness
from mock_deribit.market.ladder import Band, Ladder
from mock_deribit.market.makers import FastMaker, MakerProfile
from mock_deribit.market.premium import Premium
from mock_deribit.market.racers import Racers
from mock_deribit.market.regime import REGIMES, Regime, Weather
from mock_deribit.market.simulated import SimulatedMarket
from mock_deribit.market.takers import Takers, size_usd
from mock_deribit.market.trader import Trader
from mock_deribit.market.value import EfficientPrice, stretched
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import DAY, HOUR, MILLISECOND, MINUTE, SECOND, Side
from tests.support.floor import OPENING, PERPETUAL, accepted

MAKER = MakerProfile(1.0, 0.1, 1.5, 0.5, 0)


def empty() -> Exchange:
    return Exchange(OPENING, btc_listings(OPENING)[:1], {"btc_usd": 85_000.0}, "agents")


def trader(exchange: Exchange, account: str) -> Trader:
    return Trader(exchange, account, exchange.listings[0].instrument)


def maker(exchange: Exchange, name: str, profile: MakerProfile = MAKER) -> FastMaker:
    return FastMaker(trader(exchange, name), Stream(name), profile, 500.0, 0.5)


def test_hours_average_one_over_a_week_and_peak_when_two_continents_are_awake() -> None:
    monday = Nanos(1_789_948_800 * SECOND)
    week = [busyness(Nanos(monday + hour * HOUR)) for hour in range(7 * 24)]
    assert sum(week) / len(week) == pytest.approx(1.0)
    assert week.index(max(week)) == 13
    assert busyness(Nanos(monday + 5 * DAY)) == pytest.approx(0.6 * busyness(monday))


def test_sizes_have_the_quantiles_of_the_tape() -> None:
    draws = Takers(Stream("sizes"))
    drawn = sorted(draws.size() for _ in range(20_000))
    for share, usd in ((0.25, 70.0), (0.5, 510.0), (0.75, 9_165.0), (0.9, 30_500.0)):
        assert drawn[int(share * len(drawn))] == pytest.approx(usd, rel=0.15)
        assert size_usd(share) == pytest.approx(usd)
    assert drawn[0] >= 10.0
    assert drawn[-1] <= 893_000.0


def test_signs_of_takers_persist_and_knowing_ones_follow_the_drift() -> None:
    def signs(drift: float, informed: float) -> list[int]:
        takers, now, drawn = Takers(Stream("signs")), OPENING, []
        for _ in range(6_000):
            now = Nanos(now + SECOND)
            drawn.append(takers.arrival(now, drift, informed)[0])
        return drawn

    blind = signs(1.0, 0.0)
    near = sum(a * b for a, b in pairwise(blind)) / len(blind)
    far = sum(a * b for a, b in zip(blind, blind[30:], strict=False)) / len(blind)
    assert near > 0.5
    assert near > far > 0.0
    assert sum(signs(1.0, 1.0)) == 6_000
    assert sum(signs(-1.0, 1.0)) == -6_000


def test_a_race_is_the_likelier_the_larger_the_move_and_goes_its_way() -> None:
    def entered(bps: float) -> int:
        racers = Racers(Stream("race"), 0.5, 1.5, 0.3)
        found = [racer for _ in range(400) for racer in racers.after(OPENING, bps, 1.0)]
        assert all(racer.sign == (1 if bps > 0 else -1) for racer in found)
        assert all(OPENING < racer.at <= OPENING + 2 * MILLISECOND for racer in found)
        return len(found)

    assert entered(0.1) < entered(0.5) < entered(-2.0)


def test_a_maker_quotes_one_tick_around_the_fair_price_and_follows_it() -> None:
    exchange = empty()
    alone = maker(exchange, "alone")
    alone.improve(OPENING, 170_000.5, 0.0)
    assert exchange.best(PERPETUAL) == (85_000.0, 85_000.5)
    assert alone.defend(OPENING, 170_010.5, 0.0)
    alone.improve(OPENING, 170_010.5, 0.0)
    assert exchange.best(PERPETUAL) == (85_005.0, 85_005.5)
    assert not alone.defend(OPENING, 170_010.5, 0.0)


def test_a_maker_that_moves_first_stays_behind_a_stale_quote_and_comes_up_when_it_is_gone() -> None:
    exchange = empty()
    fast, slow = maker(exchange, "fast"), maker(exchange, "slow")
    for each in (fast, slow):
        each.improve(OPENING, 170_000.5, 0.0)
    for act in (fast.defend, fast.improve):
        act(OPENING, 170_010.5, 0.0)
    assert exchange.best(PERPETUAL) == (85_000.0, 85_000.5)
    for each in (slow, fast):
        each.defend(OPENING, 170_010.5, 0.0)
        each.improve(OPENING, 170_010.5, 0.0)
    assert exchange.best(PERPETUAL) == (85_005.0, 85_005.5)


def test_a_maker_leans_its_sizes_to_where_it_senses_the_next_move() -> None:
    bids = asks = 0.0
    for number in range(60):
        exchange = empty()
        maker(exchange, f"leaning-{number}").improve(OPENING, 170_000.5, 1.5)
        view = exchange.book(PERPETUAL)
        bids, asks = bids + view.bids[0][1], asks + view.asks[0][1]
    assert bids > 2.0 * asks


def test_the_ladder_holds_what_its_bands_say_for_as_long_as_it_lives() -> None:
    exchange, agenda = empty(), Agenda()
    band = Band(1.0, 10.0, 1e6, 20e3, 5.0)
    ladder = Ladder(
        trader(exchange, "ladder"), agenda, Stream("ladder"), Weather(Regime()), (band,), 10.0
    )
    ladder.fill(OPENING, 85_000.0)

    def born(now: Nanos) -> None:
        ladder.birth(now, 85_000.0)
        agenda.at(ladder.next_birth(now), born)

    agenda.at(ladder.next_birth(OPENING), born)
    seen = []
    for second in range(5, 65):
        agenda.run(Nanos(OPENING + second * SECOND), exchange.now)
        view = exchange.book(PERPETUAL)
        seen.append(sum(amount for _, amount in (*view.bids, *view.asks)) / 2.0)
    assert sum(seen) / len(seen) == pytest.approx(1e6, rel=0.25)
    assert exchange.book(PERPETUAL).bids[0][0] <= 85_000.0 * (1.0 - 0.99e-4)


def test_owners_take_back_what_the_fair_price_has_passed_but_late() -> None:
    exchange, agenda = empty(), Agenda()
    band = Band(1.0, 3.0, 1e6, 20e3, 1e6)
    ladder = Ladder(
        trader(exchange, "ladder"), agenda, Stream("late"), Weather(Regime()), (band,), 10.0
    )
    ladder.fill(OPENING, 85_000.0)
    ladder.passed(OPENING, 85_100.0)
    agenda.run(Nanos(OPENING + 15 * MILLISECOND), exchange.now)
    assert exchange.best(PERPETUAL)[1] is not None
    agenda.run(Nanos(OPENING + 200 * MILLISECOND), exchange.now)
    assert exchange.best(PERPETUAL)[1] is None
    assert exchange.best(PERPETUAL)[0] is not None


def test_what_goes_on_after_moves_stretches_variance_the_more_the_longer_one_looks() -> None:
    assert stretched(0.0, 30.0) == pytest.approx(1.0)
    assert 1.0 < stretched(1.0, 1.0) < stretched(1.0, 30.0) < stretched(1.0, 3_000.0)
    whole = 1.0 + 0.12 + 0.22
    assert stretched(1.0, 1e7) == pytest.approx(whole * whole, rel=1e-3)


def test_news_goes_on_for_a_minute_and_excites() -> None:
    price = EfficientPrice(OPENING, 85_000.0, Weather(Regime(volatility=0.0)), Stream("news"))
    calm = price.heat
    price.news(OPENING, Stream("which"))
    at_once = abs(price.price / 85_000.0 - 1.0)
    price.step(Nanos(OPENING + MINUTE - 1))
    assert price.heat > calm
    price.step(Nanos(OPENING + 10 * MINUTE))
    moved = abs(price.price / 85_000.0 - 1.0)
    assert 1e-4 < at_once < 4.1e-4
    assert moved == pytest.approx(20.0 * at_once, rel=0.05)


def test_funding_pulls_a_premium_back_and_flow_pushes_it() -> None:
    perpetual = btc_listings(OPENING)[0].instrument
    quiet, paid, bought = (Premium(perpetual, "premium", 10.0) for _ in range(3))
    for _ in range(100):
        quiet.step(SECOND, 0.0, 0.0)
        paid.step(SECOND, 5e-3, 0.0)
        bought.step(SECOND, 0.0, 1e6)
    fair = quiet.at(OPENING, 85_000.0)
    assert paid.at(OPENING, 85_000.0) < fair - 3.0
    assert bought.at(OPENING, 85_000.0) > fair + 10.0


def test_every_regime_trades_and_its_book_holds() -> None:
    for name, regime in REGIMES.items():
        market = SimulatedMarket(f"regime-{name}", 85_000.0, regime)
        exchange = Exchange(OPENING, btc_listings(OPENING)[:1], market.index_prices, name)
        now, due = OPENING, market.start(OPENING, exchange)
        while now < OPENING + 15 * SECOND:
            now = min(due, exchange.next_wake())
            exchange.advance(now)
            due = market.wake(now)
            bid, ask = exchange.best(PERPETUAL)
            assert bid is None or ask is None or bid < ask, name
        assert len(exchange.book(PERPETUAL).bids) > 10, name


def outside(trades: bool) -> list[float]:
    """The index, second by second, with and without a user who trades; flow has no impact here."""
    market = SimulatedMarket("common", 85_000.0, Regime(impact=0.0, sweeps_per_hour=0.0))
    exchange = Exchange(OPENING, btc_listings(OPENING)[:1], market.index_prices, "common")
    exchange.open_account("user", {"BTC": 10.0})
    now, due, seen = OPENING, market.start(OPENING, exchange), []
    for second in range(1, 41):
        end = Nanos(OPENING + second * SECOND)
        while min(due, exchange.next_wake()) <= end:
            now = min(due, exchange.next_wake())
            exchange.advance(now)
            due = market.wake(now)
        exchange.advance(end)
        if trades:
            ask = exchange.best(PERPETUAL)[1] or 0.0
            request = OrderRequest(
                instrument=PERPETUAL, side=Side.BUY, amount=5_000.0, price=ask + 20
            )
            accepted(exchange.place(end, "user", request))
        seen.append(exchange.index_price("btc_usd"))
    return seen


def test_two_users_meet_the_same_world() -> None:
    idle, busy = outside(False), outside(True)
    assert idle == busy
    assert len(dict.fromkeys(idle)) > 30
    assert not math.isclose(idle[0], idle[-1])
