"""Market data over a real socket and a real bus: live, broken, healed, recorded."""

import asyncio
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

from console.servers import NatsServer, ValkeyServer
from services.marketdata.replay import replay
from services.marketdata.shell import lines_of
from shared.messages import Book, FeedState, Ticker
from shared.units import Side
from tests.integration.marketdata.stage import Audience, order_fault, staged
from tests.support.exchange import ROOT, ExchangeProcess, Running, talk
from tests.support.waiting import until

PERPETUAL = "BTC-PERPETUAL"
BOOK_CHANNEL = f"book.{PERPETUAL}.100ms"
MARKET = ("--market", "simulated", "--listed", "btc")


def holds_bid(price: float, data: dict[str, Any]) -> bool:
    """Whether a book frame speaks of a bid at that price."""
    return any(level[1] == price for level in data["bids"])


async def somebody_bids(exchange: Running, *prices: float) -> None:
    """Other people's orders, each in a book frame of its own."""
    async with await talk(exchange.address) as client:
        await client.login(exchange.address)
        await client.call("public/subscribe", channels=[BOOK_CHANNEL])
        for price in prices:
            order = {"instrument_name": PERPETUAL, "amount": 10.0, "price": price}
            await client.call("private/buy", **order, type="limit")
            await client.frame(BOOK_CHANNEL, partial(holds_bid, price))


def bids_of_ours(audience: Audience) -> set[float]:
    """Prices in the last book at which somebody joined the market's 10,000."""
    books = audience.books(PERPETUAL)
    return {price for price, amount in books[-1].bids if amount == 10_010.0} if books else set()


async def test_three_books_come_live_and_follow_the_market(
    nats_server: NatsServer,
    valkey_server: ValkeyServer,
    exchange_process: ExchangeProcess,
    tmp_path: Path,
) -> None:
    async with staged(tmp_path, nats_server, valkey_server, exchange_process.address) as audience:
        await until(audience.all_live, "three live feeds")
        await until(lambda: len(audience.names()) == 3, "three cards")
        names = audience.names()
        assert PERPETUAL in names
        await until(
            lambda: all(len(audience.books(name)) >= 5 for name in names), "five books of each"
        )
        kinds = {type(message) for message in audience.messages()}
        assert {Book, Ticker} <= kinds
        for name in names:
            for book in audience.books(name):
                assert book.bids[0][0] < book.asks[0][0]
                assert [price for price, _ in book.bids] == sorted(
                    (price for price, _ in book.bids), reverse=True
                )
        assert audience.anomalies() == []


async def test_a_trade_between_others_is_heard_as_the_venue_printed_it(
    nats_server: NatsServer, valkey_server: ValkeyServer, exchange: Running, tmp_path: Path
) -> None:
    async with staged(tmp_path, nats_server, valkey_server, exchange.address) as audience:
        await until(audience.all_live, "three live feeds")
        async with await talk(exchange.address) as client:
            await client.login(exchange.address)
            order = {"instrument_name": PERPETUAL, "amount": 30.0, "type": "limit"}
            result = await client.call("private/buy", **order, price=60_010.0)
        await until(audience.trades, "the trade")
        (trade,) = audience.trades()
        (printed,) = result["trades"]
        assert (trade.trade_id, trade.price) == (printed["trade_id"], printed["price"])
        assert (trade.amount, trade.side) == (30.0, Side.BUY)


