"""What an operator does to sessions, books and the platform."""

import msgspec
import pytest

from mock_deribit.faults import (
    CrossedBook,
    Deposit,
    DrainCredits,
    Expire,
    ExpireTokens,
    Gap,
    Liquidate,
    Lock,
    Maintenance,
    MovePrice,
    SetFees,
    SetHold,
    SetState,
    SetTick,
    Settle,
    Sweep,
)
from shared.instruments import BookState
from shared.units import Side
from tests.support.exchange import SECRET, Bench

PERP = "BTC-PERPETUAL"
BOOK = f"book.{PERP}.100ms"
BID = {"instrument_name": PERP, "amount": 10, "price": 59_000}
TAKER = {"client_id": "mock-taker"}


def subscribed(bench: Bench, channel: str = BOOK) -> int:
    conn = bench.login()
    bench.call(conn, "private/subscribe", channels=[channel])
    bench.frames(conn, channel)
    return conn


def moves(bench: Bench, times: int) -> None:
    """So many changes of the book, each in a batch of its own."""
    for _ in range(times):
        bench.others(PERP, Side.BUY, 59_000.0, 10)
        bench.pass_time(0.15)


# -- sessions ------------------------------------------------------------------------------------


def test_an_expired_token_is_refused_and_its_refresh_token_makes_a_new_one() -> None:
    bench = Bench()
    conn = bench.open()
    key = {"client_id": "mock-maker", "client_secret": SECRET}
    grant = bench.call(conn, "public/auth", grant_type="client_credentials", **key)
    bench.fault(ExpireTokens())
    assert bench.error(conn, "private/get_open_orders")["code"] == 13009
    refresh = {"grant_type": "refresh_token", "refresh_token": grant["refresh_token"]}
    bench.call(conn, "public/auth", **refresh)
    assert bench.call(conn, "private/get_open_orders") == []


def test_the_tokens_of_one_account_expire_and_no_others() -> None:
    bench = Bench()
    maker, taker = bench.login(), bench.login(**TAKER)
    bench.fault(ExpireTokens(account="taker"))
    assert bench.call(maker, "private/get_open_orders") == []
    assert bench.error(taker, "private/get_open_orders")["code"] == 13009


def test_drained_credits_come_back_at_their_rate() -> None:
    bench = Bench(matching_rate=5)
    conn, taker = bench.login(), bench.login(**TAKER)
    bench.fault(DrainCredits(account="maker"))
    assert bench.error(conn, "private/buy", **BID)["code"] == 10028
    assert bench.call(taker, "private/get_open_orders") == []
    bench.pass_time(0.25)
    assert bench.call(conn, "private/buy", **BID)


# -- books and the platform ----------------------------------------------------------------------


def test_a_crossed_book_frame_fits_the_chain_and_a_new_subscription_heals_it() -> None:
    bench = Bench()
    conn = bench.open()
    bench.call(conn, "public/subscribe", channels=[BOOK])
    [snapshot] = bench.frames(conn, BOOK)
    bench.fault(CrossedBook(instrument=PERP))
    [lie] = bench.frames(conn, BOOK)
    assert lie["prev_change_id"] == snapshot["change_id"]
    assert lie["bids"][0][1] >= snapshot["asks"][0][1]
    bench.call(conn, "public/unsubscribe", channels=[BOOK])
    bench.call(conn, "public/subscribe", channels=[BOOK])
    [healed] = bench.frames(conn, BOOK)
    assert healed["bids"] == snapshot["bids"]


def test_a_gap_breaks_the_chain_of_change_ids_once() -> None:
    bench = Bench()
    conn = subscribed(bench)
    moves(bench, 1)
    bench.fault(Gap(instrument=PERP))
    moves(bench, 2)
    before, after, then = bench.frames(conn, BOOK)
    assert after["prev_change_id"] != before["change_id"]
    assert then["prev_change_id"] == after["change_id"]


def test_a_lock_is_announced_stops_orders_and_lets_cancels_pass() -> None:
    bench = Bench()
    conn = bench.login()
    bench.call(conn, "public/subscribe", channels=["platform_state"])
    order_id = bench.call(conn, "private/buy", **BID)["order"]["order_id"]
    bench.frames(conn, "platform_state")
    bench.fault(Lock(index="btc_usd"))
    [told] = bench.frames(conn, "platform_state")
    assert (told["locked"], told["price_index"]) == (True, "btc_usd")
    assert bench.call(conn, "public/status")["locked"] == "true"
    bench.error(conn, "private/buy", **BID)
    assert bench.call(conn, "private/cancel", order_id=order_id)["order_state"] == "cancelled"
    bench.fault(Lock(index="btc_usd", locked=False))
    bench.call(conn, "private/buy", **BID)


