"""The picture: the latest word on every instrument, and what the rules need to see of it.

Owns specifications, books, tickers and the evidence for the lease. It answers with values and decides
nothing.
"""

import math

from services.risk.exposure import Exposure, measure
from services.risk.hedge import Venue
from services.risk.lease import Evidence
from shared.instruments import BookState, Instrument
from shared.kernel import Nanos
from shared.messages import Book, Filled, InstrumentListed, Ticker
from shared.params import Params
from shared.units import SECOND

MID_LASTS = Nanos(10 * SECOND)
"""A quiet book keeps its mid; one from before this says nothing about a trade."""
MID_AHEAD = SECOND
"""A trade that is told late happened at another mid than today's."""


class Picture:
    """What was last heard, by instrument."""

    def __init__(self) -> None:
        self.evidence = Evidence()
        self.specs: dict[str, Instrument] = {}
        self.books: dict[str, Book] = {}
        self.tickers: dict[str, Ticker] = {}

    def listed(self, now: Nanos, message: InstrumentListed) -> None:
        """A specification, perhaps with a new tick or fee."""
        self.specs[message.instrument] = message.spec
        self.evidence.listed[message.instrument] = (message, now)

    def exposure(self) -> Exposure:
        """All positions at mark."""
        marks = {name: ticker.mark_price for name, ticker in self.tickers.items()}
        return measure(self.evidence.positions, self.specs, marks)

    def margin_pct(self) -> float:
        """Initial margin in % of equity; 0 while the account is not known."""
        account = self.evidence.account
        if account is None or not account.initial_margin:
            return 0.0
        if account.equity <= 0:
            return math.inf
        return 100.0 * account.initial_margin / account.equity

    def perpetual(self) -> Ticker | None:
        """The ticker whose mark stands for "the price"."""
        for name, spec in self.specs.items():
            if spec.perpetual and name in self.tickers:
                return self.tickers[name]
        return None

    def mid_at(self, fill: Filled) -> float:
        """The mid while a trade happened; the exchange's mark when no book of that time is at hand."""
        book = self.books.get(fill.instrument)
        if book is None or not -MID_AHEAD <= fill.ts - book.ts <= MID_LASTS:
            return fill.mark_price
        return book.mid

    def positions_known(self, now: Nanos, params: Params) -> bool:
        """Whether every followed and every held instrument agreed with the exchange recently."""
        names = dict.fromkeys([*self.evidence.followed(), *self.evidence.positions])
        return bool(names) and all(self.evidence.is_reconciled(now, name, params) for name in names)

    def settled_since(self, ts: Nanos) -> bool:
        """Whether every position agreed with the exchange after a time, and nothing works beside it."""
        return all(
            position.reconciled > ts and not position.working_buy and not position.working_sell
            for position in self.evidence.positions.values()
        )

    def venues(self, now: Nanos, params: Params) -> list[Venue]:
        """Instruments with a position that can be traded and believed right now."""
        account = self.evidence.account
        venues = []
        for name, position in self.evidence.positions.items():
            book, ticker, spec = self.books.get(name), self.tickers.get(name), self.specs.get(name)
            if book is None or ticker is None or spec is None or not position.amount:
                continue
            believed = self.evidence.is_live(now, name, params) and self.evidence.is_reconciled(
                now, name, params
            )
            if believed and ticker.state is BookState.OPEN:
                fee = account.taker_fee if account is not None else None
                taker_fee = spec.taker_fee if fee is None else fee
                venues.append(
                    Venue(
                        spec=spec,
                        position=position,
                        book=book,
                        mark=ticker.mark_price,
                        taker_fee=taker_fee,
                    )
                )
        return venues
