"""Counters and rates for operators."""

from shared.kernel import Nanos
from shared.units import MILLISECOND, to_seconds

TOTALS = tuple(
    "frames books tickers trades gaps crossed malformed missed_trades renewals unwanted_frames".split()
)


class Figures:
    """Totals since start, and what happened since the last report."""

    def __init__(self) -> None:
        self.total = dict.fromkeys(TOTALS, 0)
        self._reported = dict(self.total)
        self._reported_at = Nanos(0)
        self._delays_ms: list[float] = []

    def start(self, now: Nanos) -> None:
        """Rates count from here."""
        self._reported_at = now

    def count(self, name: str, times: int = 1) -> None:
        """One more of something."""
        self.total[name] += times

    def delayed(self, now: Nanos, venue_ts: Nanos, clock_offset: Nanos) -> None:
        """A book frame came: the time from its change at the venue to our socket."""
        self._delays_ms.append((now + clock_offset - venue_ts) / MILLISECOND)

    def report(self, now: Nanos) -> dict[str, float]:
        """Totals, and rates and delays since the last report."""
        seconds = to_seconds(now - self._reported_at)
        report: dict[str, float] = dict(self.total)
        for name in ("frames", "books", "trades"):
            report[f"{name}_per_s"] = (self.total[name] - self._reported[name]) / seconds
        if self._delays_ms:
            report["venue_to_seen_mean_ms"] = sum(self._delays_ms) / len(self._delays_ms)
            report["venue_to_seen_max_ms"] = max(self._delays_ms)
        self._reported, self._reported_at, self._delays_ms = dict(self.total), now, []
        return report
