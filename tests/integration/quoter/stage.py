"""The quoter as a host of its own on a real bus, behind the real market data of a mock exchange.

Risk and the OMS are played by two cores that say a lease and flat positions ten times a second.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from console.servers import NatsServer, ValkeyServer
from mock_deribit.shell.server import Address
from services.marketdata.core import Marketdata
from services.quoter.core import Quoter
from shared.kernel import Effects, Event, Message, Nanos, Publish, Started, Wake, WakeAt
from shared.messages import InstrumentListed, Lease, Mode, NoQuote, ParamsApplied, Position, Quote
from shared.params import Params, QuoterParams
from shared.shell.host_nats import NatsHost
from shared.units import MILLISECOND, SECOND
from tests.support.hosting import running, settings_for
from tests.support.toys import Listener

BEAT = Nanos(100 * MILLISECOND)
PARAMS = Params(quoter=QuoterParams(warmup_s=1.0))


class Player:
    """Says its lines ten times a second."""

    links: tuple[str, ...] = ()
    remembers: tuple[str, ...] = ()

    def __init__(self, name: str, lines: Callable[[Nanos], list[Message]]) -> None:
        self.name = name
        self._lines = lines
        self.instruments: dict[str, None] = {}

    def handle(self, now: Nanos, event: Event) -> Effects:
        """Play."""
        match event:
            case InstrumentListed():
                self.instruments[event.instrument] = None
            case Started() | Wake(timer="beat"):
                said = [Publish(message) for message in self._lines(now)]
                return [*said, WakeAt("beat", Nanos(now + BEAT))]
        return []


class Stage:
    """What risk and the OMS say, and what the quoter answers."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] = {"granted": True, "mode": Mode.ACTIVE, "reason": ""}
        self.audience = Listener("gateway")
        self.oms = Player("oms", self._positions)
        self.risk = Player("risk", self._leases)

    def _leases(self, now: Nanos) -> list[Message]:
        until = Nanos(now + 2 * SECOND)
        number = now // MILLISECOND
        return [Lease(ts=now, number=number, until=until, hard_limit=0.3, **self.lease)]

    def _positions(self, now: Nanos) -> list[Message]:
        return [
            Position(
                ts=now,
                instrument=name,
                amount=0.0,
                average_price=0.0,
                realized=0.0,
                fees=0.0,
                fills=0,
                working_buy=0.0,
                working_sell=0.0,
                version=1,
                reconciled=now,
            )
            for name in self.oms.instruments
        ]

    def spoken(self, name: str | None = None) -> list[Quote | NoQuote]:
        """Quotes and refusals since the last `forget`, of one instrument or of all."""
        said = [m for m in self.audience.messages() if isinstance(m, Quote | NoQuote)]
        return [message for message in said if name in (None, message.instrument)]

    def quotes(self) -> dict[str, Quote]:
        """The last word on each instrument, where it is a quote."""
        last = {message.instrument: message for message in self.spoken()}
        return {name: said for name, said in last.items() if isinstance(said, Quote)}

    def refusals(self) -> dict[str, str]:
        """The last word on each instrument, where it is a refusal: its reason."""
        last = {message.instrument: message for message in self.spoken()}
        return {name: said.reason for name, said in last.items() if isinstance(said, NoQuote)}

    def reasons(self) -> list[str]:
        """Of every refusal since the last `forget`."""
        return [said.reason for said in self.spoken() if isinstance(said, NoQuote)]

    def applied(self) -> list[ParamsApplied]:
        """The quoter's answers to new parameters."""
        heard = [m for m in self.audience.messages() if isinstance(m, ParamsApplied)]
        return [answer for answer in heard if answer.source == "quoter"]

    def forget(self) -> None:
        """Only what comes from here counts."""
        self.audience.events.clear()


@asynccontextmanager
async def staged(
    folder: Path, nats: NatsServer, valkey: ValkeyServer, venue: Address
) -> AsyncIterator[Stage]:
    """Everybody in a host of their own, ended at the end."""
    settings = settings_for(
        folder, nats_url=nats.url, redis_url=valkey.url, venue_ws_url=venue.websocket
    )
    stage = Stage()
    cores = (stage.audience, stage.oms, stage.risk, Quoter(PARAMS), Marketdata(PARAMS))
    async with running(*(NatsHost([core], settings) for core in cores)):
        yield stage
