"""Market data: books, trades, tickers, listed instruments, states.

A book state this system does not know (the venue had others before 2026) counts as HALTED: nothing is
quoted on it.
"""

import msgspec

from shared.deribit.codec import words
from shared.deribit.codec.reading import RawJson, Reader, VenueFault, excerpt
from shared.instruments import BookState, Instrument, Payoff, TickStep
from shared.kernel import Nanos
from shared.messages import Level, Ticker, Trade, Trades
from shared.units import Side, from_ms


class BookFrame(msgspec.Struct, frozen=True, kw_only=True):
    """One frame of a full-depth book channel. An amount of 0 deletes the level.

    A change continues the book whose `change_id` equals its `prev_change_id`; ids jump.
    """

    instrument: str
    ts: Nanos
    change_id: int
    prev_change_id: int | None
    snapshot: bool
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class InstrumentState(msgspec.Struct, frozen=True):
    """A book state changed."""

    instrument: str
    state: BookState
    ts: Nanos


class PlatformState(msgspec.Struct, frozen=True):
    """A lock of one index, or maintenance ahead (then `index` is empty)."""

    index: str
    locked: bool
    maintenance: bool


_PAYOFFS = {"reversed": Payoff.INVERSE, "linear": Payoff.LINEAR}

_BOOK = Reader("book", msgspec.json.Decoder(words.Book, strict=False))
_TRADES = Reader("trades", msgspec.json.Decoder(list[words.Trade], strict=False))
_TICKER = Reader("ticker", msgspec.json.Decoder(words.Ticker, strict=False))
_INSTRUMENTS = Reader("instruments", msgspec.json.Decoder(list[msgspec.Raw]))
_KIND = Reader("instrument", msgspec.json.Decoder(words.Kind))
_INSTRUMENT = Reader("instrument", msgspec.json.Decoder(words.Instrument, strict=False))
_INSTRUMENT_STATE = Reader(
    "instrument state", msgspec.json.Decoder(words.InstrumentState, strict=False)
)
_PLATFORM_STATE = Reader("platform state", msgspec.json.Decoder(words.PlatformState, strict=False))


def decode_book(data: RawJson) -> BookFrame:
    """A frame of `book.{instrument}.{interval}`; grouped books are a fault.

    Frames recorded before 2021 have no `type`: there the one without a predecessor is the snapshot.
    """
    book = _BOOK(data)
    snapshot = book.prev_change_id is None if book.type is None else book.type == "snapshot"
    if not snapshot and book.prev_change_id is None:
        raise VenueFault(f"book: expected prev_change_id on a change, came none; {excerpt(data)}")
    return BookFrame(
        instrument=book.instrument_name,
        ts=from_ms(book.timestamp),
        change_id=book.change_id,
        prev_change_id=book.prev_change_id,
        snapshot=snapshot,
        bids=_levels(book.bids),
        asks=_levels(book.asks),
    )


def decode_trades(data: RawJson, seen: Nanos) -> Trades:
    """A frame of `trades.{instrument}.{interval}`, oldest first; `ts` is the last trade's."""
    trades = _TRADES(data)
    names = {trade.instrument_name: None for trade in trades}
    if len(names) != 1:
        raise VenueFault(f"trades: expected trades of one instrument, came {list(names)}")
    return Trades(
        ts=from_ms(trades[-1].timestamp),
        instrument=trades[-1].instrument_name,
        seen=seen,
        trades=tuple(
            Trade(
                trade_id=trade.trade_id,
                trade_seq=trade.trade_seq,
                ts=from_ms(trade.timestamp),
                price=trade.price,
                amount=trade.amount,
                side=Side(trade.direction),
            )
            for trade in trades
        ),
    )


def decode_ticker(data: RawJson, seen: Nanos) -> Ticker:
    """A ticker, from the channel or the method."""
    ticker = _TICKER(data)
    return Ticker(
        ts=from_ms(ticker.timestamp),
        instrument=ticker.instrument_name,
        seen=seen,
        state=_book_state(ticker.state),
        mark_price=ticker.mark_price,
        index_price=ticker.index_price,
        last_price=ticker.last_price,
        min_price=ticker.min_price,
        max_price=ticker.max_price,
        settlement_price=ticker.settlement_price,
        open_interest=ticker.open_interest or 0.0,
        current_funding=ticker.current_funding,
        funding_8h=ticker.funding_8h,
    )


def decode_instruments(data: RawJson) -> tuple[Instrument, ...]:
    """Futures and perpetuals of `get_instruments` in the venue's order.

    Options, spot, combinations and payoffs other than inverse and linear are left out.
    """
    listed = []
    for raw in _INSTRUMENTS(data):
        kind = _KIND(raw)
        payoff = _PAYOFFS.get(kind.instrument_type or kind.future_type or "")
        if kind.kind == "future" and payoff is not None:
            listed.append(_instrument(_INSTRUMENT(raw), payoff))
    return tuple(listed)


def decode_instrument_state(data: RawJson) -> InstrumentState:
    """A frame of `instrument.state.*`."""
    change = _INSTRUMENT_STATE(data)
    return InstrumentState(
        change.instrument_name, _book_state(change.state), from_ms(change.timestamp)
    )


def decode_platform_state(data: RawJson) -> PlatformState:
    """A frame of `platform_state`."""
    platform = _PLATFORM_STATE(data)
    return PlatformState(
        platform.price_index or "",
        locked=bool(platform.locked),
        maintenance=bool(platform.maintenance),
    )


def _levels(steps: list[words.Step]) -> tuple[Level, ...]:
    # A list first: a tuple from a generator takes half as long again, and every frame has two.
    return tuple(
        [(price, 0.0 if action == "delete" else amount) for action, price, amount in steps]
    )


def _instrument(listed: words.Instrument, payoff: Payoff) -> Instrument:
    settlement = listed.settlement_currency
    if settlement is None:
        settlement = listed.base_currency if payoff is Payoff.INVERSE else listed.quote_currency
    if listed.state is None:
        state = BookState.OPEN if listed.is_active else BookState.INACTIVE
    else:
        state = _book_state(listed.state)
    return Instrument(
        name=listed.instrument_name,
        payoff=payoff,
        base=listed.base_currency,
        settlement=settlement,
        index=listed.price_index or f"{listed.base_currency}_{listed.quote_currency}".lower(),
        perpetual=listed.settlement_period == "perpetual",
        expiry=from_ms(listed.expiration_timestamp),
        tick=listed.tick_size,
        tick_steps=tuple(
            TickStep(step.above_price, step.tick_size) for step in listed.tick_size_steps or ()
        ),
        contract_size=listed.contract_size,
        amount_step=listed.min_trade_amount,
        maker_fee=listed.maker_commission,
        taker_fee=listed.taker_commission,
        state=state,
    )


def _book_state(text: str) -> BookState:
    try:
        return BookState(text)
    except ValueError:
        return BookState.HALTED
