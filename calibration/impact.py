"""Impact: where the price is after a market order, by its size, and after a run of one side.

The response is taken against the mid just before the order where a book was seen, against the order's own
first print on a bare tape. What the taker gains the makers lose, so the same numbers from the price paid
are the mark-out of all makers together.
"""

from calibration.record import MarketOrder, Path, Record
from calibration.tally import Tally, slope
from shared.units import BPS, SECOND

HORIZONS_S = (0.1, 1.0, 5.0, 30.0, 60.0)
_RUN_GAP = 10 * SECOND
_BINS = 8


def measure(record: Record, tally: Tally) -> None:
    """Responses and mark-outs of market orders, and moves over runs."""
    path, orders = record.path(), record.orders()
    for order in orders:
        paid = order.first
        before = (path.before(order.ts) if record.tops else None) or paid
        for horizon in HORIZONS_S:
            after = path.at(order.ts + round(horizon * SECOND))
            if after is None:
                continue
            tally.mean_of(f"response {horizon:g}", order.sign * (after / before - 1.0) / BPS)
            tally.mean_of(f"markout {horizon:g}", -order.sign * (after / paid - 1.0) / BPS)
            if horizon == 5.0:
                tally.sample("response/usd", order.usd)
                tally.sample("response/bps", order.sign * (after / before - 1.0) / BPS)
    _runs(orders, path, tally)


def _runs(orders: list[MarketOrder], path: Path, tally: Tally) -> None:
    """Consecutive orders of one sign with no pause: the shadow of a metaorder."""
    place = 0
    while place < len(orders):
        first = last = orders[place]
        usd = 0.0
        while place < len(orders) and orders[place].sign == first.sign:
            if orders[place].ts > last.ts + _RUN_GAP:
                break
            last = orders[place]
            usd += last.usd
            place += 1
        before, after = path.before(first.ts), path.at(last.ts + SECOND)
        if before is not None and after is not None:
            tally.sample("run/usd", usd)
            tally.sample("run/bps", first.sign * (after / before - 1.0) / BPS)


def exponent(tally: Tally) -> float | None:
    """delta of impact ~ size^delta over runs above the median, from means of equally filled bins."""
    runs = sorted(_columns(tally, "run"))
    runs = runs[len(runs) // 2 :]
    if len(runs) < 10 * _BINS:
        return None
    bins = [runs[i * len(runs) // _BINS : (i + 1) * len(runs) // _BINS] for i in range(_BINS)]
    return slope((_mean([u for u, _ in b]), _mean([m for _, m in b])) for b in bins)


def concavity(tally: Tally) -> float | None:
    """Response at 5 s of the largest tenth over that of the middle fifth."""
    orders = sorted(_columns(tally, "response"))
    n = len(orders)
    if n < 100:
        return None
    middle = _mean([bps for _, bps in orders[2 * n // 5 : 3 * n // 5]])
    return _mean([bps for _, bps in orders[9 * n // 10 :]]) / middle if middle > 0.0 else None


def _columns(tally: Tally, name: str) -> list[tuple[float, float]]:
    usd = tally.samples.get(f"{name}/usd", [])
    return list(zip(usd, tally.samples.get(f"{name}/bps", []), strict=True))


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
