"""The second way to the venue: JSON-RPC over HTTP, each request on its own, beside the socket.

Owns: one core's link `http`. What the core sends is posted with the account's key; what the venue answers
comes as a frame of that link, errors included. There is no connection to lose, so the link is neither up
nor down: a request that fails is never answered, and the core knows its own patience.
"""

import asyncio
import logging
from collections.abc import Callable

import httpx
import msgspec
from pydantic import SecretStr

from shared.kernel import FrameIn
from shared.shell.backoff import Backoff

LINK = "http"
TIMEOUT_S = 3.0
IN_FLIGHT_MAX = 16

_log = logging.getLogger(__name__)


class _Named(msgspec.Struct):
    method: str


class VenueHttp:
    """The requests of one core; `tell` is called with their answers, in the loop."""

    def __init__(
        self,
        url: str,
        credentials: tuple[SecretStr, SecretStr] | None,
        tell: Callable[[FrameIn], None],
    ) -> None:
        self._url = url
        self._auth: httpx.BasicAuth | None = None
        if credentials is not None:
            self._auth = httpx.BasicAuth(*(part.get_secret_value() for part in credentials))
        self._tell = tell
        self._client: httpx.AsyncClient | None = None
        self._asking: set[asyncio.Task[None]] = set()
        self._failures = Backoff()
        self._sent_at = 0.0
        self.frames_in = 0
        self.frames_dropped = 0

    @property
    def is_up(self) -> bool:
        """Whether a request waits for its answer: only then is there anything to wait for."""
        return bool(self._asking)

    def quiet_for(self, now: float) -> float:
        """Seconds of loop time since the core last sent a request."""
        return now - self._sent_at

    async def keep(self) -> None:
        """Be there for requests until cancelled."""
        client = httpx.AsyncClient(
            auth=self._auth, timeout=TIMEOUT_S, trust_env=self._url.startswith("https://")
        )
        async with client:
            self._client = client
            try:
                await asyncio.Event().wait()
            finally:
                self._client, asking = None, tuple(self._asking)
                for task in asking:
                    task.cancel()
                await asyncio.gather(*asking, return_exceptions=True)

    def send(self, data: bytes) -> None:
        """Ask now; dropped when too many requests wait or the process ends."""
        client = self._client
        if client is None or len(self._asking) >= IN_FLIGHT_MAX:
            self.frames_dropped += 1
            return
        self._sent_at = asyncio.get_running_loop().time()
        task = asyncio.create_task(self._ask(client, data))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    def cut(self, reason: str) -> None:
        """Nothing stays open between two requests."""

    def retire(self) -> None:
        """The last requests of a process that ends are still carried out."""

    async def _ask(self, client: httpx.AsyncClient, data: bytes) -> None:
        method = msgspec.json.decode(data, type=_Named).method
        try:
            answer = await client.post(
                f"{self._url}/{method}", content=data, headers={"content-type": "application/json"}
            )
        except (httpx.HTTPError, OSError) as error:
            reason = f"{type(error).__name__}: {error}"
            if self._failures.is_news(reason):
                fields = {"method": method, "reason": reason}
                _log.warning("venue not reached over HTTP", extra={"fields": fields})
            return
        self._failures.succeeded()
        self.frames_in += 1
        self._tell(FrameIn(link=LINK, data=answer.content))
