"""Orders, trades, positions and the account to our types."""

from typing import Any

import pytest

from shared.deribit import codec
from shared.deribit.codec import VenueFault
from shared.deribit.credits import Limit, RateLimits
from shared.instruments import BookState
from shared.kernel import Nanos
from shared.messages import Liquidity, OrderState
from shared.units import Side
from tests.unit.deribit.payloads import (
    ACCOUNT,
    GROUPS,
    ORDER,
    POSITION,
    TRADE,
    raw,
    without,
)

NOW = Nanos(1_790_000_000_500_000_000)


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
    fee = {"type": "fixed", "maker": -1e-05, "taker": 0.0003}
    fees = {"btc_usd": {"perpetual": {"default": fee}}}
    account = codec.decode_account(raw(ACCOUNT | {"fees": fees}), NOW)
    assert (account.maker_fee, account.taker_fee) == (-1e-05, 0.0003)
    for other in (
        {"eth_usd": fees["btc_usd"]},
        {"btc_usd": {"option": {"default": fee}}},
        {"btc_usd": {"perpetual": {"default": fee | {"type": "relative"}}}},
        {"btc_usd": {"perpetual": {"block_trade": fee}}},
    ):
        assert codec.decode_account(raw(ACCOUNT | {"fees": other}), NOW).maker_fee is None
    assert codec.decode_account(raw(ACCOUNT), NOW).taker_fee is None


def test_fees_in_the_form_of_old_leave_the_instruments_own_in_force() -> None:
    old = {"currency": "btc", "fee_type": "fixed", "instrument_type": "perpetual", "maker_fee": 0.0}
    account = codec.decode_account(raw(ACCOUNT | {"fees": [old]}), NOW)
    assert (account.maker_fee, account.taker_fee) == (None, None)


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
