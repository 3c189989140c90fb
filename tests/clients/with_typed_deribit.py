"""A session with typed-deribit, as a user of it would write one; run by the Python that has it.

The client holds every answer and notification against the types of Deribit's documentation, and raises
where one does not fit. Arguments: host and port of the exchange, client id, client secret. Prints as one JSON
object what every call and stream told, and what each complained about. Only the address is not the real one.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any

from typed_core.http import HttpClient
from typed_deribit import Deribit
from typed_deribit.core.auth import Credentials
from typed_deribit.core.transport.http import HmacHttpRpcClient, OAuthHttpRpcClient
from typed_deribit.core.transport.ws import SocketRpcStreamClient

PERP = {"instrument_name": "BTC-PERPETUAL"}
BTC = {"currency": "BTC"}
INDEX = {"index_name": "btc_usd"}
FUTURES = {"kind": "future", **BTC}
BID = {**PERP, "type": "limit", "amount": 100, "price": 59_000, "post_only": True, "label": "mine"}


def client_at(address: str, key: str, secret: str, *, signed: bool = False) -> Deribit:
    """The client with both transports aimed at this address."""
    credentials = Credentials(key, secret)
    speak = HmacHttpRpcClient if signed else OAuthHttpRpcClient
    rpc = speak(http=HttpClient(), base_url=f"http://{address}/api/v2", credentials=credentials)
    socket = SocketRpcStreamClient.new(f"ws://{address}/ws/api/v2", credentials=credentials)
    return Deribit(rpc_client=rpc, ws_client=socket)


class Session:
    """What was told and complained about so far, by call."""

    def __init__(self, client: Deribit) -> None:
        self.client = client
        self.told: dict[str, Any] = {}
        self.complaints: dict[str, str] = {}

    async def call(self, path: str, *args: object, **kwargs: object) -> Any:
        """Ask, and remember the answer or the complaint."""
        section, name = path.split(".")
        name_of_it = name if name not in self.told else f"{name} again"
        return await self.note(
            name_of_it, getattr(getattr(self.client, section), name)(*args, **kwargs)
        )

    async def note(self, name: str, awaited: Awaitable[Any]) -> Any:
        """Remember what this gives under a name."""
        try:
            self.told[name] = await awaited
        except Exception as error:
            self.complaints[name] = f"{type(error).__name__}: {error}"
        return self.told.get(name)


async def look_around(session: Session) -> None:
    """All that is public."""
    now = datetime.now(UTC)
    window = {"start_timestamp": now - timedelta(hours=8), "end_timestamp": now}
    call = session.call
    for name in ("get_time", "status", "test"):
        await call(f"supporting.{name}")
    await call("supporting.hello", client_name="session", client_version="1")
    for name in (
        "get_currencies",
        "get_index_price_names",
        "get_supported_index_names",
        "get_trade_volumes",
    ):
        await call(f"market_data.{name}")
    for name in (
        "get_instrument", "ticker", "get_order_book", "get_contract_size", "get_book_summary_by_instrument",
        "get_last_trades_by_instrument", "get_last_settlements_by_instrument",
    ):  # fmt: skip
        await call(f"market_data.{name}", **PERP)
    for name in (
        "get_funding_rate_history", "get_funding_rate_value", "get_last_trades_by_instrument_and_time",
    ):  # fmt: skip
        await call(f"market_data.{name}", **PERP, **window)
    for name in (
        "get_instruments", "get_book_summary_by_currency", "get_last_trades_by_currency", "get_expirations",
    ):  # fmt: skip
        await call(f"market_data.{name}", **FUTURES)
    await call("market_data.get_last_settlements_by_currency", **BTC)
    await call("market_data.get_last_trades_by_currency_and_time", **BTC, **window)
    await call("market_data.get_index_price", **INDEX)
    await call("market_data.get_delivery_prices", **INDEX)
    await call("market_data.get_funding_chart_data", **PERP, length="8h")
    await call("market_data.get_tradingview_chart_data", **PERP, **window, resolution="1")
    await call(
        "market_data.get_order_book_by_instrument_id",
        instrument_id=session.told["get_instrument"]["instrument_id"],
    )


async def trade(session: Session) -> None:
    """Orders through their lives, over HTTP and over the socket."""
    call = session.call
    bid = await call("trading.buy", BID)
    order_id = bid["order"]["order_id"]
    await call("trading.edit", order_id=order_id, amount=200, price=58_990, post_only=True)
    await call(
        "trading.edit_by_label", label="mine", **PERP, amount=100, price=58_980, transport="ws"
    )
    await call("trading.get_order_state", order_id=order_id)
    await call("trading.get_order_state_by_label", **BTC, label="mine")
    await call("trading.get_open_orders")
    await call("trading.get_open_orders_by_currency", **BTC)
    await call("trading.get_open_orders_by_instrument", **PERP)
    await call("trading.get_open_orders_by_label", **BTC, label="mine")
    await call("trading.get_order_margin_by_ids", ids=[order_id])
    await call("trading.get_margins", **PERP, amount=100, price=60_000)
    await call("trading.cancel", order_id=order_id)
    for family, scope in (
        ("cancel_all", {}), ("cancel_all_by_currency", BTC), ("cancel_all_by_instrument", PERP),
        ("cancel_all_by_currency_pair", {"currency_pair": "btc_usd"}), ("cancel_all_by_kind_or_type", BTC),
        ("cancel_by_label", {"label": "mine"}),
    ):  # fmt: skip
        await call("trading.buy", BID, transport="ws")
        detailed = {} if family == "cancel_by_label" else {"detailed": True}
        await call(f"trading.{family}", **scope, **detailed)
    bought = await call("trading.buy", {**PERP, "type": "market", "amount": 100})
    await call("trading.sell", {**PERP, "type": "limit", "amount": 40, "price": 59_900})
    await call("trading.get_user_trades_by_order", order_id=bought["order"]["order_id"])


async def look_back(session: Session) -> None:
    """What the account has and did."""
    now = datetime.now(UTC)
    window = {
        "start_timestamp": now - timedelta(hours=1),
        "end_timestamp": now + timedelta(hours=1),
    }
    call = session.call
    await call("account.get_account_summary", **BTC, extended=True)
    await call("account.get_account_summaries", extended=True)
    await call("account.get_position", **PERP)
    await call("account.get_positions", **BTC)
    await call("account.get_subaccounts", with_portfolio=True)
    await call("account.get_subaccounts_details", **BTC, with_open_orders=True)
    await call("account.get_user_locks")
    await call("account.get_access_log")
    await call("account.get_announcements")
    await call("account.get_transaction_log", **BTC, **window)
    await call(
        "account.set_self_trading_config", mode="cancel_maker", extended_to_subaccounts=False
    )
    for name in ("get_order_history", "get_user_trades", "get_settlement_history"):
        await call(f"trading.{name}_by_currency", **BTC)
        await call(f"trading.{name}_by_instrument", **PERP)
    await call("trading.get_trigger_order_history", **BTC)
    await call("trading.get_user_trades_by_currency_and_time", **BTC, **window)
    await call("trading.get_user_trades_by_instrument_and_time", **PERP, **window)


async def protect(session: Session) -> None:
    """The session's own settings, and protection."""
    call = session.call
    for name in (
        "enable_cancel_on_disconnect",
        "get_cancel_on_disconnect",
        "disable_cancel_on_disconnect",
    ):
        await call(f"session.{name}", transport="ws")
    await call("session.set_heartbeat", interval=10)
    await call("session.disable_heartbeat")
    config = {"interval": 10, "frozen_time": 0, "quantity_limit": 1.0, "max_quote_quantity": 5.0}
    await call("trading.set_mmp_config", **INDEX, **config)
    await call("trading.get_mmp_config", **INDEX)
    await call("trading.get_mmp_status")
    await call("trading.reset_mmp", **INDEX)


