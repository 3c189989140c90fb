"""A shipped scenario played in simulated time, with a client that trades, reconnects and remembers.

Everything that leaves the exchange goes into one fingerprint: the same scenario gives the same bytes.
"""

import hashlib
import json
from typing import Any

import msgspec

from mock_deribit.clock import ExchangeClock
from mock_deribit.control import Control
from mock_deribit.core import Deed, MockDeribit
from mock_deribit.rpc.outbox import Effect, Reply
from mock_deribit.settings import from_environment
from mock_deribit.shell.markets import market_of
from mock_deribit.shell.scenarios import load
from shared.kernel import Nanos
from shared.units import MILLISECOND, SECOND, from_seconds

START = Nanos(1_790_000_000 * SECOND)
SECRET = "a-secret-for-rehearsals"
PERP = "BTC-PERPETUAL"
CHANNELS = (
    f"book.{PERP}.100ms",
    f"trades.{PERP}.100ms",
    "user.orders.any.any.raw",
    "user.trades.any.any.raw",
    "instrument.state.future.BTC",
    "platform_state",
    "deribit_price_index.btc_usd",
)
_BEAT = Nanos(500 * MILLISECOND)

Json = dict[str, Any]


class Rehearsal:
    """One play of a scenario. `answers` are the replies by method, `frames` the data by channel."""

    def __init__(self, name: str) -> None:
        scenario = load(name)
        settings = from_environment({}, {}, scenario.settings).with_secrets(SECRET)
        start = settings.opening() or START
        market = market_of(settings)
        self.core = MockDeribit(
            start, settings, settings.listings(start), market, scenario.timeline
        )
        self._real = start
        self.clock = ExchangeClock(lambda: self._real, start)
        self._control = Control(self.core, self.clock)
        self.conn: int | None = None
        self.refused: list[int] = []
        self.closes: list[tuple[int, str]] = []
        self.answers: dict[str, list[Json]] = {}
        self.frames: dict[str, list[Any]] = {}
        self._asked: dict[int, str] = {}
        self._conns = 0
        self._beat = 0
        self._resting: str | None = None
        self._seen = hashlib.blake2b(digest_size=16)

    @property
    def fingerprint(self) -> str:
        """Of every byte that has left so far."""
        return self._seen.hexdigest()

    @property
    def deeds(self) -> list[Deed]:
        """What the timeline did."""
        return self.core.record()

    def play(self, seconds: float) -> "Rehearsal":
        """Let so much time pass; the client acts twice a second."""
        end = Nanos(self._real + from_seconds(seconds))
        while self._real < end:
            self._pass(min(end, Nanos(self._real + _BEAT)))
            self._act()
        return self

    def _pass(self, until: Nanos) -> None:
        while True:
            wait = max(0, self.core.next_wake() - self.clock())
            if self._real + wait > until:
                break
            self._real = Nanos(self._real + wait)
            self._hear(self.core.wake(self.clock()))
            self._hear(self._control.follow())
        self._real = until
        self._hear(self.core.wake(self.clock()))

    # -- the client ------------------------------------------------------------------------------

    def _act(self) -> None:
        self._beat += 1
        if self.conn is None:
            self._connect()
            return
        if "public/auth" not in self._asked.values():
            key = {"client_id": "mock-maker", "client_secret": SECRET}
            self._ask("public/auth", grant_type="client_credentials", **key)
            self._ask("private/subscribe", channels=list(CHANNELS))
            return
        bid, ask = self._best()
        order = {"instrument_name": PERP, "amount": 100, "label": str(self._beat)}
        match self._beat % 6:
            case 0:
                self._ask("private/buy", price=bid - 50.0, **order)
            case 1 if self._resting:
                change = {"amount": 90, "price": bid - 60.0}
                self._ask("private/edit", order_id=self._resting, **change)
            case 2 if self._resting:
                self._ask("private/cancel", order_id=self._resting)
            case 3:
                self._ask("private/sell", price=ask + 50.0, **order)
            case 4:
                self._ask("private/buy", type="market", **order)
            case 5:
                self._ask("private/cancel_all")

    def _connect(self) -> None:
        status = self.core.admission("10.0.0.1")
        if status != 101:
            self.refused.append(status)
            return
        self._conns += 1
        self.conn = self._conns
        self._asked.clear()
        self._hear(self.core.opened(self.clock(), self.conn, "10.0.0.1"))

    def _ask(self, method: str, **params: object) -> None:
        if self.conn is None:
            return
        number = self._conns * 100_000 + len(self._asked)
        self._asked[number] = method
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        frame = msgspec.json.encode(request)
        self._hear(self.core.received(self.clock(), self.conn, frame))

    def _best(self) -> tuple[float, float]:
        books: Any = self.core.state(self.clock())["books"]
        book = books[PERP]
        return book["best_bid"] or 0.0, book["best_ask"] or 0.0

    def _hear(self, effects: list[Effect]) -> None:
        for effect in effects:
            self._seen.update(repr((self.clock(), effect)).encode())
            if isinstance(effect, Reply):
                self._note(json.loads(effect.data))
            else:
                self.closes.append((effect.code, effect.reason))
                self.conn = None

    def _note(self, frame: Json) -> None:
        if "id" in frame:
            method = self._asked[frame["id"]]
            self.answers.setdefault(method, []).append(frame)
            order = frame.get("result")
            if method == "private/buy" and isinstance(order, dict):
                resting = order["order"]["order_state"] == "open"
                self._resting = order["order"]["order_id"] if resting else self._resting
        elif frame["method"] == "subscription":
            params = frame["params"]
            self.frames.setdefault(params["channel"], []).append(params["data"])
