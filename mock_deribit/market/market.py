"""What a market is: everything that trades on the exchange besides its users.

A market acts through ordinary (house) accounts of the exchange and is driven by whoever owns both: it is
started once, woken no later than the time it asked for, and asks for the next time. Order of use:
`index_prices` (to open the exchange with), `start`, then `wake` for ever; `Exchange.advance` beside it.
"""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from mock_deribit.exchange.engine import Exchange
from shared.kernel import Nanos

NEVER = Nanos(2**62)
"""The next wake of a market that has nothing more to do."""


class Market(Protocol):
    """What the host of an exchange can drive."""

    @property
    def index_prices(self) -> Mapping[str, float]:
        """Opening price of every index this market drives, USD."""
        ...

    @property
    def ended(self) -> str | None:
        """Why this market has stopped for good, in words; None while it runs."""
        ...

    def start(self, now: Nanos, exchange: Exchange) -> Nanos:
        """Open accounts, fill the books, and say when to be woken first."""
        ...

    def wake(self, now: Nanos) -> Nanos:
        """Do everything due up to `now` and say when to be woken next."""
        ...


@runtime_checkable
class Sleeper(Protocol):
    """A market that can sleep while time is passed over; one that cannot is woken once, late."""

    def put_off(self, by: Nanos) -> Nanos:
        """Everything planned happens so much later; when to be woken next."""
        ...


@runtime_checkable
class Directed(Protocol):
    """A market that also takes directions. Each method says when to wake the market next, and raises
    ValueError for a name that is not known here."""

    def shift(self, now: Nanos, bps: float) -> Nanos:
        """News: what the coin is worth moves at once by this much; traders follow as they can."""
        ...

    def sweep(self, now: Nanos, instrument: str, sign: int, bps: float) -> Nanos:
        """Somebody takes everything within this distance of the best price (+1 buys)."""
        ...

    def set_regime(self, now: Nanos, name: str) -> Nanos:
        """The weather changes: one of the names in `regime.REGIMES`."""
        ...
