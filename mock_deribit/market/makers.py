"""Fast makers: they hold the one-tick spread and re-price in jumps when the fair price moves.

Each maker sees the fair price with an error of its own. After a move it first defends (the side the price
has run over goes to its new place), then, a moment later, improves the other; in between the spread may be
open. A quote that is not too far from where it should be stays, and keeps its place in the queue. A new
quote joins the best price when that is near. Latencies differ, so after a jump someone is always last:
that is the race in which stale quotes are taken. Sizes lean to the side the next move is sensed on; at
random times a maker pulls one side or sizes it anew.
"""

import math

import msgspec

from mock_deribit.market.trader import Trader
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import MILLISECOND

_NOISE_KEPT = 0.9
_PULL, _RESIZE = 0.2, 0.3
_LEAN = 0.6


class MakerProfile(msgspec.Struct, frozen=True):
    """One fast maker. In ticks: `noise` of its eye, how far a quote may be over the fair price
    (`tolerance`) or behind it (`patience`), how near the best must be to be joined (`joins`)."""

    latency_ms: float
    noise: float
    tolerance: float
    patience: float
    joins: int


class FastMaker:
    """One maker on one instrument; `size` is the median of a quote in lots."""

    def __init__(
        self, trader: Trader, stream: Stream, profile: MakerProfile, size: float, deviation: float
    ) -> None:
        self._trader = trader
        self._stream = stream
        self._profile = profile
        self._size = size
        self._deviation = deviation
        self._wakes = 0
        self._error = 0.0
        self._orders: dict[int, tuple[str, int]] = {}
        self.pending = False

    def delay(self) -> Nanos:
        """How long this maker takes from seeing to acting, this time."""
        wobble = self._stream.fork(-self._wakes).lognormal(1.0, 0.3)
        return Nanos(int(self._profile.latency_ms * wobble * MILLISECOND))

    def defend(self, now: Nanos, fair: float, lean: float) -> bool:
        """Take quotes out of danger; whether there is more to do. `fair` in ticks."""
        draw = self._look()
        bid = math.floor(fair + self._error)
        wanted = {1: bid, -1: bid + 1}
        idle = True
        for sign in (1, -1):
            held = self._held(sign)
            if held is None:
                idle = False
                continue
            over = sign * (held[1] - wanted[sign])
            if over > self._profile.tolerance:
                self._place(now, sign, wanted[sign], lean, draw)
            elif -over > self._profile.patience:
                idle = False
        return not idle or self._is_open()

    def improve(self, now: Nanos, fair: float, lean: float) -> None:
        """Put both quotes where they should be."""
        draw = self._look()
        bid = math.floor(fair + self._error)
        wide = self._is_open()
        for sign, wanted in ((1, bid), (-1, bid + 1)):
            held = self._held(sign)
            off = abs(held[1] - wanted) if held is not None else 0
            if held is None or wide or off > self._profile.patience:
                if held is not None and held[1] == wanted:
                    continue
                self._place(now, sign, self._joined(sign, wanted, wide=wide), lean, draw)

    def fidget(self, now: Nanos, fair: float, lean: float) -> None:
        """Pull a side, or size it anew."""
        draw = self._look()
        sign = draw.sign()
        held = self._held(sign)
        what = draw.uniform()
        if held is None:
            wanted = math.floor(fair + self._error) + (sign < 0)
            self._place(now, sign, self._joined(sign, wanted, wide=False), lean, draw)
        elif what < _PULL:
            self._trader.cancel(now, self._orders.pop(sign)[0])
        elif what < _PULL + _RESIZE:
            self._trader.cancel(now, self._orders.pop(sign)[0])
            self._place(now, sign, held[1], lean, draw)

    def _look(self) -> Stream:
        self._wakes += 1
        draw = self._stream.fork(self._wakes)
        spread = self._profile.noise * math.sqrt(1.0 - _NOISE_KEPT**2)
        self._error = _NOISE_KEPT * self._error + draw.normal(0.0, spread)
        return draw

    def _held(self, sign: int) -> tuple[str, int] | None:
        held = self._orders.get(sign)
        if held is not None and not self._trader.is_resting(held[0]):
            del self._orders[sign]
            return None
        return held

    def _is_open(self) -> bool:
        bid, ask = self._trader.best(1), self._trader.best(-1)
        return bid is None or ask is None or ask - bid > 1

    def _joined(self, sign: int, wanted: int, *, wide: bool) -> int:
        """Where to stand: beside the best rather than before it, unless the spread is open."""
        best = self._trader.best(sign)
        if not wide and best is not None and 0 < sign * (wanted - best) <= self._profile.joins:
            return best
        return wanted

    def _place(self, now: Nanos, sign: int, tick: int, lean: float, draw: Stream) -> None:
        """Move the quote there, or one tick inside the other side's best; a new one where it is gone."""
        opposite = self._trader.best(-sign)
        if opposite is not None and sign * (opposite - tick) <= 0:
            tick = opposite - sign
        held = self._orders.pop(sign, None)
        if held is not None:
            if held[1] == tick:
                self._orders[sign] = held
                return
            self._trader.cancel(now, held[0])
        leaning = math.exp(_LEAN * sign * lean)
        lots = max(1, round(draw.lognormal(self._size * leaning, self._deviation)))
        rested = self._trader.rest(now, sign, tick, lots)
        if rested is not None:
            self._orders[sign] = rested
