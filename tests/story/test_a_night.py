"""One night of the whole system in a World: everything that can go wrong goes wrong once.

The auditor listens throughout; at the end every invariant must have been put to the test and have held.
"""

import hashlib
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

from backtest.stage import Stage
from mock_deribit.faults import Cut, DropFrames
from mock_deribit.market.regime import Regime
from mock_deribit.market.simulated import SimulatedMarket
from mock_deribit.settings import MockSettings
from shared.journal import encode_effects
from shared.kernel import Effects, Event, Nanos
from shared.messages import Kill, Mode, NoQuote, Pause, Quote, Resume
from shared.messages.codec import encode
from shared.params import parse_params
from shared.units import SECOND

PERPETUAL = "BTC-PERPETUAL"
ROOT = Path(__file__).parents[2]
# A Tuesday evening, far from the daily settlement.
START = Nanos(1_790_109_000 * SECOND)


def stage(seed: str, journal: Callable[[str, Nanos, Event, Effects], None] | None = None) -> Stage:
    """Everybody in place, in a lively market without a maker fee."""
    params = parse_params(tomllib.loads((ROOT / "config" / "demo.toml").read_text()))
    return Stage(
        start=START,
        seed=seed,
        params=params,
        market=SimulatedMarket(seed, 85_000.0, Regime(activity=6.0, volatility=1.0)),
        settings=MockSettings(maker_fee=0.0),
        journal=journal,
    )


def working(night: Stage, instrument: str | None = None) -> int:
    """Our orders on the exchange now."""
    labels = night.open_labels(instrument)
    return len(labels)


def quoting(night: Stage) -> bool:
    """The latest word on the perpetual is a quote, and something rests."""
    return isinstance(night.auditor.quotes.get(PERPETUAL), Quote) and working(night, PERPETUAL) > 0


def wait(night: Stage, seconds: float, happened: Callable[[], object], what: str) -> float:
    """Let time pass until something has happened; how long it took. Fails after `seconds`."""
    began = night.world.now
    while not happened():
        passed = (night.world.now - began) / SECOND
        assert passed < seconds, f"{what} did not happen within {seconds} s"
        night.run(0.05)
    return (night.world.now - began) / SECOND


def test_a_night_in_which_everything_goes_wrong_once() -> None:
    night = stage("a night")
    auditor = night.auditor

    wait(night, 15, lambda: quoting(night), "the first quote")
    wait(night, 300, lambda: len(auditor.fills) >= 3, "three fills")

    # A frame of the book is lost: quotes go, the book is fetched again, quotes come back.
    night.fault(DropFrames(channel=f"book.{PERPETUAL}", count=1))
    wait(night, 5, lambda: auditor.anomalies.get("marketdata:book_gap"), "the gap")
    wait(night, 10, lambda: quoting(night), "quoting after the gap")

    # Every socket is cut: the exchange cancels for us, and we come back.
    night.fault(Cut())
    night.run(0.2)
    assert working(night) == 0, "cancel on disconnect did not work"
    wait(night, 20, lambda: quoting(night), "quoting after the cut")

    # Risk dies: without a lease nothing rests longer than the lease allows.
    night.world.kill("risk")
    gone_after_s = wait(night, 5, lambda: working(night) == 0, "the lease's end")
    assert gone_after_s <= night.params.risk.lease_ms / 1e3 + 0.5
    night.raise_service("risk")
    wait(night, 20, lambda: quoting(night), "quoting after risk's return")

    # The OMS dies with orders resting and finds the truth again.
    night.restart("oms", down_s=1.0)
    wait(night, 20, lambda: quoting(night), "quoting after the OMS's return")

    # The broker is gone for two seconds as seen by the OMS.
    night.world.cut("oms", "bus", Nanos(2 * SECOND))
    wait(night, 1, lambda: working(night) == 0, "pulling quotes without a bus")
    wait(night, 20, lambda: quoting(night), "quoting after the bus's return")

    # An operator pauses one instrument, and lets it go on.
    night.operator(Pause(ts=night.world.now, command_id="1", by="test", instrument=PERPETUAL))
    wait(night, 2, lambda: working(night, PERPETUAL) == 0, "the pause")
    assert isinstance(auditor.quotes[PERPETUAL], NoQuote)
    night.operator(Resume(ts=night.world.now, command_id="2", by="test", instrument=PERPETUAL))
    wait(night, 5, lambda: quoting(night), "quoting after the pause")

    # An operator kills; the latch survives the restart of everybody; only a confirmed resume ends it.
    night.operator(Kill(ts=night.world.now, command_id="3", by="test", reason="drill"))
    wait(night, 1, lambda: working(night) == 0, "the kill")
    for name in ("oms", "risk", "quoter", "marketdata"):
        night.restart(name)
    night.run(15)
    assert working(night) == 0, "the latch did not survive the restarts"
    assert auditor.mode is Mode.KILLED
    night.operator(Resume(ts=night.world.now, command_id="4", by="test"))
    night.run(3)
    assert working(night) == 0, "an unconfirmed resume ended the kill"
    night.operator(Resume(ts=night.world.now, command_id="5", by="test", confirm=True))
    wait(night, 10, lambda: quoting(night), "quoting after the resume")
    night.run(20)

    verdicts = night.audit()
    assert [v for v in verdicts if not v.held] == []
    untested = [v.rule for v in verdicts if v.checks == 0]
    assert untested == []
    assert night.world.halts == []


def digest(seed: str, seconds: float) -> str:
    """A fingerprint of every event and effect of every core."""
    seen = hashlib.blake2b(digest_size=16)

    def note(core: str, now: Nanos, event: Event, effects: Effects) -> None:
        seen.update(f"{core} {now} ".encode())
        seen.update(encode(event))
        seen.update(encode_effects(effects))

    stage(seed, note).run(seconds)
    return seen.hexdigest()


def test_the_same_seed_gives_the_same_bytes_whatever_the_hash_seed() -> None:
    def elsewhere(hash_seed: str) -> str:
        code = "from tests.story.test_a_night import digest; print(digest('x', 20))"
        return subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    first, second, other = elsewhere("1"), elsewhere("2"), digest("y", 20)
    assert first == second
    assert first != other
