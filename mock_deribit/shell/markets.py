"""Owns which market trades on the mock, by its settings."""

from pathlib import Path

from mock_deribit.market.market import Market
from mock_deribit.market.pit import Dials
from mock_deribit.market.recorded import RecordedMarket
from mock_deribit.market.recording import read_recording
from mock_deribit.market.simulated import SimulatedMarket
from mock_deribit.settings import MockSettings


def market_of(settings: MockSettings) -> Market:
    """The simulated market, or one that plays the tape.

    Raises OSError for a tape that cannot be opened, ValueError for one that cannot be understood.
    """
    dials = Dials(activity=settings.activity, volatility=settings.volatility)
    seed = str(settings.seed)
    if settings.market == "simulated":
        return SimulatedMarket(seed, settings.price, dials)
    with Path(settings.tape).open(encoding="utf-8", newline="") as lines:
        recording = read_recording(lines)
    return RecordedMarket(recording, seed, dials, speed=settings.speed)
