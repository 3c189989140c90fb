"""Premium, funding and basis: how far a future stands from its index, and how soon it comes back."""

import math

from calibration.record import Record
from calibration.tally import Tally
from shared.units import BPS, SECOND

DAMPER_BPS = 2.5
CARRY, CARRY_DEVIATION = 0.04, 0.007
_FAST_BPS = 1.0
_YEAR_SECONDS = 365.0 * 86_400.0
_LAG = 60


def measure(record: Record, tally: Tally) -> None:
    """The premium's spread within the record and its memory over a minute; funding; a dated basis."""
    if len(record.marks) < 2:
        return
    premiums = [(mark.mark / mark.index_price - 1.0) / BPS for mark in record.marks]
    if record.expiry is not None:
        premiums = _beside_target(record, premiums, tally)
    mean = sum(premiums) / len(premiums)
    centred = [premium - mean for premium in premiums]
    kind = "premium" if record.expiry is None else "basis"
    tally.moments(kind, centred)
    for before, after in zip(centred, centred[_LAG:], strict=False):
        tally.pair(f"{kind} memory", before, after)
    for mark in record.marks:
        if mark.rate is not None:
            tally.mean_of("no funding", float(abs(mark.rate) < 1e-12))


def _beside_target(record: Record, premiums: list[float], tally: Tally) -> list[float]:
    """Distances from the carry's target; how many lie within three standard deviations of it."""
    distances = []
    for mark, premium in zip(record.marks, premiums, strict=True):
        years = ((record.expiry or mark.ts) - mark.ts) / SECOND / _YEAR_SECONDS
        distance = premium - CARRY * years / BPS
        spread = math.hypot(CARRY_DEVIATION * years / BPS, _FAST_BPS)
        tally.mean_of("basis near", float(abs(distance) < 3.0 * spread))
        distances.append(distance)
    return distances


def half_life(tally: Tally, kind: str) -> float | None:
    """Seconds, from the correlation over a minute; None where there is no decay to see."""
    memory = tally.correlation(f"{kind} memory")
    return _LAG * math.log(0.5) / math.log(memory) if memory and 0.0 < memory < 1.0 else None
