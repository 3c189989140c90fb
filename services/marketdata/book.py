"""The order book of one instrument: every price level, continuous and uncrossed, or nothing at all.

Theory. The venue sends one snapshot, then changes; each level carries its new total, so applying is
"set the level, remove it at zero", and whether the venue calls it new or changed does not matter. Every
change names the state it continues:

    frame.prev_change_id == change_id of the frame before it on this channel

`change_id` is one counter for many instruments, so it jumps; only the chain says whether something was
lost. A book whose chain is broken, or whose best bid reaches its best ask, is wrong in a way that more
changes cannot repair. It is emptied and stays so until the next snapshot, which on a living connection
comes only after unsubscribing and subscribing again.

Structure: a dict from price to amount and a sorted list of keys, best at the tail, where nearly all of
the changes happen, so that an insertion moves few entries. Asks are kept under the negated price.

Source: Deribit's notes on `book.{instrument_name}.{interval}`; recordings of 2019 to 2026.
"""

from bisect import bisect_left

import msgspec

from shared.deribit.codec import BookFrame
from shared.kernel import Nanos
from shared.messages import FeedState, Level


class BookFault(msgspec.Struct, frozen=True):
    """Why the book is not to be believed any more: GAP or CROSSED, and what was seen."""

    state: FeedState
    detail: str


class BookSide:
    """Levels of one side; `sign` is +1 for bids, -1 for asks."""

    __slots__ = ("_amounts", "_keys", "_sign")

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._amounts: dict[float, float] = {}
        self._keys: list[float] = []

    def __len__(self) -> int:
        return len(self._keys)

    def fill(self, levels: tuple[Level, ...]) -> None:
        """Replace everything."""
        totals = {self._sign * price: amount for price, amount in levels}
        self._amounts = {key: amount for key, amount in totals.items() if amount > 0.0}
        self._keys = sorted(self._amounts)

    def set(self, price: float, amount: float) -> None:
        """Set a level's total; 0 removes it, also one that is not there."""
        key = self._sign * price
        amounts, keys = self._amounts, self._keys
        if amount <= 0.0:
            if amounts.pop(key, None) is not None:
                del keys[bisect_left(keys, key)]
            return
        if key not in amounts:
            if not keys or key > keys[-1]:
                keys.append(key)
            else:
                keys.insert(bisect_left(keys, key), key)
        amounts[key] = amount

    @property
    def best(self) -> float | None:
        """The best price, None when empty."""
        return self._sign * self._keys[-1] if self._keys else None

    def top(self, count: int) -> tuple[Level, ...]:
        """The best `count` levels, best first."""
        sign, amounts = self._sign, self._amounts
        # A list first: a tuple from a generator takes twice as long, and this is asked for every frame.
        levels = [(sign * key, amounts[key]) for key in self._keys[: -count - 1 : -1]]
        return tuple(levels)


class L2Book:
    """Both sides and the chain. `synced` is False before a snapshot and after a fault."""

    def __init__(self) -> None:
        self.bids = BookSide(+1)
        self.asks = BookSide(-1)
        self.change_id = 0
        self.ts = Nanos(0)
        self.synced = False

    def apply(self, frame: BookFrame) -> BookFault | None:
        """Take a frame; a fault empties the book. Changes to an unsynced book change nothing."""
        if frame.snapshot:
            self.bids.fill(frame.bids)
            self.asks.fill(frame.asks)
            self.synced = True
        elif not self.synced or frame.change_id == self.change_id:
            return None
        elif frame.prev_change_id != self.change_id:
            detail = f"expected a change of {self.change_id}, came one of {frame.prev_change_id}"
            return self._fault(FeedState.GAP, detail)
        else:
            for price, amount in frame.bids:
                self.bids.set(price, amount)
            for price, amount in frame.asks:
                self.asks.set(price, amount)
        self.change_id = frame.change_id
        self.ts = frame.ts
        bid, ask = self.bids.best, self.asks.best
        if bid is not None and ask is not None and bid >= ask:
            return self._fault(FeedState.CROSSED, f"best bid {bid} is not below best ask {ask}")
        return None

    def clear(self) -> None:
        """Believe nothing until the next snapshot."""
        self.bids.fill(())
        self.asks.fill(())
        self.synced = False

    def _fault(self, state: FeedState, detail: str) -> BookFault:
        self.clear()
        return BookFault(state, detail)
