"""How quickly orders are gone when they must be, and how quickly quoting comes back: in simulated time.

Every sample is a World of its own seed with a network of 20 ms a round trip: the system quotes, at a random
moment something happens, and the engine's own events say when the last order was gone and when one rested
again. Simulated processors take no time, so that what is measured is the protocol: timers, round trips,
heartbeats. What real processes add is measured by `console/safety.py`, on the machine itself.
"""

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from backtest.faults import PARTS, PERPETUAL
from backtest.invariants import Auditor
from backtest.latency import Latencies, Uniform
from backtest.rough import RoughMarket
from backtest.simulation import LISTED, MAKER, PRICE
from backtest.stage import Stage
from backtest.witness import Witness
from backtest.world import World
from bench.quantiles import NotMeasured, quantile
from mock_deribit.faults import Cut, Gap
from mock_deribit.settings import MockSettings
from shared.kernel import Nanos
from shared.messages import Kill
from shared.params import Params
from shared.randomness import Stream
from shared.units import MICROSECOND, MILLISECOND, SECOND

GIVE_UP_S = 60.0
QUOTES = 4
"""Two books, two sides."""
DOWN_S = 30.0
SLICE_S = 0.0005
"""By which a measurement that follows on another may begin late."""
RESTARTED_AFTER_S = 1.0

NETWORK = Latencies(
    bus=Uniform(50 * MICROSECOND, 200 * MICROSECOND),
    feed=Uniform(8 * MILLISECOND, 12 * MILLISECOND),
    order=Uniform(8 * MILLISECOND, 12 * MILLISECOND),
    response=Uniform(8 * MILLISECOND, 12 * MILLISECOND),
    reconnect=Uniform(100 * MILLISECOND, 200 * MILLISECOND),
    state=Uniform(50 * MICROSECOND, MILLISECOND),
)
"""20 ms a round trip, and the first wait of `shared/shell/backoff.py` before a socket is dialled again."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table, in milliseconds."""

    name: str
    samples: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    worst_ms: float
    orphan_s: float
    """The most that orders rested beyond the lease in one sample, summed over the orders."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, and on what."""

    header: dict[str, str]
    lease_ms: int
    simulated: tuple[Row, ...]
    real: tuple[Row, ...]


def row_of(name: str, samples: Sequence["Sample"]) -> Row:
    """Condense the samples of one measure; raises `NotMeasured` for none."""
    ordered = sorted(1e3 * one.seconds for one in samples)
    return Row(
        name=name,
        samples=len(ordered),
        p50_ms=quantile(ordered, 0.50),
        p90_ms=quantile(ordered, 0.90),
        p99_ms=quantile(ordered, 0.99),
        worst_ms=ordered[-1],
        orphan_s=max(one.orphan_s for one in samples),
    )


class Sample(msgspec.Struct, frozen=True):
    """What one World showed: the time measured, and for how long orders rested without a lease, summed."""

    seconds: float
    orphan_s: float


