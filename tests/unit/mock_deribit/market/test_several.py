"""Several coins on one exchange, and a market that stands still."""

from collections.abc import Mapping

import pytest

from mock_deribit.core import MockDeribit
from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.listing import venue_listings
from mock_deribit.faults import MovePrice, SetRegime, Sweep
from mock_deribit.market.scripted import ScriptedMarket
from mock_deribit.market.several import SeveralMarkets
from mock_deribit.market.still import StillMarket
from mock_deribit.settings import MockSettings
from mock_deribit.shell.markets import market_of
from shared.kernel import Nanos
from shared.units import SECOND, Side
from tests.support.exchange import START

ETH, USDC = "ETH-PERPETUAL", "BTC_USDC-PERPETUAL"


def opened(**changes: object) -> MockDeribit:
    settings = MockSettings.model_validate(changes).with_secrets("s")
    return MockDeribit(START, settings, settings.listings(START), market_of(settings))


def tops(core: MockDeribit, now: Nanos) -> dict[str, tuple[float, float]]:
    """Best bid and ask of every book."""
    books = core.state(now)["books"]
    assert isinstance(books, dict)
    return {name: (book["best_bid"], book["best_ask"]) for name, book in books.items()}


@pytest.mark.parametrize("market", ["simulated", "still"])
def test_every_listed_book_has_two_sides_around_its_own_coins_price(market: str) -> None:
    core = opened(market=market)
    core.step(Nanos(START + 5 * SECOND))
    for name, (bid, ask) in tops(core, Nanos(START + 5 * SECOND)).items():
        price = 3_000.0 if name.startswith("ETH") else 86_000.0
        assert 0.95 * price < bid < ask < 1.05 * price, name


def test_news_moves_every_coin_and_what_is_pegged_to_it() -> None:
    core = opened(market="still")
    before = tops(core, START)
    core.fault(START, MovePrice(bps=-100))
    after = tops(core, START)
    for name in ("BTC-PERPETUAL", ETH, USDC):
        assert after[name][0] / before[name][0] == pytest.approx(0.99, abs=1e-4)


def test_a_sweep_finds_the_market_of_its_instrument() -> None:
    core = opened(market="still")
    before = tops(core, START)
    core.fault(START, Sweep(instrument=ETH, side=Side.SELL, bps=0.5))
    after = tops(core, START)
    assert after[ETH][0] < before[ETH][0]
    assert {n: t for n, t in after.items() if n != ETH} == {
        n: t for n, t in before.items() if n != ETH
    }


def test_the_simulated_weather_changes_everywhere_and_a_still_market_has_none() -> None:
    opened().fault(START, SetRegime(regime="CRASH"))
    with pytest.raises(ValueError, match="knows no regimes"):
        opened(market="still").fault(START, SetRegime(regime="CRASH"))


def test_where_one_market_takes_no_directions_none_is_moved() -> None:
    script = ScriptedMarket({"btc_usd": 60_000.0}, [])
    still = StillMarket(3_000.0, "eth_usd")
    several = SeveralMarkets([still, script])
    exchange = Exchange(START, venue_listings(START), several.index_prices, "1")
    several.start(START, exchange)
    with pytest.raises(ValueError, match="the market of btc_usd takes no directions"):
        several.shift(START, -100.0)
    assert exchange.index_price("eth_usd") == 3_000.0
    with pytest.raises(ValueError, match="nobody trades 'DOGE'"):
        several.sweep(START, "DOGE", 1, 1.0)


def test_a_jump_leaves_every_market_where_it_was() -> None:
    core = opened()
    core.step(Nanos(START + 5 * SECOND))
    later = Nanos(START + 3_605 * SECOND)
    before = core.state(Nanos(START + 5 * SECOND))["indices"]
    core.jump(later)
    assert core.state(later)["indices"] == before
    core.step(Nanos(later + 5 * SECOND))
    after = core.state(Nanos(later + 5 * SECOND))["indices"]
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    for index, seen in after.items():
        assert seen["price"] == pytest.approx(before[index]["price"], rel=2e-3)
        assert seen["price"] != before[index]["price"]


def test_a_still_market_refuses_an_order_that_the_exchange_refuses() -> None:
    still = StillMarket()
    exchange = Exchange(START, venue_listings(START), still.index_prices, "1")
    still.start(START, exchange)
    with pytest.raises(ValueError, match="crowd cannot buy 7 BTC-PERPETUAL"):
        still.trade(START, "crowd", "BTC-PERPETUAL", Side.BUY, 59_000.0, 7.0)


class Restless:
    """A market that cannot sleep: it publishes its index four times a second."""

    ended: str | None = None

    def __init__(self, index: str) -> None:
        self.index_prices: Mapping[str, float] = {index: 1_000.0}
        self.woken = 0

    def start(self, now: Nanos, exchange: Exchange) -> Nanos:
        self._exchange = exchange
        return Nanos(now + SECOND // 4)

    def wake(self, now: Nanos) -> Nanos:
        self.woken += 1
        for index, price in self.index_prices.items():
            self._exchange.set_index(now, index, price)
        return Nanos(now + SECOND // 4)


def test_a_market_that_cannot_sleep_is_woken_once_after_a_jump() -> None:
    settings = MockSettings(listed="all").with_secrets("s")
    restless = [Restless("btc_usd"), Restless("eth_usd")]
    market = SeveralMarkets(restless)
    core = MockDeribit(START, settings, settings.listings(START), market)
    core.jump(Nanos(START + 86_400 * SECOND))
    assert [each.woken for each in restless] == [1, 1]