async def first(stream: Any) -> Any:
    """The first notification of a stream."""
    async with stream as notifications:
        return await anext(aiter(notifications))


async def watch(session: Session) -> list[str]:
    """Every stream, while orders are placed until each has spoken; those that have not."""
    public, user = session.client.streams.market_data, session.client.streams.user
    batched = {"interval": "100ms"}
    streams = {
        "book": public.book(**PERP, interval="raw"),
        "grouped book": public.book_grouped(**PERP, group="none", depth="10", **batched),
        "ticker": public.ticker(**PERP, **batched),
        "incremental ticker": public.incremental_ticker(**PERP),
        "quote": public.quote(**PERP),
        "trades": public.trades_by_instrument(**PERP, **batched),
        "trades of BTC": public.trades_by_kind_currency(**FUTURES, **batched),
        "perpetual": public.perpetual(**PERP, **batched),
        "index": public.price_index(**INDEX),
        "ranking": public.price_ranking(**INDEX),
        "estimate": public.estimated_expiration_price(**INDEX),
        "chart": public.chart_trades(**PERP, resolution="1"),
        "platform": public.platform_state(),
        "changes": user.changes_by_instrument(**PERP, interval="raw"),
        "changes of BTC": user.changes_by_kind_currency(**FUTURES, **batched),
        "orders": user.orders_by_instrument(**PERP, **batched),
        "orders raw": user.orders_by_instrument_raw(**PERP),
        "orders of BTC": user.orders_by_kind_currency(**FUTURES, **batched),
        "orders of BTC raw": user.orders_by_kind_currency_raw(**FUTURES),
        "fills": user.trades_by_instrument(**PERP, interval="raw"),
        "fills of BTC": user.trades_by_kind_currency(**FUTURES, **batched),
        "portfolio": user.portfolio(currency="BTC"),
    }
    tasks: dict[str, asyncio.Task[Any]] = {}
    for name, stream in streams.items():
        # One call a stream, and a call costs more than most: ten at once, then 3.3 a second.
        if len(tasks) > 7:
            await asyncio.sleep(0.31)
        tasks[name] = asyncio.create_task(session.note(f"stream: {name}", first(stream)))
    for side in ("buy", "sell") * 10:
        market = {**PERP, "type": "market", "amount": 10}
        await getattr(session.client.trading, side)(market)
        _, waiting = await asyncio.wait(tasks.values(), timeout=0.3)
        if not waiting:
            break
    silent = [name for name, task in tasks.items() if not task.done()]
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    return silent


async def main(address: str, key: str, secret: str) -> dict[str, Any]:
    """All of it."""
    async with client_at(address, key, secret) as client:
        session = Session(client)
        for part in (look_around, trade, look_back, protect):
            await part(session)
        silent = await watch(session)
    async with client_at(address, key, secret, signed=True) as signed:
        await session.note("signed", signed.account.get_positions(currency="BTC"))
    async with client_at(address, key, "wrong") as stranger:
        refused = Session(stranger)
        await refused.note("wrong secret", stranger.account.get_user_locks())
    return {
        "told": session.told,
        "complaints": session.complaints,
        "silent": silent,
        "refused": refused.complaints,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:])), default=str))
