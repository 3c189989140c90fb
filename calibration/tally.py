"""A tally: what one record adds up to, as named sums and samples. Tallies of several records add.

Facts are formulas on a tally, so that facts over many seeds are pooled (sums over all of them) rather than
averages of noisy ratios. A formula whose data was never seen gives None.
"""

import math
from collections.abc import Iterable

import msgspec


class Tally(msgspec.Struct):
    """Sums and samples by name."""

    sums: dict[str, float] = {}
    samples: dict[str, list[float]] = {}

    def add(self, name: str, value: float) -> None:
        """Add to a sum."""
        self.sums[name] = self.sums.get(name, 0.0) + value

    def mean_of(self, name: str, value: float, weight: float = 1.0) -> None:
        """Add to a weighted mean, read by `mean`."""
        self.add(f"{name}/x", value * weight)
        self.add(f"{name}/n", weight)

    def moments(self, name: str, values: Iterable[float]) -> None:
        """Add to second and fourth moments around zero."""
        for value in values:
            square = value * value
            self.add(f"{name}/2", square)
            self.add(f"{name}/4", square * square)
            self.add(f"{name}/n", 1.0)

    def pair(self, name: str, x: float, y: float) -> None:
        """Add to a correlation."""
        for key, value in (("x", x), ("y", y), ("xx", x * x), ("yy", y * y), ("xy", x * y)):
            self.add(f"{name}/{key}", value)
        self.add(f"{name}/n", 1.0)

    def sample(self, name: str, value: float) -> None:
        """Keep a value, for quantiles."""
        self.samples.setdefault(name, []).append(value)

    def merge(self, other: "Tally") -> None:
        """Add everything another one has."""
        for name, value in other.sums.items():
            self.add(name, value)
        for name, values in other.samples.items():
            self.samples.setdefault(name, []).extend(values)

    def mean(self, name: str) -> float | None:
        """A weighted mean."""
        return self.ratio(f"{name}/x", f"{name}/n")

    def ratio(self, above: str, below: str) -> float | None:
        """One sum by another."""
        divisor = self.sums.get(below, 0.0)
        return self.sums.get(above, 0.0) / divisor if divisor else None

    def deviation(self, name: str) -> float | None:
        """Root of the second moment."""
        square = self.ratio(f"{name}/2", f"{name}/n")
        return None if square is None else math.sqrt(square)

    def kurtosis(self, name: str) -> float | None:
        """Fourth moment by the square of the second: 3 for a Gaussian."""
        square, fourth = self.ratio(f"{name}/2", f"{name}/n"), self.ratio(f"{name}/4", f"{name}/n")
        return fourth / square**2 if square and fourth is not None else None

    def correlation(self, name: str) -> float | None:
        """Pearson's."""
        n, x, y, xx, yy, xy = (self.sums.get(f"{name}/{k}", 0.0) for k in "n x y xx yy xy".split())
        if n < 3:
            return None
        spread = (xx - x * x / n) * (yy - y * y / n)
        return (xy - x * y / n) / math.sqrt(spread) if spread > 0.0 else None

    def quantile(self, name: str, share: float) -> float | None:
        """The value below which this share of the samples lies."""
        values = sorted(self.samples.get(name, []))
        return values[min(int(share * len(values)), len(values) - 1)] if values else None


def slope(points: Iterable[tuple[float, float]]) -> float | None:
    """Least-squares slope of log y over log x; points that have no logarithm are left out."""
    logs = [(math.log(x), math.log(y)) for x, y in points if x > 0.0 and y > 0.0]
    if len(logs) < 3:
        return None
    mean_x = sum(x for x, _ in logs) / len(logs)
    mean_y = sum(y for _, y in logs) / len(logs)
    spread = sum((x - mean_x) ** 2 for x, _ in logs)
    return sum((x - mean_x) * (y - mean_y) for x, y in logs) / spread if spread else None
