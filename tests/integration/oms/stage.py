"""The real OMS on a real bus, a real state store and a mock exchange over a real socket.

Quoter, risk and market data are played by one director who keeps saying that all is well.
"""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import redis

from console.servers import NatsServer, ValkeyServer
from mock_deribit.faults import Fault
from mock_deribit.market.still import StillMarket
from mock_deribit.shell.server import Address, MockServer
from services.oms.core import Oms
from shared.instruments import BookState, Instrument
from shared.kernel import Effects, Event, Message, Nanos, Publish, Started, Wake, WakeAt
from shared.messages import (
    Anomaly,
    FeedState,
    FeedStatus,
    Filled,
    Health,
    InstrumentListed,
    Kill,
    Lease,
    Mode,
    NoQuote,
    OrderChanged,
    Position,
    Quote,
    QuoteLevel,
    Ticker,
)
from shared.params import Params
from shared.shell.host_nats import NatsHost
from shared.shell.settings import Settings
from shared.units import MILLISECOND, SECOND, Side
from tests.support.exchange import SECRET, settings_for_tests
from tests.support.hosting import Run, running, settings_for
from tests.support.waiting import until

PERPETUAL = "BTC-PERPETUAL"
LOWEST_TIER: dict[str, object] = {
    "matching_rate": 5.0,
    "matching_burst": 20.0,
    "non_matching_rate": 20.0,
    "non_matching_burst": 100.0,
}
BEAT = Nanos(100 * MILLISECOND)


class Director:
    """Says ten times a second that all is well, and whatever else it is asked to say."""

    name = "gateway"
    links: tuple[str, ...] = ()
    remembers: tuple[str, ...] = ()

    def __init__(self, spec: Instrument) -> None:
        self.spec = spec
        self.heard: list[Message] = []
        self.lines: deque[Message] = deque()
        self.mode = Mode.ACTIVE
        self.lease_s = 2.0
        self.silent = False
        self.now = Nanos(0)

    def handle(self, now: Nanos, event: Event) -> Effects:
        """Keep what is said, say what is due."""
        self.now = now
        match event:
            case Started() | Wake(timer="beat"):
                lines = [] if self.silent else self._well(now)
                return [*(Publish(line) for line in lines), WakeAt("beat", Nanos(now + BEAT))]
            case Wake(timer="say"):
                return [Publish(self.lines.popleft()) for _ in range(len(self.lines))]
            case Message():
                self.heard.append(event)
        return []

    def _well(self, now: Nanos) -> list[Message]:
        name = self.spec.name
        return [
            InstrumentListed(ts=now, instrument=name, spec=self.spec, role="perpetual"),
            FeedStatus(ts=now, instrument=name, state=FeedState.LIVE, reason="", heard=now),
            Ticker(
                ts=now,
                instrument=name,
                seen=now,
                state=BookState.OPEN,
                mark_price=60_000.0,
                index_price=60_000.0,
                min_price=59_000.0,
                max_price=61_000.0,
            ),
            Lease(
                ts=now,
                number=now,
                mode=self.mode,
                granted=self.mode is Mode.ACTIVE,
                reason="",
                until=Nanos(now + round(self.lease_s * 1e9)),
                hard_limit=0.3,
            ),
        ]

    def of(self, kind: type[Any]) -> list[Any]:
        """Messages of a kind, oldest first."""
        return [message for message in self.heard if isinstance(message, kind)]


