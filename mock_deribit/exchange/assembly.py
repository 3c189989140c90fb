"""The parts of the exchange and how they are put together, in one place."""

from collections.abc import Mapping, Sequence

from mock_deribit.exchange.account import Account
from mock_deribit.exchange.clearing import Clearing
from mock_deribit.exchange.contract import Contract
from mock_deribit.exchange.delivery import Average
from mock_deribit.exchange.desk import Desk
from mock_deribit.exchange.events import Listed
from mock_deribit.exchange.execution import Execution
from mock_deribit.exchange.hold import Hold
from mock_deribit.exchange.ledger import Ledger
from mock_deribit.exchange.liquidation import Liquidator
from mock_deribit.exchange.listing import Listing, opening_prices
from mock_deribit.exchange.numbering import Numbering
from mock_deribit.exchange.outbox import Outbox
from mock_deribit.exchange.quotes import QuoteDesk
from mock_deribit.exchange.rules import Rules
from mock_deribit.exchange.settlement import Timetable
from shared.kernel import Nanos


class Assembly:
    """The exchange's parts. An index that `index_prices` does not name stands at its opening price, or
    follows the one it is pegged to."""

    def __init__(
        self,
        now: Nanos,
        listings: Sequence[Listing],
        index_prices: Mapping[str, float],
        seed: str,
        rules: Rules | None = None,
    ) -> None:
        self.rules = rules or Rules()
        self._now = now
        self._numbering = Numbering(seed)
        self._indices, self._pegs = opening_prices(listings, index_prices)
        self._contracts: dict[str, Contract] = {}
        self._locked: dict[str, bool] = {}
        for listing in listings:
            self._open_book(now, listing)
        self._averages = {name: Average(name, price) for name, price in self._indices.items()}
        self._accounts: dict[str, Account] = {}
        self._outbox = Outbox()
        self._ledger = Ledger()
        self._clearing = Clearing(self._numbering, self._outbox, self._ledger, self.rules)
        self._execution = Execution(
            self._accounts, self._contracts, self._clearing, self._ledger, self._outbox, self.rules
        )
        self._desk = Desk(self._execution, self._numbering, self._outbox, self.rules)
        self._hold = Hold(self._outbox)
        self._quotes = QuoteDesk(self._contracts, self._desk, self._hold, self.rules)
        self._liquidator = Liquidator(
            self._accounts,
            self._contracts,
            self._desk,
            self._ledger,
            self._outbox,
            automatic=self.rules.liquidates,
        )
        self._timetable = Timetable(
            now,
            self._contracts,
            self._accounts,
            self._averages,
            self._desk,
            self._clearing,
            self._ledger,
            self._liquidator,
            self._outbox,
            self.rules,
            self._enlist,
        )

    def _enlist(self, now: Nanos, listing: Listing) -> None:
        """List an instrument and tell."""
        self._open_book(now, listing)
        self._outbox.tell(Listed(now, listing.name, created=True))

    def _open_book(self, now: Nanos, listing: Listing) -> None:
        index = listing.instrument.index
        contract = Contract(now, listing, self._indices[index], self._numbering, self.rules)
        contract.locked = self._locked.get(index, False)
        self._contracts[listing.name] = contract
