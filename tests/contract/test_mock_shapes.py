"""The mock's answers beside recorded ones of the real exchange: members, types, nesting.

The recordings lie beside the project and are read, never copied. Each difference that is meant stands in
the list of its recording with its reason; one that is not listed fails, and so does a reason that no
longer has a difference.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.units import Side
from tests.support.exchange import SECRET, Bench, Json

RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "deribit"
PERP = "BTC-PERPETUAL"
DATED = "BTC-25DEC26"
CREDENTIALS = {"grant_type": "client_credentials", "client_id": "mock-maker"}

pytestmark = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="no recordings of the exchange beside the project"
)


def recorded(path: str) -> Any:
    """A recording; those kept as HTTP exchanges are unwrapped to the body."""
    content = json.loads((RECORDINGS / path).read_text())
    if isinstance(content, list):
        return json.loads(content[0]["response"]["body"])
    return content


def differences(theirs: Any, ours: Any, path: str = "") -> list[str]:
    """Where the shapes part: `path: theirs / ours`. Lists are compared by their first elements."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        found = [f"{path}.{name}: only theirs" for name in theirs if name not in ours]
        found += [f"{path}.{name}: only ours" for name in ours if name not in theirs]
        for name in theirs:
            if name in ours:
                found += differences(theirs[name], ours[name], f"{path}.{name}")
        return found
    if isinstance(theirs, list) and isinstance(ours, list):
        return differences(theirs[0], ours[0], f"{path}[]") if theirs and ours else []
    kinds = type(theirs).__name__, type(ours).__name__
    return [] if kinds[0] == kinds[1] else [f"{path}: {kinds[0]} / {kinds[1]}"]


def check_shape(theirs: Any, ours: Any, meant: dict[str, str]) -> None:
    """Every difference is meant, and every meant one is there."""
    assert sorted(differences(theirs, ours)) == sorted(meant)


