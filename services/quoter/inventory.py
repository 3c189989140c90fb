"""Inventory: the net delta over all instruments, or why it is not known."""

from collections.abc import Mapping, Sequence

from shared.instruments import Instrument
from shared.kernel import Nanos
from shared.messages import Position
from shared.units import MILLISECOND


def net_delta(
    positions: Mapping[str, Position], specs: Mapping[str, Instrument], marks: Mapping[str, float]
) -> float | None:
    """Signed BTC over all positions at mark; None when one of them cannot be valued."""
    total = 0.0
    for name, position in positions.items():
        if position.amount:
            if name not in specs or name not in marks:
                return None
            total += specs[name].delta(position.amount, marks[name])
    return total


def doubt(
    now: Nanos, names: Sequence[str], positions: Mapping[str, Position], age_max_ms: int
) -> str | None:
    """Why the inventory is not believed: which position is missing, or compared too long ago."""
    for name in names:
        if name not in positions:
            return f"no position of {name} was told yet"
    for name, position in positions.items():
        if name in names or position.amount:
            if not position.reconciled:
                return f"{name} was never compared with the exchange"
            age_ms = (now - position.reconciled) / MILLISECOND
            if age_ms > age_max_ms:
                return f"{name} was compared with the exchange {age_ms:.0f} ms ago"
    return None
