"""The venue's numbers: change ids, order ids, trade ids and trade sequence, with the gaps real ones have.

One change counter is shared by all books, so within one book it jumps by arbitrary amounts; order and
trade ids are strings per settlement currency, growing, with gaps; only `trade_seq` steps by one.
"""

from collections.abc import Iterator
from itertools import accumulate, cycle

from shared.randomness import Stream

_FIRST_CHANGE = 136_069_961_946
_FIRST_ORDER = 74_365_704_227
_FIRST_TRADE = 403_691_824
_PLAIN = "BTC"
"""The currency whose ids carry no prefix."""
_GAP = 7
_GAPS_DRAWN = 4096


class Numbering:
    """Gives the next number of each kind; gaps are drawn from the seed and come round again.

    `change_id` is called to get the id of the next change of any book.
    """

    def __init__(self, seed: str) -> None:
        draws = Stream(f"{seed}|numbering")
        self._gaps = cycle([1 + draws.below(_GAP) for _ in range(_GAPS_DRAWN)])
        self.change_id = self._from(_FIRST_CHANGE).__next__
        self._orders: dict[str, Iterator[int]] = {}
        self._trades: dict[str, int] = {}

    def order_id(self, currency: str) -> str:
        """The id of the next order that settles in this currency."""
        if currency not in self._orders:
            self._orders[currency] = self._from(_FIRST_ORDER)
        number = next(self._orders[currency])
        return str(number) if currency == _PLAIN else f"{currency}-{number}"

    def trade_id(self, currency: str) -> str:
        """The id of the next trade that settles in this currency."""
        number = self._trades[currency] = self._trades.get(currency, _FIRST_TRADE) + 1
        return str(number) if currency == _PLAIN else f"{currency}-{number}"

    def _from(self, first: int) -> Iterator[int]:
        """Numbers after the first, each a gap beyond the last."""
        numbers = accumulate(self._gaps, initial=first)
        next(numbers)
        return numbers