def test_maintenance_is_announced_closes_the_sockets_and_refuses_new_ones() -> None:
    bench = Bench()
    conn = bench.open()
    bench.call(conn, "public/subscribe", channels=["platform_state"])
    bench.frames(conn, "platform_state")
    bench.fault(Maintenance())
    assert bench.frames(conn, "platform_state") == [{"maintenance": True}]
    assert bench.closes[conn] == (1001, "maintenance")
    assert bench.core.admission("10.0.0.1") == 503
    bench.fault(Maintenance(on=False))
    assert bench.core.admission("10.0.0.1") == 101


def test_a_halted_book_takes_no_orders_until_it_is_opened() -> None:
    bench = Bench()
    conn = bench.login()
    bench.fault(SetState(instrument=PERP, state=BookState.HALTED))
    bench.error(conn, "private/buy", **BID)
    bench.fault(SetState(instrument=PERP, state=BookState.OPEN))
    assert bench.call(conn, "private/buy", **BID)


def test_a_sweep_takes_everything_within_its_reach() -> None:
    bench = Bench()
    conn = bench.open()
    bench.fault(Sweep(instrument=PERP, side=Side.BUY, bps=0.5))
    book = bench.call(conn, "public/get_order_book", instrument_name=PERP, depth=1)
    assert book["asks"][0][0] == 60_004.0


def test_news_moves_the_index_and_the_books_with_it() -> None:
    bench = Bench()
    conn = subscribed(bench, "deribit_price_index.btc_usd")
    bench.fault(MovePrice(bps=-100.0))
    [index] = bench.frames(conn, "deribit_price_index.btc_usd")
    assert index["price"] == 59_400.0
    book = bench.call(conn, "public/get_order_book", instrument_name=PERP, depth=1)
    assert (book["best_bid_price"], book["best_ask_price"]) == (59_399.5, 59_400.5)
    assert bench.market.ended is None


def test_a_deposit_is_there() -> None:
    bench = Bench()
    conn = bench.login()
    bench.fault(Deposit(account="maker", currency="BTC", amount=1.5))
    assert bench.call(conn, "private/get_account_summary", currency="BTC")["balance"] == 2.4


def test_a_settlement_out_of_turn_moves_the_sessions_profit_and_opens_again() -> None:
    bench = Bench()
    conn = subscribed(bench, "instrument.state.future.BTC")
    bench.fault(Settle())
    states = bench.frames(conn, "instrument.state.future.BTC")
    assert {told["state"] for told in states} == {"settlement"}
    bench.pass_time(5.0)
    states = bench.frames(conn, "instrument.state.future.BTC")
    assert {told["state"] for told in states} == {"open"}


def test_a_future_that_expires_now_is_delivered_and_the_perpetual_cannot() -> None:
    bench = Bench()
    conn = subscribed(bench, "instrument.state.future.BTC")
    dated = bench.core.listings()[1]["instrument_name"]
    bench.fault(Expire(instrument=str(dated)))
    bench.pass_time(5.0)
    states = bench.frames(conn, "instrument.state.future.BTC")
    assert {(told["instrument_name"], told["state"]) for told in states} >= {(dated, "delivered")}
    with pytest.raises(ValueError, match=PERP):
        bench.fault(Expire(instrument=PERP))


def test_ticks_and_fees_change_and_are_seen_by_whoever_asks() -> None:
    bench = Bench()
    conn = bench.open()
    bench.fault(SetTick(instrument=PERP, tick=1.0))
    bench.fault(SetFees(instrument=PERP, maker=-0.0001))
    seen = bench.call(conn, "public/get_instrument", instrument_name=PERP)
    fees = (seen["maker_commission"], seen["taker_commission"])
    assert (seen["tick_size"], fees) == (1.0, (-0.0001, 0.00035))
    with pytest.raises(ValueError, match="multiple of"):
        bench.fault(SetTick(instrument=PERP, tick=0.001))


def test_a_liquidated_account_has_no_position_left() -> None:
    bench = Bench()
    conn = bench.login()
    bench.call(conn, "private/buy", instrument_name=PERP, amount=10, price=60_100)
    bench.fault(Liquidate(account="maker"))
    bench.pass_time(5.0)
    sizes = [held["size"] for held in bench.call(conn, "private/get_positions", currency="BTC")]
    assert sizes in ([], [0.0])


def test_an_aggressive_order_waits_on_a_book_with_a_hold() -> None:
    bench = Bench()
    conn = bench.login()
    bench.fault(SetHold(instrument=PERP, milliseconds=100))
    order = {"instrument_name": PERP, "amount": 10, "price": 60_100}
    request = {"id": 7, "method": "private/buy", "params": order}
    bench.raw(conn, msgspec.json.encode(request))
    bench.pass_time(0.05)
    assert [frame for frame in bench.inbox[conn] if frame.get("id") == 7] == []
    bench.pass_time(0.1)
    [answer] = [frame for frame in bench.inbox[conn] if frame.get("id") == 7]
    assert answer["result"]["order"]["order_state"] == "filled"
