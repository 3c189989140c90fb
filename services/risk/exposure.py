"""Exposure: what the positions and the working orders are worth in BTC of delta at mark.

Owns the sums over all instruments. An inverse position of N USD has delta N / mark, so the same
position has less delta after a rally; nothing here is linearised.
"""

from collections.abc import Mapping

import msgspec

from shared.instruments import Instrument
from shared.messages import Position


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """Deltas in BTC, + long. `unmarked` names holdings without a mark or a specification: not counted."""

    net: float
    worst: float
    """The larger |delta| if every working order of one side filled and none of the other."""
    deltas: dict[str, float]
    open_loss: float
    """Unrealised loss against the average entries, positive, settlement coin; 0 in profit."""
    unmarked: tuple[str, ...]


def measure(
    positions: Mapping[str, Position],
    specs: Mapping[str, Instrument],
    marks: Mapping[str, float],
) -> Exposure:
    """The exposure of all positions at the marks."""
    deltas: dict[str, float] = {}
    buys = sells = unrealised = 0.0
    unmarked = []
    for name, position in positions.items():
        spec, mark = specs.get(name), marks.get(name)
        if spec is None or mark is None:
            if position.amount or position.working_buy or position.working_sell:
                unmarked.append(name)
            continue
        deltas[name] = spec.delta(position.amount, mark)
        buys += spec.delta(position.working_buy, mark)
        sells += spec.delta(position.working_sell, mark)
        if position.amount and position.average_price > 0:
            unrealised += spec.pnl(position.amount, position.average_price, mark)
    net = sum(deltas.values())
    return Exposure(
        net=net,
        worst=max(abs(net + buys), abs(net - sells)),
        deltas=deltas,
        open_loss=max(0.0, -unrealised),
        unmarked=tuple(unmarked),
    )
