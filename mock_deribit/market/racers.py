"""Racers: who is faster than a quote.

Lead-lag takers see a move elsewhere and send an order in its direction within milliseconds, while the
slower makers still show the old price; the larger the move, the likelier and the more of them. Snipers
need no race: whatever rests beyond the fair price by more than their fee is theirs, whoever owns it.
"""

import msgspec

from mock_deribit.market.takers import Takers
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import MILLISECOND

_MOST = 0.95
_RACE_MS = (0.2, 1.5)
_SNIPE_MS = (2.0, 6.0)
_SNIPE_BPS = (1.0, 3.5)
_RACERS_MAX = 12


class Racer(msgspec.Struct, frozen=True):
    """An order on its way."""

    at: Nanos
    sign: int
    usd: float


class Racers:
    """Draws who answers a move. Every move has a number, so that draws do not depend on the path."""

    def __init__(self, stream: Stream, per_bp: float, power: float, more: float) -> None:
        self._stream = stream
        self._per_bp = per_bp
        self._power = power
        self._more = more
        self._moves = 0

    def after(self, now: Nanos, bps: float, heat: float) -> list[Racer]:
        """Who races after a move; `heat` is the regime's factor on their eagerness."""
        self._moves += 1
        draw = self._stream.fork(self._moves)
        sign = 1 if bps > 0.0 else -1
        eager = min(_MOST, heat * self._per_bp * abs(bps) ** self._power)
        racers: list[Racer] = []
        sizes = Takers(draw)
        while len(racers) < _RACERS_MAX and draw.chance(eager if not racers else self._more):
            late = int(draw.uniform(*_RACE_MS) * MILLISECOND)
            racers.append(Racer(Nanos(now + late), sign, sizes.size()))
        return racers

    def sniper(self, now: Nanos) -> tuple[Nanos, float]:
        """When the next sniper strikes, and how far beyond the fair price it needs a quote, in bp."""
        draw = self._stream.fork(-self._moves)
        late = int(draw.uniform(*_SNIPE_MS) * MILLISECOND)
        return Nanos(now + late), draw.uniform(*_SNIPE_BPS)


SNIPE_LEAST_BPS = _SNIPE_BPS[0]
