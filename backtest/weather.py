"""The weather on the links of one process: what the network does to what is on its way.

Owns: the delays, silences and losses in force, each with its end. A silence is that of TCP: nothing gets
through and nobody is told, and what was sent arrives when it is over. Only data may be lost, told twice or
told out of order, since for everything else the bus' own host sees to it (`shared/shell/bus_nats.py`):
what was missed is read from the event stream, and what was heard once is not told again.
"""

import msgspec

from backtest.latency import Path
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import MILLISECOND

_STRAY_MAX = 50 * MILLISECOND
FAIR = Nanos(0)


class Rain(msgspec.Struct, frozen=True, kw_only=True):
    """Chances of each data message, until `until`: to be lost, to come twice, to come out of order."""

    until: Nanos
    lost: float
    doubled: float
    strayed: float


class Weather:
    """One process' links. Everything in it ends by itself."""

    def __init__(self, key: str) -> None:
        self._silent: dict[str, Nanos] = {}
        self._slow: dict[str, tuple[Nanos, int]] = {}
        self._rain: Rain | None = None
        self._stream = Stream(key)

    def silence(self, link: str, until: Nanos) -> None:
        """Nothing passes this link, in either direction, before `until`."""
        self._silent[link] = max(until, self._silent.get(link, FAIR))

    def slow(self, link: str, until: Nanos, extra: int) -> None:
        """Everything sent over this link before `until` takes longer by `extra`."""
        self._slow[link] = (until, extra)

    def rain(self, rain: Rain) -> None:
        """Data on the bus is lost, doubled and strays."""
        self._rain = rain

    def is_silent(self, now: Nanos, link: str) -> bool:
        """Whether nothing passes this link now."""
        return now < self._silent.get(link, FAIR)

    def extra(self, now: Nanos, link: str) -> int:
        """By how much everything sent now is late."""
        until, extra = self._slow.get(link, (FAIR, 0))
        return extra if now < until else 0

    def not_before(self, link: str) -> Nanos:
        """The end of the latest silence."""
        return self._silent.get(link, FAIR)

    def arrival(self, path: Path, now: Nanos, link: str) -> Nanos:
        """When something sent over `path` arrives, which belongs to `link`."""
        return path.arrival(now, self.extra(now, link), self.not_before(link))

    def scatter(self, path: Path, now: Nanos, arrival: Nanos) -> tuple[Nanos, ...]:
        """When one data message, due at `arrival`, really comes: never, once or twice, and perhaps astray."""
        rain = self._rain
        if rain is None or now >= rain.until:
            return (arrival,)
        if self._stream.chance(rain.lost):
            return ()
        if self._stream.chance(rain.strayed):
            extra = self._stream.below(_STRAY_MAX)
            arrival = max(path.stray(now, extra), self.not_before("bus"))
        if self._stream.chance(rain.doubled):
            again = max(path.stray(arrival, self._stream.below(_STRAY_MAX)), arrival)
            return (arrival, again)
        return (arrival,)
