"""The limits: what is measured, where each line lies, and what crossing it does.

Theory. Four lines on |net delta| cut the inventory into zones, each with its own answer:

    0 ... soft       quotes on the adding side fade with the inventory (the quoter's work)
    soft ... hard    only the reducing side is quoted; the hedge trigger lies in here
    hard ... breach  REDUCING: no order may add to exposure, and the hedge is due
    breach ... kill  the hedge is immediate
    beyond kill      KILLED: latched, and flattened by reductions

Money has lines of its own, because inventory inside its limits can still bleed: the loss of the
exchange's day, the fall from the day's highest equity, the open loss of the positions against their
entries, and the initial margin as a share of equity.

A line that is crossed must not flicker. A line with a `leave` value stands until the measure has come
back behind that value. A line without one (`leave` None) is about money that is gone: it stands until the
exchange's day rolls or an operator's confirmed resume, from which losses are then counted anew. KILLED
stands until an operator's confirmed resume in any case.

Anomalies of critical severity are lines too: each kind reduces for a time after it was last seen, which
an operator's resume cuts short.
"""

from typing import NamedTuple

import msgspec

from shared.kernel import Nanos
from shared.messages import Mode
from shared.params import RiskParams
from shared.units import MINUTE

SEVERITY = {Mode.ACTIVE: 0, Mode.REDUCING: 1, Mode.PAUSED: 2, Mode.KILLED: 3}
"""A larger figure allows less."""

ANOMALY_HOLD: dict[str, Nanos] = {
    # Freshness of the reconciliation guards these two by itself; the hold keeps quotes from flickering.
    "position_mismatch": MINUTE,
    "unknown_order": MINUTE,
    "not_enough_funds": Nanos(10 * MINUTE),
}
ANOMALY_HOLD_OTHER = Nanos(5 * MINUTE)
"""A critical anomaly of a kind that the table does not name."""

MARGIN_LEAVE_SHARE = 0.9


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """What the limits look at: BTC, except the margin in % of equity. Losses are positive."""

    net_delta: float
    worst_delta: float
    day_loss: float
    drawdown: float
    open_loss: float
    margin_pct: float


class Limit(NamedTuple):
    """One line. `leave` None: it stands until the day rolls or a confirmed resume."""

    name: str
    measure: str
    enter: float
    leave: float | None
    mode: Mode


class Verdict(NamedTuple):
    """The least allowing mode of all lines that stand, and their names."""

    mode: Mode
    reason: str


def limits(params: RiskParams) -> tuple[Limit, ...]:
    """The table, most severe first."""
    soft, hard = params.soft_limit_btc, params.hard_limit_btc
    margin = params.margin_reduce_pct
    return (
        Limit("kill limit", "net_delta", params.kill_limit_btc, None, Mode.KILLED),
        Limit("day loss (kill)", "day_loss", params.loss_kill_btc, None, Mode.KILLED),
        Limit("hard limit", "net_delta", hard, soft, Mode.REDUCING),
        Limit("worst case", "worst_delta", params.breach_limit_btc, hard, Mode.REDUCING),
        Limit("day loss", "day_loss", params.loss_reduce_btc, None, Mode.REDUCING),
        Limit("drawdown", "drawdown", params.drawdown_reduce_btc, None, Mode.REDUCING),
        Limit(
            "open loss",
            "open_loss",
            params.loss_reduce_btc,
            params.loss_reduce_btc / 2,
            Mode.REDUCING,
        ),
        Limit("margin", "margin_pct", margin, margin * MARGIN_LEAVE_SHARE, Mode.REDUCING),
    )


class Limits:
    """Which lines stand crossed now."""

    def __init__(self) -> None:
        self._standing: dict[str, None] = {}

    def judge(self, measures: Measures, params: RiskParams) -> Verdict:
        """Move every line by the measures and say what follows."""
        mode, reasons = Mode.ACTIVE, []
        for limit in limits(params):
            value = abs(getattr(measures, limit.measure))
            if value > limit.enter:
                self._standing[limit.name] = None
            elif limit.leave is not None and value <= limit.leave:
                self._standing.pop(limit.name, None)
            if limit.name in self._standing:
                reasons.append(limit.name)
                mode = max(mode, limit.mode, key=SEVERITY.__getitem__)
        return Verdict(mode, ", ".join(reasons))

    def roll(self, params: RiskParams) -> None:
        """A new day: lift the lines about money that is gone. What they latched stays latched."""
        for limit in limits(params):
            if limit.leave is None:
                self._standing.pop(limit.name, None)

    def forgive(self) -> None:
        """Lift every line; those that are still crossed come back with the next judgement."""
        self._standing.clear()
