"""★ The stylised facts: what a market of BTC-PERPETUAL must look like, each with its range and its source.

A fact is a formula on a tally and the range in which its value must lie; a fact without a range is shown
and not judged. Ranges are from recordings: nothing here is widened because a simulator misses it.

Sources
    TAPE     production trades of BTC-PERPETUAL, 17 August 2026, 2 h 29 min, 6,098 prints
    FRAMES   production book frames of BTC-PERPETUAL, December 2025 to October 2026
    DAILY    daily production candles, 2018 to 2026
    INVERSE  another venue's inverse BTC perpetual, order by order, 8 August 2024, 11 min at 70 % volatility
    RULES    the venue's published funding rule, and the carry of its futures curve, 2025 to 2026
"""

from collections.abc import Callable
from functools import partial

import msgspec

from calibration import carry, flow, imbalance, impact, queueing, returns, touch
from calibration.record import Record
from calibration.tally import Tally, slope

TAPE, FRAMES, DAILY, INVERSE, RULES = "tape", "frames", "daily", "inverse", "rules"

Formula = Callable[[Tally], float | None]


class Fact(msgspec.Struct, frozen=True):
    """One row of the report. `low` and `high` None: shown, not judged."""

    group: str
    name: str
    formula: Formula
    low: float | None = None
    high: float | None = None
    source: str = ""

    def holds(self, value: float) -> bool | None:
        """Whether a value is in range; None where there is no range."""
        if self.low is None and self.high is None:
            return None
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    @property
    def range_text(self) -> str:
        """The range in words."""
        match self.low, self.high:
            case None, None:
                return "-"
            case low, None:
                return f">= {low:g}"
            case None, high:
                return f"<= {high:g}"
            case low, high:
                return f"{low:g} .. {high:g}"


def measure(record: Record) -> Tally:
    """Everything there is to measure in a record."""
    tally = Tally()
    for part in (touch, flow, returns, impact, imbalance, queueing, carry):
        part.measure(record, tally)
    return tally


def measure_basis(record: Record) -> Tally:
    """Only how a dated future stands beside its index."""
    tally = Tally()
    carry.measure(record, tally)
    return tally


def _mean(name: str) -> Formula:
    return lambda tally: tally.mean(name)


def _times(factor: float, formula: Formula) -> Formula:
    def scaled(tally: Tally) -> float | None:
        value = formula(tally)
        return None if value is None else factor * value

    return scaled


def _size(share: float) -> Formula:
    return lambda tally: tally.quantile("size", share)


def _signature(tally: Tally) -> float | None:
    short, long = returns.volatility(tally, 1), returns.volatility(tally, 300)
    return short / long if short and long else None


def _exponent(tally: Tally) -> float | None:
    found = [(float(lag), tally.mean(f"sign {lag}") or 0.0) for lag in flow.LAGS]
    steepness = slope(found)
    return None if steepness is None else -steepness


def _squared(formula: Formula) -> Formula:
    def square(tally: Tally) -> float | None:
        value = formula(tally)
        return None if value is None else value * value

    return square


def _pair(name: str) -> Formula:
    return lambda tally: tally.correlation(name)


def _queue_relation(tally: Tally) -> float | None:
    """1 when orders on a thin side are filled more often and worse than on a thick one, else 0."""
    thin, thick = queueing.SIDES[0], queueing.SIDES[-1]
    often = tally.mean(f"filled {thin}"), tally.mean(f"filled {thick}")
    worth = tally.mean(f"fill markout {thin}"), tally.mean(f"fill markout {thick}")
    if None in often or None in worth:
        return None
    return float(often[0] > often[1] and worth[0] < worth[1])  # type: ignore[operator]


