"""Worst-case exposure: where the net delta would be if everything of ours that may still fill, filled.

For every instrument the ledger's position and, per side, the amounts still working: resting, in flight
(the larger of old and new while an edit travels), of unknown outcome, and filled by report but not yet
booked. In base coin at the mark: an inverse amount N weighs N / mark. `longest` adds every buy to the
net, `shortest` takes every sell from it; no sequence of fills can leave that interval.
"""

from collections.abc import Iterable, Mapping

import msgspec

from services.oms.order import Order
from shared.instruments import Instrument
from shared.units import Side


class Working(msgspec.Struct, frozen=True):
    """Worst-case amounts still to be filled, in the instrument's unit, both positive."""

    buy: float = 0.0
    sell: float = 0.0


class Exposure(msgspec.Struct, frozen=True):
    """Base coin, signed. `unvalued` names instruments that hold something and have no mark."""

    net: float
    longest: float
    shortest: float
    unvalued: tuple[str, ...] = ()

    def after(self, side: Side, delta: float) -> float:
        """The worst case on a side with this much (positive) more on it."""
        return self.longest + delta if side is Side.BUY else self.shortest - delta

    @property
    def worst(self) -> float:
        """The larger absolute worst case."""
        return max(abs(self.longest), abs(self.shortest))


def working_of(orders: Iterable[Order]) -> dict[str, Working]:
    """What may still fill, by instrument."""
    totals: dict[str, Working] = {}
    for order in orders:
        if order.exposed == 0.0:
            continue
        sofar = totals.get(order.instrument, Working())
        if order.side is Side.BUY:
            totals[order.instrument] = Working(sofar.buy + order.exposed, sofar.sell)
        else:
            totals[order.instrument] = Working(sofar.buy, sofar.sell + order.exposed)
    return totals


def exposure_of(
    positions: Mapping[str, float],
    working: Mapping[str, Working],
    marks: Mapping[str, float],
    specs: Mapping[str, Instrument],
) -> Exposure:
    """The net delta and its worst cases. An instrument without a specification is taken as inverse."""
    net = longest = shortest = 0.0
    unvalued = []
    for name in dict.fromkeys((*positions, *working)):
        position, open_ = positions.get(name, 0.0), working.get(name, Working())
        if position == 0.0 and open_ == Working():
            continue
        mark = marks.get(name)
        if not mark:
            unvalued.append(name)
            continue
        held = _delta(specs.get(name), position, mark)
        net += held
        longest += held + _delta(specs.get(name), open_.buy, mark)
        shortest += held - _delta(specs.get(name), open_.sell, mark)
    return Exposure(net, longest, shortest, tuple(unvalued))


def _delta(spec: Instrument | None, amount: float, mark: float) -> float:
    return amount / mark if spec is None else spec.delta(amount, mark)
