"""How each kind of instrument is populated: its makers, its ladder, how often it is taken from.

The numbers of the perpetual are calibrated to the facts of `calibration/facts.py`; the others are the same
people, fewer and slower, in proportion to what those futures trade.
"""

import msgspec

from mock_deribit.market.ladder import Band
from mock_deribit.market.makers import MakerProfile
from shared.instruments import Instrument


class PitProfile(msgspec.Struct, frozen=True, kw_only=True):
    """How busy an instrument is. Rates a second; `maker_usd` the median quote, `maker_deviation` of its
    logarithm; a move of j bp is raced with chance `race_per_bp` * j^`race_power`, and by one more each time
    with chance `race_more`; `sweep_share` is of the regime's sweeps."""

    makers: tuple[MakerProfile, ...]
    maker_usd: float
    maker_deviation: float
    fidgets: float
    bands: tuple[Band, ...]
    taker_rate: float
    informed: float
    race_per_bp: float
    race_power: float
    race_more: float
    sweep_share: float


PERPETUAL = PitProfile(
    makers=(
        MakerProfile(0.6, 0.5, 1.5, 0.5, 0),
        MakerProfile(0.9, 0.6, 2.0, 1.0, 1),
        MakerProfile(1.4, 0.7, 2.5, 1.5, 1),
        MakerProfile(2.0, 0.8, 3.0, 2.5, 2),
        MakerProfile(3.0, 1.0, 3.8, 3.5, 2),
        MakerProfile(8.0, 1.0, 4.7, 4.5, 2),
    ),
    maker_usd=5_500.0,
    maker_deviation=1.3,
    fidgets=6.0,
    bands=(
        Band(0.15, 1.2, 110e3, 9e3, 12.0),
        Band(1.2, 6.0, 0.95e6, 22e3, 25.0),
        Band(6.0, 12.0, 3.3e6, 55e3, 60.0),
        Band(12.0, 30.0, 10.5e6, 90e3, 120.0),
        Band(30.0, 150.0, 15e6, 200e3, 300.0),
    ),
    taker_rate=0.0145,
    informed=0.8,
    race_per_bp=0.75,
    race_power=1.7,
    race_more=0.35,
    sweep_share=1.0,
)

DATED = PitProfile(
    makers=(MakerProfile(2.0, 0.2, 0.9, 0.5, 0), MakerProfile(7.0, 0.3, 1.5, 1.0, 1)),
    maker_usd=12e3,
    maker_deviation=0.9,
    fidgets=0.5,
    bands=(
        Band(0.6, 6.0, 0.3e6, 30e3, 60.0),
        Band(6.0, 30.0, 1.5e6, 60e3, 200.0),
        Band(30.0, 150.0, 3e6, 200e3, 600.0),
    ),
    taker_rate=0.003,
    informed=0.5,
    race_per_bp=0.0,
    race_power=1.0,
    race_more=0.0,
    sweep_share=0.1,
)


def profile_of(instrument: Instrument) -> PitProfile:
    """Who trades an instrument."""
    return PERPETUAL if instrument.perpetual else DATED
