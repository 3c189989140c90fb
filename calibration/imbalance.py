"""The touch and the next move: imbalance of the best sizes, and order-flow imbalance (OFI).

OFI adds up what is added to and taken from the best prices of both sides (Cont, Kukanov, Stoikov, "The
price impact of order book events", 2014); R2 is that of the mid's change in ticks on it.
"""

from bisect import bisect_right

from calibration.record import Record, Top
from calibration.tally import Tally
from shared.units import SECOND

HORIZONS_S = (0.1, 1.0, 5.0)
WINDOWS_S = (1, 10)


def measure(record: Record, tally: Tally) -> None:
    """Pairs of imbalance and next return, of OFI and the move beside it."""
    times = [top.ts for top in record.tops]
    path = record.path()
    for ts in range(record.start + SECOND, record.end - 5 * SECOND, SECOND):
        place = bisect_right(times, ts) - 1
        if place < 0:
            continue
        now = record.tops[place]
        for horizon in HORIZONS_S:
            later = path.at(ts + round(horizon * SECOND))
            if later is not None:
                tally.pair(f"imbalance {horizon:g}", now.imbalance, later / now.mid - 1.0)
    for window in WINDOWS_S:
        _flow(record, window * SECOND, tally, f"ofi {window}")


def _flow(record: Record, window: int, tally: Tally, name: str) -> None:
    if not record.tops:
        return
    before = record.tops[0]
    opened, flow, end = before.mid, 0.0, record.start + window
    for top in record.tops[1:]:
        while top.ts >= end:
            tally.pair(name, flow, (before.mid - opened) / record.tick)
            opened, flow, end = before.mid, 0.0, end + window
        flow += _step(before, top)
        before = top


def _step(before: Top, now: Top) -> float:
    flow = 0.0
    if now.bid >= before.bid:
        flow += now.bid_usd
    if now.bid <= before.bid:
        flow -= before.bid_usd
    if now.ask <= before.ask:
        flow -= now.ask_usd
    if now.ask >= before.ask:
        flow += before.ask_usd
    return flow
