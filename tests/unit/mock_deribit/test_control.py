"""The control API, asked without a socket."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from mock_deribit.clock import ExchangeClock
from mock_deribit.control import Control
from mock_deribit.faults import Cut
from mock_deribit.rpc.dispatch import HttpRequest
from mock_deribit.timeline import Entry
from shared.kernel import Nanos
from shared.units import SECOND
from tests.support.exchange import START, Bench

PERP = "BTC-PERPETUAL"
BOOK = f"book.{PERP}.100ms"


class Desk:
    """An operator at the control API of a bench whose time stands still."""

    def __init__(self, script: Sequence[Entry] = ()) -> None:
        self.bench = Bench(script)
        self.clock = ExchangeClock(lambda: self.bench.now)
        self.control = Control(self.bench.core, self.clock)

    def ask(self, verb: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and body of the answer; what leaves on the sockets is in the bench's inboxes."""
        request = HttpRequest(
            verb=verb,
            target=path,
            path=path,
            query={},
            authorization="",
            body=body if isinstance(body, bytes) else msgspec.json.encode(body),
            peer="127.0.0.1",
        )
        answer, effects = self.control.answer(request)
        self.bench.note(effects)
        return answer.status, msgspec.json.decode(answer.body)

    def get(self, path: str) -> Any:
        """The body of a page that is there."""
        status, body = self.ask("GET", path)
        assert status == 200, body
        return body


def test_the_first_page_says_what_there_is() -> None:
    pages = Desk().get("/")
    assert pages["/faults"] == ["GET", "POST", "DELETE"]
    assert set(pages) > {"/state", "/connections", "/ledger", "/listings", "/catalogue", "/clock"}


@pytest.mark.parametrize("page", ["/health", "/state", "/connections", "/ledger", "/listings"])
def test_every_page_can_be_read_while_somebody_trades(page: str) -> None:
    desk = Desk()
    conn = desk.bench.login()
    desk.bench.call(conn, "private/buy", instrument_name=PERP, amount=10, price=59_000)
    assert desk.get(page)


def test_the_state_shows_time_books_and_indices() -> None:
    desk = Desk()
    state = desk.get("/state")
    assert state["now"] == START
    assert state["clock"] == {"speed": 1.0, "paused": False}
    assert state["indices"]["btc_usd"] == {"price": 60_000.0, "locked": False}
    assert state["books"][PERP]["best_ask"] == 60_000.5
    assert state["accounts"] == ["maker", "taker", "watcher"]


def test_a_connection_is_shown_with_its_account_channels_and_orders() -> None:
    desk = Desk()
    conn = desk.bench.login("mock-taker")
    desk.bench.call(conn, "public/subscribe", channels=[BOOK])
    placed = desk.bench.call(conn, "private/buy", instrument_name=PERP, amount=10, price=59_000)
    [shown] = desk.get("/connections")
    assert (shown["conn"], shown["account"], shown["channels"]) == (conn, "taker", [BOOK])
    assert shown["open_orders"] == [placed["order"]["order_id"]]
    assert shown["half_open"] is None


def test_a_fault_is_armed_shown_and_lifted() -> None:
    desk = Desk()
    status, body = desk.ask("POST", "/faults", {"fault": "drop_frames", "channel": "book."})
    assert (status, body) == (200, {"status": "ok", "number": 1})
    [armed] = desk.get("/faults")
    assert (armed["number"], armed["left"]) == (1, 1)
    assert armed["fault"]["fault"] == "drop_frames"
    status, body = desk.ask("DELETE", "/faults/7")
    assert (status, body) == (404, {"error": "no fault '7' is armed; armed are: 1"})
    assert desk.ask("DELETE", "/faults/1") == (200, {"status": "ok"})
    assert desk.get("/faults") == []
    desk.ask("POST", "/faults", {"fault": "refuse_handshakes"})
    assert desk.ask("DELETE", "/faults") == (200, {"status": "ok", "lifted": 1})


def test_a_fault_that_acts_at_once_has_no_number() -> None:
    desk = Desk()
    conn = desk.bench.open()
    assert desk.ask("POST", "/faults", {"fault": "cut"}) == (200, {"status": "ok", "number": None})
    assert desk.bench.closes == {conn: (1006, "cut")}


