"""What a client learns from replies and channels, whatever overtakes what, is what the exchange knows.

Order is kept within one channel only; replies and the frames of different channels overtake each other at
random. A client that merges as Deribit advises (the end of an order is final, then the later update, then
the larger fill; a trade counts once) must end with the exchange's own orders, trades and position; and so
must one that hears only the orders and trades, or only the changes, and no reply.
"""

import json
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.units import Side
from tests.support.exchange import Bench, Json

PERP = "BTC-PERPETUAL"
ORDERS = "user.orders.any.any.{}"
TRADES = "user.trades.future.BTC.{}"
CHANGES = f"user.changes.{PERP}.{{}}"

Step = tuple[str, int, int, int]

steps = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "bid",
                "bid",
                "ask",
                "ask",
                "post",
                "take",
                "edit",
                "cancel",
                "all",
                "close",
                "hit",
                "lift",
            ]
        ),
        st.integers(1, 1_500),
        st.integers(-3, 3),
        st.integers(0, 50),
    ),
    min_size=5,
    max_size=25,
)


class View:
    """A client's picture of one account."""

    def __init__(self) -> None:
        self.orders: dict[str, Json] = {}
        self.trades: dict[str, Json] = {}
        self.size = 0.0

    def hear(self, message: Json) -> None:
        """Take a frame of a channel, or a reply."""
        if "params" not in message:
            self._reply(message.get("result"))
            return
        channel, data = message["params"]["channel"], message["params"]["data"]
        if channel.startswith("user.changes"):
            self._learn(data["orders"], data["trades"])
            self.size = data["positions"][0]["size"]
        elif channel.startswith("user.trades"):
            self._learn([], data)
        else:
            self._learn(data if isinstance(data, list) else [data], [])

    def _reply(self, result: Any) -> None:
        if not isinstance(result, dict):
            return
        if "order" in result:
            self._learn([result["order"]], result["trades"])
        elif "order_id" in result:
            self._learn([result], [])

    def _learn(self, orders: list[Json], trades: list[Json]) -> None:
        for order in orders:
            known = self.orders.get(order["order_id"])
            if known is None or _age(order) >= _age(known):
                self.orders[order["order_id"]] = order
        self.trades |= {trade["trade_id"]: trade for trade in trades}


def _age(order: Json) -> tuple[bool, int, float]:
    ended = order["order_state"] != "open"
    return ended, order["last_update_timestamp"], order["filled_amount"]


class Client:
    """Two sockets of one account, one of which listens, and somebody to trade with."""

    def __init__(self, seed: int, intervals: tuple[str, str, str]) -> None:
        self.bench = Bench(seed=seed)
        self.mouths = [self.bench.login(), self.bench.login()]
        channels = zip((ORDERS, TRADES, CHANGES), intervals, strict=True)
        named = [channel.format(interval) for channel, interval in channels]
        self.bench.call(self.mouths[0], "private/subscribe", channels=named)
        self._asked = 0

    def ask(self, mouth: int, method: str, **params: object) -> None:
        """Send a request; its reply comes to the socket that asked."""
        self._asked += 1
        request = {"id": self._asked, "method": method, "params": params}
        self.bench.raw(self.mouths[mouth], json.dumps(request).encode())

    def do(self, step: Step) -> None:
        """One thing that this client or somebody else does; refusals are part of it."""
        act, lots, ticks, pick = step
        amount, price, mouth = 10 * lots, 60_000 + 0.5 * ticks, pick % 2
        bid = {"instrument_name": PERP, "amount": amount, "price": price}
        match act:
            case "bid" | "ask":
                self.ask(mouth, f"private/{'buy' if act == 'bid' else 'sell'}", **bid)
            case "post":
                self.ask(mouth, "private/buy", **bid, post_only=True)
            case "take":
                self.ask(mouth, "private/sell", **bid, time_in_force="immediate_or_cancel")
            case "edit" | "cancel":
                orders = self.bench.call(self.mouths[1], "private/get_open_orders")
                if orders:
                    order_id = orders[pick % len(orders)]["order_id"]
                    change = {"amount": amount, "price": price} if act == "edit" else {}
                    self.ask(mouth, f"private/{act}", order_id=order_id, **change)
            case "all":
                self.ask(mouth, "private/cancel_all_by_instrument", instrument_name=PERP)
            case "close":
                self.ask(mouth, "private/close_position", instrument_name=PERP, type="market")
            case "hit":
                self.bench.others(PERP, Side.SELL, price - 2.0, amount)
            case "lift":
                self.bench.others(PERP, Side.BUY, price + 2.0, amount)
        self.bench.pass_time(0.013)

    def messages(self) -> list[list[Json]]:
        """Everything said, one list for each channel and each reply; order holds only within a list."""
        self.bench.pass_time(1.5)
        channels: dict[str, list[Json]] = {}
        replies = []
        for mouth in self.mouths:
            for message in self.bench.inbox[mouth]:
                if "params" in message:
                    channels.setdefault(message["params"]["channel"], []).append(message)
                elif message.get("id", 0) <= self._asked:
                    replies.append([message])
        return [*channels.values(), *replies]


