"""Child processes of the demo: started in sessions of their own, watched, and stopped by process id.

A child's output goes to a file; when it dies unexpectedly the last lines of that file are the error.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_LAST_LINES = 12


class ChildDied(RuntimeError):
    """A child ended although nobody asked it to; the text holds its last words."""


class Child:
    """One running process and its log file."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.process = process
        self.log = log

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.returncode is None

    def last_words(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LAST_LINES:])

    def check(self) -> None:
        """Raise `ChildDied` when it has ended."""
        if not self.running:
            raise ChildDied(
                f"{self.name} ended with code {self.process.returncode}; its last words:\n"
                f"{self.last_words()}"
            )

    async def stop(self, grace_s: float = 5.0) -> int:
        """Ask it to end, make it end after the grace; its exit code."""
        if self.running:
            self.process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self.process.wait(), grace_s)
            except TimeoutError:
                self.process.kill()
        return await self.process.wait()


async def start(
    name: str,
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    logs: Path,
    first_line: bool = False,
) -> tuple[Child, str]:
    """Run `python -m module`; with `first_line`, wait for the first line of its standard output.

    In a session of its own, so that a Ctrl-C in the terminal reaches only the parent, which ends its
    children in the right order.
    """
    log = logs / f"{name}.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *arguments,
            env={**os.environ, **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if first_line else errors,
            stderr=errors,
            start_new_session=True,
        )
    child = Child(name, process, log)
    if process.stdout is None:
        return child, ""
    line = await process.stdout.readline()
    if not line:
        await process.wait()
        child.check()
    return child, line.decode()
