"""Queues: how often an order that joins the touch is filled within a second, and what it is worth then.

Imaginary orders of no size join the best price behind what is displayed, on either side in turn. Trades at
their price shrink the queue ahead; what else leaves the level takes the share x**3 from ahead, x = ahead /
(ahead + behind), and what joins stands behind; a trade through the price fills. A level that vanishes
without trades fills nothing. Split by the imbalance the order sees: its own side thin ("against": the price
is about to leave through it), even, or thick ("for").
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from calibration.record import Path, Print, Record, Top
from calibration.tally import Tally
from shared.kernel import Nanos
from shared.units import BPS, SECOND

SIDES = ("against", "even", "for")
_EVERY = 2 * SECOND
_PATIENCE = SECOND
_LOPSIDED = 1.0 / 3.0
_MARKOUT = 5 * SECOND


def measure(record: Record, tally: Tally) -> None:
    """Share filled within a second and mark-out five seconds later, by imbalance."""
    if not record.tops or not record.prints:
        return
    tops, prints = [top.ts for top in record.tops], [each.ts for each in record.prints]
    path = record.path()
    for number, ts in enumerate(range(record.start, record.end - 7 * SECOND, _EVERY)):
        place = bisect_right(tops, ts) - 1
        if place < 0:
            continue
        sign = 1 if number % 2 else -1
        joined = record.tops[place]
        end = ts + _PATIENCE
        changes = record.tops[place + 1 : bisect_right(tops, end)]
        trades = record.prints[bisect_left(prints, ts) : bisect_right(prints, end)]
        leaning = sign * joined.imbalance
        side = SIDES[0 if leaning < -_LOPSIDED else 2 if leaning > _LOPSIDED else 1]
        filled = _filled_at(sign, joined, changes, trades)
        tally.mean_of(f"filled {side}", float(filled is not None))
        if filled is not None:
            _mark_out(path, sign, joined, filled, tally, side)


def _mark_out(path: Path, sign: int, joined: Top, filled: Nanos, tally: Tally, side: str) -> None:
    price = joined.bid if sign > 0 else joined.ask
    after = path.at(filled + _MARKOUT)
    if after is not None:
        tally.mean_of(f"fill markout {side}", sign * (after / price - 1.0) / BPS)


def _filled_at(sign: int, joined: Top, changes: list[Top], trades: list[Print]) -> Nanos | None:
    """When the order is filled, None if it is not. Prints come before the tops they cause."""
    price, ahead = (joined.bid, joined.bid_usd) if sign > 0 else (joined.ask, joined.ask_usd)
    shown, traded = ahead, 0.0
    for event in _merged(trades, changes):
        if isinstance(event, Print):
            if event.sign == sign or sign * (event.price - price) > 0.0:
                continue
            if event.price != price:
                return event.ts
            traded += event.usd
            ahead -= event.usd
            if ahead < 0.0:
                return event.ts
            continue
        best, size = (event.bid, event.bid_usd) if sign > 0 else (event.ask, event.ask_usd)
        if best == price:
            left = shown - traded - size
            if left > 0.0 and ahead > 0.0:
                standing = max(shown - traded, ahead)
                ahead = max(0.0, ahead - left * (ahead / standing) ** 3)
            ahead, shown, traded = min(ahead, size), size, 0.0
        elif sign * (best - price) < 0.0:
            ahead, shown, traded = 0.0, 0.0, 0.0
    return None


def _merged(trades: list[Print], changes: list[Top]) -> Iterator[Print | Top]:
    place = 0
    for top in changes:
        while place < len(trades) and trades[place].ts <= top.ts:
            yield trades[place]
            place += 1
        yield top
    yield from trades[place:]