class Scene:
    """A system that quotes, and the time at which things happen to it."""

    def __init__(self, seed: str, params: Params) -> None:
        self.params = params
        auditor = Auditor(unexplained_max_btc=1.0)
        self.witness = Witness(auditor, params, MAKER)
        self.stage = Stage(
            start=LISTED,
            seed=seed,
            params=params,
            market=RoughMarket(seed, PRICE),
            settings=MockSettings(maker_fee=0.0),
            latencies=NETWORK,
            auditor=auditor,
            ear=self.witness,
        )
        self.world = self.stage.world
        self.witness.take_place(self.stage.exchange.watch(self.witness.observe))
        self._wanted: Callable[[], bool] | None = None
        self._came: Nanos | None = None
        self._looked, self._orphan = self.world.now, 0
        self.world.after_step(self._look)
        self.until(lambda: len(self.witness.resting) >= QUOTES, "the first quotes")
        self.stage.run(Stream(f"{seed}|moment").uniform(1.0, 3.0))
        self.until(lambda: len(self.witness.resting) >= QUOTES, "all quotes")
        self._orphan = 0

    @property
    def orphan_s(self) -> float:
        """Seconds that orders rested beyond the lease, summed over the orders."""
        return self._orphan / SECOND

    def until(self, wanted: Callable[[], bool], what: str) -> float:
        """Let time pass until something is true; the seconds that took. Raises `NotMeasured`."""
        began, self._wanted, self._came = self.world.now, wanted, None
        self._look(self.world)
        while (came := self._when_it_came()) is None:
            if self.world.now > began + GIVE_UP_S * SECOND:
                raise NotMeasured(f"not within {GIVE_UP_S:g} s: {what}")
            self.stage.run(SLICE_S)
        return (came - began) / SECOND

    def _when_it_came(self) -> Nanos | None:
        return self._came

    def _look(self, world: World) -> None:
        uncovered = world.now - max(self._looked, self.witness.covered_until)
        self._orphan += max(0, uncovered) * len(self.witness.resting)
        self._looked = world.now
        if self._wanted is not None and self._came is None and self._wanted():
            self._came = world.now

    def flat(self) -> float:
        """Until no order of ours rests."""
        return self.until(lambda: not self.witness.resting, "an empty book")

    def quoting(self) -> float:
        """Until an order of ours rests."""
        return self.until(lambda: bool(self.witness.resting), "quoting again")


def killed(scene: Scene) -> float:
    """From an operator's kill to an empty book."""
    now = scene.world.now
    scene.stage.operator(Kill(ts=now, command_id="1", by="bench", reason="measured"))
    return scene.flat()


def died(part: str, scene: Scene) -> float:
    """From the end of a process to an empty book."""
    scene.world.kill(part)
    return scene.flat()


def hung(part: str, scene: Scene) -> float:
    """From the moment a process stops noticing anything to an empty book."""
    process = scene.world.process(part)
    assert process is not None
    process.hang()
    return scene.flat()


def server_gone(link: str, scene: Scene) -> float:
    """From the end of the broker or the state store to an empty book."""
    for part in PARTS:
        scene.world.cut(part, link, Nanos(round(DOWN_S * SECOND)))
    return scene.flat()


def gap(scene: Scene) -> float:
    """From the frame that shows a gap to the end of the quotes on that book."""
    scene.stage.fault(Gap(instrument=PERPETUAL))
    auditor = scene.stage.auditor
    scene.until(lambda: bool(auditor.anomalies.get("marketdata:book_gap")), "the gap")
    resting = scene.witness.resting
    return scene.until(lambda: all(o.instrument != PERPETUAL for o in resting.values()), "pulling")


def reconnected(scene: Scene) -> float:
    """From the end of every socket to an order that rests again."""
    scene.stage.fault(Cut())
    scene.flat()
    return scene.quoting()


def oms_back(scene: Scene) -> float:
    """From the start of an OMS after a crash to its first agreement with the exchange."""
    scene.stage.restart("oms", RESTARTED_AFTER_S)
    started, auditor = scene.world.now, scene.stage.auditor
    return scene.until(
        lambda: any(position.reconciled > started for position in auditor.positions.values()),
        "a reconciliation",
    )


MEASURES: dict[str, Callable[[Scene], float]] = {
    "kill -> empty book": killed,
    **{f"{part} dies -> empty book": partial(died, part) for part in PARTS},
    **{f"{part} hangs -> empty book": partial(hung, part) for part in PARTS},
    "broker gone -> empty book": partial(server_gone, "bus"),
    "state store gone -> empty book": partial(server_gone, "state"),
    "gap seen -> its quotes gone": gap,
    "sockets cut, empty book -> quoting again": reconnected,
    "OMS started after a crash -> reconciled": oms_back,
}


def sample(name: str, seed: str, params: Params) -> Sample:
    """One measurement. Raises `NotMeasured`."""
    scene = Scene(seed, params)
    seconds = MEASURES[name](scene)
    return Sample(seconds, scene.orphan_s)
