"""The demo's one screen: prices, our quotes, inventory, profit, mode, services and message rates.

Draws what the auditor has heard on the bus and nothing else.
"""

from collections import deque

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from backtest.invariants import Auditor
from shared.kernel import Nanos
from shared.messages import Filled, Mode, NoQuote, Quote
from shared.subjects import SERVICES
from shared.units import SECOND, Side

_MODE_STYLE = {
    Mode.ACTIVE: "bold green",
    Mode.REDUCING: "bold yellow",
    Mode.PAUSED: "bold yellow",
    Mode.KILLED: "bold white on red",
}
_RATE_WINDOW_S = 5.0


class Rates:
    """Messages per second over the last seconds, by kind."""

    def __init__(self) -> None:
        self._seen: deque[tuple[Nanos, dict[str, int]]] = deque()

    def per_second(self, now: Nanos, counts: dict[str, int]) -> dict[str, float]:
        """Take the totals at `now`; what they grew by, a second."""
        self._seen.append((now, dict(counts)))
        while len(self._seen) > 2 and now - self._seen[0][0] > _RATE_WINDOW_S * SECOND:
            self._seen.popleft()
        since, before = self._seen[0]
        seconds = max((now - since) / SECOND, 1e-9)
        return {kind: (count - before.get(kind, 0)) / seconds for kind, count in counts.items()}


