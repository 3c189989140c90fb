"""Start: from the exec of the mock exchange to its ready line, beside an interpreter that only imports.

The floor is the same interpreter importing the libraries that the mock is built on, and printing a line.
"""

import os
import subprocess
import sys
import time
from statistics import median

import msgspec

from bench.quantiles import NotMeasured, ratio

_READY_S = 30.0
_LIBRARIES = "asyncio, h11, msgspec, pydantic, uvloop, websockets.server"
_EXCHANGE = ("-m", "mock_deribit", "--json", "--port", "0", "--control-port", "0")
_FLOOR = ("-c", f"import {_LIBRARIES}; print('ready', flush=True)")


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds to the first line, medians of the rounds; the ratio is the median of the rounds'."""

    rounds: int
    exchange_s: float
    floor_s: float
    ratio: float


def measure(rounds: int) -> Report:
    """Start both in turns; raises `NotMeasured` when one says nothing."""
    exchange, floor = [], []
    for _ in range(rounds + 1):
        floor.append(_first_line_s(_FLOOR))
        exchange.append(_first_line_s(_EXCHANGE))
    # The first round is the warm-up: it compiles.
    del floor[0], exchange[0]
    return Report(
        rounds=rounds,
        exchange_s=median(exchange),
        floor_s=median(floor),
        ratio=ratio(exchange, floor),
    )


def _first_line_s(arguments: tuple[str, ...]) -> float:
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, env=dict(os.environ)
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        taken = time.perf_counter() - begun
    finally:
        process.terminate()
        process.communicate(timeout=_READY_S)
    if not line:
        raise NotMeasured(f"{' '.join(arguments[:2])} ended with code {process.returncode}")
    return taken
