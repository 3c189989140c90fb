"""Spread and depth: how wide the touch is, how soon it closes after a sweep, what rests behind it."""

from bisect import bisect_right

from calibration.record import REACHES_BPS, Record
from calibration.tally import Tally
from shared.units import BPS, SECOND

SWEEP_BPS = 2.0
_RECOVERY = SECOND // 2


def measure(record: Record, tally: Tally) -> None:
    """Time-weighted spread and touch, cumulative depth, recovery after sweeps."""
    ends = [*(top.ts for top in record.tops[1:]), record.end][: len(record.tops)]
    for top, end in zip(record.tops, ends, strict=True):
        ticks = round((top.ask - top.bid) / record.tick)
        lasted = (end - top.ts) / SECOND
        tally.mean_of("spread", ticks, lasted)
        tally.mean_of("one tick", float(ticks <= 1), lasted)
        tally.mean_of("half spread", (top.ask - top.bid) / (top.ask + top.bid) / BPS, lasted)
    if record.tops:
        tally.mean_of("tops a second", len(record.tops) / record.seconds)
    for depth in record.depths:
        for place, reach in enumerate(REACHES_BPS):
            for side in (depth.bids, depth.asks):
                tally.mean_of(f"depth {reach:g}", side[place])
    _touch_sizes(record, tally)
    _recoveries(record, tally)


def _touch_sizes(record: Record, tally: Tally) -> None:
    """One sample a second from each side."""
    times = [top.ts for top in record.tops]
    for ts in range(record.start, record.end, SECOND):
        place = bisect_right(times, ts) - 1
        if place >= 0:
            tally.sample("touch", record.tops[place].bid_usd)
            tally.sample("touch", record.tops[place].ask_usd)


def _recoveries(record: Record, tally: Tally) -> None:
    times = [top.ts for top in record.tops]
    if not times:
        return
    for order in record.orders():
        if abs(order.last / order.first - 1.0) <= SWEEP_BPS * BPS:
            continue
        place = max(0, bisect_right(times, order.ts) - 1)
        closed = False
        while place < len(times) and times[place] <= order.ts + _RECOVERY:
            top = record.tops[place]
            lasts = times[place + 1] if place + 1 < len(times) else record.end
            if lasts > order.ts and round((top.ask - top.bid) / record.tick) <= 1:
                closed = closed or lasts > order.ts + _RECOVERY or top.ts > order.ts
            place += 1
        tally.mean_of("recovered", float(closed))
