"""The mock exchange for the tests of any project: in the test's own event loop, or as a process.

    async with running(seed=7) as exchange:                 # a real socket, in this loop
        socket = await websockets.connect(exchange.address.websocket)
        exchange.fault(DropFrames(channel="book."))

    with ExchangeProcess("--market", "simulated") as exchange:      # for clients that block, or are no Python
        client = YourClient(exchange.address.websocket, exchange.address.client_id, ...)
        exchange.post("/faults", fault="lose_answer", method="private/buy")

Both take free ports, have a market that stands still unless told otherwise, and end with the block. A mock
that broke meanwhile fails the test. `mock_deribit.shell.pytest_plugin` makes fixtures of them.
"""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import msgspec

from mock_deribit.clock import ClockWord
from mock_deribit.faults import Fault
from mock_deribit.market.market import Market
from mock_deribit.settings import MockSettings
from mock_deribit.shell.server import Address, MockServer
from mock_deribit.timeline import Entry

ROOT = Path(__file__).parents[2]
SECRET = "opens-nothing-but-a-test"
GIVE_UP_S = 30.0


class ExchangeFailed(RuntimeError):
    """The mock did not start, or did not end; the text holds its last words."""


class Running:
    """A mock in this event loop."""

    def __init__(self, server: MockServer, address: Address) -> None:
        self.server = server
        self.address = address

    def fault(self, fault: Fault) -> None:
        """Carry out a fault, or arm it. Raises ValueError when it names what is not there."""
        self.server.fault(fault)

    def clock(self, word: ClockWord) -> None:
        """Stop time, move it, or let it go on. Raises ValueError for a time that has been."""
        self.server.set_clock(word)

    def ledger(self) -> dict[str, Any]:
        """Account by account, what an auditor needs."""
        books: dict[str, Any] = msgspec.to_builtins(self.server.core.ledger(self.server.clock()))
        return books


@asynccontextmanager
async def running(
    market: Market | None = None, script: Sequence[Entry] = (), /, **settings: object
) -> AsyncIterator[Running]:
    """A mock with these settings. Its clients must run in this loop, or not block it."""
    values: dict[str, object] = {"port": 0, "control_port": 0, "client_secret": SECRET}
    values |= {"market": "still"} | settings
    server = MockServer(MockSettings.model_validate(values).with_secrets(SECRET), market, script)
    address = await server.start()
    try:
        yield Running(server, address)
    finally:
        await server.stop()
        if server.broken.done():
            server.broken.result()


class ExchangeProcess:
    """`python -m mock_deribit` with these flags. Raises ExchangeFailed when it does not start."""

    def __init__(self, *flags: str) -> None:
        command = [sys.executable, "-m", "mock_deribit", "--json"]
        command += ["--port", "0", "--control-port", "0", "--market", "still"]
        self.process = subprocess.Popen(
            [*command, *flags],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "MOCK_CLIENT_SECRET": SECRET},
        )
        assert self.process.stdout is not None
        ready = self.process.stdout.readline()
        if not ready:
            raise ExchangeFailed(f"the mock did not start: {self.process.communicate()[1]}")
        self.address = msgspec.json.decode(ready, type=Address)

    def get(self, path: str) -> Any:
        """A page of the control API."""
        return self._asked("GET", path, None)

    def post(self, path: str, **body: object) -> Any:
        """A word to the control API. Raises ValueError with its answer when it is refused."""
        return self._asked("POST", path, body)

    def delete(self, path: str) -> Any:
        """Lift faults."""
        return self._asked("DELETE", path, None)

    def _asked(self, verb: str, path: str, body: object) -> Any:
        answer = httpx.request(verb, f"{self.address.control}{path}", json=body, timeout=GIVE_UP_S)
        if answer.is_error:
            raise ValueError(answer.json()["error"])
        return answer.json()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the process; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.communicate(timeout=GIVE_UP_S)
        return self.process.returncode

    def __enter__(self) -> "ExchangeProcess":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        code = self.stop()
        if code and error is None:
            raise ExchangeFailed(f"the mock ended with {code}")
