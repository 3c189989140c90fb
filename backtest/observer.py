"""The observer: writes what an exchange tells of one instrument into a record, as a public listener could."""

from calibration.book import MirrorBook
from calibration.record import Mark, Print, Record, Top
from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.events import BookChanged, Event, Traded
from shared.instruments import Instrument, Payoff
from shared.kernel import Nanos

_DEPTH_EVERY = 5


class Observer:
    """Listens from `start` on; `look` is to be called once a second."""

    def __init__(self, exchange: Exchange, instrument: Instrument, start: Nanos) -> None:
        expiry = None if instrument.perpetual else instrument.expiry
        self.record = Record(instrument.name, instrument.tick, start, expiry)
        self._exchange = exchange
        self._name = instrument.name
        self._inverse = instrument.payoff is Payoff.INVERSE
        self._mirror = MirrorBook()
        self._looks = 0
        view = exchange.book(instrument.name)
        for levels, side in ((view.bids, self._mirror.bids), (view.asks, self._mirror.asks)):
            for price, amount in levels:
                side.set(price, self._usd(amount, price))
        self.top = self._mirror.top(start)
        if self.top is not None:
            self.record.tops.append(self.top)

    def hear(self, event: Event) -> None:
        """Trades and changes of the book; the rest is not for here."""
        match event:
            case Traded(instrument=name) if name == self._name:
                for trade in event.trades:
                    usd = self._usd(trade.amount, trade.price)
                    self.record.prints.append(Print(event.ts, trade.side.sign, trade.price, usd))
            case BookChanged(instrument=name) if name == self._name:
                for level in event.bids:
                    self._mirror.bids.set(level.price, self._usd(level.amount, level.price))
                for level in event.asks:
                    self._mirror.asks.set(level.price, self._usd(level.amount, level.price))
                self._note(event.ts)

    def beside(self, sign: int, price: float, usd: float) -> float | None:
        """The best price of others on a side, when this much at this price is one's own."""
        return (self._mirror.bids if sign > 0 else self._mirror.asks).beside(price, usd)

    def look(self, now: Nanos) -> None:
        """Once a second: mark, index and funding; now and then the depth."""
        ticker = self._exchange.ticker(self._name)
        self.record.marks.append(
            Mark(now, ticker.index_price, ticker.mark_price, ticker.current_funding)
        )
        self._looks += 1
        if self.top is not None and self._looks % _DEPTH_EVERY == 0:
            self.record.depths.append(self._mirror.depth(self.top))

    def _note(self, ts: Nanos) -> None:
        """A new top, where there is one; of several at one time the last counts."""
        top = self._mirror.top(ts)
        if top is None or (self.top is not None and top[1:] == self.top[1:]):
            return
        self.top = top
        tops: list[Top] = self.record.tops
        if tops and tops[-1].ts == ts:
            tops[-1] = top
        else:
            tops.append(top)

    def _usd(self, amount: float, price: float) -> float:
        return amount if self._inverse else amount * price
