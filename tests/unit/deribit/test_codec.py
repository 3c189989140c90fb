"""Payloads to our types: what is read, what is tolerated, and one way to fail."""

import json
import math
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.deribit import codec
from shared.deribit.codec import VenueFault
from shared.deribit.credits import Limit, RateLimits
from shared.instruments import BookState, Payoff
from shared.kernel import Nanos
from shared.messages import Liquidity, OrderState
from shared.units import Side

NOW = Nanos(1_790_000_000_500_000_000)

BOOK = {
    "type": "change",
    "timestamp": 1790000000200,
    "instrument_name": "BTC-PERPETUAL",
    "prev_change_id": 136069961946,
    "change_id": 136069962003,
    "bids": [["change", 60029.5, 11000.0], ["delete", 60029.0, 0.0]],
    "asks": [["new", 60030.5, 20.0]],
}
TICKER = {
    "timestamp": 1790000000086,
    "instrument_name": "BTC-PERPETUAL",
    "state": "open",
    "mark_price": 60035.4,
    "index_price": 60035.2,
    "min_price": 59100.0,
    "max_price": 60900.0,
    "last_price": 60030.0,
    "settlement_price": 59900.0,
    "open_interest": 1.1e9,
    "current_funding": 0.0,
    "funding_8h": 1.7e-05,
}
PUBLIC_TRADE = {
    "trade_seq": 271252854,
    "trade_id": "403691824",
    "timestamp": 1790000000452,
    "price": 60030.5,
    "amount": 10.0,
    "direction": "sell",
    "instrument_name": "BTC-PERPETUAL",
}
LISTED = {
    "kind": "future",
    "instrument_type": "reversed",
    "instrument_name": "BTC-27MAR26",
    "base_currency": "BTC",
    "quote_currency": "USD",
    "settlement_currency": "BTC",
    "price_index": "btc_usd",
    "settlement_period": "month",
    "expiration_timestamp": 1774598400000,
    "tick_size": 2.5,
    "tick_size_steps": [{"above_price": 100000.0, "tick_size": 5.0}],
    "contract_size": 10.0,
    "min_trade_amount": 10.0,
    "maker_commission": -0.0001,
    "taker_commission": 5e-4,
    "is_active": True,
    "state": "open",
}
ORDER = {
    "order_id": "74000000001",
    "order_state": "open",
    "order_type": "limit",
    "direction": "buy",
    "price": 6.01e4,
    "amount": 40.0,
    "filled_amount": 10.0,
    "average_price": 60037.0,
    "creation_timestamp": 1790000000849,
    "last_update_timestamp": 1790000000949,
    "label": "mm-1",
    "instrument_name": "BTC-PERPETUAL",
    "post_only": True,
    "reduce_only": False,
}
TRADE = {
    "trade_id": "208000001",
    "trade_seq": 123000001,
    "order_id": "74000000001",
    "timestamp": 1790000000849,
    "price": 60037.0,
    "amount": 10.0,
    "direction": "buy",
    "liquidity": "T",
    "fee": 6e-8,
    "fee_currency": "BTC",
    "profit_loss": -4.0e-7,
    "mark_price": 60035.4,
    "index_price": 60035.2,
    "matching_id": None,
    "label": "mm-1",
    "instrument_name": "BTC-PERPETUAL",
}
POSITION = {
    "instrument_name": "BTC-PERPETUAL",
    "kind": "future",
    "direction": "sell",
    "size": -40.0,
    "average_price": 60037.0,
    "mark_price": 60035.4,
    "settlement_price": 59900.0,
    "delta": -0.000666,
    "floating_profit_loss": 1e-9,
    "realized_profit_loss": -3.97e-7,
    "realized_funding": 0.0,
    "interest_value": 0.27,
}
ACCOUNT = {
    "currency": "BTC",
    "equity": 0.9,
    "balance": 0.8,
    "initial_margin": 0.01,
    "maintenance_margin": 0.005,
    "available_funds": 0.89,
    "session_rpl": 0.1,
    "session_upl": 0.0,
    "delta_total": -0.5,
}


def raw(payload: object) -> bytes:
    return json.dumps(payload).encode()


def without(payload: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if name not in names}


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


def test_an_order_is_read_with_its_fills() -> None:
    order = codec.decode_order(raw(ORDER))
    assert (order.order_id, order.label, order.side) == ("74000000001", "mm-1", Side.BUY)
    assert order.state is OrderState.OPEN
    assert (order.price, order.amount, order.filled) == (60100.0, 40.0, 10.0)
    assert order.post_only
    assert order.updated - order.created == 100_000_000


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("open", OrderState.OPEN),
        ("untriggered", OrderState.OPEN),
        ("filled", OrderState.FILLED),
        ("cancelled", OrderState.CANCELLED),
        ("rejected", OrderState.REJECTED),
    ],
)
def test_order_states_are_ours(text: str, state: Any) -> None:
    assert codec.decode_order(raw(ORDER | {"order_state": text})).state is state


