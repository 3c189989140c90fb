"""A rough market for fault runs: few orders and few messages, but many trades, and shocks on demand.

A run looks for what breaks, so that every processor second shall hold many faults that meet many fills. The
price walks; two levels a side follow it; takers come every second or so, take what is best (mostly us, who
stand inside) in whole or in part, and now and then sweep. `shift` is a flash crash: makers flee, somebody
takes everything on the way. Implements `mock_deribit.market.market.Directed`.
"""

import math
from collections.abc import Mapping

from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.messages import OrderState, Refused
from mock_deribit.market.regime import regime_of
from mock_deribit.market.trader import Trader
from shared.instruments import Instrument
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import BPS, SECOND, from_seconds

INDEX = "btc_usd"
_MOVE_S = 0.35
_TAKE = 0.4
_SWEEP = 0.03
_LEVELS = (3, 9)
_LEVEL_USD = 30_000.0
_DRIFT_TICKS = 2
_WALK_USD = 2.0
"""Per square root of a second."""


class _Pit:
    """One instrument: the levels of the house, and whoever takes."""

    def __init__(self, exchange: Exchange, instrument: Instrument, basis: float) -> None:
        self.basis = basis
        self.house = Trader(exchange, "house", instrument)
        self.taker = Trader(exchange, "taker", instrument)
        self._anchor = 0
        self._orders: dict[tuple[int, int], str] = {}

    def follow(self, now: Nanos, price: float) -> None:
        """Keep two levels a side around a price, once it has moved enough."""
        tick = round((price + self.basis) / self.house.instrument.tick)
        if abs(tick - self._anchor) < _DRIFT_TICKS and len(self._orders) == 2 * len(_LEVELS):
            return
        # The side that is left behind goes first, so that nobody meets himself.
        first = 1 if tick < self._anchor else -1
        self._anchor = tick
        for sign in (first, -first):
            for offset in _LEVELS:
                self._stand(now, sign, offset, tick - sign * offset)

    def flee(self, now: Nanos) -> None:
        """Take every level back."""
        for order_id in self._orders.values():
            self.house.cancel(now, order_id)
        self._orders = {key: held for key, held in self._orders.items() if self._rests(held)}

    def take(self, now: Nanos, sign: int, ticks: int, usd: float) -> None:
        """Take the other side's best, and what stands within so many ticks behind it."""
        best = self.taker.best(-sign)
        if best is not None:
            lots = max(1, round(usd / self.taker.instrument.contract_size))
            self.taker.take(now, sign, best + sign * ticks, lots)

    def _stand(self, now: Nanos, sign: int, offset: int, tick: int) -> None:
        known = self._orders.pop((sign, offset), None)
        # A book that takes no orders for a while keeps what it has.
        if known is not None and (
            self.house.move(now, known, tick) is not None or self._rests(known)
        ):
            self._orders[sign, offset] = known
            return
        lots = round(_LEVEL_USD / self.house.instrument.contract_size)
        rested = self.house.rest(now, sign, tick, lots)
        if rested is not None:
            self._orders[sign, offset] = rested[0]

    def _rests(self, order_id: str) -> bool:
        order = self.house.exchange.order(self.house.account, order_id)
        return not isinstance(order, Refused) and order.state is OrderState.OPEN


class RoughMarket:
    """By a seed, from a price in USD."""

    ended: str | None = None

    def __init__(self, seed: str, price: float) -> None:
        self._price = price
        self._walk_usd = _WALK_USD
        self._stream = Stream(f"{seed}|rough")
        self._moved = self._move_at = self._index_at = Nanos(0)
        self._pits: dict[str, _Pit] = {}

    @property
    def index_prices(self) -> Mapping[str, float]:
        """The opening index."""
        return {INDEX: round(self._price, 2)}

    def start(self, now: Nanos, exchange: Exchange) -> Nanos:
        """Open a pit for every future."""
        self._exchange = exchange
        self._moved = self._move_at = self._index_at = now
        for number, listing in enumerate(exchange.listings):
            self._pits[listing.name] = _Pit(exchange, listing.instrument, 40.0 * number)
        return self.wake(now)

    def wake(self, now: Nanos) -> Nanos:
        """Walk, follow, trade."""
        if now >= self._move_at:
            self._move(now)
            self._move_at = Nanos(now + from_seconds(self._stream.exponential(_MOVE_S)))
        if now >= self._index_at:
            self._exchange.set_index(now, INDEX, round(self._price, 2))
            self._index_at = Nanos(now + SECOND)
        return min(self._move_at, self._index_at)

    def shift(self, now: Nanos, bps: float) -> Nanos:
        """A flash crash, or its contrary: nobody stands in the way."""
        before = self._price
        self._price *= 1.0 + bps * BPS
        for pit in self._pits.values():
            pit.flee(now)
            ticks = math.ceil(abs(self._price - before) / pit.taker.instrument.tick)
            pit.take(now, 1 if bps > 0 else -1, ticks, 10.0 * _LEVEL_USD)
            pit.follow(now, self._price)
        return self._move_at

    def sweep(self, now: Nanos, instrument: str, sign: int, bps: float) -> Nanos:
        """Somebody takes everything within this distance."""
        if instrument not in self._pits:
            raise ValueError(f"there is no {instrument} here; there are {', '.join(self._pits)}")
        pit = self._pits[instrument]
        ticks = math.ceil(self._price * bps * BPS / pit.taker.instrument.tick)
        pit.take(now, sign, ticks, 10.0 * _LEVEL_USD)
        return self._move_at

    def set_regime(self, now: Nanos, name: str) -> Nanos:
        """Another volatility."""
        self._walk_usd = _WALK_USD * regime_of(name).volatility
        return self._move_at

    def _move(self, now: Nanos) -> None:
        draw = self._stream
        passed_s = max(1, now - self._moved) / SECOND
        self._price += draw.normal(0.0, self._walk_usd * math.sqrt(passed_s))
        self._moved = now
        for pit in self._pits.values():
            pit.follow(now, self._price)
        if draw.chance(_TAKE):
            pit = draw.choice(tuple(self._pits.values())[:2])
            far = _LEVELS[-1] + 1 if draw.chance(_SWEEP) else 0
            pit.take(now, draw.sign(), far, draw.lognormal(1_500.0, 1.0))
