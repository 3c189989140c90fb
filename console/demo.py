"""`./mm demo`: the whole system on this machine, against a mock exchange, watched by an auditor.

Starts a real nats-server and a real Redis-protocol server on free ports, the mock Deribit and the five
services as processes of their own, and listens on the bus like any other service. Ending (Ctrl-C, the
end of `--for`, a child's death) takes the orders out of the market first, compares everything heard
with the exchange's own ledger, and leaves no process behind.
"""

import argparse
import asyncio
import contextlib
import io
import json
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.live import Live

from backtest.invariants import Auditor, ExchangeLedger, ledger_of
from console.processes import Child, ChildDied, start
from console.report import report
from console.screen import Screen
from console.servers import NatsServer, ServerFailed, ValkeyServer, free_port
from shared.kernel import Nanos
from shared.shell.host import Host
from shared.shell.host_nats import NatsHost
from shared.shell.settings import Settings, SettingsError, load_params
from shared.subjects import SERVICES
from shared.units import MILLISECOND

_CONFIG = Path(__file__).parents[1] / "config" / "demo.toml"
_QUOTING_S = 30.0
_REFRESH_S = 0.25
_SETTLE_S = 3.0
_MAKER_FEE = "0.0"
_STOP_ORDER = ("oms", "quoter", "risk", "marketdata", "gateway")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The demo's options."""
    parser.add_argument("--for", dest="seconds", type=_positive, help="end after so many seconds")
    parser.add_argument("--headless", action="store_true", help="no screen; one line at the end")
    parser.add_argument("--report", type=Path, help="write a JSON report to this file")
    parser.add_argument("--tape", type=Path, help="trade on a recorded trade tape (CSV)")
    parser.add_argument("--speed", type=_positive, default=1.0, help="market seconds a second")
    parser.add_argument("--activity", type=_positive, default=1.0, help="1: a quiet market")
    parser.add_argument("--seed", type=int, default=1, help="of the simulated market")
    parser.add_argument("--port", type=int, default=8080, help="of the control API; 0: a free one")
    parser.add_argument("--config", type=Path, default=_CONFIG, help="parameter file")
    parser.add_argument("--keep", type=Path, help="keep logs and journals in this folder")
    parser.add_argument("--svg", type=Path, help="save the last screen as a picture (SVG)")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 only if every invariant held."""
    try:
        _check(args)
        return asyncio.run(_demo(args))
    except (SettingsError, ServerFailed, ChildDied, DemoError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


class DemoError(RuntimeError):
    """The demo cannot go on; the text says why and what to do."""


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"must be above 0, came: {text}")
    return value


def _check(args: argparse.Namespace) -> None:
    load_params(args.config)
    if args.tape is not None and not args.tape.is_file():
        raise DemoError(f"--tape {args.tape}: there is no such file")
    if args.report is not None and not args.report.resolve().parent.is_dir():
        raise DemoError(f"--report {args.report}: its folder does not exist")
    if args.port == 0:
        args.port = free_port()
        return
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", args.port))
        except OSError as error:
            raise DemoError(
                f"port {args.port} is taken ({error.strerror}); choose another with --port, or 0 "
                "for a free one"
            ) from error


class _Parts:
    """What runs: servers, the mock, the services, and where they are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.services: dict[str, Child] = {}
        self.mock: Child | None = None
        self.exchange: dict[str, Any] = {}

    def check(self) -> None:
        """Raise `ChildDied` when one of them is no longer there."""
        for child in (self.mock, *self.services.values()):
            if child is not None:
                child.check()

    async def stop(self) -> None:
        """End what is left, services before the exchange they trade on."""
        for name in _STOP_ORDER:
            if name in self.services:
                await self.services[name].stop()
        if self.mock is not None:
            await self.mock.stop()


async def _demo(args: argparse.Namespace) -> int:
    with contextlib.ExitStack() as stack:
        folder = args.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mm-")))
        folder.mkdir(parents=True, exist_ok=True)
        nats = stack.enter_context(NatsServer(folder / "nats"))
        redis = stack.enter_context(ValkeyServer(folder / "redis"))
        async with _parts(folder, args, nats, redis) as parts:
            settings = Settings(
                nats_url=nats.url, redis_url=redis.url, run_dir=folder / "auditor", journal=False
            )
            unexplained = load_params(args.config).risk.unexplained_max_btc
            auditor = Auditor(unexplained_max_btc=unexplained)
            show = _Show(args, auditor, parts)
            host = NatsHost([auditor], settings)
            code = await host.run([show.play])
            if show.failure is not None:
                raise show.failure
            return code or show.code


@contextlib.asynccontextmanager
async def _parts(
    folder: Path, args: argparse.Namespace, nats: NatsServer, redis: ValkeyServer
) -> AsyncIterator[_Parts]:
    parts = _Parts(folder)
    try:
        parts.mock, line = await start(
            "mock", "mock_deribit", _mock_arguments(args), {}, folder, first_line=True
        )
        parts.exchange = json.loads(line)
        environment = {
            "EXCHANGE": "mock",
            "VENUE_WS_URL": parts.exchange["websocket"],
            "DERIBIT_CLIENT_ID": parts.exchange["client_id"],
            "DERIBIT_CLIENT_SECRET": parts.exchange["client_secret"],
            "NATS_URL": nats.url,
            "REDIS_URL": redis.url,
            "CONFIG_FILE": str(args.config),
            "GATEWAY_PORT": str(args.port),
        }
        for name in SERVICES:
            own = {"RUN_DIR": str(folder / name)}
            parts.services[name], _ = await start(
                name, f"services.{name}", [], environment | own, folder
            )
        yield parts
    finally:
        await parts.stop()


def _mock_arguments(args: argparse.Namespace) -> list[str]:
    market = ["--market", "tape", "--tape", str(args.tape)] if args.tape else []
    return [
        "--json",
        *("--port", "0", "--control-port", "0", "--seed", str(args.seed)),
        *("--speed", str(args.speed), "--activity", str(args.activity)),
        *("--maker-fee", _MAKER_FEE),
        *market,
    ]


class _Show:
    """What happens while everything runs: the screen, the end, and the comparison with the exchange."""

    def __init__(self, args: argparse.Namespace, auditor: Auditor, parts: _Parts) -> None:
        self.code = 1
        self.failure: Exception | None = None
        self._args = args
        self._auditor = auditor
        self._parts = parts
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
            self._parts.check()
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
                self._parts.check()
                if live is not None:
                    live.update(self._screen.draw(_now()), refresh=True)
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
        await self._parts.services["oms"].stop()
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
        async with httpx.AsyncClient(base_url=self._parts.exchange["control"]) as client:
            answer = await client.get("/mock/accounts")
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
        path = self._parts.folder / "gateway" / "token"
        return (
            path.read_text(encoding="utf-8").strip() if path.is_file() else "see the gateway's log"
        )

    def _picture(self) -> None:
        if self._args.svg is None:
            return
        recorder = Console(record=True, width=120, file=io.StringIO())
        recorder.print(self._screen.draw(_now()))
        self._args.svg.write_text(recorder.export_svg(title="./mm demo"), encoding="utf-8")

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


def _now() -> Nanos:
    return Nanos(time.time_ns() // MILLISECOND * MILLISECOND)
