"""Reports: the view as the documents that the API answers with.

Owns the names and units of every member of an answer. Pure functions from the view to plain data; times
are ISO 8601 in UTC, ages in milliseconds of the gateway's clock, exposure and money in BTC, prices in USD.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from services.gateway.view import Gateway
from shared.kernel import Nanos
from shared.messages import Lease, Mode, Quote
from shared.subjects import SERVICES, TRADING
from shared.units import MILLISECOND, SECOND, Side

QUANTILES = {"p50": 0.5, "p99": 0.99, "p99_9": 0.999}

Document = dict[str, Any]


def iso(ts: int) -> str | None:
    """A time for people; None for never."""
    if ts <= 0:
        return None
    whole, rest = divmod(ts, SECOND)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest // MILLISECOND:03d}Z"


def quantile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least this share of the sorted values do not exceed."""
    if not values:
        return None
    rank = max(1, -int(-share * len(values) // 1))
    return values[min(len(values), rank) - 1]


def latency(view: Gateway) -> Document:
    """From the book frame at our socket to the order frame, microseconds, of the last orders."""
    values = sorted(view.latencies_us)
    return {"orders": len(values)} | {
        name: quantile(values, share) for name, share in QUANTILES.items()
    }


def age_ms(view: Gateway, seen: Nanos) -> int:
    """How long ago, by the gateway's clock."""
    return max(0, view.now - seen) // MILLISECOND


def is_quoting(view: Gateway) -> bool:
    """Whether anything of ours is wanted and rests under a lease that stands."""
    lease = view.lease
    if lease is None or not lease.granted or lease.until < view.now:
        return False
    wanted = [name for name, quote in view.quotes.items() if isinstance(quote, Quote)]
    return any(order.instrument in wanted for order in view.orders.values())


def lease_report(view: Gateway, lease: Lease) -> Document:
    """The lease; one that was not renewed in time is not granted whatever it says."""
    expired = lease.granted and lease.until < view.now
    return {
        "granted": lease.granted and not expired,
        "reason": "not renewed in time" if expired else lease.reason,
        "until": iso(lease.until),
        "hard_limit_btc": lease.hard_limit,
        "paused_instruments": list(lease.paused),
    }


def status(view: Gateway, env: str) -> Document:
    """Everything on one screen."""
    lease, pnl = view.lease, view.pnl
    return {
        "env": env,
        "time": iso(view.now),
        "mode": lease.mode if lease else Mode.PAUSED,
        "mode_reason": lease.reason if lease else "risk was not heard yet",
        "mode_by": view.mode.by if view.mode else None,
        "quoting": is_quoting(view),
        "lease": lease_report(view, lease) if lease else None,
        "net_delta_btc": pnl.net_delta if pnl else None,
        "worst_delta_btc": pnl.worst_delta if pnl else None,
        "pnl_btc": pnl.total if pnl else None,
        "equity_btc": pnl.equity if pnl else None,
        "instruments": [_instrument(view, name) for name in view.instruments],
        "open_orders": len(view.orders),
        "fills": view.counts.get("Filled", 0),
        "services": services(view),
        "links": dict(view.up),
        "params_version": view.params.version,
        "messages_per_s": view.rates_per_s(),
        "tick_to_order_us": latency(view),
        "anomalies": view.counts.get("Anomaly", 0),
    }


def services(view: Gateway) -> Document:
    """Every service, heard or not."""
    found: Document = {}
    for name in SERVICES:
        beat = view.health.get(name)
        if beat is None:
            found[name] = {"ready": False, "detail": "not heard yet", "age_ms": None}
            continue
        health, seen = beat
        found[name] = {
            "ready": health.ready,
            "detail": health.detail,
            "age_ms": age_ms(view, seen),
            "started": iso(health.started),
            "counters": health.counters,
        }
    return found


def _instrument(view: Gateway, name: str) -> Document:
    book, ticker, feed = view.books.get(name), view.tickers.get(name), view.feeds.get(name)
    quote, position = view.quotes.get(name), view.positions.get(name)
    own = [order for order in view.orders.values() if order.instrument == name]
    return {
        "instrument": name,
        "role": view.instruments[name].role,
        "feed": feed.state if feed else None,
        "best_bid": book.bids[0][0] if book else None,
        "best_ask": book.asks[0][0] if book else None,
        "mark_price": ticker.mark_price if ticker else None,
        "index_price": ticker.index_price if ticker else None,
        "funding_8h": ticker.current_funding if ticker else None,
        "own_bids": [order.price for order in own if order.side is Side.BUY],
        "own_asks": [order.price for order in own if order.side is Side.SELL],
        "no_quote": None if quote is None or isinstance(quote, Quote) else quote.reason,
        "position": position.amount if position else None,
        "delta_btc": view.pnl.deltas.get(name) if view.pnl else None,
    }


def positions(view: Gateway) -> Document:
    """Inventory by instrument, and over all of them."""
    rows = []
    for name, position in view.positions.items():
        row: Document = _plain(position)
        row["reconciled"] = iso(position.reconciled)
        row["delta_btc"] = view.pnl.deltas.get(name) if view.pnl else None
        rows.append(row)
    return {
        "positions": rows,
        "net_delta_btc": view.pnl.net_delta if view.pnl else None,
        "account": _plain(view.account) if view.account else None,
    }


def orders(view: Gateway) -> Document:
    """Orders that are alive as far as the OMS knows."""
    return {"orders": [_plain(order) for order in view.orders.values()]}


def fills(view: Gateway, limit: int) -> Document:
    """The last trades of ours, newest first."""
    newest = list(view.fills.values())[::-1]
    return {"fills": [_plain(fill) for fill in newest[:limit]]}


def pnl(view: Gateway) -> Document | None:
    """Profit since 08:00 UTC by part; None before risk has said anything."""
    return None if view.pnl is None else _plain(view.pnl)


def quotes(view: Gateway) -> Document:
    """What the quoter wants, with the parts of every price, or why it wants nothing."""
    return {"quotes": {name: _plain(quote) for name, quote in view.quotes.items()}}


def anomalies(view: Gateway, limit: int) -> Document:
    """What should not have happened, newest first."""
    newest = list(view.anomalies)[::-1]
    return {"anomalies": [_plain(anomaly) for anomaly in newest[:limit]]}


def params(view: Gateway) -> Document:
    """The parameters in force, and which service runs on which version."""
    now = view.params
    return {
        "version": now.version,
        "by": now.by,
        "changed": iso(now.ts),
        "params": now.params.model_dump(),
        "services": {
            name: {"version": said.version, "applied": said.applied, "reason": said.reason}
            for name, said in view.applied.items()
        },
    }


def confirmations(view: Gateway, version: int) -> Document:
    """Who runs on a version now, who refused it and why, and who has not answered."""
    answers = {name: said for name, said in view.applied.items() if said.version == version}
    return {
        "confirmed": [name for name in TRADING if name in answers and answers[name].applied],
        "refused": {name: said.reason for name, said in answers.items() if not said.applied},
        "missing": [name for name in TRADING if name not in answers],
    }


def _plain(message: msgspec.Struct) -> Document:
    """A message as plain data, with its time readable."""
    document: Document = msgspec.to_builtins(message)
    document["time"] = iso(document.pop("ts"))
    document.pop("type", None)
    return document