class Screen:
    """Turns an auditor into something to look at."""

    def __init__(self, auditor: Auditor, title: str, address: str, started: Nanos) -> None:
        self._auditor = auditor
        self._title = title
        self._address = address
        self._started = started
        self._rates = Rates()

    def draw(self, now: Nanos) -> RenderableType:
        """The whole screen as it is now."""
        return Panel(
            Group(
                self._header(now),
                Text(),
                self._instruments(),
                Text(),
                self._money(),
                Text(),
                self._fills(),
                Text(),
                self._services(now),
                self._traffic(now),
            ),
            title=self._title,
            subtitle=f"control API {self._address}  ·  Ctrl-C cancels all orders and ends",
            padding=(1, 2),
        )

    def _header(self, now: Nanos) -> Text:
        heard = self._auditor
        line = Text()
        line.append(heard.mode.value.upper(), style=_MODE_STYLE[heard.mode])
        if heard.lease is None:
            line.append("  no lease yet", style="yellow")
        elif heard.lease.granted:
            left_s = (heard.lease.until - now) / SECOND
            line.append(f"  lease {left_s:4.1f} s", style="green" if left_s > 0 else "red")
        else:
            line.append(f"  no lease: {heard.lease.reason}", style="yellow")
        line.append(f"   running {(now - self._started) / SECOND:.0f} s", style="dim")
        broken = [verdict.rule for verdict in heard.verdicts() if not verdict.held]
        line.append("   invariants ", style="dim")
        line.append(", ".join(broken) or "hold", style="red" if broken else "green")
        return line

    def _instruments(self) -> Table:
        table = Table(expand=True, box=None, header_style="dim")
        for name in ("instrument", "best bid", "best ask", "our bid", "our ask"):
            table.add_column(name, justify="left" if name == "instrument" else "right")
        for name in ("position USD", "delta BTC", "working"):
            table.add_column(name, justify="right")
        heard = self._auditor
        for name, book in sorted(heard.books.items()):
            position = heard.positions.get(name)
            amount = position.amount if position else 0.0
            working = sum(1 for order in heard.orders.values() if order.instrument == name)
            bid, ask = self._wanted(name)
            table.add_row(
                name,
                f"{book.bids[0][0]:,.1f}",
                f"{book.asks[0][0]:,.1f}",
                bid,
                ask,
                f"{amount:+,.0f}",
                f"{amount / book.mid:+.4f}",
                str(working),
            )
        return table

    def _wanted(self, instrument: str) -> tuple[Text, Text]:
        quote = self._auditor.quotes.get(instrument)
        if isinstance(quote, Quote):
            prices = {level.side: level.price for level in reversed(quote.levels)}
            withheld = dict(quote.withheld)
            return (
                self._side(Side.BUY, prices, withheld, "green"),
                self._side(Side.SELL, prices, withheld, "red"),
            )
        reason = quote.reason if isinstance(quote, NoQuote) else "…"
        return Text(reason, style="yellow"), Text()

    @staticmethod
    def _side(side: Side, prices: dict[Side, float], withheld: dict[str, str], style: str) -> Text:
        if side in prices:
            return Text(f"{prices[side]:,.1f}", style=style)
        return Text(withheld.get(side.value, "-"), style="yellow")

    def _money(self) -> Table:
        table = Table(expand=True, box=None, header_style="dim")
        pnl = self._auditor.pnl
        if pnl is None:
            table.add_column("profit and loss, BTC")
            table.add_row(Text("not yet", style="dim"))
            return table
        figures = (
            ("net delta BTC", f"{pnl.net_delta:+.4f}"),
            ("worst case", f"{pnl.worst_delta:.4f}"),
            ("spread", f"{pnl.spread:+.8f}"),
            ("inventory", f"{pnl.inventory:+.8f}"),
            ("hedge", f"{pnl.hedge:+.8f}"),
            ("fees", f"{-pnl.fees:+.8f}"),
            ("funding", f"{pnl.funding:+.8f}"),
            ("total BTC", f"{pnl.total:+.8f}"),
            ("USD", f"{pnl.total * pnl.mark:+.2f}"),
        )
        for name, _ in figures:
            table.add_column(name, justify="right")
        table.add_row(*(value for _, value in figures))
        return table

    def _fills(self) -> RenderableType:
        fills = list(self._auditor.fills.values())[-4:]
        if not fills:
            return Text("no fills yet", style="dim")
        lines = Text()
        for fill in fills:
            lines.append_text(self._fill(fill))
        lines.right_crop(1)
        return lines

    @staticmethod
    def _fill(fill: Filled) -> Text:
        style = "green" if fill.side is Side.BUY else "red"
        line = Text(f"{fill.side.value:>4} ", style=style)
        line.append(f"{fill.amount:>8,.0f} USD {fill.instrument} at {fill.price:,.1f}  ")
        line.append(f"{fill.liquidity.value} {fill.purpose.value}\n", style="dim")
        return line

    def _services(self, now: Nanos) -> Table:
        table = Table(expand=True, box=None, header_style="dim")
        for name in ("service", "state", "memory", ""):
            table.add_column(name)
        for name in SERVICES:
            health = self._auditor.health.get(name)
            if health is None:
                table.add_row(name, Text("not heard", style="yellow"), "", "")
                continue
            age_s = (now - health.ts) / SECOND
            alive = age_s < 3.0
            state = ("ready" if health.ready else "waiting") if alive else f"silent {age_s:.0f} s"
            style = "green" if alive and health.ready else "yellow" if alive else "red"
            memory = health.counters.get("rss_mb")
            table.add_row(
                name,
                Text(state, style=style),
                f"{memory:.0f} MB" if memory else "",
                Text(health.detail, style="dim"),
            )
        return table

    def _traffic(self, now: Nanos) -> Text:
        rates = self._rates.per_second(now, self._auditor.counts)
        line = Text("\nper second  ", style="dim")
        for kind in ("Book", "trades", "Ticker", "Quote", "OrderChanged"):
            line.append(f"{kind.lower()} {rates.get(kind, 0.0):.1f}   ")
        latencies = sorted(self._auditor.tick_to_order_us)
        if latencies:
            line.append(f"tick to order p50 {latencies[len(latencies) // 2] / 1e3:.2f} ms   ")
        last = self._auditor.last_anomaly
        if last is not None:
            line.append(f"\nlast anomaly  {last.source} {last.kind}: {last.detail}", style="yellow")
        return line
