"""Counters and rates for operators."""

from shared.kernel import Nanos
from shared.units import MILLISECOND, SECOND, to_seconds

TOTALS = tuple(
    "frames books tickers trades gaps crossed malformed missed_trades renewals unwanted_frames".split()
)


WINDOW = SECOND
"""Rates are taken over at least this long, however often they are told."""


class Figures:
    """Totals since start, and what happened in the last window."""

    def __init__(self) -> None:
        self.total = dict.fromkeys(TOTALS, 0)
        self._begun = dict(self.total)
        self._begun_at = Nanos(0)
        self._window = dict.fromkeys(("frames_per_s", "books_per_s", "trades_per_s"), 0.0)
        self._delays_ms: list[float] = []

    def start(self, now: Nanos) -> None:
        """Rates count from here."""
        self._begun_at = now

    def count(self, name: str, times: int = 1) -> None:
        """One more of something."""
        self.total[name] += times

    def delayed(self, now: Nanos, venue_ts: Nanos, clock_offset: Nanos) -> None:
        """A book frame came: the time from its change at the venue to our socket."""
        self._delays_ms.append((now + clock_offset - venue_ts) / MILLISECOND)

    def report(self, now: Nanos) -> dict[str, float]:
        """Totals, and rates and delays of the last whole window."""
        if now - self._begun_at >= WINDOW:
            self._window = self._measured(to_seconds(now - self._begun_at))
            self._begun, self._begun_at, self._delays_ms = dict(self.total), now, []
        return self.total | self._window

    def _measured(self, seconds: float) -> dict[str, float]:
        window = {
            f"{name}_per_s": (self.total[name] - self._begun[name]) / seconds
            for name in ("frames", "books", "trades")
        }
        if self._delays_ms:
            window["venue_to_seen_mean_ms"] = sum(self._delays_ms) / len(self._delays_ms)
            window["venue_to_seen_max_ms"] = max(self._delays_ms)
        return window
