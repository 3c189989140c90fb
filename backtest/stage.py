"""The whole system on a stage: one World with the mock Deribit, every trading service and the auditor.

Each service is a process of its own, as in production; the mock stands behind simulated sockets. `audit`
ends a run as an operator would: the OMS is told to stop, and what was heard is held against the
exchange's own ledger.
"""

import msgspec

from backtest.invariants import Auditor, ExchangeLedger, Verdict, ledger_of
from backtest.latency import Latencies
from backtest.world import World
from mock_deribit.core import MockDeribit
from mock_deribit.exchange.listing import Listing, btc_listings
from mock_deribit.faults import Fault
from mock_deribit.market.market import Market
from mock_deribit.settings import MockSettings
from services.system import CORES, build
from shared.dispatch import Journal
from shared.kernel import Core, Effects, Event, Nanos, Publish, Store, Wake
from shared.messages import Kill, Pause, Resume
from shared.params import Params
from shared.state import KILL_LATCH, latch_of, write_latch
from shared.units import SECOND

VENUE = "deribit"
_SECRET = "stage-secret"
_LAST_WORDS_S = 2


class Operator:
    """A gateway of one line: what it is told, it says; a kill is stored before, as the real one does."""

    name = "gateway"
    links: tuple[str, ...] = ()
    remembers: tuple[str, ...] = ()

    def handle(self, now: Nanos, event: Event) -> Effects:
        """Pass an operator's command on."""
        match event:
            case Kill():
                return [Store(KILL_LATCH, write_latch(latch_of(event))), Publish(event)]
            case Pause() | Resume():
                return [Publish(event)]
            case _:
                return []


class Stage:
    """A World with everybody in it. `operator` speaks as the gateway would."""

    def __init__(
        self,
        *,
        start: Nanos,
        seed: str,
        params: Params,
        market: Market,
        settings: MockSettings,
        latencies: Latencies | None = None,
        journal: Journal | None = None,
        listings: tuple[Listing, ...] | None = None,
        auditor: Auditor | None = None,
        ear: Core | None = None,
    ) -> None:
        """`ear` hears the bus in the auditor's stead, and must let it hear."""
        self.params = params
        settings = settings.with_secrets(_SECRET)
        self._key = (settings.accounts[0].client_id, settings.accounts[0].client_secret)
        self._account = settings.accounts[0].name
        if listings is None:
            listings = btc_listings(start, settings.maker_fee, settings.taker_fee)
        self.exchange = MockDeribit(start, settings, listings, market)
        self.world = World(start=start, seed=seed, latencies=latencies, journal=journal)
        self.world.add_exchange(VENUE, self.exchange)
        unexplained = params.risk.unexplained_max_btc
        self.auditor = auditor or Auditor(unexplained_max_btc=unexplained)
        self.world.host(ear or self.auditor)
        self.world.host(Operator())
        for name in CORES:
            self.raise_service(name)

    def raise_service(self, name: str) -> None:
        """Start a service, for the first time or after it was killed."""
        core = build(name, self.params)
        venue, key = (VENUE, self._key) if core.links else (None, None)
        self.world.host(core, venue=venue, credentials=key)

    def run(self, seconds: float) -> None:
        """Let the World's time pass."""
        self.world.run_until(Nanos(self.world.now + round(seconds * SECOND)))

    def operator(self, command: Pause | Resume | Kill) -> None:
        """An operator's word reaches every service that hears it."""
        self.world.deliver(Operator.name, command)

    def fault(self, fault: Fault) -> None:
        """The exchange misbehaves from now on."""
        self.world.port(VENUE).take(self.exchange.fault(self.world.now, fault))

    def restart(self, name: str, down_s: float = 0.0) -> None:
        """A service dies at once, and is started again after a while."""
        self.world.kill(name)
        self.run(down_s)
        self.raise_service(name)

    def ledger(self) -> ExchangeLedger:
        """The exchange's record of our account."""
        books = msgspec.to_builtins(self.exchange.ledger(self.world.now))
        return ledger_of(books["accounts"][self._account])

    def open_labels(self, instrument: str | None = None) -> list[str]:
        """Labels of our orders that rest on the exchange now, of one instrument or of all."""
        books = msgspec.to_builtins(self.exchange.ledger(self.world.now))
        orders = books["accounts"][self._account]["open_orders"]
        return [o["label"] for o in orders if instrument in (None, o["instrument"])]

    def stop(self) -> None:
        """Tell the OMS that its process ends, and wait for its last words."""
        self.world.deliver("oms", Wake(timer="stop"))
        self.run(_LAST_WORDS_S)

    def audit(self) -> list[Verdict]:
        """Take the orders out of the market, compare with the exchange, give the verdicts."""
        self.stop()
        self.auditor.compare_with_exchange(self.ledger())
        return self.auditor.verdicts()
