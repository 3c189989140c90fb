"""One core's WebSocket to the venue: opened again for ever, frames passed as they come.

Owns: dialling with jittered backoff, the vault between core and wire, the watch on the write buffer.
Frames are written at once, in the turn of the loop in which the core sent them. The venue's own heartbeat
tells a dead connection (the core answers with `Cut`), so no WebSocket pings are sent.
"""

import asyncio
import logging
from collections.abc import Callable

from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.protocol import State

from shared.deribit.vault import Vault
from shared.kernel import FrameIn, LinkDown, LinkUp
from shared.shell.backoff import Backoff

FRAME_BYTES_MAX = 2**24
WRITE_BUFFER_MAX = 2**20
DIAL_TIMEOUT_S = 10.0
STEADY_S = 5.0
"""A connection that lived this long resets the backoff."""

_log = logging.getLogger(__name__)

SocketEvent = FrameIn | LinkUp | LinkDown


class VenueSocket:
    """The socket of one (core, link); `tell` is called with its events, in the loop."""

    def __init__(
        self,
        link: str,
        url: str,
        credentials: tuple[SecretStr, SecretStr] | None,
        tell: Callable[[SocketEvent], None],
    ) -> None:
        self._link = link
        self._url = url
        self._credentials = credentials
        self._tell = tell
        self._connection: ClientConnection | None = None
        self._vault: Vault | None = None
        self._cut_reason: str | None = None
        self._retired = False
        self._sent_at = 0.0
        self.frames_in = 0
        self.frames_dropped = 0

    @property
    def is_up(self) -> bool:
        """Whether frames can be sent."""
        return self._connection is not None and self._cut_reason is None

    def quiet_for(self, now: float) -> float:
        """Seconds of loop time since the core last sent a frame."""
        return now - self._sent_at

    async def keep(self) -> None:
        """Keep a connection open until retired."""
        backoff = Backoff()
        loop = asyncio.get_running_loop()
        while not self._retired:
            opened = loop.time()
            reason = await self._live_once()
            if loop.time() - opened >= STEADY_S:
                backoff.succeeded()
            if not self._retired:
                if backoff.is_news(reason):
                    fields = {"link": self._link, "reason": reason}
                    _log.warning(
                        "venue connection lost or refused; trying again", extra={"fields": fields}
                    )
                await asyncio.sleep(backoff.failed())

    def send(self, data: bytes) -> None:
        """Write one frame now; dropped when the link is down (its `LinkDown` is on the way)."""
        connection = self._connection
        if (
            connection is None
            or self._cut_reason is not None
            or connection.protocol.state is not State.OPEN
            # A broken pipe ends the transport before the protocol hears of it.
            or connection.transport.is_closing()
        ):
            self.frames_dropped += 1
            return
        frame = data if self._vault is None else self._vault.reveal(data)
        connection.protocol.send_text(frame)
        connection.send_data()
        self._sent_at = asyncio.get_running_loop().time()
        waiting = connection.transport.get_write_buffer_size()
        if waiting > WRITE_BUFFER_MAX:
            self.cut(f"venue takes no data: {waiting} bytes wait to be sent")

    def cut(self, reason: str) -> None:
        """Close the connection, after what was sent; a stuck one is aborted a second later."""
        if self._connection is not None and self._cut_reason is None:
            self._cut_reason = reason
            self._connection.transport.close()
            asyncio.get_running_loop().call_later(1.0, self._connection.transport.abort)

    def retire(self) -> None:
        """Open no further connection; the present one stays until it ends."""
        self._retired = True

    async def _live_once(self) -> str:
        """One connection from dialling to its end; why it ended."""
        try:
            connection = await connect(
                self._url,
                compression=None,
                max_size=FRAME_BYTES_MAX,
                max_queue=1024,
                ping_interval=None,
                open_timeout=DIAL_TIMEOUT_S,
                close_timeout=1.0,
                proxy=None if self._url.startswith("ws://") else True,
            )
        except (OSError, InvalidHandshake, InvalidURI, TimeoutError, ConnectionClosed) as error:
            return f"{self._url}: {error}"
        if self._retired:
            connection.transport.abort()
            return "stopping"
        self._vault = None
        if self._credentials is not None:
            client_id, client_secret = self._credentials
            self._vault = Vault(client_id.get_secret_value(), client_secret.get_secret_value())
        self._cut_reason = None
        self._connection = connection
        self._tell(LinkUp(link=self._link))
        reason = "cancelled"
        try:
            reason = await self._pump(connection)
        finally:
            self._connection = None
            connection.transport.abort()
            reason = self._end_of(reason)
            self._tell(LinkDown(link=self._link, reason=reason))
        return reason

    def _end_of(self, reason: str) -> str:
        return reason if self._cut_reason is None else self._cut_reason

    async def _pump(self, connection: ClientConnection) -> str:
        while True:
            try:
                data = await connection.recv(decode=False)
            except ConnectionClosed as end:
                return str(end)
            if self._cut_reason is not None:
                continue
            self.frames_in += 1
            shown = bytes(data) if self._vault is None else self._vault.hide(bytes(data))
            self._tell(FrameIn(link=self._link, data=shown))