async def test_a_lost_frame_is_a_gap_and_then_live_again_with_the_whole_book(
    nats_server: NatsServer, valkey_server: ValkeyServer, exchange: Running, tmp_path: Path
) -> None:
    async with staged(tmp_path, nats_server, valkey_server, exchange.address) as audience:
        await until(audience.all_live, "three live feeds")
        audience.forget()
        await order_fault(exchange, fault="crossed_book", instrument=PERPETUAL)
        await until(lambda: "book_crossed" in audience.anomalies(), "the crossed book is told")
        await until(audience.all_live, "live again")
        states = [status.state for status in audience.statuses(PERPETUAL)]
        assert FeedState.CROSSED in states

        audience.forget()
        # The same frame is lost for everybody, so the bidder must not wait for it.
        await order_fault(exchange, fault="drop_frames", channel=BOOK_CHANNEL, count=1)
        async with await talk(exchange.address) as client:
            await client.login(exchange.address)
            order = {"instrument_name": PERPETUAL, "amount": 10.0, "type": "limit"}
            await client.call("private/buy", **order, price=59_997.0)
            await client.call("public/subscribe", channels=[BOOK_CHANNEL])
            await client.frame(BOOK_CHANNEL)
        await somebody_bids(exchange, 59_998.0, 59_998.5)
        await until(lambda: "book_gap" in audience.anomalies(), "the gap is told")
        await until(
            lambda: (
                audience.all_live()
                and bool(audience.books(PERPETUAL))
                and {59_997.0, 59_998.0, 59_998.5} <= bids_of_ours(audience)
            ),
            "live again, with every order",
        )
        assert FeedState.GAP in [status.state for status in audience.statuses(PERPETUAL)]


async def test_an_exchange_that_is_killed_and_comes_back_is_followed_again(
    nats_server: NatsServer, valkey_server: ValkeyServer, tmp_path: Path
) -> None:
    first = ExchangeProcess(*MARKET)
    second: ExchangeProcess | None = None
    try:
        async with staged(tmp_path, nats_server, valkey_server, first.address) as audience:
            await until(audience.all_live, "three live feeds")
            await asyncio.to_thread(first.stop, signal.SIGKILL)
            await until(
                lambda: set(audience.states().values()) == {FeedState.DOWN}, "everything is down"
            )
            audience.forget()
            second = await asyncio.to_thread(
                ExchangeProcess, *MARKET, "--port", str(first.address.port)
            )
            await until(audience.all_live, "three live feeds again", deadline_s=20.0)
            await until(lambda: audience.books(PERPETUAL), "a book again")
    finally:
        first.stop()
        if second is not None:
            second.stop()


async def test_a_bus_that_went_away_gets_books_again_when_it_is_back(
    own_nats: NatsServer, valkey_server: ValkeyServer, exchange: Running, tmp_path: Path
) -> None:
    async with staged(tmp_path, own_nats, valkey_server, exchange.address) as audience:
        await until(audience.all_live, "three live feeds")
        own_nats.stop()
        own_nats.start()
        audience.forget()
        await until(audience.all_live, "three live feeds again")
        await somebody_bids(exchange, 59_998.0)
        await until(lambda: 59_998.0 in bids_of_ours(audience), "the new book")


async def test_the_process_records_and_its_recording_replays_clean(
    nats_server: NatsServer,
    valkey_server: ValkeyServer,
    exchange_process: ExchangeProcess,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "recordings"
    environment = {
        **os.environ,
        "NATS_URL": nats_server.url,
        "REDIS_URL": valkey_server.url,
        "VENUE_WS_URL": exchange_process.address.websocket,
        "RUN_DIR": str(tmp_path / "run"),
        "MM_RECORD_DIR": str(folder),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.marketdata",
        cwd=ROOT,
        env=environment,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        await until(
            lambda: folder.exists() and sum(f.stat().st_size for f in folder.iterdir()) > 5_000,
            "five kilobytes on disk",
            deadline_s=30.0,
        )
    finally:
        process.send_signal(signal.SIGTERM)
        _, log = await process.communicate()
    assert process.returncode == 0, log.decode()
    summary = replay(lambda: lines_of(sorted(folder.iterdir())))
    assert summary.is_clean, summary
    assert len(summary.spreads) == 3


async def test_settings_that_cannot_work_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.marketdata",
        cwd=ROOT,
        env={
            **os.environ,
            "RUN_DIR": str(tmp_path),
            "MM_RECORD_DIR": str(tmp_path / "file" / "below"),
        },
        stderr=asyncio.subprocess.PIPE,
    )
    _, error = await process.communicate()
    assert process.returncode == 2
    assert error.decode().startswith("settings: MM_RECORD_DIR")
    assert error.count(b"\n") == 1
