"""Market data to our types: what is read, what is tolerated, and one way to fail."""

from typing import Any

import msgspec
import pytest

from shared.deribit import codec
from shared.deribit.codec import VenueFault
from shared.instruments import BookState, Payoff
from shared.kernel import Nanos
from shared.units import Side
from tests.unit.deribit.payloads import (
    BOOK,
    LISTED,
    PUBLIC_TRADE,
    TICKER,
    raw,
    without,
)

NOW = Nanos(1_790_000_000_500_000_000)


def test_a_change_of_a_book_continues_its_predecessor_and_deletes_with_an_amount_of_zero() -> None:
    frame = codec.decode_book(raw(BOOK))
    assert frame.instrument == "BTC-PERPETUAL"
    assert frame.ts == 1_790_000_000_200_000_000
    assert (frame.prev_change_id, frame.change_id) == (136069961946, 136069962003)
    assert not frame.snapshot
    assert frame.bids == ((60029.5, 11000.0), (60029.0, 0.0))
    assert frame.asks == ((60030.5, 20.0),)


@pytest.mark.parametrize("predecessor", [{}, {"prev_change_id": None}])
@pytest.mark.parametrize("typed", [{"type": "snapshot"}, {}, {"type": None}])
def test_a_frame_without_predecessor_is_a_snapshot_with_or_without_its_type(
    predecessor: dict[str, Any], typed: dict[str, Any]
) -> None:
    frame = codec.decode_book(raw(without(BOOK, "type", "prev_change_id") | predecessor | typed))
    assert frame.snapshot


def test_a_delete_removes_the_level_whatever_amount_it_carries() -> None:
    frame = codec.decode_book(raw(BOOK | {"bids": [["delete", 60029.0, 500.0]]}))
    assert frame.bids == ((60029.0, 0.0),)


def test_payloads_are_read_from_raw_json_as_the_session_hands_it_on() -> None:
    assert codec.decode_book(msgspec.Raw(raw(BOOK))) == codec.decode_book(raw(BOOK))
    with pytest.raises(VenueFault, match="book"):
        codec.decode_book(msgspec.Raw(b'{"bids":1}'))


def test_integers_printed_as_floats_or_in_scientific_notation_are_read() -> None:
    text = raw(BOOK).replace(b"1790000000200", b"1.7900000002e12").replace(b"60030.5", b"6.00305e4")
    assert codec.decode_book(text) == codec.decode_book(raw(BOOK))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"bids": [[60029.5, 100.0]]}, "bids"),
        ({"bids": [["change", "x", 1.0]]}, "bids"),
        ({"asks": [["moved", 60030.5, 1.0]]}, "asks"),
        ({"asks": [["new", -1.0, 1.0]]}, "asks"),
        ({"asks": [["new", 60030.5, -1.0]]}, "asks"),
        ({"asks": [["new", "inf", 1.0]]}, "asks"),
        ({"asks": None}, "asks"),
        ({"change_id": None}, "change_id"),
        ({"change_id": 1.5}, "change_id"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"type": "update"}, "type"),
        ({"prev_change_id": None}, "prev_change_id"),
        ({"instrument_name": ""}, "instrument_name"),
    ],
)
def test_a_book_that_cannot_be_used_is_a_fault_that_names_its_field(
    change: dict[str, Any], field: str
) -> None:
    with pytest.raises(VenueFault, match=rf"book: .*{field}") as fault:
        codec.decode_book(raw(BOOK | change))
    assert "xpected" in str(fault.value)
    assert "came" in str(fault.value)


def test_a_ticker_becomes_our_message() -> None:
    ticker = codec.decode_ticker(raw(TICKER), NOW)
    assert (ticker.instrument, ticker.seen, ticker.state) == ("BTC-PERPETUAL", NOW, BookState.OPEN)
    assert ticker.ts == 1_790_000_000_086_000_000
    assert (ticker.mark_price, ticker.index_price) == (60035.4, 60035.2)
    assert (ticker.min_price, ticker.max_price) == (59100.0, 60900.0)
    assert (ticker.current_funding, ticker.funding_8h) == (0.0, 1.7e-05)
    assert ticker.open_interest == 1.1e9


