"""The demo's course: until it quotes, while it runs, and how it ends.

Ending takes the orders out of the market first, then holds everything the auditor heard against the
exchange's own ledger; the verdict is the exit code.
"""

import argparse
import asyncio
import contextlib
import io
import json
import re
import signal
import time
from typing import Any

import httpx
from rich.console import Console
from rich.live import Live

from backtest.invariants import Auditor, ExchangeLedger, ledger_of
from console.cast import Cast
from console.processes import ChildDied
from console.report import report
from console.screen import Screen
from shared.kernel import Nanos
from shared.shell.host import Host
from shared.units import MILLISECOND

_QUOTING_S = 30.0
_REFRESH_S = 0.25
_SETTLE_S = 3.0


class DemoError(RuntimeError):
    """The demo cannot go on; the text says why and what to do."""


class Show:
    """What happens while everything runs: the screen, the end, and the comparison with the exchange."""

    def __init__(self, args: argparse.Namespace, auditor: Auditor, cast: Cast) -> None:
        self.code = 1
        self.failure: Exception | None = None
        self._args = args
        self._auditor = auditor
        self._cast = cast
        self._console = Console()
        self._ended = asyncio.Event()
        market = f"tape {args.tape.name}" if args.tape else f"simulated market, seed {args.seed}"
        self._market = market
        self._screen = Screen(
            auditor,
            f"market maker on mock Deribit · {market}",
            f"http://127.0.0.1:{args.port}",
            _now(),
        )

    async def play(self, host: Host) -> None:
        """Companion of the auditor's host: run the demo, then stop the host."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._ended.set)
        try:
            began = loop.time()
            await self._until_quoting(began)
            await self._watch(began)
            await self._finish(loop.time() - began)
        except (ChildDied, DemoError, httpx.HTTPError) as error:
            self.failure = DemoError(str(error)) if isinstance(error, httpx.HTTPError) else error
        finally:
            host.stop()

    async def _until_quoting(self, began: float) -> None:
        loop = asyncio.get_running_loop()
        while not self._auditor.counts.get("orders_placed") and not self._ended.is_set():
            self._cast.check()
            if loop.time() - began > _QUOTING_S:
                reasons = self._auditor.refusals or "nothing was heard of the quoter"
                raise DemoError(f"no order after {_QUOTING_S:.0f} s; refusals: {reasons}")
            await self._pause()
        self._say(f"quoting after {loop.time() - began:.1f} s")
        self._say(f"control API http://127.0.0.1:{self._args.port}  token: {self._token()}")

    async def _watch(self, began: float) -> None:
        loop = asyncio.get_running_loop()
        with self._live() as live:
            while not self._ended.is_set():
                left_s = (
                    None if self._args.seconds is None else began + self._args.seconds - loop.time()
                )
                if left_s is not None and left_s <= 0:
                    break
                self._cast.check()
                drawn = self._screen.draw(_now())
                if live is not None:
                    live.update(drawn, refresh=True)
                await self._pause()
        self._picture()

    def _live(self) -> contextlib.AbstractContextManager[Live | None]:
        if self._args.headless:
            return contextlib.nullcontext()
        return Live(console=self._console, auto_refresh=False, screen=self._console.is_terminal)

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), _REFRESH_S)

    async def _finish(self, seconds: float) -> None:
        """Orders out of the market, everything heard held against the exchange, then the verdict."""
        self._say("pulling all orders")
        await self._cast.services["oms"].stop()
        ledger = await self._settled()
        self._auditor.compare_with_exchange(ledger)
        summary = report(self._auditor, seconds, self._market)
        if self._args.report is not None:
            self._args.report.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        self.code = 0 if summary["all_held"] else 1
        self._verdict(summary)

    async def _settled(self) -> ExchangeLedger:
        """The exchange's ledger, once the last words of the OMS and risk have been heard."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _SETTLE_S
        quiet_since, heard = loop.time(), -1
        while loop.time() < until:
            now_heard = len(self._auditor.fills) + self._auditor.counts.get("Position", 0)
            if now_heard != heard:
                quiet_since, heard = loop.time(), now_heard
            if loop.time() - quiet_since > 1.0:
                break
            await asyncio.sleep(_REFRESH_S)
        return await self._ledger()

    async def _ledger(self) -> ExchangeLedger:
        async with httpx.AsyncClient(base_url=self._cast.exchange["control"]) as client:
            answer = await client.get("/ledger")
            answer.raise_for_status()
            account = next(iter(answer.json()["accounts"].values()))
        return ledger_of(account)

    def _verdict(self, summary: dict[str, Any]) -> None:
        pnl = summary["pnl_btc"]
        total = "unknown" if pnl is None else f"{pnl['total']:+.8f} BTC"
        self._say(
            f"{summary['quotes']} quotes, {summary['orders']} orders, {summary['fills']} fills, "
            f"net delta {summary['net_delta_btc'] or 0.0:+.4f} BTC, profit and loss {total}"
        )
        for verdict in self._auditor.verdicts():
            mark = "held" if verdict.held else "BROKEN"
            self._say(f"  {mark:6} {verdict.checks:>7} checks  {verdict.meaning}")
            for witness in verdict.broken:
                self._say(f"         {witness}")
        outcome = "every invariant held" if summary["all_held"] else "an invariant was broken"
        self._say(outcome)

    def _token(self) -> str:
        path = self._cast.folder / "gateway" / "token"
        return (
            path.read_text(encoding="utf-8").strip() if path.is_file() else "see the gateway's log"
        )

    def _picture(self) -> None:
        if self._args.svg is None:
            return
        recorder = Console(record=True, width=120, file=io.StringIO())
        recorder.print(self._screen.draw(_now()))
        picture = recorder.export_svg(title="./mm demo")
        # The fonts would be fetched from elsewhere by whoever looks at the picture.
        picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
        self._args.svg.write_text(picture, encoding="utf-8")

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


def _now() -> Nanos:
    return Nanos(time.time_ns() // MILLISECOND * MILLISECOND)
