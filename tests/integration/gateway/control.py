"""The real gateway beside a stage: its core, its HTTP server on a real socket, and a client to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from services.gateway.shell import TOKEN_FILE, HttpSettings, Plane, Watched, bind
from shared.messages import Lease
from shared.shell.host_nats import NatsHost
from tests.integration.risk.stage import PARAMS, Stage
from tests.support.waiting import until


class Control:
    """A gateway that serves on a free port, and what it has seen."""

    def __init__(self, stage: Stage) -> None:
        stage.settings.run_dir.mkdir(parents=True, exist_ok=True)
        self.listener = bind("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.token_file = stage.settings.run_dir / TOKEN_FILE
        self._plane = Plane(HttpSettings(), self.listener)
        (core,) = self._plane.build(stage.settings, PARAMS)
        assert isinstance(core, Watched)
        self.view = core
        self.host = NatsHost([core], stage.settings, history=["gateway"])
        self.task = asyncio.create_task(self.host.run([self._plane.run]))

    def client(self) -> httpx.AsyncClient:
        """A client with the token from the file."""
        token = self.token_file.read_text(encoding="utf-8").strip()
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=10)

    def lease(self) -> Lease | None:
        """The last lease the gateway has heard."""
        return self.view.lease

    def is_granted(self) -> bool:
        """Whether that lease stands."""
        return self.view.lease is not None and self.view.lease.granted

    async def end(self) -> int:
        """Stop in good order; the exit code."""
        self.host.stop()
        code = await self.task
        self.listener.close()
        return code


@asynccontextmanager
async def controlled(stage: Stage) -> AsyncIterator[tuple[Control, httpx.AsyncClient]]:
    """A gateway on the stage that has heard a granted lease, and a client to it."""
    control = Control(stage)
    try:
        await until(control.token_file.is_file, "a token")
        await until(control.is_granted, "a lease heard by the gateway")
        async with control.client() as client:
            yield control, client
    finally:
        assert await control.end() == 0
