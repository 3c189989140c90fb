"""What has traded in one instrument: recent matches, the last price, 24-hour statistics, taker flow."""

from collections import deque
from itertools import count

from mock_deribit.exchange.messages import PublicTrade, Stats
from shared.instruments import Instrument
from shared.kernel import Nanos
from shared.units import DAY, MINUTE, Side

_RECENT = 10_000
_BUCKET = 10 * MINUTE
_BUY = Side.BUY


class _Bucket:
    """Ten minutes of trading."""

    __slots__ = ("first", "high", "low", "start", "volume", "volume_usd")

    def __init__(self, start: int, price: float) -> None:
        self.start = start
        self.first = self.high = self.low = price
        self.volume = self.volume_usd = 0.0


class Tape:
    """The trades of one instrument; `next_sequence` is called to get the number of the next."""

    def __init__(self) -> None:
        self.recent: deque[PublicTrade] = deque(maxlen=_RECENT)
        self.last_price: float | None = None
        self.taker_flow = 0.0
        self._direction = 0
        self._buckets: deque[_Bucket] = deque()
        self.next_sequence = count(123_000_001).__next__

    def tick_direction(self, price: float) -> int:
        """0 plus, 1 zero-plus, 2 minus, 3 zero-minus against the last trade."""
        last = self.last_price
        if last is None or price > last:
            return 0
        if price < last:
            return 2
        return self._direction | 1

    def record(self, trade: PublicTrade, instrument: Instrument) -> None:
        """Add a match. `taker_flow` is the running sum of signed taker volume in base coin."""
        ts, price = trade.ts, trade.price
        size = abs(instrument.delta(trade.amount, price))
        self.recent.append(trade)
        self.last_price, self._direction = price, trade.tick_direction
        self.taker_flow += size if trade.side is _BUY else -size
        bucket = self._buckets[-1] if self._buckets else None
        if bucket is None or not bucket.start <= ts < bucket.start + _BUCKET:
            bucket = _Bucket(ts // _BUCKET * _BUCKET, price)
            self._buckets.append(bucket)
            self._forget(ts)
        if price > bucket.high:
            bucket.high = price
        elif price < bucket.low:
            bucket.low = price
        bucket.volume += size
        bucket.volume_usd += size * price

    def stats(self, now: Nanos) -> Stats:
        """The last 24 hours, to ten minutes."""
        self._forget(now)
        if not self._buckets or self.last_price is None:
            return Stats(high=None, low=None, price_change=None, volume=0.0, volume_usd=0.0)
        first = self._buckets[0].first
        return Stats(
            high=max(bucket.high for bucket in self._buckets),
            low=min(bucket.low for bucket in self._buckets),
            price_change=round(100.0 * (self.last_price / first - 1.0), 4),
            volume=round(sum(bucket.volume for bucket in self._buckets), 8),
            volume_usd=round(sum(bucket.volume_usd for bucket in self._buckets), 2),
        )

    def _forget(self, now: Nanos) -> None:
        while self._buckets and self._buckets[0].start <= now - DAY - _BUCKET:
            self._buckets.popleft()
