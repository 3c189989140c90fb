"""Channels: what is granted, what comes first, and what keeps coming."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_deribit.rpc.channels import parse
from shared.units import Side
from tests.support.exchange import SECRET, Bench, WholeBench

PERP = "BTC-PERPETUAL"
BOOK = f"book.{PERP}.100ms"
RAW = f"book.{PERP}.raw"


def level(price: float, amount: float = 10.0) -> dict[str, object]:
    return {"instrument_name": PERP, "price": price, "amount": amount, "post_only": True}


def test_unknown_and_malformed_channels_are_silently_left_out() -> None:
    bench = Bench()
    conn = bench.open()
    wanted = [
        "ticker.NOPE.100ms",
        "book.BTC-PERPETUAL",
        "nonsense",
        BOOK,
        "user.orders.any.any.raw",
    ]
    assert bench.call(conn, "public/subscribe", channels=wanted) == [BOOK]
    assert bench.call(conn, "public/subscribe", channels=["nonsense"]) == []


def test_a_raw_public_channel_needs_login() -> None:
    bench = Bench()
    error = bench.error(bench.open(), "public/subscribe", channels=[RAW])
    assert error["code"] == 13778
    assert bench.call(bench.login(), "public/subscribe", channels=[RAW]) == [RAW]


def test_the_acknowledgement_comes_first_and_then_the_initial_frames() -> None:
    bench = Bench()
    conn = bench.open()
    channels = [BOOK, f"ticker.{PERP}.100ms", f"trades.{PERP}.100ms", "platform_state"]
    request = '{{"id":7,"method":"public/subscribe","params":{{"channels":{}}}}}'
    bench.raw(conn, request.format(str(channels).replace("'", '"')).encode())
    first, *following = bench.inbox[conn]
    assert first["id"] == 7
    assert sorted(first["result"]) == sorted(channels)
    heard = [frame["params"]["channel"] for frame in following]
    assert heard == [name for name in first["result"] if not name.startswith("trades")]
    [book] = bench.frames(conn, BOOK)
    assert book["type"] == "snapshot"
    assert book["bids"][0] == ["new", 59_999.5, 10_000.0]
    assert book["asks"][0] == ["new", 60_000.5, 10_000.0]
    assert "prev_change_id" not in book


def test_subscribing_twice_is_granted_and_gives_no_second_snapshot() -> None:
    bench = Bench()
    conn = bench.open()
    bench.call(conn, "public/subscribe", channels=[BOOK])
    bench.frames(conn, BOOK)
    assert bench.call(conn, "public/subscribe", channels=[BOOK]) == [BOOK]
    assert bench.frames(conn, BOOK) == []


def test_unsubscribing_and_subscribing_gives_a_snapshot_again() -> None:
    bench = Bench()
    conn = bench.open()
    bench.call(conn, "public/subscribe", channels=[BOOK])
    assert bench.call(conn, "public/unsubscribe", channels=[BOOK, "nonsense"]) == [BOOK]
    bench.frames(conn, BOOK)
    bench.call(conn, "public/subscribe", channels=[BOOK])
    assert [frame["type"] for frame in bench.frames(conn, BOOK)] == ["snapshot"]
    assert bench.call(conn, "public/unsubscribe_all") == "ok"
    bench.others(PERP, Side.BUY, 59_000.0, 10)
    bench.pass_time(1)
    assert [f["type"] for f in bench.frames(conn, BOOK)] == ["snapshot"][1:]


Orders = st.lists(
    st.tuples(st.sampled_from(list(Side)), st.integers(-8, 8), st.integers(1, 900)), max_size=30
)


@settings(max_examples=40, deadline=None)
@given(Orders, st.booleans())
def test_a_book_built_from_frames_equals_the_exchanges_and_its_chain_never_breaks(
    orders: list[tuple[Side, int, int]], late: bool
) -> None:
    bench = Bench()
    conn = bench.login()
    channels = [RAW, BOOK, f"book.{PERP}.agg2"]
    bench.call(conn, "public/subscribe", channels=channels)
    newcomer = None
    for n, (side, ticks, lots) in enumerate(orders):
        bench.others(PERP, side, 60_000.0 + 0.5 * ticks, 10.0 * lots)
        bench.pass_time(0.03)
        if late and n == len(orders) // 2:
            newcomer = bench.open()
            bench.call(newcomer, "public/subscribe", channels=[BOOK])
    bench.pass_time(3)
    truth = bench.call(conn, "public/get_order_book", instrument_name=PERP, depth=10_000)
    for channel in channels:
        assert rebuilt(bench.frames(conn, channel)) == (truth["bids"], truth["asks"])
    if newcomer is not None:
        assert rebuilt(bench.frames(newcomer, BOOK)) == (truth["bids"], truth["asks"])


def rebuilt(frames: list[dict[str, list[list[object]]]]) -> tuple[list[list[float]], ...]:
    """Both sides, best first, by the rules of a client; fails on a gap or a wrong action."""
    sides: list[dict[float, float]] = [{}, {}]
    last = None
    for frame in frames:
        assert frame.get("prev_change_id") == last
        last = frame["change_id"]
        assert frame["bids"] or frame["asks"]
        for side, name in zip(sides, ("bids", "asks"), strict=True):
            for action, price, amount in frame[name]:
                assert isinstance(price, float)
                assert isinstance(amount, float)
                assert (action == "new") == (price not in side)
                side[price] = amount
                if action == "delete":
                    assert amount == 0.0
                    del side[price]
    bids, asks = (sorted(map(list, side.items())) for side in sides)
    return bids[::-1], asks


def test_trades_and_quote_and_ticker_tell_of_a_fill() -> None:
    bench = Bench()
    conn = bench.login()
    channels = [f"trades.{PERP}.raw", "trades.future.BTC.100ms", f"quote.{PERP}"]
    bench.call(conn, "public/subscribe", channels=[*channels, f"ticker.{PERP}.100ms"])
    bench.frames(conn, f"ticker.{PERP}.100ms")
    bench.others(PERP, Side.BUY, 60_001.0, 15_000)
    bench.pass_time(0.2)
    [trades] = bench.frames(conn, channels[0])
    assert [(t["price"], t["amount"], t["direction"]) for t in trades] == [
        (60_000.5, 10_000.0, "buy"),
        (60_001.0, 5_000.0, "buy"),
    ]
    assert trades[1]["trade_seq"] == trades[0]["trade_seq"] + 1
    assert bench.frames(conn, channels[1]) == [trades]
    assert bench.frames(conn, f"quote.{PERP}")[-1]["best_ask_amount"] == 5_000.0
    assert bench.frames(conn, f"ticker.{PERP}.100ms")[-1]["last_price"] == 60_001.0


def test_the_grouped_book_sums_levels_onto_a_coarser_grid_away_from_the_market() -> None:
    bench = Bench()
    conn = bench.open()
    channel = f"book.{PERP}.5.1.100ms"
    assert bench.call(conn, "public/subscribe", channels=[channel]) == [channel]
    bench.others(PERP, Side.SELL, 60_003.0, 20.0)
    bench.pass_time(0.2)
    window = bench.frames(conn, channel)[-1]
    assert window["bids"] == [[59_995.0, 100_000.0]]
    assert window["asks"] == [[60_005.0, 100_020.0]]


def grouped(instrument: str, group: str) -> tuple[Bench, int, dict[str, Any]]:
    """A window of twenty levels after everything has moved once."""
    bench = WholeBench()
    conn = bench.login("mock-taker")
    channel = f"book.{instrument}.{group}.20.100ms"
    bench.call(conn, "private/subscribe", channels=[channel])
    bench.others(instrument, Side.BUY, 1_000.0, 7.0)
    bench.pass_time(0.2)
    return bench, conn, bench.frames(conn, channel)[-1]


def test_a_group_as_fine_as_the_tick_is_the_book_itself() -> None:
    bench, conn, window = grouped("ETH-PERPETUAL", "5")
    book = bench.call(conn, "public/get_order_book", instrument_name="ETH-PERPETUAL", depth=20)
    assert (window["bids"], window["asks"]) == (book["bids"], book["asks"])


def test_grouped_amounts_are_whole_lots() -> None:
    _, _, window = grouped("BTC_USDC-PERPETUAL", "1")
    amounts = [amount for side in ("bids", "asks") for _, amount in window[side]]
    assert amounts == [round(amount, 4) for amount in amounts]


def test_private_frames_tell_of_an_order_from_birth_to_fill() -> None:
    bench = Bench()
    conn = bench.login()
    kinds = ("orders", "trades", "changes")
    bench.call(conn, "private/subscribe", channels=[f"user.{k}.any.any.raw" for k in kinds])
    bench.call(conn, "private/subscribe", channels=["user.orders.future.BTC.100ms"])
    bench.call(conn, "private/buy", **level(59_999.5, 100.0), label="mine")
    bench.others(PERP, Side.SELL, 59_999.5, 10_040)
    bench.pass_time(0.2)
    orders = bench.frames(conn, "user.orders.any.any.raw")
    assert [(o["order_state"], o["filled_amount"]) for o in orders] == [
        ("open", 0.0),
        ("open", 40.0),
    ]
    assert bench.frames(conn, "user.orders.future.BTC.100ms") == [orders]
    [[fill]] = bench.frames(conn, "user.trades.any.any.raw")
    assert (fill["liquidity"], fill["direction"], fill["amount"]) == ("M", "buy", 40.0)
    assert fill["label"] == "mine"
    changes = bench.frames(conn, "user.changes.any.any.raw")
    assert [len(change["trades"]) for change in changes] == [0, 1]
    assert changes[1]["positions"][0]["size"] == 40.0


def test_an_order_filled_on_arrival_is_told_once() -> None:
    bench = Bench()
    conn = bench.login()
    bench.call(conn, "private/subscribe", channels=[f"user.orders.{PERP}.raw"])
    answer = bench.call(conn, "private/buy", instrument_name=PERP, amount=10, price=60_100)
    [told] = bench.frames(conn, f"user.orders.{PERP}.raw")
    assert told == answer["order"]
    assert (told["order_state"], told["filled_amount"]) == ("filled", 10.0)
    assert len(answer["trades"]) == 1


def test_private_frames_come_before_the_reply_at_times_and_after_it_at_others() -> None:
    bench = Bench()
    conn = bench.login()
    bench.call(conn, "private/subscribe", channels=[f"user.orders.{PERP}.raw"])
    firsts = []
    for n in range(30):
        bench.inbox[conn].clear()
        text = f'{{"id":"n{n}","method":"private/cancel_all","params":{{}}}}'
        bench.call(conn, "private/buy", **level(59_000.0))
        bench.inbox[conn].clear()
        bench.raw(conn, text.encode())
        firsts.append("id" in bench.inbox[conn][0])
    assert True in firsts
    assert False in firsts


def test_a_label_of_a_private_subscription_is_on_its_frames() -> None:
    bench = Bench()
    conn = bench.login()
    bench.call(conn, "private/subscribe", channels=["user.portfolio.btc"], label="desk")
    bench.call(conn, "private/buy", instrument_name=PERP, amount=10, price=60_100)
    bench.pass_time(0.2)
    labels = [
        frame["params"]["label"]
        for frame in bench.inbox[conn]
        if frame.get("params", {}).get("channel") == "user.portfolio.btc"
    ]
    assert labels == ["desk"]


def test_what_one_account_does_the_other_does_not_hear() -> None:
    accounts = [{"name": name, "client_id": name, "client_secret": name} for name in ("ann", "bob")]
    bench = Bench(accounts=accounts)
    ann, bob = bench.open(), bench.open()
    for conn, name in ((ann, "ann"), (bob, "bob")):
        key = {"client_id": name, "client_secret": name}
        bench.call(conn, "public/auth", grant_type="client_credentials", **key)
        bench.call(conn, "private/subscribe", channels=["user.orders.any.any.raw"])
    order = bench.call(ann, "private/buy", **level(59_000.0))["order"]
    assert bench.frames(bob, "user.orders.any.any.raw") == []
    refused = bench.error(bob, "private/cancel", order_id=order["order_id"])
    assert refused["code"] == 10004


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "book", "book..raw", "book.X.1s", "book.X.none.7.100ms", "book.X.none.10.raw",
        "trades.future.DOGE.raw", "user", "user.orders", "user.secrets.X.raw", "platform_state.x",
        "instrument.state.future", "quote.X.raw", "user.portfolio.doge",
    ],
)  # fmt: skip
def test_names_outside_the_grammar_mean_nothing(name: str) -> None:
    channel = parse(name)
    assert channel is None or not channel.instrument


def test_a_label_is_told_on_private_channels_only() -> None:
    bench = Bench()
    conn = bench.login()
    orders = f"user.orders.{PERP}.raw"
    bench.call(conn, "private/subscribe", channels=[orders, RAW], label="mine")
    bench.call(conn, "private/buy", **level(59_000.0))
    told = {frame["params"]["channel"]: frame["params"] for frame in bench.inbox[conn]}
    assert told[orders]["label"] == "mine"
    assert "label" not in told[RAW]


def test_a_socket_that_changes_its_account_hears_of_the_new_one_only() -> None:
    bench = Bench()
    conn = bench.open()
    key = {"client_id": "mock-maker", "client_secret": SECRET}
    login = {"grant_type": "client_credentials", "scope": "session:one"}
    token = bench.call(conn, "public/auth", **login, **key)["refresh_token"]
    orders = f"user.orders.{PERP}.raw"
    bench.call(conn, "private/subscribe", channels=[orders])
    bench.call(conn, "public/exchange_token", refresh_token=token, subject_id=1002)
    assert bench.call(conn, "private/subscribe", channels=[orders]) == [orders]
    for client in ("mock-maker", "mock-taker"):
        bench.call(bench.login(client), "private/buy", **level(59_000.0))
    assert [order["user_id"] for order in bench.frames(conn, orders)] == [1002]
