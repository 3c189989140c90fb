"""Wanted minus working: the fewest changes that bring the resting orders to the wanted ladder.

Wanted levels and working orders of a side are paired nearest first, so that a ladder slides instead of
being torn down. A pair is left alone inside a band around the wanted price: narrow towards the market,
where standing too near is a free option for others (`urgent`), wide away from it, where being late costs
only a chance (comfort). Editing costs one request against two, and a smaller amount at the same price
keeps its place in the queue. An order with a request in flight, or of unknown outcome, holds its level:
nothing is done to it or beside it until it is answered.
"""

from collections.abc import Iterable, Sequence

from services.oms.commands import Cancel, Edit, Place
from services.oms.order import Order
from shared.kernel import Nanos
from shared.messages import Quote, QuoteLevel
from shared.params import OmsParams
from shared.units import Side, from_seconds

Change = Place | Edit | Cancel


def diff(
    now: Nanos, quote: Quote, working: Iterable[Order], params: OmsParams, net: float
) -> list[Change]:
    """The changes, first what should be sent first, given the net delta in base coin.

    Away with what is not wanted, out of danger, new orders that reduce, that add, comfort.
    """
    orders = [order for order in working if order.alive]
    changes: list[Change] = []
    for side in Side:
        levels = [level for level in quote.levels if level.side is side]
        ours = [order for order in orders if order.side is side]
        pairs, spare = _pair(levels, ours)
        changes.extend(_away(order, "not wanted") for order in spare if order.idle)
        for level, order in pairs:
            change = (
                _place(level, quote) if order is None else _fix(now, level, order, quote, params)
            )
            if change is not None:
                changes.append(change)
    return sorted(changes, key=lambda change: _rank(change, net))


def _pair(
    levels: Sequence[QuoteLevel], orders: Sequence[Order]
) -> tuple[list[tuple[QuoteLevel, Order | None]], list[Order]]:
    """Each level with an order, the nearest pairs first; and the orders left over."""
    free_levels, spare = dict(enumerate(levels)), dict(enumerate(orders))
    distances = sorted(
        (abs(_aim(order) - level.price), at, number)
        for at, level in free_levels.items()
        for number, order in spare.items()
    )
    pairs: list[tuple[QuoteLevel, Order | None]] = []
    for _, at, number in distances:
        if at in free_levels and number in spare:
            pairs.append((free_levels.pop(at), spare.pop(number)))
    pairs.extend((level, None) for level in free_levels.values())
    return pairs, list(spare.values())


def _aim(order: Order) -> float:
    return order.price if order.aim_price is None else order.aim_price


def _fix(
    now: Nanos, level: QuoteLevel, order: Order, quote: Quote, params: OmsParams
) -> Edit | None:
    """The edit that an order needs, if any."""
    if not order.idle:
        return None
    nearer = order.side.sign * (order.price - level.price)
    excess = order.open_amount - level.amount
    slack = params.tolerance_size * level.amount
    exposed = nearer > params.tolerance_aggressive * quote.half_spread or excess > slack
    remote = nearer < -params.tolerance_passive * quote.half_spread or excess < -slack
    # Age only takes the tolerance away: an order that is exactly as wanted keeps its queue place.
    old = now - order.placed > from_seconds(params.order_age_max_s)
    differs = nearer != 0.0 or excess != 0.0
    if not (exposed or remote or (old and differs)):
        return None
    return Edit(
        label=order.label,
        instrument=order.instrument,
        side=order.side,
        layer=level.layer,
        price=level.price,
        amount=level.amount,
        quote_id=quote.quote_id,
        urgent=exposed,
    )


def _place(level: QuoteLevel, quote: Quote) -> Place:
    return Place(
        instrument=quote.instrument,
        side=level.side,
        layer=level.layer,
        price=level.price,
        amount=level.amount,
        quote_id=quote.quote_id,
    )


def _away(order: Order, reason: str) -> Cancel:
    return Cancel(label=order.label, order_id=order.order_id, reason=reason)


def _rank(change: Change, net: float) -> int:
    match change:
        case Cancel():
            return 0
        case Edit(urgent=True):
            return 1
        case Place():
            return 2 if change.side.sign * net < 0.0 else 3
        case Edit():
            return 4
