"""Mark price and funding of one instrument.

    premium   p = EMA (30 s) of (mid - index), mid bounded by best bid and ask, clipped to a share of
                  the index; held while a side of the book is empty
    mark        = index + p; of a future in its last half hour, the average of the index so far for the
                  share s of the half hour that is over, and index + p for the rest
    rate        = max(d, q) + min(-d, q) with q = (mark - index) / index and the damper d; capped
                  (per 8 hours; zero inside the damper; positive: longs pay shorts)
    interest    = integral of rate / index dt in ms for inverse, rate * index dt for linear contracts;
                  a position of S then pays S * (change of interest) / 28,800,000

Funding accrues continuously; the accumulator lets each position settle its share whenever it changes, and
since all shares use one accumulator, counted in integer quanta for one lot, what longs pay is exactly what
shorts receive.

Source: Deribit's mark price and inverse perpetual articles; the interest accumulator fits recorded
ticker frames; window and clip of the mark are unpublished and therefore ours.
"""

import math
from collections import deque

import msgspec

from mock_deribit.exchange.listing import Listing
from mock_deribit.exchange.messages import FundingHour
from shared.instruments import Payoff
from shared.kernel import Nanos
from shared.units import HOUR, MILLISECOND, MINUTE, SECOND

EIGHT_HOURS_MS = 28_800_000.0
_HISTORY_MINUTES = 32 * 24 * 60


class _Minute(msgspec.Struct, frozen=True):
    ts: Nanos
    funded: float
    index: float


class Valuation:
    """Mark, funding rate and accumulators of one instrument; told the time by `accrue`."""

    def __init__(
        self, now: Nanos, listing: Listing, index: float, window_seconds: float = 30.0
    ) -> None:
        self._listing = listing
        self._window_seconds = window_seconds
        self._lot_quanta = listing.instrument.amount_step * 1e18 / EIGHT_HOURS_MS
        self._inverse = listing.instrument.payoff is Payoff.INVERSE
        self._perpetual = listing.instrument.perpetual
        self._premium: float | None = None
        self._sampled = now
        self._accrued = now
        self._funded = 0.0
        self._minutes: deque[_Minute] = deque(maxlen=_HISTORY_MINUTES)
        self._minutes.append(_Minute(Nanos(now // MINUTE * MINUTE), 0.0, index))
        self.index = index
        self.mark = round(index, 2)
        self.rate = 0.0
        self.interest = 0.0
        self.funding_quanta = 0
        self.average = 0.0
        self.averaged_share = 0.0

    def restart_interest(self) -> None:
        """A new session begins: what was accrued has been settled."""
        self.interest = 0.0
        self.funding_quanta = 0

    def sample(self, now: Nanos, bid: float | None, ask: float | None) -> bool:
        """Let time pass until `now` with this book; says whether the mark moved."""
        self.accrue(now)
        if bid is not None and ask is not None:
            clip = self.index * self._listing.premium_clip
            premium = min(max((bid + ask) / 2.0 - self.index, -clip), clip)
            if self._premium is None:
                self._premium = premium
            weight = 1.0 - math.exp(-(now - self._sampled) / SECOND / self._window_seconds)
            self._premium += weight * (premium - self._premium)
        self._sampled = now
        before = self.mark
        fair = self.index + (self._premium or 0.0)
        self.mark = round(fair + self.averaged_share * (self.average - fair), 2)
        if self._perpetual:
            self.rate = funding_rate(self.mark, self.index, self._listing)
            if now - self._minutes[-1].ts >= MINUTE:
                minute = Nanos(now // MINUTE * MINUTE)
                self._minutes.append(_Minute(minute, self._funded, self.index))
        return self.mark != before

    def accrue(self, now: Nanos) -> None:
        """Bring the funding accumulators up to `now` at the present rate."""
        if now == self._accrued:
            return
        elapsed_ms = (now - self._accrued) / MILLISECOND
        self._accrued = now
        if self.rate:
            self._funded += self.rate * elapsed_ms / EIGHT_HOURS_MS
            weight = 1.0 / self.index if self._inverse else self.index
            self.interest += self.rate * weight * elapsed_ms
            self.funding_quanta = round(self.interest * self._lot_quanta)

    def funded_between(self, start: Nanos, end: Nanos) -> float:
        """Funding summed over a window, as a fraction of position value; minute resolution."""
        return self._funded_at(end) - self._funded_at(start)

    def hours(self, start: Nanos, end: Nanos) -> tuple[FundingHour, ...]:
        """Hourly rows whose hour ends within [start, end], oldest first."""
        by_minute = {minute.ts: minute for minute in self._minutes}
        rows = []
        first = -(-max(start, self._minutes[0].ts) // HOUR) * HOUR
        for ts in range(first, min(end, self._accrued) + 1, HOUR):
            last, previous = by_minute.get(Nanos(ts)), by_minute.get(Nanos(ts - HOUR))
            if last is not None and previous is not None:
                rows.append(
                    FundingHour(
                        ts=Nanos(ts),
                        index_price=last.index,
                        prev_index_price=previous.index,
                        interest_1h=last.funded - previous.funded,
                        interest_8h=self.funded_between(Nanos(ts - 8 * HOUR), Nanos(ts)),
                    )
                )
        return tuple(rows)

    def _funded_at(self, ts: Nanos) -> float:
        if ts >= self._accrued:
            return self._funded
        behind = max(0, self._minutes[-1].ts - ts) // MINUTE
        position = max(0, len(self._minutes) - 1 - behind)
        while position and self._minutes[position].ts > ts:
            position -= 1
        while position + 1 < len(self._minutes) and self._minutes[position + 1].ts <= ts:
            position += 1
        return self._minutes[position].funded


def funding_rate(mark: float, index: float, listing: Listing) -> float:
    """The funding rate per 8 hours, damped and capped; positive means longs pay."""
    premium = (mark - index) / index
    damper, cap = listing.funding_damper, listing.funding_cap
    return min(max(max(damper, premium) + min(-damper, premium), -cap), cap)