def facts_of(volatility: float) -> tuple[Fact, ...]:
    """The list, for a market whose volatility over half a minute is this (annualised)."""
    return (
        Fact("spread", "one tick, share of time", _mean("one tick"), 0.93, 0.998, INVERSE),
        Fact("spread", "mean, ticks", _mean("spread"), None, 1.4, INVERSE),
        Fact("spread", "closed 0.5 s after a sweep of 2 bp", _mean("recovered"), 0.8, None, INVERSE),
        Fact("spread", "touch, median, k USD", _times(1e-3, lambda t: t.quantile("touch", 0.5))),
        Fact("spread", "changes of the touch a second", _mean("tops a second")),
        Fact("depth", "within 1.2 bp, k USD", _times(1e-3, _mean("depth 1.2")), 43, 435, FRAMES),
        Fact("depth", "within 6 bp, M USD", _times(1e-6, _mean("depth 6")), 0.8, 1.8, FRAMES),
        Fact("depth", "within 12 bp, M USD", _times(1e-6, _mean("depth 12")), 3.7, 4.8, FRAMES),
        Fact("depth", "within 30 bp, M USD", _times(1e-6, _mean("depth 30"))),
        Fact("flow", "M USD a day", _times(1e-6, lambda t: t.ratio("USD", "days")), 300, 900, DAILY),
        Fact(
            "flow", "market orders a second",
            _times(1 / 86_400, lambda t: t.ratio("orders", "days")), 0.25, 0.7, TAPE,
        ),
        Fact("flow", "prints an order", lambda t: t.ratio("prints", "orders"), 1.7, 2.6, TAPE),
        Fact("flow", "orders of several prints", _mean("several prints")),
        Fact("size", "25 %, USD", _size(0.25), 35, 140, TAPE),
        Fact("size", "50 %, USD", _size(0.50), 255, 1_020, TAPE),
        Fact("size", "75 %, USD", _size(0.75), 4_580, 18_330, TAPE),
        Fact("size", "90 %, USD", _size(0.90), 15_250, 61_000, TAPE),
        Fact("size", "99 %, USD", _size(0.99), 74_000, 296_000, TAPE),
        *(Fact("sweeps", f"orders that walk > {reach:g} bp", _mean(f"walks {reach:g}"))
          for reach in flow.SWEEPS_BPS),
        Fact("clustering", "CV of gaps between orders", _mean("gap CV"), 1.7, 2.8, TAPE),
        Fact("clustering", "gaps below 10 ms", _mean("gap < 10 ms")),
        Fact("clustering", "gaps below 100 ms", _mean("gap < 100 ms")),
        Fact("clustering", "Fano factor, 10 s", _mean("fano 10"), 6, 20, TAPE),
        Fact("clustering", "Fano factor, 60 s", _mean("fano 60")),
        Fact("signs", "autocorrelation at lag 1", _mean("sign 1"), 0.35, 0.6, TAPE),
        Fact("signs", "autocorrelation at lag 10", _mean("sign 10")),
        Fact("signs", "exponent, lags 1 to 50", _exponent, 0.35, 0.65, TAPE),
        Fact("returns", "volatility 1 s / 300 s", _signature, 0.55, 0.8, TAPE),
        Fact(
            "returns", "volatility 30 s", partial(returns.volatility, horizon=30),
            round(0.85 * volatility, 4), round(1.15 * volatility, 4), "the dial",
        ),
        Fact("returns", "volatility 300 s", partial(returns.volatility, horizon=300)),
        Fact("returns", "autocorrelation of minutes", _pair("minutes"), -0.1, 0.1, DAILY),
        Fact("tails", "kurtosis of 1 s", lambda t: t.kurtosis("return 1"), 8, 40, INVERSE),
        Fact("tails", "kurtosis of 60 s", lambda t: t.kurtosis("return 60"), 5, None, TAPE),
        Fact("tails", "size of 1 s moves, 60 s later", _pair("calm and storm"), 0.03, None, INVERSE),
        *_impact_facts(),
    )  # fmt: skip


def _impact_facts() -> tuple[Fact, ...]:
    return (
        Fact("response", "after 0.1 s, bp", _mean("response 0.1")),
        Fact("response", "after 1 s, bp", _mean("response 1"), 0.3, 0.7, TAPE),
        Fact("response", "after 5 s, bp", _mean("response 5"), 0.5, 1.1, TAPE),
        Fact("response", "after 30 s, bp", _mean("response 30"), 0.8, 1.8, TAPE),
        Fact("response", "largest tenth / middle fifth, 5 s", impact.concavity, None, 4, TAPE),
        Fact("response", "exponent over runs of one side", impact.exponent, 0.4, 0.7, "literature"),
        Fact("markout", "all makers, 5 s, bp", _mean("markout 5")),
        Fact("markout", "all makers, 30 s, bp", _mean("markout 30")),
        Fact("imbalance", "correlation with next 0.1 s", _pair("imbalance 0.1")),
        Fact("imbalance", "correlation with next 1 s", _pair("imbalance 1"), 0.1, 0.35, INVERSE),
        Fact("imbalance", "correlation with next 5 s", _pair("imbalance 5")),
        Fact("imbalance", "R2 of OFI, 1 s", _squared(_pair("ofi 1")), 0.4, 0.75, INVERSE),
        Fact("imbalance", "R2 of OFI, 10 s", _squared(_pair("ofi 10"))),
        *(Fact("queue", f"filled in 1 s, own side {words}", _mean(f"filled {side}"), 0.05, 0.35, INVERSE)
          for side, words in zip(queueing.SIDES, ("thin", "even", "thick"), strict=True)),
        Fact("queue", "the likelier the worse (1 yes)", _queue_relation, 1, None, INVERSE),
        Fact("premium", "deviation within a record, bp", lambda t: t.deviation("premium"), 0.4, 0.9, TAPE),
        Fact("premium", "half-life, s", partial(carry.half_life, kind="premium")),
        Fact("premium", "time without funding", _mean("no funding"), 0.5, 0.9, RULES),
        Fact("basis", "within 3 deviations of its carry", _mean("basis near"), 0.99, None, RULES),
        Fact("basis", "half-life, s", partial(carry.half_life, kind="basis")),
    )  # fmt: skip
