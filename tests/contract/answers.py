"""How the mock is asked for a message of each kind that was recorded."""

from collections.abc import Callable
from typing import Any

from shared.units import Side
from tests.support.exchange import SECRET, Bench, Json

PERP = "BTC-PERPETUAL"
KEY = {"grant_type": "client_credentials", "client_id": "mock-maker", "client_secret": SECRET}
BID: Json = {"instrument_name": PERP, "amount": 10, "price": 59_000, "post_only": True}
HOUR_MS = 3_600_000


class Desk:
    """A client of a mock on which everything happens that a message tells of."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.conn = self.bench.login()
        self.trade()

    @property
    def now_ms(self) -> int:
        """The exchange's time."""
        return self.bench.now // 1_000_000

    def traded_future(self) -> str:
        """The nearest dated future, after a trade in it."""
        listed = self.ask("public/get_instruments", currency="BTC", kind="future")["result"]
        name = str(listed[0]["instrument_name"])
        self.trade(name)
        return name

    def ask(self, method: str, **params: object) -> Json:
        """The whole answer of a call."""
        return self.bench.ask(self.conn, method, **params)

    def frames(self, channel: str, cause: Callable[[], object] = lambda: None) -> list[Json]:
        """The frames of a channel from its subscription on, through a cause and a third of a second."""
        method = "private/subscribe" if channel.startswith("user") else "public/subscribe"
        self.bench.call(self.conn, method, channels=[channel])
        cause()
        self.bench.pass_time(0.3)
        inbox = self.bench.inbox[self.conn]
        return [frame for frame in inbox if frame.get("params", {}).get("channel") == channel]

    def trade(self, instrument: str = PERP) -> None:
        """Others trade, on either side."""
        self.bench.others(instrument, Side.BUY, 60_002.5, 10.0)
        self.bench.others(instrument, Side.SELL, 59_997.5, 10.0)

    def take(self) -> None:
        """The client takes, and so has a position."""
        self.bench.call(self.conn, "private/buy", instrument_name=PERP, amount=10, price=60_100)

    def bid(self) -> str:
        """An order of the client; its id."""
        order = self.bench.call(self.conn, "private/buy", **BID, label="a")["order"]
        return str(order["order_id"])

    def hours_pass(self) -> Json:
        """Three hours of funding; the window they fill."""
        start = self.now_ms
        self.bench.pass_time(3 * 3_600)
        return {"start_timestamp": start, "end_timestamp": self.now_ms}


def _stranger(method: str, **params: object) -> list[Json]:
    bench = Bench()
    return [bench.ask(bench.open(), method, **params)]


def _edited(desk: Desk) -> list[Json]:
    change = {"order_id": desk.bid(), "amount": 20, "price": 58_000, "post_only": True}
    return [desk.ask("private/edit", **change)]


def _positions(desk: Desk, method: str, **params: object) -> list[Json]:
    desk.take()
    return [desk.ask(method, **params)]


def _test_request(desk: Desk) -> list[Json]:
    conn = desk.bench.open()
    desk.bench.call(conn, "public/set_heartbeat", interval=10)
    desk.bench.pass_time(12.1)
    return [desk.bench.inbox[conn][-1]]


def _tested_by_name(desk: Desk) -> list[Json]:
    desk.bench.inbox[desk.conn].clear()
    desk.bench.raw(desk.conn, b'{"jsonrpc":"2.0","id":"by-name","method":"public/test"}')
    return desk.bench.inbox[desk.conn]


def _funding_rows(desk: Desk) -> list[Any]:
    window = desk.hours_pass()
    desk.conn = desk.bench.login()
    answer = desk.ask("public/get_funding_rate_history", instrument_name=PERP, **window)
    return [answer["result"]]


def _chart(desk: Desk) -> list[Json]:
    window = {"start_timestamp": desk.now_ms - HOUR_MS, "end_timestamp": desk.now_ms}
    asked = {"instrument_name": PERP, "resolution": "1", **window}
    return [desk.ask("public/get_tradingview_chart_data", **asked)]


def _subscribed(desk: Desk) -> list[Json]:
    channels = [f"book.{PERP}.100ms", f"ticker.{PERP}.100ms", f"trades.{PERP}.100ms"]
    return [desk.ask("public/subscribe", channels=channels)]


