"""The verb `kill`: the kill switch from a terminal, with or without a control API that answers.

It asks the control API first, which confirms what it did. Where that is dead, the latch is written into the
state store by this process itself: risk and the OMS look at it twice a second, so that neither the API nor
the bus is needed. Exit code 0: confirmed, by the exchange's own list; 2: the latch is set, look whether the
book is empty; 1: nothing could be reached.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import httpx
import redis
from redis.exceptions import RedisError

from shared.kernel import Nanos
from shared.shell.settings import Settings, SettingsError, load_settings
from shared.state import KILL_LATCH, Latch, write_latch

_API_S = 5.0
_STORE_S = 2.0
CONFIRMED, FAILED, LATCHED = 0, 1, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the API is, and what it is told."""
    parser.add_argument("--reason", default="killed from a terminal", help="kept with the latch")
    parser.add_argument("--flatten", action="store_true", help="also reduce positions to nothing")
    parser.add_argument("--by", default="operator", help="who says so")
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="the control API")
    parser.add_argument("--token-file", type=Path, help="default: `token` in the run directory")


def run(args: argparse.Namespace) -> int:
    """Kill by the control API, else by the state store."""
    try:
        settings = load_settings()
    except SettingsError as error:
        print(f"settings: {error}", file=sys.stderr)
        return FAILED
    failure = ""
    try:
        answer = _ask(args, settings)
    except (httpx.HTTPError, OSError) as error:
        failure = f"{type(error).__name__}: {error}"
    else:
        if answer.is_success and answer.json()["told"]:
            return _told(answer)
        failure = f"{answer.status_code} {answer.text}"
    print(f"control API: {failure}; setting the latch in the state store", file=sys.stderr)
    return _latch(args, settings)


def _ask(args: argparse.Namespace, settings: Settings) -> httpx.Response:
    token = os.environ.get("GATEWAY_TOKEN", "")
    if not token:
        file: Path = args.token_file or settings.run_dir / "token"
        token = file.read_text(encoding="utf-8").strip()
    return httpx.post(
        f"{args.url}/kill",
        json={"by": args.by, "reason": args.reason, "flatten": args.flatten},
        headers={"Authorization": f"Bearer {token}"},
        timeout=_API_S,
        trust_env=False,
    )


def _told(answer: httpx.Response) -> int:
    said = answer.json()
    if said["confirmed"]:
        print("killed: the exchange lists no order of ours")
        return CONFIRMED
    print(
        f"killed, not confirmed yet: {said['open_orders']} orders were believed open",
        file=sys.stderr,
    )
    return LATCHED


def _latch(args: argparse.Namespace, settings: Settings) -> int:
    latch = Latch(reason=args.reason, by=args.by, ts=Nanos(time.time_ns()), flatten=args.flatten)
    try:
        with redis.Redis.from_url(
            settings.redis_url, socket_timeout=_STORE_S, socket_connect_timeout=_STORE_S
        ) as store:
            store.set(f"{settings.env}:{KILL_LATCH}", write_latch(latch))
    except (RedisError, OSError) as error:
        print(
            f"state store: {error}; nothing was reached: stop the OMS, the exchange cancels what its "
            "connection leaves",
            file=sys.stderr,
        )
        return FAILED
    print(
        "latched in the state store; risk and the OMS obey within a second: see that the book is empty"
    )
    return LATCHED
