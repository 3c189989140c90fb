"""The hour of the day and the day of the week: how busy the world is now, 1 on the average of a week.

Trading peaks when Europe and America are both awake (13-16 UTC) and is lowest at 03-06 UTC; on weekends
it is six tenths. Volume and variance share the factor, as daily volume and volatility move together.
"""

from shared.kernel import Nanos
from shared.units import DAY, HOUR

_BY_HOUR = (
    0.85, 0.80, 0.75, 0.60, 0.60, 0.60, 0.70, 0.85, 1.00, 1.00, 0.95, 1.00,
    1.20, 1.60, 1.60, 1.60, 1.35, 1.20, 1.10, 1.05, 1.00, 0.95, 0.90, 0.85,
)  # fmt: skip
_WEEKEND = 0.6
_THURSDAY_TO_MONDAY = 3
_MEAN = sum(_BY_HOUR) / 24.0 * (5.0 + 2.0 * _WEEKEND) / 7.0


def busyness(now: Nanos) -> float:
    """How busy it is at a time."""
    weekday = (now // DAY + _THURSDAY_TO_MONDAY) % 7
    day = _WEEKEND if weekday >= 5 else 1.0
    return day * _BY_HOUR[now % DAY // HOUR] / _MEAN
