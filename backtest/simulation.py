"""Fault simulation: the whole system in one World, all that can go wrong, every invariant at every step.

A run is a function of its seed, its length and its plan of faults, and of nothing else: `digest` is taken
over every frame that passed between the parts and the exchange, with its time, so that two runs that agree
in it agree in all that matters. The faults are in `faults`, who carries them out in `director`, who looks in
`witness` and `invariants`.
"""

import math
from datetime import UTC, datetime
from hashlib import blake2b

import msgspec

from backtest.director import Director
from backtest.faults import DATED, PERPETUAL, ClockStep, Due, plan
from backtest.invariants import Auditor, ExchangeLedger
from backtest.latency import Latencies, Uniform
from backtest.rough import RoughMarket
from backtest.stage import VENUE, Stage
from backtest.witness import Breach, Witness
from backtest.world import World
from mock_deribit.exchange.listing import btc_listings
from mock_deribit.exchange.messages import OrderRequest, TimeInForce
from mock_deribit.settings import MockSettings
from shared.dispatch import Journal
from shared.kernel import Nanos
from shared.messages import Mode
from shared.params import Params, change_params
from shared.randomness import Stream
from shared.units import MICROSECOND, MILLISECOND, SECOND, Side, from_seconds

PRICE = 85_000.0
LISTED = Nanos(int(datetime(2026, 9, 22, 20, 30, tzinfo=UTC).timestamp()) * SECOND)
SETTLES = Nanos(int(datetime(2026, 9, 23, 8, tzinfo=UTC).timestamp()) * SECOND)
EXPIRES = Nanos(int(datetime(2026, 9, 25, 8, tzinfo=UTC).timestamp()) * SECOND)
HELD_USD = 500.0
SPECIAL_AT = 0.4
"""Settlement and expiry come after this share of a run."""
QUOTING_AGAIN_S = 15
MAKER = "maker"

NETWORK = Latencies(
    bus=Uniform(50 * MICROSECOND, 200 * MICROSECOND),
    feed=Uniform(MILLISECOND, 4 * MILLISECOND),
    order=Uniform(2 * MILLISECOND, 5 * MILLISECOND),
    response=Uniform(MILLISECOND, 4 * MILLISECOND),
    reconnect=Uniform(300 * MILLISECOND, 1_200 * MILLISECOND),
    state=Uniform(50 * MICROSECOND, MILLISECOND),
)


ADAPTED = {
    # Two books are enough to hold inventory in several; the second carries the hedges.
    "marketdata.dated_futures": 1,
    # After a shock we want to be in the market again at once, where faults can meet fills.
    "quoter.sigma_ceiling": 500.0,
    "quoter.volatility_weight": 0.0,
    "quoter.gamma": 0.0005,
    # Limits within reach of a few fills, and hedges with them.
    "risk.soft_limit_btc": 0.06,
    "risk.hard_limit_btc": 0.08,
    "risk.breach_limit_btc": 0.10,
    "risk.kill_limit_btc": 0.13,
    "risk.hedge_trigger_btc": 0.065,
    "risk.hedge_target_btc": 0.045,
}
"""What of a parameter set is changed for fault runs. Nothing of it belongs to safety."""


def adapted(params: Params) -> Params:
    """A parameter set for fault runs."""
    return change_params(params, ADAPTED)


UNEXPLAINABLE = ("risk:fill_not_heard", "oms:position_adopted", "oms:foreign_trade")
"""After these, said aloud, profit and loss can no longer explain the equity to the last satoshi."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one seed. `rule` is empty when every invariant held."""

    seed: str
    setting: str
    simulated_s: float
    steps: int
    faults: int
    fills: int
    digest: str
    rule: str = ""
    seen: str = ""
    broken_at_s: float = 0.0


def simulate(
    seed: str,
    seconds: float,
    params: Params,
    dues: tuple[Due, ...] | None = None,
    journal: Journal | None = None,
) -> Run:
    """Run a seed, with its own plan or with another."""
    dues = plan(seed, seconds) if dues is None else dues
    return _Simulation(seed, seconds, params, dues, journal).run()


