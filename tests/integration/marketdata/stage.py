"""Market data as a host of its own on a real bus, connected to a mock exchange over a real socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from console.servers import NatsServer, ValkeyServer
from mock_deribit.shell.server import Address
from services.marketdata.core import Marketdata
from shared.messages import Anomaly, Book, FeedState, FeedStatus, InstrumentListed, Trade, Trades
from shared.params import MarketdataParams, Params
from shared.shell.host_nats import NatsHost
from tests.support.exchange import Running
from tests.support.hosting import running, settings_for
from tests.support.toys import Listener

PARAMS = Params(marketdata=MarketdataParams(stale_ms=1500))


class Audience(Listener):
    """What everybody on the bus can hear."""

    def __init__(self) -> None:
        super().__init__("gateway")

    def names(self) -> list[str]:
        """Listed instruments, in the order in which they were first heard of."""
        heard = [m.instrument for m in self.messages() if isinstance(m, InstrumentListed)]
        return list(dict.fromkeys(heard))

    def statuses(self, name: str) -> list[FeedStatus]:
        """All that was said of a feed."""
        return [m for m in self.messages() if isinstance(m, FeedStatus) and m.instrument == name]

    def books(self, name: str) -> list[Book]:
        """All published books."""
        return [m for m in self.messages() if isinstance(m, Book) and m.instrument == name]

    def trades(self) -> list[Trade]:
        """All public trades."""
        return [one for m in self.messages() if isinstance(m, Trades) for one in m.trades]

    def anomalies(self) -> list[str]:
        """Kinds, in order."""
        return [m.kind for m in self.messages() if isinstance(m, Anomaly)]

    def states(self) -> dict[str, FeedState]:
        """The last word on every feed."""
        said = [m for m in self.messages() if isinstance(m, FeedStatus)]
        return {status.instrument: status.state for status in said}

    def all_live(self) -> bool:
        """Three feeds, all of them live."""
        return list(self.states().values()) == [FeedState.LIVE] * 3

    def forget(self) -> None:
        """Only what comes from here counts."""
        self.events.clear()


@asynccontextmanager
async def staged(
    folder: Path, nats: NatsServer, valkey: ValkeyServer, venue: Address
) -> AsyncIterator[Audience]:
    """Market data and somebody who listens, ended at the end."""
    settings = settings_for(
        folder, nats_url=nats.url, redis_url=valkey.url, venue_ws_url=venue.websocket
    )
    audience = Audience()
    async with running(NatsHost([audience], settings), NatsHost([Marketdata(PARAMS)], settings)):
        yield audience


async def order_fault(exchange: Running, **fault: object) -> None:
    """Ask the mock's operator for a fault."""
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{exchange.address.control}/faults", json=fault)
        assert answer.status_code == 200, answer.text
