"""The gateway's shell: the HTTP server beside its core in one event loop, the token, the direct state writes.

Owns: the listening socket (taken before anything else starts, so that a busy port is one clear line), the
token file, and the one Redis connection that writes without waiting behind anything: a kill must not queue.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated

import redis.asyncio
import uvicorn
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from services.gateway.api import create_app
from services.gateway.commands import StateUnavailable
from services.gateway.view import Gateway
from shared.kernel import Core, Effects, Event, Message, Nanos
from shared.params import Params
from shared.shell.host import Host
from shared.shell.log import conceal
from shared.shell.service import serve
from shared.shell.settings import Settings

WRITE_S = 0.5
TOKEN_FILE = "token"
NAME = "gateway"

_log = logging.getLogger(__name__)


class HttpSettings(BaseModel):
    """GATEWAY_HOST, GATEWAY_PORT (0: any free one) and GATEWAY_TOKEN."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    token: Annotated[SecretStr | None, Field(min_length=16)] = None


class CannotServe(Exception):
    """The control API cannot start; one line that says why and what to do."""


def http_settings(environ: Mapping[str, str]) -> HttpSettings:
    """From the environment; an empty variable is one that is not set. Raises `CannotServe`."""
    named = {name: environ.get(f"GATEWAY_{name.upper()}", "") for name in HttpSettings.model_fields}
    try:
        return HttpSettings.model_validate({name: value for name, value in named.items() if value})
    except ValidationError as error:
        fault = error.errors()[0]
        name = f"GATEWAY_{str(fault['loc'][0]).upper()}"
        raise CannotServe(f"{name}: {fault['msg']}") from None


def bind(host: str, port: int) -> socket.socket:
    """The listening socket; raises `CannotServe` when the port is taken or the host is not ours."""
    try:
        return socket.create_server((host, port), backlog=128, reuse_port=False)
    except OSError as error:
        raise CannotServe(
            f"cannot listen on {host}:{port} ({error.strerror}); "
            "stop what uses it or set GATEWAY_PORT (0: any free port) or GATEWAY_HOST"
        ) from error


def token_for(given: SecretStr | None, run_dir: Path) -> str:
    """The given token, the one made at an earlier start, or a new one: kept for its owner.

    It is shown once, to a person at a terminal: what goes elsewhere is a log, and logs are passed around.
    """
    if given is not None:
        return given.get_secret_value()
    path = run_dir / TOKEN_FILE
    with contextlib.suppress(FileNotFoundError):
        kept = path.read_text(encoding="utf-8").strip()
        if kept:
            return kept
    token = secrets.token_urlsafe(32)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(token + "\n")
    shown = f": {token}" if sys.stderr.isatty() else ""
    print(
        f"control API token: in the file {path.name} of the run directory{shown}", file=sys.stderr
    )
    return token


class Watched(Gateway):
    """The core, with someone to wake whenever it has heard something."""

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self._waiting: dict[asyncio.Future[None], Callable[[], bool]] = {}

    def handle(self, now: Nanos, event: Event) -> Effects:
        """As the core; then wake those whose wish has come true."""
        effects = super().handle(now, event)
        for future in [future for future, true in self._waiting.items() if true()]:
            del self._waiting[future]
            if not future.done():
                future.set_result(None)
        return effects

    async def until(self, true: Callable[[], bool], seconds: float) -> bool:
        """Wait until something is true of the view; whether it became so in time."""
        if true():
            return True
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = true
        try:
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            return False
        finally:
            self._waiting.pop(future, None)
        return True


class HostPort:
    """The API's port onto a running host."""

    def __init__(self, host: Host, view: Watched, settings: Settings) -> None:
        self._host = host
        self._prefix = f"{settings.env}:"
        self.until = view.until
        self._lock = asyncio.Lock()
        self._state = redis.asyncio.Redis.from_url(
            settings.redis_url,
            socket_timeout=WRITE_S,
            socket_connect_timeout=WRITE_S,
            retry=Retry(NoBackoff(), 0),
        )

    def now(self) -> Nanos:
        """The process' clock."""
        return self._host.clock()

    def publish(self, message: Message) -> None:
        """To the cores of this process, then to the bus; and to the log, for it is an operator's word."""
        _log.info("operator", extra={"fields": {"said": repr(message)}})
        self._host.hear(message)
        self._host.say(message)

    async def write(self, key: str, value: str) -> None:
        """Write a key on a connection of its own; raises `StateUnavailable`."""
        try:
            async with asyncio.timeout(WRITE_S):
                await self._state.set(self._prefix + key, value)
        except (RedisError, OSError, TimeoutError) as error:
            raise StateUnavailable(str(error) or "no answer in time") from error

    def one_at_a_time(self) -> AbstractAsyncContextManager[object]:
        """The lock of whoever changes parameters."""
        return self._lock

    async def close(self) -> None:
        """Let go of the state store."""
        await self._state.aclose()


class Quiet(uvicorn.Server):
    """The host owns the signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


class Plane:
    """The control plane of one process: builds the core and serves the API beside it."""

    def __init__(self, http: HttpSettings, listener: socket.socket) -> None:
        self._http = http
        self._listener = listener
        self._view: Watched | None = None
        self._settings: Settings | None = None

    def build(self, settings: Settings, params: Params) -> list[Core]:
        """The gateway core."""
        self._settings, self._view = settings, Watched(params)
        return [self._view]

    async def run(self, host: Host) -> None:
        """Serve until cancelled; requests in flight are answered first."""
        assert self._view is not None
        assert self._settings is not None
        token = token_for(self._http.token, self._settings.run_dir)
        conceal(token)
        port = HostPort(host, self._view, self._settings)
        app = create_app(self._view, port, token, self._settings.env)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
        )
        server = Quiet(config)
        address = self._listener.getsockname()
        _log.info("control API", extra={"fields": {"url": f"http://{address[0]}:{address[1]}"}})
        serving = asyncio.create_task(server.serve(sockets=[self._listener]))
        try:
            await asyncio.shield(serving)
        finally:
            server.should_exit = True
            await serving
            await port.close()


def main(environ: Mapping[str, str] | None = None) -> int:
    """Run the gateway service; the exit code."""
    try:
        http = http_settings(os.environ if environ is None else environ)
        listener = bind(http.host, http.port)
    except CannotServe as error:
        print(f"gateway: {error}", file=sys.stderr)
        return 1
    plane = Plane(http, listener)
    with listener:
        return serve(plane.build, companions=[plane.run], history=[NAME])
