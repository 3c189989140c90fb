"""A market that stands still: the same books until somebody trades with them, for tests that count.

Twenty levels of 10,000 USD a side, one tick apart, in every book on its index or on one pegged to it; only
the exchange's users, an operator and whoever calls `trade` move anything. What was traded away does not
come back.
"""

from collections.abc import Mapping

from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.listing import leader
from mock_deribit.exchange.messages import OrderRequest, Placed, SelfMatch
from mock_deribit.market.trader import Trader
from shared.instruments import Instrument, Payoff
from shared.kernel import Nanos
from shared.units import BPS, SECOND, Side, on_grid

HOUSE, CROWD = "house", "crowd"
LEVELS = 20
AMOUNT_USD = 10_000.0


class StillMarket:
    """Implements `Market` and `Directed`: news moves the index and puts the books around it anew."""

    def __init__(
        self, price: float = 60_000.0, index: str = "btc_usd", amount_usd: float = AMOUNT_USD
    ) -> None:
        self._index = index
        self._price = price
        self._amount_usd = amount_usd

    @property
    def index_prices(self) -> Mapping[str, float]:
        """Where the index stands."""
        return {self._index: self._price}

    @property
    def ended(self) -> str | None:
        """It never ends."""
        return None

    def start(self, now: Nanos, exchange: Exchange) -> Nanos:
        """Put up every book."""
        self._exchange = exchange
        for account in (HOUSE, CROWD):
            if account in exchange.accounts:
                continue
            exchange.open_account(account, {}, house=True, self_match=SelfMatch.CANCEL_MAKER)
        self._put_up(now)
        return Nanos(now + SECOND)

    def wake(self, now: Nanos) -> Nanos:
        """Publish the index."""
        self._exchange.set_index(now, self._index, self._price)
        return Nanos(now + SECOND)

    def put_off(self, by: Nanos) -> Nanos:
        """Nothing was planned."""
        return Nanos(self._exchange.now + by + SECOND)

    def shift(self, now: Nanos, bps: float) -> Nanos:
        """The index moves, and the books with it."""
        self._price = round(self._price * (1.0 + bps * BPS), 2)
        for future in self._futures():
            self._exchange.cancel_all(now, HOUSE, instrument=future.name)
        self._put_up(now)
        return self.wake(now)

    def sweep(self, now: Nanos, instrument: str, sign: int, bps: float) -> Nanos:
        """The crowd takes."""
        listing = self._exchange.listing(instrument)
        if listing is None:
            raise ValueError(f"there is no {instrument!r} here")
        Trader(self._exchange, CROWD, listing.instrument).sweep(now, sign, bps)
        return Nanos(now + SECOND)

    def set_regime(self, now: Nanos, name: str) -> Nanos:
        """There is no weather here."""
        raise ValueError("a market that stands still knows no regimes; the simulated one does")

    def trade(
        self, now: Nanos, who: str, name: str, side: Side, price: float, amount: float
    ) -> None:
        """A limit order of somebody else. Raises ValueError when the exchange refuses it."""
        request = OrderRequest(instrument=name, side=side, amount=amount, price=price)
        placed = self._exchange.place(now, who, request)
        if not isinstance(placed, Placed):
            raise ValueError(f"{who} cannot {side.value} {amount:g} {name} at {price:g}: {placed}")

    def _put_up(self, now: Nanos) -> None:
        for future in self._futures():
            inverse = future.payoff is Payoff.INVERSE
            amount = self._amount_usd / (1.0 if inverse else self._price)
            amount = on_grid(max(1, round(amount / future.amount_step)), future.amount_step)
            centre = round(self._price / future.tick)
            for side in Side:
                for level in range(1, LEVELS + 1):
                    price = on_grid(centre - side.sign * level, future.tick)
                    self.trade(now, HOUSE, future.name, side, price, amount)

    def _futures(self) -> list[Instrument]:
        """What is traded on this index, and on those that are pegged to it."""
        listed = [listing.instrument for listing in self._exchange.listings]
        return [future for future in listed if leader(future.index) == self._index]
