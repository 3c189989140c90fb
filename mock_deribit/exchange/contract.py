"""One listed instrument while it lives: its book, prices, tape and state.

Sizes inside are lots of the instrument's amount step, prices ticks of the listing's grid, which is finer
than any tick the instrument may get, so that its tick can change while orders rest. Money is integer quanta
of 1e-18 coin: `worth` is what one lot counts at a price, `-step / price` for inverse and `step * price`
for linear contracts, so that the profit of n lots from a to b is `n * (worth(b) - worth(a))` for both.
"""

from collections import deque

import msgspec

from mock_deribit.exchange.book import ASK, BID, Book, Half
from mock_deribit.exchange.events import (
    BookChanged,
    LevelChange,
)
from mock_deribit.exchange.listing import Listing
from mock_deribit.exchange.messages import (
    BookView,
    TickerView,
)
from mock_deribit.exchange.money import QUANTA
from mock_deribit.exchange.numbering import Numbering
from mock_deribit.exchange.records import Settlement
from mock_deribit.exchange.rules import Rules
from mock_deribit.exchange.tape import Tape
from mock_deribit.exchange.valuation import Valuation
from shared.instruments import Instrument, Payoff, TickStep
from shared.kernel import Nanos
from shared.units import HOUR, Side, is_multiple, on_grid, round_down, round_up

_SETTLEMENTS_MAX = 1_000
_FEE_MAX = 0.1
_TICKS_MAX = 65_536


class Marked(msgspec.Struct, frozen=True, gc=False):
    """What follows from a mark and an index: the worth of a lot at the mark, and the price band."""

    worth: int
    band: tuple[float, float]


