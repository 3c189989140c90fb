"""Owns which market trades on the mock, by its settings."""

from mock_deribit.market.market import Market
from mock_deribit.market.pit import Dials
from mock_deribit.market.simulated import SimulatedMarket
from mock_deribit.settings import MockSettings


def market_of(settings: MockSettings) -> Market:
    """The market the settings name. Raises OSError or ValueError for a tape that cannot be read."""
    if settings.market == "tape":
        raise ValueError("market=tape cannot be served yet; use market=simulated")
    dials = Dials(activity=settings.activity, volatility=settings.volatility)
    return SimulatedMarket(str(settings.seed), settings.price, dials)
