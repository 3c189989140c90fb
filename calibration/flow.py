"""Order flow: how much trades, in what sizes, how arrivals cluster and how long signs persist."""

import math
from itertools import pairwise

from calibration.record import MarketOrder, Record
from calibration.tally import Tally
from shared.units import BPS, DAY, MILLISECOND, SECOND

LAGS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50)
WINDOWS_S = (1, 10, 60, 300)
SWEEPS_BPS = (0.0, 0.5, 1.0, 2.0, 3.0)


def measure(record: Record, tally: Tally) -> None:
    """Volume, sizes, clustering and signs of market orders."""
    orders = record.orders()
    if len(orders) < 2 or not record.seconds:
        return
    tally.add("USD", sum(order.usd for order in orders))
    tally.add("orders", len(orders))
    tally.add("prints", len(record.prints))
    tally.add("days", record.seconds * SECOND / DAY)
    for order in orders:
        tally.sample("size", order.usd)
        tally.mean_of("several prints", float(order.prints > 1))
        walked = abs(order.last / order.first - 1.0) / BPS
        for reach in SWEEPS_BPS:
            tally.mean_of(f"walks {reach:g}", float(walked > reach + 1e-9))
    _clustering(orders, record, tally)
    _signs(orders, tally)


def _clustering(orders: list[MarketOrder], record: Record, tally: Tally) -> None:
    gaps = [(b.ts - a.ts) / SECOND for a, b in pairwise(orders)]
    mean = sum(gaps) / len(gaps)
    spread = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    tally.mean_of("gap CV", spread / mean)
    for gap in gaps:
        tally.mean_of("gap < 10 ms", float(gap < 10 * MILLISECOND / SECOND))
        tally.mean_of("gap < 100 ms", float(gap < 100 * MILLISECOND / SECOND))
    for window in WINDOWS_S:
        counts = [0] * int(record.seconds / window)
        if len(counts) < 5:
            continue
        for order in orders:
            place = (order.ts - record.start) // (window * SECOND)
            if place < len(counts):
                counts[place] += 1
        average = sum(counts) / len(counts)
        variance = sum((count - average) ** 2 for count in counts) / len(counts)
        tally.mean_of(f"fano {window}", variance / average)


def _signs(orders: list[MarketOrder], tally: Tally) -> None:
    signs = [order.sign for order in orders]
    mean = sum(signs) / len(signs)
    centred = [sign - mean for sign in signs]
    variance = sum(value * value for value in centred) / len(centred)
    for lag in LAGS:
        pairs = len(centred) - lag
        if pairs > 0 and variance > 0.0:
            product = sum(a * b for a, b in zip(centred, centred[lag:], strict=False))
            tally.mean_of(f"sign {lag}", product / pairs / variance, pairs)
