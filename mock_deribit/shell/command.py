"""Owns the mock's command line: settings from the environment and flags, one ready line, a clean end."""

import argparse
import asyncio
import os
import secrets
import signal
import sys
from collections.abc import Sequence

import msgspec
import uvloop
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mock_deribit.settings import PREFIX, MockSettings, from_environment
from mock_deribit.shell.server import Address, MockServer

_FLAGS = (
    "host", "port", "control_port", "seed", "market", "tape", "speed", "regime", "activity", "volatility",
    "toxicity", "sweeps_per_hour", "sweep_permanence", "price", "maker_fee", "taker_fee", "latency_ms",
    "expires_in_seconds", "rules",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One flag a setting; each setting is also a MOCK_… variable."""
    for name in _FLAGS:
        field = MockSettings.model_fields[name]
        note = f" ({field.description})" if field.description else ""
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, dest=name, help=f"default {field.default!r}{note}")
    parser.add_argument("--json", action="store_true", help="print one JSON line once ready")


def run(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM. 2 for a bad setting, 1 for a port or tape that cannot be had."""
    given = {name: getattr(args, name) for name in _FLAGS if getattr(args, name) is not None}
    try:
        settings = from_environment(os.environ, given)
    except ValidationError as error:
        for problem in error.errors():
            print(f"exchange: {_explained(problem)}", file=sys.stderr)
        return 2
    try:
        uvloop.run(_serve(settings.with_secrets(secrets.token_urlsafe(18)), as_json=args.json))
    except (OSError, ValueError) as error:
        print(f"exchange: cannot start: {error}", file=sys.stderr)
        return 1
    return 0


def _explained(problem: ErrorDetails) -> str:
    """One line for one bad setting: which, what was expected, what came."""
    name = ".".join(str(part) for part in problem["loc"])
    if not name:
        return problem["msg"]
    return f"setting {name} ({PREFIX}{name.upper()}): {problem['msg']}, got {problem['input']!r}"


async def _serve(settings: MockSettings, *, as_json: bool) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    server = MockServer(settings)
    address = await server.start()
    print(_ready(address, as_json=as_json), flush=True)
    await ended.wait()
    await server.stop()


def _ready(address: Address, *, as_json: bool) -> str:
    urls = {"websocket": address.websocket, "http": address.http, "control": address.control}
    words = urls | msgspec.structs.asdict(address)
    if as_json:
        return msgspec.json.encode(words).decode()
    return "\n".join(f"{name:14} {value}" for name, value in words.items())


def main(argv: Sequence[str]) -> int:
    """The command by itself."""
    parser = argparse.ArgumentParser(
        prog="mock_deribit", description="A Deribit to run against: no keys, no money."
    )
    add_arguments(parser)
    return run(parser.parse_args(argv))
