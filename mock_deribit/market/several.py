"""Several markets on one exchange, an index and the instruments on it each.

They know nothing of each other: two coins are not correlated but by what is said to all of them.
"""

from collections.abc import Mapping, Sequence

from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.listing import leader
from mock_deribit.market.market import Directed, Market, Sleeper
from shared.kernel import Nanos


class SeveralMarkets:
    """Implements `Market`, `Sleeper` and `Directed`."""

    def __init__(self, markets: Sequence[Market]) -> None:
        self._markets = tuple(markets)
        self._due = [Nanos(0)] * len(self._markets)

    @property
    def index_prices(self) -> Mapping[str, float]:
        """Of every market."""
        return {
            index: price for each in self._markets for index, price in each.index_prices.items()
        }

    @property
    def ended(self) -> str | None:
        """What the first of them that has ended says."""
        return next((each.ended for each in self._markets if each.ended is not None), None)

    def start(self, now: Nanos, exchange: Exchange) -> Nanos:
        """Open each."""
        self._exchange = exchange
        self._due = [each.start(now, exchange) for each in self._markets]
        return min(self._due)

    def wake(self, now: Nanos) -> Nanos:
        """Wake those that asked for it, the one that is due longest first."""
        while (due := min(self._due)) <= now:
            which = self._due.index(due)
            self._due[which] = self._markets[which].wake(max(due, self._exchange.now))
        return due

    def put_off(self, by: Nanos) -> Nanos:
        """All sleep who can."""
        for which, each in enumerate(self._markets):
            if isinstance(each, Sleeper):
                self._due[which] = each.put_off(by)
        return min(self._due)

    def shift(self, now: Nanos, bps: float) -> Nanos:
        """The news is about every coin."""
        self._due = [each.shift(now, bps) for each in self._all_directed()]
        return min(self._due)

    def sweep(self, now: Nanos, instrument: str, sign: int, bps: float) -> Nanos:
        """In the market of the instrument's index."""
        which = self._of(instrument)
        self._due[which] = self._directed(self._markets[which]).sweep(now, instrument, sign, bps)
        return min(self._due)

    def set_regime(self, now: Nanos, name: str) -> Nanos:
        """The weather is everywhere the same."""
        self._due = [each.set_regime(now, name) for each in self._all_directed()]
        return min(self._due)

    def _all_directed(self) -> list[Directed]:
        return [self._directed(each) for each in self._markets]

    @staticmethod
    def _directed(market: Market) -> Directed:
        if not isinstance(market, Directed):
            indices = ", ".join(market.index_prices)
            raise ValueError(f"the market of {indices} takes no directions; a simulated one does")
        return market

    def _of(self, instrument: str) -> int:
        listing = self._exchange.listing(instrument)
        for which, each in enumerate(self._markets):
            if listing is not None and leader(listing.instrument.index) in each.index_prices:
                return which
        raise ValueError(f"nobody trades {instrument!r} here")
