"""Waiting for what other parts of the program do: on a condition, with a deadline, never for a time."""

import asyncio
from collections.abc import Callable

DEADLINE_S = 10.0


async def until(condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Return once the condition is true; fail saying what did not happen when the deadline passes."""
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline_s
    while not condition():
        if loop.time() > end:
            raise AssertionError(f"not within {deadline_s} s: {what}")
        await asyncio.sleep(0.005)
