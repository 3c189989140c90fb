"""Money: integers of quanta, so that nothing is lost or made by rounding, and how it is shown as coin."""

QUANTA = 10**18
"""Quanta in a coin."""
SATOSHI_QUANTA = QUANTA // 10**8


def coin(quanta: int, digits: int) -> float:
    """Quanta as coin, rounded as the venue prints it, and never a negative zero."""
    return round(quanta / QUANTA, digits) + 0.0


def quanta(amount: float) -> int:
    """An amount of coin to the nearest satoshi, in quanta."""
    return round(amount * 1e8) * SATOSHI_QUANTA


def shown(value: float, digits: int) -> float:
    """A number as the venue prints it, never a negative zero."""
    return round(value, digits) + 0.0
