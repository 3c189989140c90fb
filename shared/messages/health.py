"""How each part says it is alive, and what it found that should not be."""

from enum import StrEnum

from shared.kernel import Message, Nanos


class Health(Message, frozen=True, kw_only=True):
    """A service's heartbeat, with figures for operators. `ready` means it does its work."""

    source: str
    ready: bool
    detail: str
    started: Nanos
    counters: dict[str, float]
    """Totals since start and present values; names carry their unit."""


class Severity(StrEnum):
    """How much a person should care."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Anomaly(Message, frozen=True, kw_only=True):
    """Something happened that should not have; never silent, never fatal by itself."""

    source: str
    kind: str
    """A stable word, e.g. `book_gap`, `position_mismatch`, `unknown_order`."""
    severity: Severity
    detail: str
    instrument: str | None = None
