"""A session with ccxt, as a user of it would write one; run by the Python that has it.

Arguments: host and port of the exchange, client id, client secret. Prints what ccxt made of everything as
one JSON object. Only the address is not the real one.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import ccxt.pro

SYMBOL = "BTC/USD:BTC"


def exchange_at(address: str, key: str, secret: str) -> Any:
    """ccxt's Deribit on its test network, which is told to be at this address."""
    exchange = ccxt.pro.deribit({"apiKey": key, "secret": secret})
    exchange.urls["test"] = {"rest": f"http://{address}", "ws": f"ws://{address}/ws/api/v2"}
    exchange.set_sandbox_mode(True)
    return exchange


async def refusal(attempt: Callable[[], Awaitable[object]]) -> str:
    """The name ccxt gives to a refusal."""
    try:
        await attempt()
    except ccxt.pro.BaseError as error:
        return type(error).__name__
    return "accepted"


async def look_around(exchange: Any) -> dict[str, Any]:
    """All that is public."""
    return {
        "markets": await exchange.load_markets(),
        "currencies": await exchange.fetch_currencies(),
        "status": await exchange.fetch_status(),
        "time": await exchange.fetch_time(),
        "ticker": await exchange.fetch_ticker(SYMBOL),
        "tickers": await exchange.fetch_tickers([SYMBOL], {"code": "BTC"}),
        "book": await exchange.fetch_order_book(SYMBOL),
        "open interest": await exchange.fetch_open_interest(SYMBOL),
        "funding rate": await exchange.fetch_funding_rate(SYMBOL),
        "funding history": await exchange.fetch_funding_rate_history(SYMBOL),
        "liquidations": await exchange.fetch_liquidations(SYMBOL),
    }


async def quote(exchange: Any) -> dict[str, Any]:
    """An order's life without a fill."""
    bid = await exchange.create_order(SYMBOL, "limit", "buy", 100, 59_000, {"postOnly": True})
    edited = await exchange.edit_order(bid["id"], SYMBOL, "limit", "buy", 200, 58_990)
    resting = await exchange.fetch_order(bid["id"], SYMBOL)
    told = {
        "placed": bid,
        "edited": edited,
        "resting": resting,
        "open": await exchange.fetch_open_orders(SYMBOL),
        "open in BTC": await exchange.fetch_open_orders(None, None, None, {"code": "BTC"}),
        "cancelled": await exchange.cancel_order(bid["id"], SYMBOL),
    }
    await exchange.create_order(SYMBOL, "limit", "sell", 10, 61_000)
    await exchange.cancel_all_orders(SYMBOL)
    return told | {"open after all": await exchange.fetch_open_orders(SYMBOL)}


async def watch(exchange: Any) -> dict[str, Any]:
    """Every stream, while orders are placed until each has spoken."""
    streams = {
        "book": exchange.watch_order_book(SYMBOL),
        "ticker": exchange.watch_ticker(SYMBOL),
        "best": exchange.watch_bids_asks([SYMBOL]),
        "trades": exchange.watch_trades(SYMBOL),
        "candles": exchange.watch_ohlcv(SYMBOL, "1m"),
        "orders": exchange.watch_orders(SYMBOL),
        "fills": exchange.watch_my_trades(SYMBOL),
        "balance": exchange.watch_balance(),
    }
    tasks = {name: asyncio.create_task(stream) for name, stream in streams.items()}
    orders = []
    for _ in range(20):
        orders.append(await exchange.create_order(SYMBOL, "market", "buy", 10))
        _, waiting = await asyncio.wait(tasks.values(), timeout=0.3)
        if not waiting:
            break
    silent = [name for name, task in tasks.items() if not task.done()]
    for name in silent:
        tasks[name].cancel()
    spoken = {name: await task for name, task in tasks.items() if name not in silent}
    return spoken | {"silent": silent, "bought": orders}


async def look_back(exchange: Any, order_id: str) -> dict[str, Any]:
    """What the account has and did."""
    return {
        "accounts": await exchange.fetch_accounts(),
        "balance": await exchange.fetch_balance(),
        "balance of BTC": await exchange.fetch_balance({"code": "BTC"}),
        "fees": await exchange.fetch_trading_fees(),
        "position": await exchange.fetch_position(SYMBOL),
        "positions": await exchange.fetch_positions([SYMBOL]),
        "fills": await exchange.fetch_my_trades(SYMBOL),
        "fills of one": await exchange.fetch_order_trades(order_id, SYMBOL),
        "closed": await exchange.fetch_closed_orders(SYMBOL),
        "public trades": await exchange.fetch_trades(SYMBOL),
        "candles": await exchange.fetch_ohlcv(SYMBOL, "1m"),
    }


async def be_refused(exchange: Any, stranger: Any) -> dict[str, str]:
    """What ccxt calls the exchange's refusals."""
    place = exchange.create_order
    return {
        "far above": await refusal(lambda: place(SYMBOL, "limit", "buy", 10, 90_000)),
        "far too much": await refusal(lambda: place(SYMBOL, "limit", "buy", 10_000_000, 59_000)),
        "unknown order": await refusal(lambda: exchange.cancel_order("1", SYMBOL)),
        "wrong secret": await refusal(stranger.fetch_accounts),
    }


async def session(address: str, key: str, secret: str) -> dict[str, Any]:
    """All of it."""
    exchange, stranger = exchange_at(address, key, secret), exchange_at(address, key, "wrong")
    try:
        told = {"public": await look_around(exchange), "quote": await quote(exchange)}
        told["streams"] = await watch(exchange)
        told["account"] = await look_back(exchange, told["streams"]["bought"][0]["id"])
        told["refusals"] = await be_refused(exchange, stranger)
        return told
    finally:
        await exchange.close()
        await stranger.close()


if __name__ == "__main__":
    print(json.dumps(asyncio.run(session(*sys.argv[1:]))))
