"""Metrics: the view as Prometheus families, made when asked for.

Owns the names. Counters are totals since the gateway's start; gauges are the present values that services
publish; nothing is kept here, so that a scrape can never disagree with `/status`.
"""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from services.gateway.reports import QUANTILES, age_ms, is_quoting, latency
from services.gateway.view import Gateway
from shared.messages import Mode, Pnl

_PNL_PARTS = ("spread", "inventory", "hedge", "fees", "funding", "total", "unexplained")


class ViewCollector(Collector):
    """Reads the view whenever Prometheus asks."""

    def __init__(self, view: Gateway) -> None:
        self._view = view

    def collect(self) -> Iterable[Metric]:
        """Every family, the latest values."""
        yield from self._system()
        yield from self._services()
        yield from self._inventory()
        if self._view.pnl is not None:
            yield from self._money(self._view.pnl)

    def _system(self) -> Iterable[Metric]:
        view = self._view
        messages = CounterMetricFamily("mm_messages", "Messages heard by type", labels=["type"])
        for kind, count in view.counts.items():
            messages.add_metric([kind], count)
        yield messages
        mode = GaugeMetricFamily("mm_mode", "1 for the mode in force", labels=["mode"])
        for each in Mode:
            in_force = view.lease is not None and view.lease.mode is each
            mode.add_metric([each.value], float(in_force))
        yield mode
        yield GaugeMetricFamily("mm_quoting", "1 while orders rest", value=float(is_quoting(view)))
        yield GaugeMetricFamily("mm_open_orders", "Orders alive", value=len(view.orders))
        version = float(view.params.version)
        yield GaugeMetricFamily("mm_params_version", "Parameters in force", value=version)
        found = latency(view)
        waits = GaugeMetricFamily(
            "mm_tick_to_order_us", "Book frame in to order frame out", labels=["quantile"]
        )
        for name in QUANTILES:
            if found[name] is not None:
                waits.add_metric([name], found[name])
        yield waits

    def _services(self) -> Iterable[Metric]:
        ready = GaugeMetricFamily(
            "mm_service_ready", "1 while it does its work", labels=["service"]
        )
        age = GaugeMetricFamily("mm_service_age_ms", "Since its last beat", labels=["service"])
        figures = GaugeMetricFamily(
            "mm_service_figure", "A service's own figures", labels=["service", "figure"]
        )
        for name, (health, seen) in self._view.health.items():
            ready.add_metric([name], float(health.ready))
            age.add_metric([name], age_ms(self._view, seen))
            for figure, value in health.counters.items():
                figures.add_metric([name, figure], value)
        yield from (ready, age, figures)

    def _inventory(self) -> Iterable[Metric]:
        position = GaugeMetricFamily(
            "mm_position", "Signed amount in the instrument's unit", labels=["instrument"]
        )
        mark = GaugeMetricFamily("mm_mark_price_usd", "Mark price", labels=["instrument"])
        for name, held in self._view.positions.items():
            position.add_metric([name], held.amount)
        for name, ticker in self._view.tickers.items():
            mark.add_metric([name], ticker.mark_price)
        yield from (position, mark)

    def _money(self, pnl: Pnl) -> Iterable[Metric]:
        yield GaugeMetricFamily("mm_net_delta_btc", "Over all instruments", value=pnl.net_delta)
        yield GaugeMetricFamily("mm_worst_delta_btc", "With working orders", value=pnl.worst_delta)
        yield GaugeMetricFamily("mm_equity_btc", "The exchange's figure", value=pnl.equity)
        yield GaugeMetricFamily("mm_drawdown_btc", "From the day's high", value=pnl.drawdown)
        parts = GaugeMetricFamily("mm_pnl_btc", "Since 08:00 UTC, by part", labels=["part"])
        for part in _PNL_PARTS:
            parts.add_metric([part], getattr(pnl, part))
        yield parts


def registry_of(view: Gateway) -> CollectorRegistry:
    """A registry of its own: nothing of the process leaks in by import."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ViewCollector(view))
    return registry
