"""★ Index averages: at what price a day ends.

The delivery price of an index is its time-weighted average from 07:30 to 08:00 UTC. While that half hour
runs, the average so far is the estimate. Every index has one each day, whether a future expires or not.

    average(t) = integral from 07:30 to t of index du / (t - 07:30)

Source: Deribit's delivery article and `public/get_delivery_prices`.
"""

from mock_deribit.exchange.records import DeliveryPrice
from shared.kernel import Nanos
from shared.units import DAY, HOUR, MINUTE

AVERAGING = Nanos(30 * MINUTE)
_DAYS_KEPT = 1_000


class Average:
    """One index's average of the present day, and the delivery prices of past days."""

    def __init__(self, index: str, price: float) -> None:
        self.index = index
        self.past: list[DeliveryPrice] = []
        self._price = price
        self._integral = 0.0
        self._start = self._since = Nanos(0)

    def observe(self, now: Nanos, price: float) -> None:
        """Let time pass until `now` at the last price; from then on it is this one."""
        self._pass(now)
        self._price = price

    def estimate(self, now: Nanos) -> float | None:
        """The average so far, None outside the half hour."""
        self._pass(now)
        if not self._start <= now <= self._start + AVERAGING:
            return None
        elapsed = now - self._start
        return round(self._integral / elapsed if elapsed else self._price, 2)

    def close(self, now: Nanos) -> float:
        """The delivery price of the day that ends now, which is written down."""
        average = self.estimate(now)
        price = self._price if average is None else average
        self.past.append(DeliveryPrice(ts=now, index=self.index, price=price))
        del self.past[:-_DAYS_KEPT]
        return price

    def _pass(self, now: Nanos) -> None:
        start = Nanos((now - 8 * HOUR) // DAY * DAY + DAY + 8 * HOUR - AVERAGING)
        if now % DAY == 8 * HOUR:
            start = Nanos(start - DAY)
        if start != self._start:
            self._start, self._since, self._integral = start, start, 0.0
        if now > self._since:
            self._integral += self._price * (now - self._since)
            self._since = now