def test_an_untriggered_market_order_has_no_price_and_no_fills() -> None:
    payload = without(ORDER, "filled_amount", "average_price", "label") | {"price": "market_price"}
    order = codec.decode_order(raw(payload | {"post_only": "true"}))
    assert (order.price, order.filled, order.label, order.post_only) == (None, 0.0, "", True)


def test_an_order_state_nobody_knows_is_a_fault() -> None:
    with pytest.raises(VenueFault, match=r"order_state expected one of .* came 'lost'"):
        codec.decode_order(raw(ORDER | {"order_state": "lost"}))


def test_orders_come_as_an_array_or_alone() -> None:
    assert len(codec.decode_orders(raw([ORDER, ORDER]))) == 2
    assert codec.decode_orders(raw(ORDER)) == codec.decode_orders(raw([ORDER]))
    assert codec.decode_orders(b"[]") == ()


def test_the_answer_to_an_order_carries_its_immediate_fills() -> None:
    result = codec.decode_order_result(raw({"order": ORDER, "trades": [TRADE]}))
    assert result.order.order_id == result.trades[0].order_id
    assert codec.decode_order_result(raw({"order": ORDER})).trades == ()


def test_a_trade_of_ours_is_read_with_its_fee_and_role() -> None:
    (trade,) = codec.decode_user_trades(
        raw(
            [
                TRADE,
            ]
        )
    )
    assert (trade.trade_id, trade.side, trade.liquidity) == ("208000001", Side.BUY, Liquidity.TAKER)
    assert (trade.fee, trade.realized) == (6e-8, -4e-7)


def test_a_fill_is_not_lost_over_a_missing_mark_index_or_label() -> None:
    payload = without(TRADE, "label", "mark_price", "trade_seq") | {
        "index_price": None,
        "profit_loss": None,
    }
    (trade,) = codec.decode_user_trades(raw([payload]))
    assert (trade.mark_price, trade.index_price) == (60037.0, 60037.0)
    assert (trade.label, trade.realized) == ("", 0.0)


@pytest.mark.parametrize("member", ["trade_id", "order_id", "price", "amount", "direction", "fee"])
def test_a_fill_without_what_a_position_is_made_of_is_a_fault(member: str) -> None:
    with pytest.raises(VenueFault, match=member):
        codec.decode_user_trades(raw([without(TRADE, member)]))


def test_a_page_of_trades_says_whether_there_is_more_and_may_be_a_bare_array() -> None:
    assert codec.decode_trade_page(raw({"trades": [TRADE], "has_more": True})).has_more
    page = codec.decode_trade_page(raw([TRADE]))
    assert (len(page.trades), page.has_more) == (1, False)


def test_changes_hold_orders_trades_and_positions_of_one_instrument() -> None:
    changes = codec.decode_changes(
        raw(
            {
                "instrument_name": "BTC-PERPETUAL",
                "orders": [ORDER],
                "trades": [],
                "positions": [POSITION],
            }
        )
    )
    assert (len(changes.orders), changes.trades, len(changes.positions)) == (1, (), 1)


def test_a_short_position_is_negative() -> None:
    (position,) = codec.decode_positions(raw([POSITION]))
    assert position.amount == -40.0
    assert (position.realized, position.interest_value) == (-3.97e-7, 0.27)
    with pytest.raises(VenueFault, match="size expected negative"):
        codec.decode_positions(raw([POSITION | {"size": 40.0}]))


def test_a_flat_position_is_flat_whatever_direction_it_shows() -> None:
    for direction in ("zero", "buy", "sell"):
        (position,) = codec.decode_positions(raw(POSITION | {"size": 0.0, "direction": direction}))
        assert position.amount == 0.0


def test_an_account_takes_only_fees_that_are_its_own_for_perpetuals() -> None:
    fee = {
        "currency": "btc",
        "fee_type": "fixed",
        "instrument_type": "perpetual",
        "maker_fee": -1e-05,
        "taker_fee": 0.0003,
    }
    account = codec.decode_account(raw(ACCOUNT | {"fees": [fee]}), NOW)
    assert (account.maker_fee, account.taker_fee) == (-1e-05, 0.0003)
    for other in ({"currency": "ETH"}, {"fee_type": "relative"}, {"instrument_type": "option"}):
        assert codec.decode_account(raw(ACCOUNT | {"fees": [fee | other]}), NOW).maker_fee is None
    assert codec.decode_account(raw(ACCOUNT), NOW).taker_fee is None


GROUPS = {
    "trading": {"total": {"rate": 5, "burst": 20}, "perpetuals": {"rate": 3, "burst": 15}},
    "spot": {"rate": 5, "burst": 20},
    "cancel_all": {"rate": 4, "burst": 10},
}