class Contract:
    """Everything the exchange knows of one instrument."""

    def __init__(
        self, now: Nanos, listing: Listing, index: float, numbering: Numbering, rules: Rules
    ) -> None:
        self.listing = listing
        self.instrument = listing.instrument
        self.name = listing.name
        self.grid = listing.grid
        self.step = self.instrument.amount_step
        self.state = self.instrument.state
        self.locked = False
        self.hold = Nanos(0 if listing.exempt_from_hold else round(rules.hold_ms * 1e6))
        self.book = Book()
        self.tape = Tape()
        self.valuation = Valuation(now, listing, index, rules.mark_window_seconds)
        self.settlement_price = round(index, 2)
        self.delivery_price: float | None = None
        self.initial_margin_rate = rules.initial_margin_rate
        self.maintenance_margin_rate = rules.maintenance_margin_rate
        self.counts_both_sides = rules.open_orders_margin == "both_sides"
        self.estimated_delivery_price: float | None = None
        self.open_share = 1.0
        self.gross_lots = 0
        self.archive_at: Nanos | None = None
        self.settlements: deque[Settlement] = deque(maxlen=_SETTLEMENTS_MAX)
        self._inverse = self.instrument.payoff is Payoff.INVERSE
        self._scale = self.step * QUANTA
        self._whole = (self.step * 1024.0).is_integer()
        self.ticks: dict[float | None, int] = {}
        self._prices: dict[int, float] = {}
        self.marked = self._at_mark()
        self._numbering = numbering
        self._change_id = numbering.change_id()
        self._changed = now

    def price(self, tick: int) -> float:
        """Ticks to USD per coin."""
        price = self._prices.get(tick)
        if price is None:
            price = self._prices[tick] = on_grid(tick, self.grid)
        return price

    def tick(self, price: float) -> int:
        """USD per coin to the nearest tick."""
        return round(price / self.grid)

    def admit(self, price: float) -> int:
        """The tick of a price that was found to be on the grid, kept in `ticks` for the next time."""
        if len(self.ticks) >= _TICKS_MAX:
            self.ticks.clear()
        tick = self.ticks[price] = self.tick(price)
        return tick

    def amount(self, lots: int) -> float:
        """Lots to the instrument's amount unit."""
        return lots * self.step if self._whole else on_grid(lots, self.step)

    def worth(self, price: float) -> int:
        """What one lot counts at a price, in quanta."""
        return -round(self._scale / price) if self._inverse else round(self._scale * price)

    def sample(self, now: Nanos) -> bool:
        """Let time pass for the mark with the book as it is; says whether the mark moved."""
        moved = self.valuation.sample(now, *self.best())
        if moved:
            self.marked = self._at_mark()
        return moved

    def publish(self, now: Nanos, index: float) -> None:
        """The index has another price."""
        self.valuation.accrue(now)
        self.valuation.index = index
        self.marked = self._at_mark()

    def price_of(self, lots: int, cost: int) -> float:
        """The average price behind the cost of a position."""
        return -self._scale * lots / cost if self._inverse else cost / (self._scale * lots)

    def margin_unit(self) -> float:
        """What a base coin of margin is in the settlement coin."""
        return 1.0 if self._inverse else self.valuation.index

    def change_instrument(
        self,
        *,
        tick: float | None = None,
        tick_steps: tuple[TickStep, ...] | None = None,
        maker_fee: float | None = None,
        taker_fee: float | None = None,
    ) -> None:
        """Give the instrument another tick or other fees; what rests stays where it is.

        Raises ValueError for a tick that is no multiple of the listing's grid, and for a fee beyond a tenth.
        """
        present = self.instrument
        for fee in (maker_fee, taker_fee):
            if fee is not None and not abs(fee) <= _FEE_MAX:
                raise ValueError(f"a fee is a fraction within {_FEE_MAX} either way, got {fee}")
        steps = present.tick_steps if tick_steps is None else tick_steps
        wanted = present.tick if tick is None else tick
        for size in (wanted, *(step.tick for step in steps)):
            if not size > self.grid / 2.0 or not is_multiple(size, self.grid):
                raise ValueError(
                    f"a tick of {self.name} must be a positive multiple of {self.grid}, got {size}"
                )
        self.instrument = msgspec.structs.replace(
            present,
            tick=wanted,
            tick_steps=steps,
            maker_fee=present.maker_fee if maker_fee is None else maker_fee,
            taker_fee=present.taker_fee if taker_fee is None else taker_fee,
        )
        self.listing = msgspec.structs.replace(self.listing, instrument=self.instrument)
        self.marked = self._at_mark()
        self.ticks.clear()

    def current(self) -> Listing:
        """The listing with its present state."""
        if self.instrument.state is self.state:
            return self.listing
        instrument: Instrument = msgspec.structs.replace(self.instrument, state=self.state)
        return msgspec.structs.replace(self.listing, instrument=instrument)

    def best(self) -> tuple[float | None, float | None]:
        """Best bid and ask in USD per coin."""
        bid, ask = self.book.best(BID), self.book.best(ASK)
        return (
            None if bid is None else self.price(bid),
            None if ask is None else self.price(ask),
        )

    def inside(self, sign: int) -> int:
        """The best tick at which an order of this sign rests without trading."""
        opposite = self.book.best(-sign)
        if opposite is None:
            raise ValueError("nothing to stay inside of: the opposite side is empty")
        side = Side.BUY if sign > 0 else Side.SELL
        beyond = self.price(opposite - sign)
        return self.tick(self.instrument.passive_price(side, beyond))

    def band(self) -> tuple[float, float]:
        """Lowest price of a sell and highest price of a buy that the venue accepts now."""
        return self.marked.band

    def initial_margin(self, lots: int) -> float:
        """Initial margin in base coin for a position or exposure of this size."""
        return self._margin(lots, self.initial_margin_rate)

    def maintenance_margin(self, lots: int) -> float:
        """Maintenance margin in base coin for a position of this size."""
        return self._margin(lots, self.maintenance_margin_rate)

    def take_book_change(self, now: Nanos) -> BookChanged | None:
        """What changed in the book since the last call, under a new change id; None: nothing."""
        book = self.book
        bids = self._told(book.bids) if book.bids.before else ()
        asks = self._told(book.asks) if book.asks.before else ()
        if not bids and not asks:
            return None
        previous, self._change_id = self._change_id, self._numbering.change_id()
        self._changed = now
        return BookChanged(now, self.name, previous, self._change_id, bids, asks)

    def book_view(self) -> BookView:
        """The full book, best first."""
        bids, asks = (
            tuple((self.price(tick), self.amount(lots)) for tick, lots in self.book.depth(half))
            for half in (BID, ASK)
        )
        return BookView(
            instrument=self.name, ts=self._changed, change_id=self._change_id, bids=bids, asks=asks
        )

    def ticker(self, now: Nanos) -> TickerView:
        """Everything the venue's ticker says."""
        bid, ask = self.book.best(BID), self.book.best(ASK)
        low, high = self.band()
        valuation, perpetual = self.valuation, self.instrument.perpetual
        valuation.accrue(now)
        interest = self.amount(self.gross_lots // 2)
        return TickerView(
            instrument=self.name,
            ts=now,
            state=self.state,
            best_bid_price=None if bid is None else self.price(bid),
            best_bid_amount=0.0 if bid is None else self.amount(self.book.lots_at(BID, bid)),
            best_ask_price=None if ask is None else self.price(ask),
            best_ask_amount=0.0 if ask is None else self.amount(self.book.lots_at(ASK, ask)),
            last_price=self.tape.last_price,
            mark_price=valuation.mark,
            index_price=valuation.index,
            min_price=low,
            max_price=high,
            estimated_delivery_price=self.estimated_delivery_price or valuation.index,
            settlement_price=self.settlement_price,
            delivery_price=self.delivery_price,
            # Of inverse contracts it counts dollars, and every recording has an integer there.
            open_interest=round(interest) if self._inverse else interest,
            current_funding=valuation.rate if perpetual else None,
            funding_8h=valuation.funded_between(Nanos(now - 8 * HOUR), now) if perpetual else None,
            interest_value=valuation.interest if perpetual else None,
            stats=self.tape.stats(now),
        )

    def _at_mark(self) -> Marked:
        mark, index = self.valuation.mark, self.valuation.index
        width, far = self.listing.price_band, self.listing.index_band
        low = max(mark * (1.0 - width), index * (1.0 - far))
        high = min(mark * (1.0 + width), index * (1.0 + far))
        tick_at = self.instrument.tick_at
        band = (round_up(low, tick_at(low)), round_down(high, tick_at(high)))
        return Marked(self.worth(mark), band)

    def _margin(self, lots: int, rate: float) -> float:
        amount = lots * self.step if self._whole else on_grid(lots, self.step)
        size = abs(amount / self.valuation.mark if self._inverse else amount)
        return (rate + self.listing.margin_slope * size) * size

    def _told(self, half: Half) -> tuple[LevelChange, ...]:
        if len(half.before) > 1:
            return tuple([self._level(*change) for change in half.take_changes()])
        # The usual case, without a list for the one.
        rank, before = half.before.popitem()
        level = half.levels.get(rank)
        now = 0 if level is None else level.lots
        return () if now == before else (self._level(half.sign * rank, before, now),)

    def _level(self, tick: int, before: int, now: int) -> LevelChange:
        action = "delete" if not now else "change" if before else "new"
        amount = now * self.step if self._whole else on_grid(now, self.step)
        return LevelChange(action, self._prices.get(tick) or self.price(tick), amount)
