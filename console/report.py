"""The demo's report: what was seen and done, what it cost, and which invariants held."""

import math
from collections.abc import Iterable
from typing import Any

from backtest.invariants import Auditor
from shared.subjects import SERVICES


def percentiles(values: Iterable[float]) -> dict[str, float | int | None]:
    """Count, median and tails of a sample; None where there is nothing to say."""
    ordered = sorted(values)

    def at(share: float) -> float | None:
        if not ordered:
            return None
        return round(ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)], 3)

    return {"count": len(ordered), "p50": at(0.5), "p99": at(0.99), "p999": at(0.999)}


def report(auditor: Auditor, seconds: float, market: str) -> dict[str, Any]:
    """Everything the auditor heard, as plain data."""
    counts, pnl = auditor.counts, auditor.pnl
    verdicts = auditor.verdicts()
    return {
        "market": market,
        "seconds": round(seconds, 3),
        "ticks": {
            "books": counts.get("Book", 0),
            "trades": counts.get("trades", 0),
            "tickers": counts.get("Ticker", 0),
        },
        "quotes": counts.get("Quote", 0),
        "refusals": dict(sorted(auditor.refusals.items())),
        "orders": counts.get("orders_placed", 0),
        "order_events": counts.get("OrderChanged", 0),
        "fills": len(auditor.fills),
        "positions": {
            name: {
                "amount_usd": position.amount,
                "delta_btc": _delta(auditor, name, position.amount),
                "average_price": position.average_price,
                "fills": position.fills,
            }
            for name, position in sorted(auditor.positions.items())
        },
        "net_delta_btc": None if pnl is None else pnl.net_delta,
        "pnl_btc": None
        if pnl is None
        else {
            "spread": pnl.spread,
            "inventory": pnl.inventory,
            "hedge": pnl.hedge,
            "fees": -pnl.fees,
            "funding": pnl.funding,
            "total": pnl.total,
            "equity_change": pnl.equity_change,
            "unexplained": pnl.unexplained,
        },
        "tick_to_order_us": percentiles(auditor.tick_to_order_us),
        "anomalies": dict(sorted(auditor.anomalies.items())),
        "services": {
            name: dict(sorted(health.counters.items()))
            for name in SERVICES
            if (health := auditor.health.get(name)) is not None
        },
        "invariants": [
            {
                "rule": verdict.rule,
                "meaning": verdict.meaning,
                "checks": verdict.checks,
                "held": verdict.held,
                "broken": list(verdict.broken),
            }
            for verdict in verdicts
        ],
        "all_held": all(verdict.held for verdict in verdicts),
    }


def _delta(auditor: Auditor, instrument: str, amount: float) -> float | None:
    book = auditor.books.get(instrument)
    return None if book is None else amount / book.mid
