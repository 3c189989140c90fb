"""Probes: the simplest strategies, sent into a market to see whether it is honest.

A market in which a naive maker at the touch earns, or a taker who flips coins does not lose, proves
nothing about anybody else. A probe sees the best prices of others and answers with what it wants; who
runs it carries its orders, late by its latency.
"""

from typing import NamedTuple, Protocol

from calibration.record import Path
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import BPS, MILLISECOND, SECOND

SIZE_USD = 1_700.0
CAP_USD = 17_000.0


class View(NamedTuple):
    """What a probe knows: the best prices of others and its own position."""

    now: Nanos
    bid: float
    ask: float
    position_usd: float

    @property
    def mid(self) -> float:
        """Half way between."""
        return (self.bid + self.ask) / 2.0


class Wish(NamedTuple):
    """Quotes to have (None: no quote on that side) and a side to take now (0: none)."""

    bid: float | None = None
    ask: float | None = None
    take: int = 0


class Probe(Protocol):
    """A strategy to be carried out."""

    @property
    def name(self) -> str:
        """Names its results."""
        ...

    @property
    def latency(self) -> Nanos:
        """From seeing to acting."""
        ...

    @property
    def pause(self) -> Nanos:
        """Between two decisions."""
        ...

    @property
    def leeway_bps(self) -> float:
        """How far from where it should be a quote may stay."""
        ...

    def decide(self, view: View) -> Wish:
        """What it wants now."""
        ...


class Maker:
    """Quotes both sides at a fixed distance from the mid; 0 joins the touch. With `skew` its centre moves
    by the distance when its position is at the cap."""

    pause = Nanos(500 * MILLISECOND)

    def __init__(
        self, name: str, half_bps: float, latency_ms: float, *, skew: bool = False
    ) -> None:
        self.name = name
        self.latency = Nanos(round(latency_ms * MILLISECOND))
        self.leeway_bps = 0.2 if half_bps else 0.0
        self._half_bps = half_bps
        self._skew = skew

    def decide(self, view: View) -> Wish:
        """Both quotes, but none that would add to a position at the cap."""
        centre = view.mid
        if self._skew:
            centre *= 1.0 - self._half_bps * BPS * view.position_usd / CAP_USD
        half = centre * self._half_bps * BPS
        bid, ask = (centre - half, centre + half) if self._half_bps else (view.bid, view.ask)
        return Wish(
            bid if view.position_usd < CAP_USD else None,
            ask if view.position_usd > -CAP_USD else None,
        )


class CoinFlipper:
    """Takes a random side every ten seconds."""

    name = "coin flip"
    latency = Nanos(30 * MILLISECOND)
    pause = Nanos(10 * SECOND)
    leeway_bps = 0.0

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def decide(self, view: View) -> Wish:
        """Heads or tails."""
        return Wish(take=self._stream.sign())


class Clairvoyant:
    """Knows how the price moved in the next second of a run without it, and takes when that pays its fee."""

    name = "clairvoyant"
    latency = Nanos(2 * MILLISECOND)
    pause = Nanos(100 * MILLISECOND)
    leeway_bps = 0.0

    def __init__(self, path: Path, fee_bps: float) -> None:
        self._path = path
        self._needs = fee_bps + 0.5

    def decide(self, view: View) -> Wish:
        """With the move, when it is large enough."""
        here, ahead = self._path.at(view.now), self._path.at(view.now + SECOND)
        bps = (ahead / here - 1.0) / BPS if here is not None and ahead is not None else 0.0
        return Wish(take=(bps > self._needs) - (bps < -self._needs))
