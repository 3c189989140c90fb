"""Units and roundings: time, basis points, sides, ticks and lots.

Prices are floats in USD per BTC, amounts floats in the instrument's own unit, times integer nanoseconds.
Rounding to a grid goes through decimal-free integer steps with a tolerance of a millionth of a step, so
that 60029.5 / 0.5 never becomes one step less by a floating-point hair.
"""

import math
from enum import StrEnum

from shared.kernel import Nanos

MICROSECOND = Nanos(1_000)
MILLISECOND = Nanos(1_000_000)
SECOND = Nanos(1_000_000_000)
MINUTE = Nanos(60 * SECOND)
HOUR = Nanos(60 * MINUTE)
DAY = Nanos(24 * HOUR)

BPS = 1e-4
SATOSHI = 1e-8

_STEP_TOLERANCE = 1e-6


class Side(StrEnum):
    """The side of an order or of its owner's trade."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1


def from_ms(ms: float) -> Nanos:
    """Venue timestamps are milliseconds; ours are nanoseconds."""
    return Nanos(int(ms) * 1_000_000)


def from_seconds(seconds: float) -> Nanos:
    """A duration given in seconds, e.g. by a person in a parameter."""
    return Nanos(round(seconds * 1e9))


def to_ms(ts: Nanos) -> int:
    """Nanoseconds to whole milliseconds, as the venue counts them."""
    return ts // 1_000_000


def to_seconds(duration: int) -> float:
    """A duration in nanoseconds as seconds."""
    return duration / 1e9


def steps_down(value: float, step: float) -> int:
    """How many whole steps fit into value."""
    return math.floor(value / step + _STEP_TOLERANCE)


def steps_up(value: float, step: float) -> int:
    """How many whole steps are needed to reach value."""
    return math.ceil(value / step - _STEP_TOLERANCE)


def is_multiple(value: float, step: float) -> bool:
    """Whether value lies on the grid of step, within a millionth of a step."""
    ratio = value / step
    if ratio.is_integer():
        return True
    if not math.isfinite(ratio):
        return False
    return abs(ratio - round(ratio)) <= _STEP_TOLERANCE * max(1.0, abs(ratio) * 1e-6)


def on_grid(steps: int, step: float) -> float:
    """The float nearest to steps * step that prints without a tail: 3 * 0.1 is 0.3."""
    product = steps * step
    # A multiple of 2**-10 has ten decimals at most: rounding, which is slow, would change nothing.
    return product if (product * 1024.0).is_integer() else round(product, 10)


def round_down(value: float, step: float) -> float:
    """Round towards minus infinity to a multiple of step."""
    return on_grid(steps_down(value, step), step)


def round_up(value: float, step: float) -> float:
    """Round towards plus infinity to a multiple of step."""
    return on_grid(steps_up(value, step), step)


def round_satoshi(value: float) -> float:
    """Round an amount of coin to the eight decimals in which accounts are kept."""
    return round(value, 8)