def shuffled(streams: list[list[Json]], draws: Random) -> list[Json]:
    """One order in which the messages of all streams can arrive."""
    waiting = [list(stream) for stream in streams]
    arrived = []
    while waiting := [stream for stream in waiting if stream]:
        arrived.append(draws.choice(waiting).pop(0))
    return arrived


def picture(view: View, size: float) -> Json:
    """What a client believes; `size` is the position it was told."""
    signs = {"buy": 1, "sell": -1}
    fills: dict[str, float] = {}
    for trade in view.trades.values():
        fills[trade["order_id"]] = fills.get(trade["order_id"], 0.0) + trade["amount"]
    return {
        "open": {key: one for key, one in view.orders.items() if one["order_state"] == "open"},
        "trades": view.trades,
        "position": size,
        "traded": sum(signs[one["direction"]] * one["amount"] for one in view.trades.values()),
        "filled": fills,
        "balance": round(0.9 - sum(trade["fee"] for trade in view.trades.values()), 8),
    }


def truth(client: Client, view: View) -> Json:
    """What the exchange answers; `filled` by the orders as the client last saw them."""
    bench, conn = client.bench, client.bench.login()
    ask = {"instrument_name": PERP, "count": 1000, "sorting": "asc"}
    page = bench.call(conn, "private/get_user_trades_by_instrument", **ask)
    assert page["has_more"] is False
    size = bench.call(conn, "private/get_position", instrument_name=PERP)["size"]
    summary = bench.call(conn, "private/get_account_summary", currency="BTC")
    orders = bench.call(conn, "private/get_open_orders")
    return {
        "open": {order["order_id"]: order for order in orders},
        "trades": {trade["trade_id"]: trade for trade in page["trades"]},
        "position": size,
        "traded": size,
        "filled": {
            key: order["filled_amount"]
            for key, order in view.orders.items()
            if order["filled_amount"]
        },
        "balance": summary["balance"],
    }


@settings(max_examples=60)
@given(
    steps,
    st.tuples(*[st.sampled_from(["raw", "100ms", "agg2"])] * 3),
    st.integers(0, 2**32),
)
def test_a_clients_view_ends_as_the_exchanges_whatever_overtakes_what(
    script: list[Step], intervals: tuple[str, str, str], seed: int
) -> None:
    client = Client(seed, intervals)
    for step in script:
        client.do(step)
    everything, apart, together = View(), View(), View()
    for message in shuffled(client.messages(), Random(seed)):
        everything.hear(message)
        channel = message.get("params", {}).get("channel", "")
        if channel:
            (together if channel.startswith("user.changes") else apart).hear(message)
    for view, size in (
        (everything, everything.size),
        (together, together.size),
        (apart, together.size),
    ):
        assert picture(view, size) == truth(client, view)