def test_a_dated_future_has_no_funding_and_a_ticker_may_lack_its_last_price() -> None:
    payload = without(TICKER, "current_funding", "funding_8h") | {"last_price": None}
    ticker = codec.decode_ticker(raw(payload), NOW)
    assert (ticker.current_funding, ticker.funding_8h, ticker.last_price) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "state"),
    [("settlement", BookState.SETTLEMENT), ("closed", BookState.HALTED), ("new", BookState.HALTED)],
)
def test_a_book_state_this_system_does_not_know_stops_quoting(text: str, state: Any) -> None:
    assert codec.decode_ticker(raw(TICKER | {"state": text}), NOW).state is state


@pytest.mark.parametrize("member", ["mark_price", "index_price", "min_price", "state"])
def test_a_ticker_without_what_quoting_needs_is_a_fault(member: str) -> None:
    with pytest.raises(VenueFault, match=member):
        codec.decode_ticker(raw(without(TICKER, member)), NOW)


def test_trades_of_a_frame_keep_their_order_and_the_takers_side() -> None:
    second = PUBLIC_TRADE | {"trade_seq": 271252855, "trade_id": "403691825", "direction": "buy"}
    trades = codec.decode_trades(raw([PUBLIC_TRADE, second]), NOW)
    assert trades.instrument == "BTC-PERPETUAL"
    assert [trade.trade_seq for trade in trades.trades] == [271252854, 271252855]
    assert [trade.side for trade in trades.trades] == [Side.SELL, Side.BUY]
    assert trades.ts == 1_790_000_000_452_000_000


@pytest.mark.parametrize("frame", [[], [PUBLIC_TRADE, PUBLIC_TRADE | {"instrument_name": "X"}]])
def test_trades_must_be_of_one_instrument(frame: Any) -> None:
    with pytest.raises(VenueFault, match="one instrument"):
        codec.decode_trades(raw(frame), NOW)


def test_a_listed_future_becomes_an_instrument() -> None:
    (instrument,) = codec.decode_instruments(raw([LISTED]))
    assert instrument.name == "BTC-27MAR26"
    assert instrument.payoff is Payoff.INVERSE
    assert not instrument.perpetual
    assert instrument.expiry == 1_774_598_400_000_000_000
    assert (instrument.tick, instrument.tick_at(100_001.0)) == (2.5, 5.0)
    assert (instrument.amount_step, instrument.contract_size) == (10.0, 10.0)
    assert (instrument.maker_fee, instrument.taker_fee) == (-0.0001, 0.0005)


def test_options_spot_and_unknown_payoffs_are_left_out_and_order_is_kept() -> None:
    perpetual = LISTED | {"instrument_name": "BTC-PERPETUAL", "settlement_period": "perpetual"}
    listed = codec.decode_instruments(
        raw(
            [
                {"kind": "option", "strike": 1},
                perpetual,
                {"kind": "spot"},
                LISTED | {"instrument_type": "quanto"},
                LISTED,
            ]
        )
    )
    assert [i.name for i in listed] == ["BTC-PERPETUAL", "BTC-27MAR26"]
    assert listed[0].perpetual


def test_members_that_older_listings_lack_follow_from_the_others() -> None:
    old = without(LISTED, "instrument_type", "settlement_currency", "price_index", "state")
    (instrument,) = codec.decode_instruments(
        raw([old | {"future_type": "reversed", "is_active": False}])
    )
    assert (instrument.settlement, instrument.index) == ("BTC", "btc_usd")
    assert instrument.state is BookState.INACTIVE


def test_a_linear_contract_settles_in_its_quote_currency() -> None:
    payload = without(LISTED, "settlement_currency") | {
        "instrument_type": "linear",
        "quote_currency": "USDC",
    }
    (instrument,) = codec.decode_instruments(raw([payload]))
    assert (instrument.payoff, instrument.settlement) == (Payoff.LINEAR, "USDC")
