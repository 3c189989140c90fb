"""`./mm demo`: the whole system on this machine, against a mock exchange, watched by an auditor.

Starts a real nats-server and a real Redis-protocol server on free ports, the mock Deribit and the five
services as processes of their own, and listens on the bus like any other service. Ending (Ctrl-C, the
end of `--for`, a child's death) takes the orders out of the market first, compares everything heard
with the exchange's own ledger, and leaves no process behind.
"""

import argparse
import asyncio
import contextlib
import math
import socket
import sys
import tempfile
from pathlib import Path

from backtest.invariants import Auditor
from console.cast import cast_of
from console.processes import ChildDied
from console.servers import NatsServer, ServerFailed, ValkeyServer, free_port
from console.show import DemoError, Show
from mock_deribit.clock import ClockWord
from mock_deribit.scenario import ScenarioError
from mock_deribit.shell.scenarios import load
from shared.shell.host_nats import NatsHost
from shared.shell.settings import Settings, SettingsError, load_params

_CONFIG = Path(__file__).parents[1] / "config" / "demo.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The demo's options."""
    parser.add_argument("--for", dest="seconds", type=_positive, help="end after so many seconds")
    parser.add_argument("--headless", action="store_true", help="no screen; one line at the end")
    parser.add_argument("--report", type=Path, help="write a JSON report to this file")
    parser.add_argument("--tape", type=Path, help="trade on a recorded trade tape (CSV)")
    parser.add_argument("--speed", type=_positive, default=1.0, help="market seconds a second")
    parser.add_argument("--activity", type=_positive, default=6.0, help="1: a quiet market")
    parser.add_argument("--seed", type=int, default=1, help="of the simulated market")
    parser.add_argument(
        "--scenario", help="what happens to the exchange: a file, or a shipped name"
    )
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


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, came {text!r}")
    return value


def _check(args: argparse.Namespace) -> None:
    load_params(args.config)
    if args.tape is not None and not args.tape.is_file():
        raise DemoError(f"--tape {args.tape}: there is no such file")
    if args.scenario is not None:
        _check_scenario(args.scenario)
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


def _check_scenario(name: str) -> None:
    try:
        scenario = load(name)
    except ScenarioError as error:
        raise DemoError(f"--scenario: {error}") from error
    moved = [word for word in ("clock_start", "clock_speed") if word in scenario.settings]
    if moved or any(isinstance(entry.word, ClockWord) for entry in scenario.timeline):
        raise DemoError(
            f"--scenario {name}: it moves the exchange's time, and the services live in ours; "
            "play it with ./mm exchange"
        )


async def _demo(args: argparse.Namespace) -> int:
    with contextlib.ExitStack() as stack:
        folder = args.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mm-")))
        folder.mkdir(parents=True, exist_ok=True)
        nats = stack.enter_context(NatsServer(folder / "nats"))
        redis = stack.enter_context(ValkeyServer(folder / "redis"))
        async with cast_of(folder, args, nats, redis) as cast:
            settings = Settings(
                nats_url=nats.url, redis_url=redis.url, run_dir=folder / "auditor", journal=False
            )
            unexplained = load_params(args.config).risk.unexplained_max_btc
            auditor = Auditor(unexplained_max_btc=unexplained)
            show = Show(args, auditor, cast)
            host = NatsHost([auditor], settings)
            code = await host.run([show.play])
            if show.failure is not None:
                raise show.failure
            return code or show.code