@pytest.mark.parametrize(
    ("verb", "path", "body", "status", "says"),
    [
        ("GET", "/nothing", b"", 404, "there is no /nothing here; there are /, /health, /state"),
        ("PUT", "/faults", b"", 405, "/faults takes GET, POST, DELETE; came PUT"),
        ("POST", "/faults", b"{", 400, "expected a JSON object that names a `fault`"),
        ("POST", "/faults", b'{"fault":"lock","index":"x"}', 400, "there is no index 'x' here"),
        ("POST", "/clock", b'{"clock":"stop"}', 400, "one of pause, resume, run, step, jump"),
        ("POST", "/clock", b'{"clock":"run","speed":0}', 400, "Expected `float` > 0.0"),
        ("POST", "/clock", b'{"clock":"jump","to":"2001-01-01T00:00:00Z"}', 400, "not run back"),
        ("POST", "/clock", b'{"clock":"jump","to":"2031-01-01T00:00:00"}', 400, "timezone"),
    ],
)
def test_a_request_that_cannot_be_served_says_what_was_expected_and_does_nothing(
    verb: str, path: str, body: bytes, status: int, says: str
) -> None:
    desk = Desk()
    got, answer = desk.ask(verb, path, body)
    assert got == status
    assert says in answer["error"]
    assert "\n" not in answer["error"]
    assert (desk.clock(), desk.get("/faults")) == (START, [])


def test_the_catalogue_describes_every_word() -> None:
    catalogue = Desk().get("/catalogue")
    assert catalogue["faults"]["half_open"]["armed"] is False
    assert catalogue["faults"]["lose_answer"]["armed"] is True
    assert list(catalogue["clock"]) == ["pause", "resume", "run", "step", "jump"]


def test_what_was_done_is_on_record_and_what_is_to_come_is_counted() -> None:
    script = (Entry(number=1, word=Cut(), at=Nanos(60 * SECOND)),)
    desk = Desk(script)
    desk.ask("POST", "/faults", {"fault": "lock", "index": "btc_usd"})
    desk.ask("POST", "/faults", {"fault": "lock", "index": "doge_usd"})
    desk.ask("POST", "/clock", {"clock": "run", "speed": 2.0})
    words = [deed["word"] for deed in desk.get("/record")]
    assert words == [
        {"fault": "lock", "index": "btc_usd", "locked": True},
        {"clock": "run", "speed": 2.0},
    ]
    state = desk.get("/state")
    assert (state["timeline_left"], state["armed"], state["clock"]["speed"]) == (1, 0, 2.0)


# -- time ----------------------------------------------------------------------------------------


def test_time_that_stands_still_is_stepped_and_everything_it_holds_happens() -> None:
    desk = Desk()
    conn = desk.bench.login()
    channel = "deribit_price_index.btc_usd"
    desk.bench.call(conn, "private/subscribe", channels=[channel])
    desk.ask("POST", "/clock", {"clock": "pause"})
    status, body = desk.ask("POST", "/clock", {"clock": "step", "seconds": 5})
    assert (status, body["now"], body["paused"]) == (200, START + 5 * SECOND, True)
    ticks = desk.bench.frames(conn, channel)
    assert [tick["timestamp"] for tick in ticks] == [START // 10**6 + 1000 * n for n in range(1, 6)]


def test_a_jump_over_eight_oclock_settles_and_no_connection_grows_older() -> None:
    desk = Desk()
    conn = desk.bench.login()
    desk.bench.call(conn, "public/set_heartbeat", interval=10)
    states = "instrument.state.future.BTC"
    desk.bench.call(conn, "public/subscribe", channels=[states])
    desk.bench.call(conn, "private/buy", instrument_name=PERP, amount=10, price=60_100)
    status, _ = desk.ask("POST", "/clock", {"clock": "jump", "to": "2026-09-22T08:00:01Z"})
    assert status == 200
    assert {told["state"] for told in desk.bench.frames(conn, states)} == {"settlement"}
    assert desk.bench.closes == {}
    assert all(frame["method"] != "heartbeat" for frame in desk.bench.inbox[conn])
    desk.ask("POST", "/clock", {"clock": "step", "seconds": 5})
    assert {told["state"] for told in desk.bench.frames(conn, states)} == {"open"}


def test_what_there_is_is_named_once() -> None:
    _, answer = Desk().ask("POST", "/faults", b'{"fault":"lock","index":"x"}')
    assert answer == {"error": "there is no index 'x' here; there are btc_usd"}