class Desk:
    """A mock on which everything has happened once: orders, fills on both sides, a position."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.conn = self.bench.login()
        self._ids = 0

    def answer(self, method: str, **params: object) -> Json:
        return self.bench.ask(self.conn, method, **params)

    def frame(self, channel: str, cause: Callable[[], object] | None = None, nth: int = 0) -> Json:
        """The nth frame of a channel since subscribing to it, whole."""
        method = "private/subscribe" if channel.startswith("user") else "public/subscribe"
        self.bench.call(self.conn, method, channels=[channel])
        if cause is not None:
            cause()
        self.bench.pass_time(0.3)
        frames = [
            frame
            for frame in self.bench.inbox[self.conn]
            if frame.get("params", {}).get("channel") == channel
        ]
        return frames[nth]

    def trade(self, instrument: str = PERP) -> None:
        self.bench.others(instrument, Side.BUY, 60_002.5, 10.0)
        self.bench.others(instrument, Side.SELL, 59_997.5, 10.0)

    def order(self, **changes: object) -> Json:
        bid: dict[str, object] = {"instrument_name": PERP, "amount": 10, "price": 59_000}
        return self.answer("private/buy", **(bid | {"post_only": True} | changes))


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.trade()
    return desk


INTEGRAL = "the recording's value happens to be whole; others of the same member are not"


@pytest.mark.parametrize(
    ("path", "instrument", "meant"),
    [
        (
            "fastmm-engine/ticker_perp_btc_prod.json",
            PERP,
            {".open_interest: int / float": INTEGRAL},
        ),
        ("fastmm-engine/ticker_perp.json", PERP, {".open_interest: int / float": INTEGRAL}),
        ("nautilus_trader/ws_ticker.json", PERP, {}),
        ("fastmm-engine/ticker_future_prod.json", "", {".open_interest: int / float": INTEGRAL}),
    ],
)
def test_tickers(desk: Desk, path: str, instrument: str, meant: dict[str, str]) -> None:
    instrument = instrument or nearest_dated(desk)
    desk.trade(instrument)
    ours = desk.frame(f"ticker.{instrument}.100ms")
    check_shape(recorded(path)["params"]["data"], ours["params"]["data"], meant)


def nearest_dated(desk: Desk) -> str:
    listed = desk.answer("public/get_instruments", currency="BTC", kind="future")["result"]
    return str(listed[0]["instrument_name"])


@pytest.mark.parametrize("path", ["book_perp_snapshot.json", "book_perp_long_snapshot.json"])
def test_book_snapshots(desk: Desk, path: str) -> None:
    check_shape(recorded(f"fastmm-engine/{path}"), desk.frame(f"book.{PERP}.100ms"), {})


@pytest.mark.parametrize("path", ["book_perp_change_1.json", "book_perp_change_2.json"])
def test_book_changes(desk: Desk, path: str) -> None:
    ours = desk.frame(f"book.{PERP}.100ms", desk.trade, nth=1)
    check_shape(recorded(f"fastmm-engine/{path}"), ours, {})


def test_a_grouped_book(desk: Desk) -> None:
    ours = desk.frame(f"book.{PERP}.none.10.100ms")
    check_shape(recorded("fastmm-engine/book_grouped_ignored.json"), ours, {})


STARBASE = "an id of the new matching engine; absent from older recordings, and from the mock"
COMBO = "part of a spread trade; there are no spreads here"


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        (
            "fastmm-engine/trades_perp.json",
            {
                ".params.data[].starbase_match_id: only theirs": STARBASE,
                ".params.data[].starbase_timestamp: only theirs": STARBASE,
            },
        ),
        (
            "nautilus_trader/ws_trades.json",
            {".params.data[].combo_trade_id: only theirs": COMBO},
        ),
    ],
)
def test_trades(desk: Desk, path: str, meant: dict[str, str]) -> None:
    check_shape(recorded(path), desk.frame(f"trades.{PERP}.100ms", desk.trade), meant)


def test_a_quote(desk: Desk) -> None:
    check_shape(
        recorded("nautilus_trader/ws_quote.json"), desk.frame(f"quote.{PERP}", desk.trade), {}
    )


def test_the_order_replies_follow_one_order_through_its_life(desk: Desk) -> None:
    bought = desk.order(label="a")
    order_id = bought["result"]["order"]["order_id"]
    edited = desk.answer("private/edit", order_id=order_id, amount=20, price=58_000, post_only=True)
    cancelled = desk.answer("private/cancel", order_id=order_id)
    for name, ours in (("buy", bought), ("sell", bought), ("edit", edited), ("cancel", cancelled)):
        check_shape(recorded(f"nautilus_trader/ws_order_{name}_response.json"), ours, {})


def test_an_order_book_over_http(desk: Desk) -> None:
    ours = desk.answer("public/get_order_book", instrument_name=PERP, depth=20)
    meant = {".result.open_interest: int / float": INTEGRAL}
    check_shape(recorded("nautilus_trader/http_get_order_book.json"), ours, meant)


UNUSED = "an identifier of the exchange's catalogue that no client of ours reads"


def test_instruments(desk: Desk) -> None:
    ours = desk.answer("public/get_instruments", currency="BTC", kind="future")
    theirs = recorded("fastmm-engine/get_instruments_future.json")
    ours["result"].reverse()
    meant = {
        ".id: only ours": "recorded over HTTP without an id",
        ".result[].base_currency_uuid: only theirs": UNUSED,
        ".result[].quote_currency_uuid: only theirs": UNUSED,
        ".result[].index_id: only theirs": UNUSED,
    }
    check_shape(theirs, ours, meant)
    perpetual, mine = theirs["result"][0], ours["result"][0]
    for name in ("tick_size", "contract_size", "min_trade_amount", "price_index", "state"):
        assert mine[name] == perpetual[name]
    assert mine["expiration_timestamp"] == perpetual["expiration_timestamp"]


CROSS = "only with cross margin; the mock's accounts are segregated"


def test_a_portfolio(desk: Desk) -> None:
    ours = desk.frame(
        "user.portfolio.any",
        lambda: desk.answer("private/buy", instrument_name=PERP, amount=10, price=60_100),
    )
    totals = ("maintenance_margin", "delta_total", "initial_margin", "equity", "margin_balance")
    meant = {f".params.data.total_{name}_usd: only theirs": CROSS for name in totals}
    meant |= {
        ".params.data.delta_total_map.btc_usd: only ours": "theirs holds no position",
    }
    check_shape(recorded("nautilus_trader/ws_portfolio.json"), ours, meant)


@pytest.mark.parametrize(
    ("path", "method", "params", "at"),
    [
        ("get_positions_ok", "private/get_positions", {"currency": "BTC"}, ".result[]"),
        ("get_position_ok", "private/get_position", {"instrument_name": PERP}, ".result"),
    ],
)
def test_positions(desk: Desk, path: str, method: str, params: Json, at: str) -> None:
    desk.answer("private/sell", instrument_name=PERP, amount=10, price=59_900)
    meant = {
        f"{at}.interest_value: only ours": "added after the recording of 2020",
        ".id: only ours": "recorded over HTTP without an id",
    }
    check_shape(recorded(f"ex_deribit/{path}.json"), desk.answer(method, **params), meant)


def test_an_account_summary(desk: Desk) -> None:
    theirs = recorded("ex_deribit/get_account_summary_ok.json")
    ours = desk.answer("private/get_account_summary", currency="BTC")
    missing = [d for d in differences(theirs, ours) if not d.endswith("only ours")]
    regrouped = "regrouped in 2024"
    meant = {
        ".result.session_funding: only theirs": "no longer documented",
        ".result.limits.non_matching_engine_burst: only theirs": regrouped,
        ".result.limits.matching_engine_burst: only theirs": regrouped,
        ".result.limits.non_matching_engine: int / dict": regrouped,
        ".result.limits.matching_engine: int / dict": regrouped,
        ".result.deposit_address: only theirs": "there is no wallet here",
    }
    assert sorted(missing) == sorted(meant)


@pytest.mark.parametrize(
    ("path", "method", "params"),
    [
        ("rpc_invalid_credentials", "public/auth", {**CREDENTIALS, "client_secret": "no"}),
        ("rpc_unauthorized", "private/get_positions", {"currency": "BTC"}),
        ("rpc_invalid_params", "public/get_instruments", {"currency": "BTC", "kind": "no"}),
        ("heartbeat_interval_too_small", "public/set_heartbeat", {"interval": 5}),
    ],
)
def test_errors_are_the_recorded_ones_word_for_word(
    path: str, method: str, params: dict[str, object]
) -> None:
    bench = Bench()
    theirs, ours = recorded(f"fastmm-engine/{path}.json"), bench.ask(bench.open(), method, **params)
    assert ours["error"] == theirs["error"]
    check_shape(theirs, ours, {})


@pytest.mark.parametrize(
    ("path", "method", "params"),
    [
        ("set_heartbeat_ok", "public/set_heartbeat", {"interval": 10}),
        ("test_ok", "public/test", {}),
    ],
)
def test_small_answers_are_the_recorded_ones(
    path: str, method: str, params: dict[str, object]
) -> None:
    bench = Bench()
    theirs, ours = recorded(f"fastmm-engine/{path}.json"), bench.ask(bench.open(), method, **params)
    assert ours["result"] == theirs["result"]
    check_shape(theirs, ours, {})


def test_a_partly_refused_subscription_lists_what_was_granted() -> None:
    bench = Bench()
    theirs = recorded("fastmm-engine/subscribe_partial.json")
    wanted = [*theirs["result"], f"book.{PERP}.none.7.100ms", "ticker.NOPE.100ms"]
    ours = bench.ask(bench.open(), "public/subscribe", channels=wanted)
    assert ours["result"] == theirs["result"]
    check_shape(theirs, ours, {})


def test_the_heartbeat_is_the_recorded_one() -> None:
    bench = Bench()
    conn = bench.open()
    bench.call(conn, "public/set_heartbeat", interval=10)
    bench.pass_time(12.1)
    assert bench.inbox[conn][-1] == recorded("fastmm-engine/heartbeat_test_request.json")


def test_a_login_carries_every_member_a_client_reads() -> None:
    bench = Bench()
    answer = bench.call(bench.open(), "public/auth", **CREDENTIALS, client_secret=SECRET)
    assert {"access_token", "refresh_token", "expires_in", "scope", "token_type"} <= set(answer)
