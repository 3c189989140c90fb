"""Quantiles and ratios: how measured numbers are condensed, and when they may not be."""

import math
from collections.abc import Sequence
from statistics import median

import msgspec


class NotMeasured(RuntimeError):
    """A benchmark or its floor could not be run: there is no number, and nothing passes."""


class Quantiles(msgspec.Struct, frozen=True):
    """Of one set of latencies, in the unit they came in."""

    p50: float
    p99: float
    p999: float


def quantile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank quantile of ascending values: the least one that `share` of them do not exceed."""
    if not ordered:
        raise NotMeasured("no sample came in")
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def quantiles(values: Sequence[float]) -> Quantiles:
    """p50, p99 and p99.9; raises `NotMeasured` for none."""
    ordered = sorted(values)
    return Quantiles(*(quantile(ordered, share) for share in (0.50, 0.99, 0.999)))


def median_quantiles(rounds: Sequence[Sequence[float]]) -> Quantiles:
    """The median over rounds of each quantile."""
    each = [quantiles(values) for values in rounds]
    if not each:
        raise NotMeasured("no round was played")
    return Quantiles(
        median(one.p50 for one in each),
        median(one.p99 for one in each),
        median(one.p999 for one in each),
    )


def ratio(ours: Sequence[float], floor: Sequence[float]) -> float:
    """The median of the ratios round by round: a slow minute hits both of its round."""
    if len(ours) != len(floor) or not ours:
        raise NotMeasured(f"{len(ours)} rounds of ours against {len(floor)} of the floor")
    if min(floor) <= 0.0:
        raise NotMeasured("the floor took no time, which means that it did nothing")
    return median(one / least for one, least in zip(ours, floor, strict=True))