def _subscribed_in_part(desk: Desk) -> list[Json]:
    wanted = [f"book.{PERP}.none.10.100ms", f"book.{PERP}.none.7.100ms", "ticker.NOPE.100ms"]
    return [desk.ask("public/subscribe", channels=wanted)]


def _last_trades(desk: Desk) -> Json:
    return desk.ask("public/get_last_trades_by_instrument", instrument_name=PERP)


def _book(desk: Desk, instrument: str) -> Json:
    return desk.ask("public/get_order_book", instrument_name=instrument, depth=20)


ANSWERS: dict[str, Callable[[Desk], list[Any]]] = {
    "book snapshot": lambda desk: desk.frames(f"book.{PERP}.100ms"),
    "book change": lambda desk: desk.frames(f"book.{PERP}.100ms", desk.trade)[1:],
    "grouped book": lambda desk: desk.frames(f"book.{PERP}.none.10.100ms"),
    "trades": lambda desk: desk.frames(f"trades.{PERP}.100ms", desk.trade),
    "quote": lambda desk: desk.frames(f"quote.{PERP}", desk.trade),
    "candle": lambda desk: desk.frames(f"chart.trades.{PERP}.1", desk.trade),
    "ticker of the perpetual": lambda desk: desk.frames(f"ticker.{PERP}.100ms"),
    "ticker of a dated future": lambda desk: desk.frames(f"ticker.{desk.traded_future()}.100ms"),
    "book summary of the perpetual": lambda desk: [
        desk.ask("public/get_book_summary_by_instrument", instrument_name=PERP)
    ],
    "book summary of a dated future": lambda desk: [
        desk.ask("public/get_book_summary_by_instrument", instrument_name=desk.traded_future())
    ],
    "asked book of the perpetual": lambda desk: [_book(desk, PERP)],
    "asked book of a dated future": lambda desk: [_book(desk, desk.traded_future())],
    "asked book, bare": lambda desk: [_book(desk, PERP)["result"]],
    "last trades": lambda desk: [_last_trades(desk)],
    "last trades, bare": lambda desk: [_last_trades(desk)["result"]],
    "chart": _chart,
    "funding history, bare": _funding_rows,
    "currencies": lambda desk: [desk.ask("public/get_currencies")],
    "instrument": lambda desk: [desk.ask("public/get_instrument", instrument_name=PERP)],
    "instruments": lambda desk: [desk.ask("public/get_instruments", currency="BTC", kind="future")],
    "instruments of 2021": lambda desk: [
        desk.ask("public/get_instruments", currency="BTC", kind="future")
    ],
    "time": lambda desk: [desk.ask("public/get_time")],
    "subscribed": _subscribed,
    "subscribed in part": _subscribed_in_part,
    "heartbeat set": lambda desk: [desk.ask("public/set_heartbeat", interval=10)],
    "test request": _test_request,
    "tested": lambda desk: [desk.ask("public/test")],
    "tested by name": _tested_by_name,
    "error: wrong secret": lambda desk: _stranger("public/auth", **KEY | {"client_secret": "no"}),
    "error: not logged in": lambda desk: _stranger("private/get_positions", currency="BTC"),
    "error: wrong kind": lambda desk: _stranger(
        "public/get_instruments", currency="BTC", kind="no"
    ),
    "error: heartbeat too often": lambda desk: _stranger("public/set_heartbeat", interval=5),
    "bought": lambda desk: [desk.ask("private/buy", **BID)],
    "sold": lambda desk: [desk.ask("private/sell", **BID | {"price": 61_000})],
    "edited": _edited,
    "cancelled": lambda desk: [desk.ask("private/cancel", order_id=desk.bid())],
    "portfolio": lambda desk: desk.frames("user.portfolio.any", desk.take),
    "position": lambda desk: _positions(desk, "private/get_position", instrument_name=PERP),
    "positions": lambda desk: _positions(desk, "private/get_positions", currency="BTC"),
    "account summary": lambda desk: [
        desk.ask("private/get_account_summary", currency="BTC", extended=True)
    ],
}

WORD_FOR_WORD: dict[str, str] = {
    "error: wrong secret": "error",
    "error: not logged in": "error",
    "error: wrong kind": "error",
    "error: heartbeat too often": "error",
    "heartbeat set": "result",
    "tested": "result",
    "subscribed in part": "result",
    "tested by name": "result",
    "test request": "params",
}
"""The member that is the same in every such message, down to its words."""