@pytest.mark.parametrize("matching", [GROUPS, {"btc": GROUPS, "eth": {}}])
def test_limits_are_read_for_all_currencies_or_per_currency(matching: dict[str, Any]) -> None:
    payload = {
        "limits": {
            "limits_per_currency": "btc" in matching,
            "non_matching_engine": {"rate": 20, "burst": 100},
            "matching_engine": matching,
        }
    }
    assert codec.decode_limits(raw(ACCOUNT | payload), "BTC") == RateLimits(
        trading=Limit(3.0, 15), cancel_all=Limit(4.0, 10), queries=Limit(20.0, 100)
    )


def test_an_account_without_limits_has_none_and_unreadable_ones_are_a_fault() -> None:
    assert codec.decode_limits(raw(ACCOUNT), "BTC") is None
    with pytest.raises(VenueFault, match="limits"):
        codec.decode_limits(raw({"limits": {"matching_engine": 2}}), "BTC")


def test_small_frames_are_read() -> None:
    assert codec.decode_cancel_count(b"3.0") == 3
    state = codec.decode_instrument_state(
        raw({"instrument_name": "BTC-27MAR26", "state": "settlement", "timestamp": 1790000000000})
    )
    assert (state.instrument, state.state) == ("BTC-27MAR26", BookState.SETTLEMENT)
    locked = codec.decode_platform_state(raw({"locked": True, "price_index": "btc_usd"}))
    assert (locked.index, locked.locked, locked.maintenance) == ("btc_usd", True, False)
    assert codec.decode_platform_state(raw({"maintenance": True})).maintenance
    assert codec.decode_account_lock(raw({"currency": "ALL", "locked": True})).locked


Decode = Callable[[bytes], object]

DECODERS: list[tuple[Decode, Any]] = [
    (codec.decode_book, BOOK),
    (lambda data: codec.decode_ticker(data, NOW), TICKER),
    (lambda data: codec.decode_trades(data, NOW), [PUBLIC_TRADE]),
    (codec.decode_instruments, [LISTED]),
    (codec.decode_order, ORDER),
    (codec.decode_orders, [ORDER]),
    (codec.decode_order_result, {"order": ORDER, "trades": [TRADE]}),
    (codec.decode_user_trades, [TRADE]),
    (codec.decode_trade_page, {"trades": [TRADE], "has_more": False}),
    (codec.decode_changes, {"instrument_name": "X", "orders": [ORDER], "positions": [POSITION]}),
    (codec.decode_positions, [POSITION]),
    (lambda data: codec.decode_account(data, NOW), ACCOUNT | {"fees": [{"currency": "BTC"}]}),
    (
        lambda data: codec.decode_limits(data, "BTC"),
        {"limits": {"matching_engine": GROUPS, "non_matching_engine": {"rate": 1, "burst": 1}}},
    ),
    (codec.decode_cancel_count, 3),
    (codec.decode_instrument_state, {"instrument_name": "X", "state": "open", "timestamp": 1}),
    (codec.decode_platform_state, {"locked": True, "price_index": "btc_usd"}),
    (codec.decode_account_lock, {"currency": "ALL", "locked": True}),
]
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "open", "buy", "nan", "inf", "-1", "1e999", "snapshot", "true", "null"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["total", "rate", "btc", "order_id"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def numbers_in(value: Any) -> list[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [number for inner in value for number in numbers_in(inner)]
    return [value] if isinstance(value, int | float) else []


@st.composite
def broken(draw: st.DrawFn, payload: Any) -> Any:
    """A payload with one member, at any depth, replaced or removed."""
    if isinstance(payload, dict) and payload and draw(st.integers(0, 9)) > 0:
        name = draw(st.sampled_from(sorted(payload)))
        if draw(st.integers(0, 4)) == 0:
            return without(payload, name)
        return payload | {name: draw(broken(payload[name]))}
    if isinstance(payload, list) and payload and draw(st.booleans()):
        return [draw(broken(payload[0])), *payload[1:]]
    return draw(ANYTHING)


@given(st.data())
def test_a_decoder_gives_our_type_or_a_fault_and_nothing_else(data: st.DataObject) -> None:
    decode, payload = data.draw(st.sampled_from(DECODERS))
    text = data.draw(broken(payload).map(raw) | st.binary(max_size=30))
    if data.draw(st.booleans()):
        text = text[: data.draw(st.integers(0, len(text)))]
    try:
        decoded = decode(text)
    except VenueFault:
        return
    numbers = numbers_in(msgspec.to_builtins(decoded))
    assert all(math.isfinite(number) for number in numbers)


@pytest.mark.parametrize(("decode", "payload"), DECODERS)
def test_every_decoder_takes_its_sample_and_refuses_nesting_without_end(
    decode: Decode, payload: Any
) -> None:
    assert decode(raw(payload)) is not None
    with pytest.raises(VenueFault):
        decode(b"[" * 100_000 + b"]" * 100_000)
