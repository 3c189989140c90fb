"""Returns: volatility over horizons (the signature plot), tails, and what is remembered."""

import math
from itertools import pairwise

from calibration.record import Record
from calibration.tally import Tally
from shared.units import SECOND

HORIZONS_S = (1, 5, 10, 30, 60, 300)
YEAR_SECONDS = 365.0 * 86_400.0


def measure(record: Record, tally: Tally) -> None:
    """Second and fourth moments at every horizon; correlation of minutes and of absolute seconds."""
    path = record.path()
    for horizon in HORIZONS_S:
        prices = path.grid(record.start, horizon * SECOND)
        returns = [math.log(b / a) for a, b in pairwise(prices)]
        tally.moments(f"return {horizon}", returns)
        if horizon == 1:
            sizes = [abs(value) for value in returns]
            for before, after in zip(sizes, sizes[60:], strict=False):
                tally.pair("calm and storm", before, after)
        if horizon == 60:
            for before, after in pairwise(returns):
                tally.pair("minutes", before, after)


def volatility(tally: Tally, horizon: int) -> float | None:
    """Annualised, from returns over this many seconds."""
    deviation = tally.deviation(f"return {horizon}")
    return None if deviation is None else deviation * math.sqrt(YEAR_SECONDS / horizon)
