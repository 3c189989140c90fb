"""Owns which market trades on the mock, by its settings."""

from pathlib import Path

import msgspec

from mock_deribit.market.market import Market
from mock_deribit.market.recorded import RecordedMarket
from mock_deribit.market.recording import read_recording
from mock_deribit.market.regime import regime_of
from mock_deribit.market.simulated import SimulatedMarket
from mock_deribit.market.still import StillMarket
from mock_deribit.settings import MockSettings


def market_of(settings: MockSettings) -> Market:
    """The simulated market, or one that plays the tape.

    Raises OSError for a tape that cannot be opened, ValueError for one that cannot be understood.
    """
    regime = msgspec.structs.replace(
        regime_of(settings.regime), **{n: v for n, v in settings.dials().items() if v is not None}
    )
    seed = str(settings.seed)
    if settings.market == "simulated":
        return SimulatedMarket(seed, settings.price, regime)
    if settings.market == "still":
        return StillMarket(settings.price)
    with Path(settings.tape).open(encoding="utf-8", newline="") as lines:
        recording = read_recording(lines)
    return RecordedMarket(recording, seed, regime, speed=settings.speed)
