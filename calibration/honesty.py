"""Honesty: what must happen to naive strategies, or the market is broken (a poison test each).

Results are added to a tally under the probe's name: mark-outs in bp from its own side, gross profit of a
whole run in coin (before fees), and what a taker paid.
"""

import math

from calibration.facts import Fact, Formula
from calibration.record import Path, Print
from calibration.tally import Tally
from shared.units import BPS, SECOND

HORIZONS_S = (1, 5, 60)
TAKER_FEE_BPS = 3.5
TOUCH, TOUCH_FAST = "touch, 30 ms", "touch, 1 ms"
FIXED = {1.0: "fixed 1 bp", 2.0: "fixed 2 bp", 3.0: "fixed 3 bp"}
SKEWED = {2.0: "2 bp, skew", 3.0: "3 bp, skew", 5.0: "5 bp, skew"}
BENIGN, STILL = "benign", "benign without sweeps"


def judge(name: str, fills: list[Print], path: Path, tally: Tally) -> None:
    """Add a probe's fills (`sign` its own side) to a tally."""
    tally.add(f"{name}/fills", len(fills))
    final = path.prices[-1]
    tally.sample(
        f"{name}/gross", sum(f.sign * f.usd * (1.0 / f.price - 1.0 / final) for f in fills)
    )
    for fill in fills:
        for horizon in HORIZONS_S:
            after = path.at(fill.ts + horizon * SECOND)
            if after is not None:
                bps = fill.sign * (after / fill.price - 1.0) / BPS
                tally.mean_of(f"{name}/markout {horizon}", bps)


def facts() -> tuple[Fact, ...]:
    """What must hold, with the ranges of the strategy reference."""
    probe = "naive maker"
    return (
        Fact(probe, f"{TOUCH}: 5 s mark-out, bp", _mean(TOUCH, 5), -1.8, -0.5, "tape"),
        Fact(probe, f"{TOUCH}: runs that lose", _losers(TOUCH), 0.9, None, "fees"),
        *(Fact(probe, f"{name}: 5 s mark-out, bp", _mean(name, 5), None, 0.0, "tape")
          for name in FIXED.values()),
        Fact(probe, "1 ms instead of 30: better by, bp", _faster, 0.0, 0.5, "tape"),
        *(Fact(BENIGN, f"{name}: gross, deviations over 0", _surely(f"{BENIGN}/{name}"), 1.96, None)
          for name in SKEWED.values()),
        *(Fact(STILL, f"{name}: 5 s mark-out, bp", _mean(f"{STILL}/{name}", 5), -0.5, 0.5)
          for name in SKEWED.values()),
        Fact("taker", "coin flip: 5 s mark-out + half spread", _coin, -0.2, 0.2),
        Fact("taker", "clairvoyant: 5 s mark-out - fee", _clairvoyant, 0.0, None),
    )  # fmt: skip


def _mean(name: str, horizon: int) -> Formula:
    return lambda tally: tally.mean(f"{name}/markout {horizon}")


def _losers(name: str) -> Formula:
    def share(tally: Tally) -> float | None:
        gross = tally.samples.get(f"{name}/gross", [])
        return sum(value < 0.0 for value in gross) / len(gross) if gross else None

    return share


def _surely(name: str) -> Formula:
    """Mean gross profit of the runs in its own standard errors."""

    def score(tally: Tally) -> float | None:
        gross = tally.samples.get(f"{name}/gross", [])
        if len(gross) < 3:
            return None
        mean = sum(gross) / len(gross)
        variance = sum((value - mean) ** 2 for value in gross) / (len(gross) - 1)
        return mean / math.sqrt(variance / len(gross)) if variance else None

    return score


def _faster(tally: Tally) -> float | None:
    fast, slow = tally.mean(f"{TOUCH_FAST}/markout 5"), tally.mean(f"{TOUCH}/markout 5")
    return fast - slow if fast is not None and slow is not None else None


def _coin(tally: Tally) -> float | None:
    markout, half = tally.mean("coin flip/markout 5"), tally.mean("half spread")
    return markout + half if markout is not None and half is not None else None


def _clairvoyant(tally: Tally) -> float | None:
    markout = tally.mean("clairvoyant/markout 5")
    return None if markout is None else markout - TAKER_FEE_BPS
