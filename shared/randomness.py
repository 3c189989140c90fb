"""Randomness that is a function of its key: splitmix64 and the distributions written out.

The standard library promises the same numbers over versions only for `random()`, and hashes of objects
differ between processes; so the generator and its transforms are ours. A stream is named by a string
("seed|agent|instrument"), streams of different names are independent, and `fork(n)` is the stream of an
agent's n-th act: what other agents do cannot shift its draws (common random numbers).

Sources: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014) for splitmix64; the
transforms are inversions and the Box-Muller method.
"""

import math
from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")

_MASK = 0xFFFFFFFFFFFFFFFF
_GOLDEN = 0x9E3779B97F4A7C15
_UNIT = 2.0**-53


def _mix(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


class Stream:
    """One stream of draws, deterministic in its key."""

    __slots__ = ("_key", "_state")

    def __init__(self, key: str) -> None:
        self._key = key
        self._state = int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big")

    def fork(self, n: int) -> "Stream":
        """The n-th sub-stream of the key; does not depend on what was drawn from this one."""
        return Stream(f"{self._key}|{n}")

    def bits(self) -> int:
        """64 uniform bits."""
        self._state = (self._state + _GOLDEN) & _MASK
        return _mix(self._state)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """Uniform in [low, high)."""
        return low + (high - low) * ((self.bits() >> 11) * _UNIT)

    def below(self, n: int) -> int:
        """A uniform integer in [0, n). Raises ValueError when n is not positive."""
        if n <= 0:
            raise ValueError(f"below(n) draws from n possible values, got n={n}; pass n >= 1")
        return (self.bits() * n) >> 64

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.uniform() < probability

    def sign(self) -> int:
        """+1 or -1, equally likely."""
        return 1 if self.bits() >> 63 else -1

    def choice(self, items: Sequence[T]) -> T:
        """One of the items, equally likely. Raises ValueError when there are none."""
        return items[self.below(len(items))]

    def exponential(self, mean: float) -> float:
        """Exponential with this mean: -mean * ln(1 - U)."""
        return -mean * math.log(1.0 - self.uniform())

    def normal(self, mean: float = 0.0, deviation: float = 1.0) -> float:
        """Gaussian by Box-Muller: sqrt(-2 ln U) * cos(2 pi V)."""
        radius = math.sqrt(-2.0 * math.log(1.0 - self.uniform()))
        return mean + deviation * radius * math.cos(2.0 * math.pi * self.uniform())

    def lognormal(self, median: float, deviation: float) -> float:
        """exp of a Gaussian; `deviation` is that of the logarithm."""
        return median * math.exp(self.normal(0.0, deviation))

    def pareto(self, index: float) -> float:
        """Pareto on [1, inf) with tail index: P(X > x) = x**-index."""
        return float((1.0 - self.uniform()) ** (-1.0 / index))

    def student(self, freedom: float) -> float:
        """Student-like tails by Bailey's polar form: sqrt(v * (U**(-2/v) - 1)) * cos(2 pi V)."""
        spread = freedom * ((1.0 - self.uniform()) ** (-2.0 / freedom) - 1.0)
        return math.sqrt(spread) * math.cos(2.0 * math.pi * self.uniform())