class Stage:
    """Everything that runs, and the exchange's own view of it."""

    def __init__(self, folder: Path, nats: NatsServer, valkey: ValkeyServer) -> None:
        self.nats, self.valkey = nats, valkey
        self.market = StillMarket()
        self.mock = MockServer(settings_for_tests(**LOWEST_TIER), self.market)
        self.folder = folder
        self.oms: Run
        self._quotes = 0

    async def open(self) -> None:
        """Start the exchange, so that everybody knows its address."""
        self.address: Address = await self.mock.start()
        self.settings: Settings = settings_for(
            self.folder,
            nats_url=self.nats.url,
            redis_url=self.valkey.url,
            venue_ws_url=self.address.websocket,
            deribit_client_id="mock-maker",
            deribit_client_secret=SECRET,
        )
        (spec,) = [
            listing.instrument
            for listing in self.mock.core._exchange.listings
            if listing.name == PERPETUAL
        ]
        self.director = Director(spec)
        self.stand = NatsHost([self.director], self.settings)

    async def restart_exchange(self) -> None:
        """The exchange dies and comes back on its port with nothing in it."""
        await self.mock.stop()
        self.market = StillMarket()
        changes = {"port": self.address.port, "control_port": self.address.control_port}
        self.mock = MockServer(settings_for_tests(**LOWEST_TIER, **changes), self.market)
        await self.mock.start()

    def say(self, message: Message) -> None:
        """Have the director say something."""
        self.director.lines.append(message)
        self.stand.deliver("gateway", Wake(timer="say"))

    def quote(self, bid: float = 59_990.0, ask: float = 60_010.0, amount: float = 1_000.0) -> None:
        """One level a side, for a minute."""
        self._quotes += 1
        now = self.director.now
        wanted = ((Side.BUY, bid), (Side.SELL, ask))
        levels = tuple(
            QuoteLevel(side=side, layer=0, price=price, amount=amount, parts=())
            for side, price in wanted
        )
        self.say(
            Quote(
                ts=now,
                instrument=PERPETUAL,
                quote_id=self._quotes,
                levels=levels,
                fair=60_000.0,
                reservation=60_000.0,
                half_spread=10.0,
                sigma=2.0,
                valid_until=Nanos(now + 60 * SECOND),
                change_id=1,
                book_ts=now,
                book_seen=now,
                params_version=0,
            )
        )

    def no_quote(self) -> None:
        """Nothing is wanted."""
        self.say(
            NoQuote(
                ts=self.director.now, instrument=PERPETUAL, quote_id=0, reason="test", detail=""
            )
        )

    def kill(self) -> None:
        """The operator's kill switch."""
        self.say(Kill(ts=self.director.now, command_id="k", by="ann", reason="drill"))

    def others(self, side: Side, price: float, amount: float) -> None:
        """Somebody else's order."""
        self.market.trade(self.mock.clock(), "crowd", PERPETUAL, side, price, amount)
        self.mock._wake()

    def fault(self, fault: Fault) -> None:
        """Order a fault of the exchange."""
        self.mock.fault(fault)

    def account(self) -> dict[str, Any]:
        """The exchange's own record of our account."""
        accounts: Any = self.mock.core.ledger(self.mock.clock())["accounts"]
        record: dict[str, Any] = accounts["maker"]
        return record

    def labels(self) -> list[str]:
        """Labels of the open orders on our account, sorted."""
        return sorted(order.label for order in self.account()["open_orders"])

    def prices(self) -> list[float]:
        """Prices of the open orders on our account, ascending."""
        return sorted(order.price for order in self.account()["open_orders"])

    def real_position(self) -> float:
        """What the exchange says we hold."""
        sizes = {p.instrument: p.size for p in self.account()["positions"]}
        return float(sizes.get(PERPETUAL, 0.0))

    def stored(self, key: str) -> str:
        """What the state store holds."""
        port = self.valkey.port
        with redis.Redis(host="127.0.0.1", port=port, decode_responses=True) as client:
            return str(client.get(f"mock:{key}") or "")

    def position(self) -> Position | None:
        """The last word on the position."""
        heard: list[Position] = self.director.of(Position)
        return heard[-1] if heard else None

    def fills(self) -> list[Filled]:
        """Every fill the bus heard of."""
        return self.director.of(Filled)

    def orders(self) -> list[OrderChanged]:
        """Every move of an order the bus heard of."""
        return self.director.of(OrderChanged)

    def anomalies(self) -> list[str]:
        """Kinds, in order."""
        return [anomaly.kind for anomaly in self.director.of(Anomaly)]

    def is_ready(self) -> bool:
        """Whether the OMS says that orders may rest."""
        beats: list[Health] = self.director.of(Health)
        return bool(beats) and beats[-1].detail == "may rest orders"

    async def quoting(self, beside: tuple[float, ...] = ()) -> None:
        """Both sides of a quote rest, beside what somebody else placed on the account."""
        await until(self.is_ready, "the OMS is ready")
        self.quote()
        wanted = sorted([59_990.0, 60_010.0, *beside])
        await until(lambda: self.prices() == wanted, "both orders rest")


@asynccontextmanager
async def staged(
    folder: Path, nats: NatsServer, valkey: ValkeyServer, *, oms: bool = True
) -> AsyncIterator[Stage]:
    """A stage with the director, and the OMS in a host of its own unless the test starts it."""
    stage = Stage(folder, nats, valkey)
    await stage.open()
    try:
        async with running(stage.stand):
            if oms:
                async with running(NatsHost([Oms(Params())], stage.settings)) as (stage.oms,):
                    yield stage
            else:
                yield stage
            beats: list[Health] = stage.director.of(Health)
            assert not any("too_many_requests" in beat.counters for beat in beats)
    finally:
        await stage.mock.stop()