class _Simulation:
    def __init__(
        self,
        seed: str,
        seconds: float,
        params: Params,
        dues: tuple[Due, ...],
        journal: Journal | None,
    ) -> None:
        self._seed, self._seconds, self._dues = seed, seconds, dues
        self._setting, start = _setting(seed, seconds)
        self._start = start
        settings = MockSettings(maker_fee=0.0, seed=Stream(f"{seed}|venue").below(1_000_000))
        market = RoughMarket(seed, PRICE)
        auditor = Auditor(
            grace_ms=4_000,
            unexplained_max_btc=params.risk.unexplained_max_btc,
            kill_heard_ms=params.risk.lease_ms + 2_000,
            drift=math.inf,
        )
        self._witness = Witness(auditor, params, MAKER)
        self._stage = Stage(
            start=start,
            seed=seed,
            params=params,
            market=market,
            settings=settings,
            latencies=NETWORK,
            journal=journal,
            listings=btc_listings(LISTED, settings.maker_fee, settings.taker_fee),
            auditor=auditor,
            ear=self._witness,
        )
        self._engine = self._stage.exchange.watch(self._witness.observe)
        self._before = self._hold_what_expires() if self._setting == "expiry" else ()
        self._digest = blake2b(digest_size=16)
        self._witness.take_place(self._engine)
        self._stage.world.port(VENUE).tap = self._tap
        self._stage.world.after_step(self._look)
        Director(self._stage, self._witness, seed).schedule(dues)

    def run(self) -> Run:
        """To the end, or to the first broken invariant."""
        rule = seen = ""
        try:
            self._stage.run(self._seconds)
            self._comes_back()
            self._compare()
        except Breach as breach:
            rule, seen = breach.rule, breach.seen
        except Exception as fault:
            # A core that raises is a finding like any other, and must not end the other seeds.
            rule, seen = (
                "no_core_breaks",
                " | ".join((repr(fault), *getattr(fault, "__notes__", ()))),
            )
        world = self._stage.world
        return Run(
            seed=self._seed,
            setting=self._setting,
            simulated_s=(world.now - self._start) / SECOND,
            steps=world.steps,
            faults=len(self._dues),
            fills=len(self._witness.trades),
            digest=self._digest.hexdigest(),
            rule=rule,
            seen=seen,
            broken_at_s=(world.now - self._start) / SECOND if rule else 0.0,
        )

    def _tap(self, now: Nanos, conn: int, data: bytes) -> None:
        self._digest.update(b"%d %d " % (now, conn))
        self._digest.update(data)
        self._witness.frame(now, data)

    def _look(self, world: World) -> None:
        self._witness.look(world.now)
        if world.halts:
            halt = world.halts[0]
            raise Breach("no_halt", f"{halt.core}: {halt.reason}")

    def _comes_back(self) -> None:
        """After the calm the system must be found quoting, unless risk forbids it for a reason of its own."""
        auditor = self._stage.auditor
        for _ in range(QUOTING_AGAIN_S):
            if any(order.instrument == PERPETUAL for order in self._witness.resting.values()):
                return
            if auditor.mode in (Mode.REDUCING, Mode.KILLED) or self._clock_is_off():
                return
            self._stage.run(1.0)
        lease, quote = auditor.lease, auditor.quotes.get(PERPETUAL)
        health = {name: beat.detail for name, beat in auditor.health.items()}
        raise Breach("comes_back", f"mode {auditor.mode}; {health}; {lease}; {quote}")

    def _clock_is_off(self) -> bool:
        """A clock that was set forward is drawn back by 1 %, and nothing is quoted until it is right."""
        return any(isinstance(due.fault, ClockStep) for due in self._dues)

    def _compare(self) -> None:
        """Stop as an operator would, and hold everything against the exchange's own ledger."""
        self._stage.stop()
        ledger = self._stage.ledger()
        ours = tuple(trade for trade in ledger.trade_ids if trade not in self._before)
        auditor = self._stage.auditor
        if any(kind in auditor.anomalies for kind in UNEXPLAINABLE):
            auditor.unexplained_max_btc = math.inf
        auditor.compare_with_exchange(ExchangeLedger(ours, ledger.positions, ledger.open_labels))
        self._witness.look(self._stage.world.now)

    def _hold_what_expires(self) -> tuple[str, ...]:
        """A position in the future that expires, from before the start; the ids of its trades."""
        engine, now = self._engine, self._start
        _, ask = engine.best(DATED)
        request = OrderRequest(
            instrument=DATED,
            side=Side.BUY,
            amount=HELD_USD,
            price=ask,
            time_in_force=TimeInForce.IOC,
        )
        engine.place(now, MAKER, request)
        engine.drain()
        return tuple(fill.trade.trade_id for fill in engine.user_trades(MAKER))


def _setting(seed: str, seconds: float) -> tuple[str, Nanos]:
    """An ordinary evening, a daily settlement, or the morning on which a future expires."""
    ahead = from_seconds(SPECIAL_AT * seconds)
    drawn = Stream(f"{seed}|setting").below(5)
    if drawn == 0:
        return "settlement", Nanos(SETTLES - ahead)
    if drawn == 1:
        return "expiry", Nanos(EXPIRES - ahead)
    return "evening", LISTED
