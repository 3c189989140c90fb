"""Waiting for what other parts of the program do: on a condition, with a deadline, never for a time."""

import asyncio
from collections.abc import Awaitable, Callable

DEADLINE_S = 30.0
"""Giving up, not a bound on anything: on a busy machine things take their time."""


async def until(condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Return once the condition is true; fail saying what did not happen when the deadline passes."""
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline_s
    while not condition():
        if loop.time() > end:
            raise AssertionError(f"not within {deadline_s} s: {what}")
        await asyncio.sleep(0.005)


async def until_asked(
    question: Callable[[], Awaitable[object]], what: str, deadline_s: float = DEADLINE_S
) -> float:
    """As `until`, for a condition that must itself be asked for; how long it took, in seconds."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not await question():
        if loop.time() > began + deadline_s:
            raise AssertionError(f"not within {deadline_s} s: {what}")
        await asyncio.sleep(0.02)
    return loop.time() - began


async def throughout(question: Callable[[], Awaitable[object]], what: str, for_s: float) -> None:
    """Fail as soon as the condition is not true within the given time."""
    loop = asyncio.get_running_loop()
    end = loop.time() + for_s
    while loop.time() < end:
        if not await question():
            raise AssertionError(f"not for {for_s} s: {what}")
        await asyncio.sleep(0.02)


async def turn_of_the_loop() -> None:
    """Let everything that is due now happen once."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    loop.call_soon(done.set_result, None)
    await done
