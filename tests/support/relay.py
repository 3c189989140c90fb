"""A TCP relay between a client and a server, so that a test can cut one connection and leave the rest."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self


class Relay:
    """Listens on a free port of 127.0.0.1 and passes everything on, until `cut`."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._is_cut = False
        self._writers: dict[int, asyncio.StreamWriter] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._count = 0
        self._swallowed_to = 0
        self.port = 0

    def cut(self) -> None:
        """Drop every connection, and every new one at once."""
        self._is_cut = True
        for writer in self._writers.values():
            writer.transport.abort()
        self._writers.clear()

    def stall(self) -> None:
        """Swallow everything on the connections there are, which stay open; new ones work."""
        self._swallowed_to = self._count

    def mend(self) -> None:
        """Pass on again."""
        self._is_cut = False

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        for end in (writer, back):
            self._count += 1
            self._writers[self._count] = end
        number = self._count
        self._tasks.append(asyncio.create_task(self._pass_on(reader, back, number)))
        self._tasks.append(asyncio.create_task(self._pass_on(there, writer, number)))

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if number > self._swallowed_to:
                    writer.write(data)
        writer.transport.abort()
