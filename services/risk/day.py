"""The exchange's day: 08:00 UTC to 08:00 UTC, its equity, its losses, and what a restart must remember.

Owns the comparison of our attribution with the exchange's own equity. Between two account reports the
equity is carried forward by our own mark-to-market, so that a loss is seen when it happens and not when
the next report comes. Losses for the limits count from the start of the day, or from an operator's
confirmed resume; the published figures always count from the start of the day.

An account report does not say at which mark it was struck, and it travels another road than the marks do.
So it is held against our totals of half a second on either side of its arrival, and the nearest of them is
the one it is compared with: what is left is what no mark of that second explains.
"""

from collections import deque

import msgspec

from services.risk.exposure import Exposure
from services.risk.pnl import Attribution, Holding, Parts
from shared.kernel import Nanos
from shared.messages import Pnl
from shared.units import DAY, HOUR, MILLISECOND

DAY_STARTS = Nanos(8 * HOUR)
ROAD = Nanos(500 * MILLISECOND)
"""How far apart an account report and the marks it was struck at may arrive."""


def day_of(now: Nanos) -> int:
    """The number of the exchange's day that a time lies in."""
    return (now - DAY_STARTS) // DAY


class DayRecord(msgspec.Struct, kw_only=True):
    """What is stored: enough to go on with the same day after a restart."""

    day: int
    start_equity: float
    loss_from: float
    high: float
    equity: float
    """The exchange's last figure."""
    total_then: float
    """Our total that this figure was compared with."""
    parts: Parts
    holdings: dict[str, Holding]


class TradingDay:
    """One day's equity beside one day's attribution."""

    def __init__(self) -> None:
        self.attribution = Attribution()
        self._record: DayRecord | None = None
        self._unexplained = 0.0
        self._totals: deque[tuple[Nanos, float]] = deque()
        self._report: tuple[Nanos, float] | None = None

    @property
    def number(self) -> int | None:
        """Which day it is; None before it has begun."""
        return None if self._record is None else self._record.day

    @property
    def begun(self) -> bool:
        """Whether the exchange has reported an equity yet."""
        return self._record is not None

    def restore(self, now: Nanos, stored: str) -> None:
        """Go on with a stored day; raises `msgspec.DecodeError` when it is no record of ours.

        Holdings are taken over with their marks, so that the move of the price while we were away is
        valued with the first ticker; on another day only they are.
        """
        record = msgspec.json.decode(stored, type=DayRecord)
        self.attribution.holdings = record.holdings
        if record.day == day_of(now):
            self.attribution.parts = record.parts
            self._record = record

    def stored(self) -> str | None:
        """The record for the shared state; None before the day has begun."""
        return None if self._record is None else msgspec.json.encode(self._record).decode()

    def reported(self, now: Nanos, equity: float) -> None:
        """The exchange's equity; the first one after the first position begins the day."""
        if self._record is None:
            if self.attribution.holdings:
                self._begin(now, equity)
        elif self._report is None:
            self._report = (now, equity)

    def watch(self, now: Nanos) -> bool:
        """Follow the total after every change; True when a report has been compared with it."""
        record = self._record
        if record is None:
            return False
        if day_of(now) != record.day:
            self._begin(now, self.equity)
            return False
        record.high = max(record.high, self.equity)
        while self._totals and self._totals[0][0] < now - 2 * ROAD:
            self._totals.popleft()
        self._totals.append((now, self._total))
        return self._compare(now, record)

    def _compare(self, now: Nanos, record: DayRecord) -> bool:
        if self._report is None or now < self._report[0] + ROAD:
            return False
        (at, equity), self._report = self._report, None
        change = equity - record.start_equity
        near = [total for seen, total in self._totals if abs(seen - at) <= ROAD]
        record.total_then = min(near, key=lambda total: abs(change - total), default=self._total)
        record.equity = equity
        self._unexplained = change - record.total_then
        return True

    def forgive(self) -> None:
        """Count losses and drawdown anew from the present equity."""
        if self._record is not None:
            self._record.loss_from = self._record.high = self.equity

    @property
    def equity(self) -> float:
        """The exchange's last equity carried to now by our own mark-to-market; 0 before the day begins."""
        record = self._record
        if record is None:
            return 0.0
        return record.equity + self._total - record.total_then

    @property
    def equity_change(self) -> float:
        """Since the day began."""
        return 0.0 if self._record is None else self.equity - self._record.start_equity

    @property
    def unexplained(self) -> float:
        """The exchange's change of equity less our total, at the last report that was compared."""
        return self._unexplained

    @property
    def loss(self) -> float:
        """What the limits call the day's loss, positive."""
        return 0.0 if self._record is None else max(0.0, self._record.loss_from - self.equity)

    @property
    def drawdown(self) -> float:
        """Fall from the highest equity, positive."""
        return 0.0 if self._record is None else max(0.0, self._record.high - self.equity)

    def statement(self, ts: Nanos, exposure: Exposure, mark: float) -> Pnl:
        """The published account of profit and loss."""
        parts = self.attribution.parts
        return Pnl(
            ts=ts,
            net_delta=exposure.net,
            worst_delta=exposure.worst,
            deltas=exposure.deltas,
            spread=parts.spread,
            inventory=parts.inventory,
            hedge=parts.hedge,
            fees=parts.fees,
            funding=parts.funding,
            total=parts.total,
            equity=self.equity,
            equity_change=self.equity_change,
            unexplained=self.unexplained,
            drawdown=self.drawdown,
            mark=mark,
        )

    @property
    def _total(self) -> float:
        return self.attribution.parts.total

    def _begin(self, now: Nanos, equity: float) -> None:
        self.attribution.parts = Parts()
        self._unexplained = 0.0
        self._report = None
        self._totals.clear()
        self._record = DayRecord(
            day=day_of(now),
            start_equity=equity,
            loss_from=equity,
            high=equity,
            equity=equity,
            total_then=0.0,
            parts=self.attribution.parts,
            holdings=self.attribution.holdings,
        )
