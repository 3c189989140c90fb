"""Owns the mock's command line: settings from the environment and flags, one ready line, a clean end."""

import argparse
import asyncio
import os
import secrets
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import msgspec
import uvloop
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mock_deribit.scenario import Scenario, ScenarioError
from mock_deribit.settings import PREFIX, SCENARIO, MockSettings, from_environment
from mock_deribit.shell.scenarios import load, shipped
from mock_deribit.shell.server import Address, MockServer

_FLAGS = tuple(MockSettings.model_fields)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One flag a setting; each setting is also a MOCK_… variable."""
    for name, field in MockSettings.model_fields.items():
        simple = isinstance(field.default, str | int | float) and field.default != ""
        notes = [field.description] if field.description else []
        notes += [f"default {field.default!r}"] if simple else []
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, dest=name, metavar="VALUE", help="; ".join(notes))
    known = ", ".join(shipped())
    parser.add_argument("--scenario", metavar="FILE", help=f"a TOML file, or one of {known}")
    parser.add_argument("--json", action="store_true", help="print one JSON line once ready")


def run(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM. 2 for a bad setting, 1 for a port or tape that cannot be had."""
    given = {name: getattr(args, name) for name in _FLAGS if getattr(args, name) is not None}
    scenario = Scenario(about="", settings={}, timeline=())
    try:
        name = args.scenario or os.environ.get(SCENARIO)
        if name:
            scenario = load(name)
        settings = from_environment(os.environ, given, scenario.settings)
    except ScenarioError as error:
        print(f"exchange: {error}", file=sys.stderr)
        return 2
    except ValidationError as error:
        for problem in error.errors():
            print(f"exchange: {_explained(problem)}", file=sys.stderr)
        return 2
    settings = settings.with_secrets(secrets.token_urlsafe(18))
    try:
        return uvloop.run(_serve(settings, scenario, as_json=args.json))
    except (OSError, ValueError) as error:
        print(f"exchange: cannot start: {error}", file=sys.stderr)
        return 1


def _explained(problem: ErrorDetails) -> str:
    """One line for one bad setting: which, what was expected, what came."""
    path, message = problem["loc"], problem["msg"].removeprefix("Value error, ")
    if not path:
        return message
    name, variable = ".".join(map(str, path)), f"{PREFIX}{path[0]}".upper()
    return f"setting {name} ({variable}): {message}, got {problem['input']!r}"


async def _serve(settings: MockSettings, scenario: Scenario, *, as_json: bool) -> int:
    """The exit code: 0 when it was asked to end, 1 when it broke."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)
    server = MockServer(settings, script=scenario.timeline)
    address = await server.start()
    print(_ready(address, as_json=as_json), flush=True)
    ends: list[asyncio.Future[Any]] = [loop.create_task(asked.wait()), server.broken]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    ends[0].cancel()
    await server.stop()
    error = server.broken.exception() if server.broken.done() else None
    if error is None:
        return 0
    traceback.print_exception(error)
    print("exchange: it broke, and every socket is cut; see above", file=sys.stderr)
    return 1


def _ready(address: Address, *, as_json: bool) -> str:
    if as_json:
        return msgspec.json.encode(address).decode()
    lines = [f"{name:10} {getattr(address, name)}" for name in ("websocket", "http", "control")]
    for account in address.accounts:
        coins = ", ".join(f"{amount:g} {coin}" for coin, amount in account.balances.items())
        lines += [
            f"account    {account.name}: {coins or 'nothing'}; {account.scope}",
            f"           {account.client_id} {account.client_secret}",
        ]
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    """The command by itself."""
    parser = argparse.ArgumentParser(
        prog="mock_deribit", description="A Deribit to run against: no keys, no money."
    )
    add_arguments(parser)
    return run(parser.parse_args(argv))
