"""The scripted market does each act once, at its time."""

from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.events import IndexChanged
from mock_deribit.exchange.listing import btc_listings
from mock_deribit.market.market import NEVER
from mock_deribit.market.scripted import ScriptedMarket
from shared.kernel import Nanos
from shared.units import SECOND
from tests.support.floor import OPENING, play


def test_acts_happen_in_order_at_their_times() -> None:
    def publish(exchange: Exchange, now: Nanos) -> None:
        exchange.set_index(now, "btc_usd", exchange.index_price("btc_usd") + 1.0)

    script = [(Nanos(5 * SECOND), publish), (Nanos(0), publish), (Nanos(3 * SECOND), publish)]
    market = ScriptedMarket({"btc_usd": 100.0}, script)
    exchange = Exchange(OPENING, btc_listings(OPENING), market.index_prices, "script")
    events = [e for e in play(exchange, market, OPENING, 4.0) if isinstance(e, IndexChanged)]
    assert [(e.ts - OPENING, e.price) for e in events] == [(0, 101.0), (3 * SECOND, 102.0)]
    assert market.ended is None
    assert market.wake(Nanos(OPENING + 5 * SECOND)) == NEVER
    assert market.ended == "the script is over: 3 acts done"
