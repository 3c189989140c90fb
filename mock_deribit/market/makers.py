"""Fast makers: they hold the one-tick spread and re-price in jumps when the fair price moves.

Each maker sees the fair price with an error of its own, keeps its two quotes while they are not too far
from it, and otherwise moves them: the endangered side first, then the other, both post-only. Where the
others have not moved yet the exchange slides it to one tick inside, and it comes back for its price a
few milliseconds later. Latencies differ, so after a jump someone is always last: that is the race in
which stale quotes are taken.
"""

import math

from mock_deribit.market.trader import Trader
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import MILLISECOND

_PULL = 0.05
_RESIZE = 0.2
_SIZE_DEVIATION = 0.9
_NOISE_KEPT = 0.9


class FastMaker:
    """One maker on one instrument. `tolerance` and `noise` in ticks, `size` the median in lots."""

    def __init__(
        self,
        trader: Trader,
        stream: Stream,
        *,
        latency_ms: float,
        tolerance: float,
        noise: float,
        size: float,
    ) -> None:
        self._trader = trader
        self._stream = stream
        self._latency_ms = latency_ms
        self._tolerance = tolerance
        self._noise = noise
        self._size = size
        self._wakes = 0
        self._error = 0.0
        self._orders: dict[int, tuple[str, int]] = {}
        self.pending = False

    def delay(self) -> Nanos:
        """How long this maker takes from seeing to acting, this time."""
        wobble = self._stream.fork(-self._wakes).lognormal(1.0, 0.3)
        return Nanos(int(self._latency_ms * wobble * MILLISECOND))

    def quote(self, now: Nanos, fair_ticks: float) -> bool:
        """Look at the fair price and act; False: not where it wants to be, ask again soon."""
        self._wakes += 1
        draw = self._stream.fork(self._wakes)
        spread = self._noise * math.sqrt(1.0 - _NOISE_KEPT**2)
        self._error = _NOISE_KEPT * self._error + draw.normal(0.0, spread)
        centre = fair_ticks + self._error
        if draw.chance(_PULL):
            self._pull(now)
            return False
        if self._near(centre) and not draw.chance(_RESIZE):
            return True
        bid = math.floor(centre)
        held = self._orders.get(1)
        rising = held is None or bid > held[1]
        wanted = {1: bid, -1: bid + 1}
        settled = True
        for sign in (-1, 1) if rising else (1, -1):
            settled &= self._stand(now, sign, wanted[sign], draw)
        return settled

    def _near(self, centre: float) -> bool:
        """Whether both quotes rest, one tick apart, close enough to the fair price."""
        bid, ask = self._orders.get(1), self._orders.get(-1)
        if bid is None or ask is None or ask[1] - bid[1] != 1:
            return False
        best_bid, best_ask = self._trader.best(1), self._trader.best(-1)
        if best_bid is None or best_ask is None or best_ask - best_bid > 1:
            return False
        return abs(centre - bid[1] - 0.5) <= self._tolerance

    def _stand(self, now: Nanos, sign: int, tick: int, draw: Stream) -> bool:
        held = self._orders.pop(sign, None)
        if held is not None and draw.chance(_RESIZE):
            self._trader.cancel(now, held[0])
            held = None
        if held is not None:
            moved = held[1] if held[1] == tick else self._trader.move(now, held[0], tick)
            if moved is not None and self._trader.is_resting(held[0]):
                self._orders[sign] = (held[0], moved)
                return moved == tick
        lots = max(1, round(draw.lognormal(self._size, _SIZE_DEVIATION)))
        rested = self._trader.rest(now, sign, tick, lots)
        if rested is None:
            return False
        self._orders[sign] = rested
        return rested[1] == tick

    def _pull(self, now: Nanos) -> None:
        for order_id, _ in self._orders.values():
            self._trader.cancel(now, order_id)
        self._orders.clear()
