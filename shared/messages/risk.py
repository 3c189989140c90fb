"""What risk decides: the mode, the lease under which orders may rest, the account of profit and loss."""

from enum import StrEnum

from shared.kernel import Message, Nanos


class Mode(StrEnum):
    """From most to least allowed. REDUCING never adds to exposure; PAUSED and KILLED rest nothing.

    KILLED is latched in shared state and left only by an operator's resume.
    """

    ACTIVE = "active"
    REDUCING = "reducing"
    PAUSED = "paused"
    KILLED = "killed"


class Lease(Message, frozen=True, kw_only=True):
    """Orders may rest until `until`, within these limits. Not renewed in time: the OMS pulls them."""

    number: int
    mode: Mode
    granted: bool
    reason: str
    """Why it is not granted, or why the mode is not ACTIVE; empty otherwise."""
    until: Nanos
    hard_limit: float
    """BTC: |net delta| including every working and in-flight order that would add."""
    paused: tuple[str, ...] = ()
    """Instruments an operator has paused."""


class ModeChanged(Message, frozen=True, kw_only=True):
    """The mode moved, with who or what moved it."""

    mode: Mode
    previous: Mode
    reason: str
    by: str


class Pnl(Message, frozen=True, kw_only=True):
    """Profit since the start of the exchange's day (08:00 UTC) in BTC, by part, and the exposure.

    spread + inventory + hedge - fees + funding = total; `equity_change` is the exchange's own figure
    and `unexplained` the difference.
    """

    net_delta: float
    """BTC over all instruments at mark."""
    worst_delta: float
    """The larger absolute delta if every working order on one side filled."""
    deltas: dict[str, float]
    spread: float
    inventory: float
    hedge: float
    fees: float
    funding: float
    total: float
    equity: float
    equity_change: float
    unexplained: float
    drawdown: float
    """From the day's highest equity, positive, BTC."""
    mark: float
