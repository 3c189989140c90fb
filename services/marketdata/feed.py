"""Feeds: one followed instrument's book, trades and ticker, and whether they are to be believed."""

import msgspec

from services.marketdata.book import BookFault, L2Book
from services.marketdata.selection import Chosen
from shared.deribit.channels import (
    Interval,
    book_channel,
    ticker_channel,
    trades_channel,
)
from shared.deribit.codec import BookFrame
from shared.instruments import BookState
from shared.kernel import Nanos
from shared.messages import Book, FeedState, InstrumentListed, Ticker, Trades
from shared.units import MILLISECOND, SECOND, to_ms

TICKER_EVERY = SECOND
"""An unchanged ticker is repeated this often, and one that is not heard for so long is asked for."""
BOOK_EVERY = SECOND
"""An unchanged book is repeated this often, for whoever came late."""
DEPTH_EVERY = Nanos(100 * MILLISECOND)
"""What changed behind the touch is told this often, as the venue's own batched channel does."""

Verdict = tuple[FeedState, str]

LIVE: Verdict = (FeedState.LIVE, "")


class Feed:
    """Told the frames of one instrument; keeps what it last published to say only news."""

    def __init__(self, chosen: Chosen, interval: Interval, now: Nanos) -> None:
        self.chosen = chosen
        self.state = chosen.spec.state
        self.book = L2Book()
        self.fault: BookFault | None = None
        self.refused: str | None = None
        self.asked = now
        self.verdict: Verdict | None = None
        self.book_channel = book_channel(chosen.spec.name, interval)
        self.channels = (
            self.book_channel,
            trades_channel(chosen.spec.name, interval),
            ticker_channel(chosen.spec.name, interval),
        )
        self._book_said: Book | None = None
        self._book_said_at = now
        self._book_heard = now
        self._depth_waits = False
        self.ticker_asked = False
        self._ticker: Ticker | None = None
        self._ticker_heard = now
        self._trade_seq: int | None = None

    @property
    def name(self) -> str:
        """The instrument's name."""
        return self.chosen.spec.name

    @property
    def is_live(self) -> bool:
        """The last verdict was LIVE."""
        return self.verdict is LIVE

    def listing(self, now: Nanos) -> InstrumentListed:
        """The instrument's card."""
        chosen = self.chosen
        return InstrumentListed(ts=now, instrument=self.name, spec=chosen.spec, role=chosen.role)

    def snapshot(self) -> bytes:
        """The whole book as the data of the venue's snapshot frame."""
        sides = {
            name: [("new", *level) for level in side.top(len(side))]
            for name, side in (("bids", self.book.bids), ("asks", self.book.asks))
        }
        data = {
            "type": "snapshot",
            "timestamp": to_ms(self.book.ts),
            "instrument_name": self.name,
            "change_id": self.book.change_id,
        }
        return msgspec.json.encode(data | sides)

    def lose(self, now: Nanos) -> None:
        """The connection is gone: the book is worth nothing, the next one starts with a snapshot."""
        self.book.clear()
        self.fault = self.refused = None
        self.asked = now

    def break_off(self, now: Nanos, fault: BookFault) -> None:
        """Do not believe the book until the next snapshot."""
        self.book.clear()
        self.fault = fault
        self.asked = now

    def hear_book(self, now: Nanos, frame: BookFrame) -> BookFault | None:
        """Apply a frame; a fault breaks the feed off."""
        self._book_heard = now
        fault = self.book.apply(frame)
        if fault is not None:
            self.break_off(now, fault)
        elif frame.snapshot:
            self.fault = self.refused = None
        return fault

    def fresh_book(self, now: Nanos, depth: int) -> Book | None:
        """The top of the book if it differs from what was published last.

        A moved touch is news at once. What only changed in size or depth waits until `DEPTH_EVERY`
        has passed since the last word: nobody acts on it sooner, and every word wakes processes.
        """
        said = self._book_said
        self._depth_waits = said is not None and now - self._book_said_at < DEPTH_EVERY
        if said is not None and self._depth_waits and self._touch_is(said):
            return None
        self._depth_waits = False
        top = (self.book.bids.top(depth), self.book.asks.top(depth))
        if said is not None and (said.bids, said.asks) == top:
            return None
        self._book_said_at = now
        self._book_said = Book(
            ts=self.book.ts,
            instrument=self.name,
            change_id=self.book.change_id,
            seen=self._book_heard,
            bids=top[0],
            asks=top[1],
        )
        return self._book_said

    def waiting_depth(self, now: Nanos, depth: int) -> Book | None:
        """The top of the book if a change of it was held back and its time has come."""
        return self.fresh_book(now, depth) if self._depth_waits and self.is_live else None

    def _touch_is(self, said: Book) -> bool:
        return self.book.bids.best == said.bids[0][0] and self.book.asks.best == said.asks[0][0]

    def repeated_book(self, now: Nanos) -> Book | None:
        """What was published last, once it was not heard for a while."""
        if self._book_said is None or now - self._book_said_at < BOOK_EVERY:
            return None
        self._book_said_at = now
        return self._book_said

    def forget_published(self) -> None:
        """Consumers have dropped the book: whatever comes next is news."""
        self._book_said = None

    def fresh_ticker(self, ticker: Ticker) -> Ticker | None:
        """The ticker if it says something new, or nothing was said for a while."""
        self.state = ticker.state
        self._ticker_heard = ticker.seen
        last = self._ticker
        if last is not None and ticker.seen - last.seen < TICKER_EVERY:
            unchanged = msgspec.structs.replace(ticker, ts=last.ts, seen=last.seen) == last
            if unchanged:
                return None
        self._ticker = ticker
        return ticker

    def wants_ticker(self, now: Nanos) -> bool:
        """Whether to ask for the ticker now; counts as asked until `ticker_asked` is taken back."""
        if self.ticker_asked or now - self._ticker_heard < TICKER_EVERY:
            return False
        self.ticker_asked = True
        return True

    def missed_trades(self, trades: Trades) -> int:
        """How many trades were lost before and inside these; 0 for the first ones heard."""
        missed = 0
        for trade in trades.trades:
            if self._trade_seq is not None:
                missed += max(0, trade.trade_seq - self._trade_seq - 1)
            self._trade_seq = max(trade.trade_seq, self._trade_seq or 0)
        return missed

    def judge(self, *, link_up: bool, lock: str | None, silent_ms: float, stale_ms: int) -> Verdict:
        """What a consumer may believe. `lock` says why the platform does not trade this index."""
        if not link_up:
            return FeedState.DOWN, "no connection"
        if lock is not None or self.state is not BookState.OPEN:
            return FeedState.CLOSED, lock or f"the book is {self.state}"
        if self.fault is not None:
            return self.fault.state, self.fault.detail
        if not self.book.synced:
            return FeedState.SYNCING, self.refused or "waiting for the snapshot"
        if not (len(self.book.bids) and len(self.book.asks)):
            return FeedState.SYNCING, "a side of the book is empty"
        if silent_ms > stale_ms:
            return FeedState.STALE, f"nothing heard for {silent_ms:.0f} ms"
        return LIVE
