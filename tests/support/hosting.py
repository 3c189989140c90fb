"""Running hosts inside a test's own event loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from shared.shell.host import Host
from shared.shell.settings import Settings


class Run:
    """A host that runs; `code` is its exit code once it has ended."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.task = asyncio.create_task(host.run())

    async def end(self) -> int:
        """Stop it in good order and wait for its end."""
        self.host.stop()
        return await self.task


@asynccontextmanager
async def running(*hosts: Host) -> AsyncIterator[list[Run]]:
    """All of them, stopped at the end."""
    runs = [Run(host) for host in hosts]
    try:
        yield runs
    finally:
        for run in runs:
            await run.end()


def settings_for(folder: Path, **changes: Any) -> Settings:
    """Settings of a test: own folder, no journal unless asked for."""
    return Settings.model_validate({"run_dir": folder / "run", "journal": False} | changes)
