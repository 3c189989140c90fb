"""The real risk, quoter and gateway on a real bus and a real state store, each as its own host.

Marketdata and the OMS are played by two cores that are always well: what is tested is what happens when
the servers between them are not.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from console.servers import NatsServer, ValkeyServer
from services.quoter.core import Quoter
from services.risk.core import Risk
from shared.kernel import (
    Core,
    Effects,
    Event,
    Message,
    Nanos,
    Publish,
    Started,
    Wake,
    WakeAt,
)
from shared.messages import (
    InstrumentListed,
    Kill,
    Lease,
    OrderState,
    ParamsApplied,
    ParamsChanged,
    Quote,
)
from shared.params import Params, QuoterParams
from shared.shell.host_nats import NatsHost
from shared.shell.settings import Settings
from shared.units import MILLISECOND, Side
from tests.support.hosting import Run, running, settings_for
from tests.unit.gateway.plane import order, swept
from tests.unit.risk.scene import (
    PERPETUAL,
    account,
    book,
    feed,
    fill,
    health,
    position,
    spec,
    ticker,
)

BEAT = Nanos(100 * MILLISECOND)
PARAMS = Params(quoter=QuoterParams(warmup_s=1.0))


class Player:
    """Says its lines ten times a second, and confirms new parameters like a real service."""

    links: tuple[str, ...] = ()
    remembers: tuple[str, ...] = ()

    def __init__(self, name: str, lines: Callable[[Nanos], Sequence[Message]]) -> None:
        self.name = name
        self.heard: list[Message] = []
        self._lines = lines

    def handle(self, now: Nanos, event: Event) -> Effects:
        """Play."""
        match event:
            case ParamsChanged():
                answer = ParamsApplied(ts=now, source=self.name, version=event.version)
                return [Publish(answer)]
            case Kill() if self.name == "oms":
                return [Publish(swept(event))]
            case Started() | Wake(timer="beat"):
                said = [Publish(message) for message in self._lines(now)]
                return [*said, WakeAt("beat", Nanos(now + BEAT))]
            case Wake():
                return [Publish(message) for message in one_trade(now)]
            case Message():
                self.heard.append(event)
        return []

    def leases(self) -> list[Lease]:
        """What risk granted, as it came over the bus."""
        return [message for message in self.heard if isinstance(message, Lease)]


class WatchedRisk(Risk):
    """The real core; what it says is kept, since a lost bus carries nothing."""

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self.leases: list[Lease] = []

    def handle(self, now: Nanos, event: Event) -> Effects:
        """As the core."""
        effects = super().handle(now, event)
        said = [effect.message for effect in effects if isinstance(effect, Publish)]
        self.leases += [message for message in said if isinstance(message, Lease)]
        return effects

    def lease(self) -> Lease | None:
        """The last one."""
        return self.leases[-1] if self.leases else None

    def is_granted(self) -> bool:
        """Whether orders may rest."""
        lease = self.lease()
        return lease is not None and lease.granted

    def reason(self) -> str:
        """The last lease's."""
        lease = self.lease()
        return "" if lease is None else lease.reason


def market(now: Nanos) -> list[Message]:
    """A calm market in one instrument."""
    listing = InstrumentListed(ts=now, instrument=PERPETUAL, spec=spec(PERPETUAL), role="perpetual")
    return [listing, ticker(now), feed(now), book(now), health(now, "marketdata")]


def desk(now: Nanos) -> list[Message]:
    """A flat position, reconciled."""
    return [position(now), account(now), health(now, "oms")]


def one_trade(now: Nanos) -> list[Message]:
    """An order that rests, and another that was filled."""
    done = order(now, "mm-done", state=OrderState.FILLED)
    return [order(now, "mm-resting"), done, fill(now, Side.BUY, 600.0, 59_990.0)]


class Stage:
    """Everyone but the gateway, running."""

    def __init__(self, folder: Path, nats: NatsServer, valkey: ValkeyServer) -> None:
        self.settings: Settings = settings_for(folder, nats_url=nats.url, redis_url=valkey.url)
        self.market = Player("marketdata", market)
        self.oms = Player("oms", desk)
        self.quoter = Quoter(PARAMS)
        self.risk = WatchedRisk(PARAMS)
        self.runs: dict[str, Run] = {}
        self._stack = AsyncExitStack()

    async def run(self, core: Core) -> Run:
        """One more process of the system."""
        (run,) = await self._stack.enter_async_context(running(self.host(core)))
        self.runs[core.name] = run
        return run

    def host(self, core: Core) -> NatsHost:
        """A host for it, not yet run."""
        return NatsHost([core], self.settings)

    async def restart_risk(self) -> None:
        """End the risk process and start another that knows only what was stored."""
        await self.runs["risk"].end()
        self.risk = WatchedRisk(PARAMS)
        await self.run(self.risk)

    async def close(self) -> None:
        """End everyone."""
        await self._stack.aclose()

    def quotes(self) -> list[Quote]:
        """What the quoter said, as the OMS heard it."""
        return [message for message in self.oms.heard if isinstance(message, Quote)]


@asynccontextmanager
async def staged(folder: Path, nats: NatsServer, valkey: ValkeyServer) -> AsyncIterator[Stage]:
    """A stage on which everyone plays, ended at the end."""
    stage = Stage(folder, nats, valkey)
    try:
        for core in (stage.risk, stage.quoter, stage.oms, stage.market):
            await stage.run(core)
        yield stage
    finally:
        await stage.close()
