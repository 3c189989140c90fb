"""Faults that an operator orders."""

import msgspec
import pytest

from mock_deribit.faults import (
    CrossedBook,
    CutAll,
    Delay,
    DropFrames,
    Lock,
    LoseAnswer,
    Maintenance,
    decode,
)
from shared.units import Side
from tests.support.exchange import Bench

PERP = "BTC-PERPETUAL"
BOOK = f"book.{PERP}.100ms"
BID = {"instrument_name": PERP, "amount": 10, "price": 59_000}


def test_cutting_ends_every_socket_without_a_close_frame() -> None:
    bench = Bench()
    first, second = bench.open(), bench.open()
    bench.fault(CutAll())
    assert bench.closes == {first: (1006, "cut"), second: (1006, "cut")}


def test_a_dropped_book_frame_is_a_gap_that_the_next_one_shows() -> None:
    bench = Bench()
    conn = bench.open()
    bench.call(conn, "public/subscribe", channels=[BOOK])
    [snapshot] = bench.frames(conn, BOOK)
    bench.fault(DropFrames(channel="book.", count=1))
    for _ in range(2):
        bench.others(PERP, Side.BUY, 59_000.0, 10)
        bench.pass_time(0.15)
    [frame] = bench.frames(conn, BOOK)
    assert frame["prev_change_id"] > snapshot["change_id"]


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


def test_a_lost_answer_is_an_order_that_exists_and_a_socket_that_does_not() -> None:
    bench = Bench()
    conn = bench.login()
    bench.fault(LoseAnswer(method="private/buy"))
    before = len(bench.inbox[conn])
    bench.raw(conn, msgspec.json.encode({"id": 77, "method": "private/buy", "params": BID}))
    assert len(bench.inbox[conn]) == before
    assert bench.closes[conn] == (1006, "answer lost")
    assert len(bench.call(bench.login(), "private/get_open_orders")) == 1


def test_a_delay_holds_everything_back_until_it_is_lifted() -> None:
    bench = Bench()
    conn = bench.open()
    bench.fault(Delay(milliseconds=400))
    bench.raw(conn, b'{"id":1,"method":"public/test"}')
    bench.pass_time(0.3)
    assert bench.inbox[conn] == []
    bench.pass_time(0.2)
    assert bench.inbox[conn][0]["id"] == 1
    bench.fault(Delay(milliseconds=0))
    assert bench.call(conn, "public/test")


def test_a_lock_is_announced_stops_orders_and_lets_cancels_pass() -> None:
    bench = Bench()
    conn = bench.login()
    bench.call(conn, "public/subscribe", channels=["platform_state"])
    order_id = bench.call(conn, "private/buy", **BID)["order"]["order_id"]
    bench.frames(conn, "platform_state")
    bench.fault(Lock(index="btc_usd", locked=True))
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
    bench.fault(Maintenance(on=True))
    assert bench.frames(conn, "platform_state") == [{"maintenance": True}]
    assert bench.closes[conn] == (1001, "maintenance")
    assert bench.core.admission("10.0.0.1") == 503
    bench.fault(Maintenance(on=False))
    assert bench.core.admission("10.0.0.1") == 101


def test_an_address_has_a_limited_number_of_sockets() -> None:
    bench = Bench(connections_max=2)
    bench.open()
    bench.open()
    assert bench.core.admission("10.0.0.1") == 429
    assert bench.core.admission("10.0.0.2") == 101


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"fault":"sabotage"}', "Invalid value 'sabotage'"),
        (b'{"fault":"delay"}', "missing required field `milliseconds`"),
        (b'{"fault":"cut","when":"now"}', "unknown field `when`"),
        (b"cut!", "malformed"),
    ],
)
def test_an_order_that_is_no_fault_says_what_was_expected(body: bytes, says: str) -> None:
    with pytest.raises(msgspec.DecodeError, match=says):
        decode(body)


def test_a_fault_that_names_what_is_not_there_is_refused() -> None:
    bench = Bench()
    with pytest.raises(ValueError, match="BTC-NEVER"):
        bench.fault(CrossedBook(instrument="BTC-NEVER"))
    with pytest.raises(ValueError, match="doge_usd"):
        bench.fault(Lock(index="doge_usd", locked=True))
