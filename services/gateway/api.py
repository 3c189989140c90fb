"""The API: routes, the bearer token, and problems that say what to do.

Owns HTTP and nothing else: what is shown is in `reports`, what is done in `commands`. Every answer but the
metrics is JSON; every failure is a problem document `{title, detail, status}`. `/health` is open, the
rest needs `Authorization: Bearer <token>`.
"""

import hmac
from typing import Annotated, Any

import msgspec
from fastapi import Body, Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway import reports
from services.gateway.bodies import (
    KILL,
    PAUSE,
    RESUME,
    KillBody,
    ParamsBody,
    PauseBody,
    ResumeBody,
)
from services.gateway.commands import Commands, Port, Refused
from services.gateway.metrics import registry_of
from services.gateway.view import ANOMALIES_KEPT, FILLS_KEPT, Gateway
from shared.params import Params

BODY_BYTES_MAX = 2**16

DESCRIPTION = """Control of the market maker.

Amounts are in the instrument's own unit (USD for inverse contracts), exposure and money in BTC, prices in
USD per BTC, times in UTC. Commands wait up to one second for the services to obey and say what they did.
"""


def create_app(view: Gateway, port: Port, token: str, env: str) -> FastAPI:
    """The application over one view; `token` is the only key."""
    app = FastAPI(title="Deribit market maker", version="1", description=DESCRIPTION)
    app.add_middleware(_EveryBodyIsJson)
    app.add_middleware(_NoBodyIsLarge)
    _add_problems(app)
    _add_health(app, view)
    guard = [Depends(_guard(token))]
    _add_reports(app, view, env, guard)
    _add_params(app, view, guard)
    _add_commands(app, Commands(view, port), guard)
    return app


class _EveryBodyIsJson:
    """Reads every body as JSON, whatever it calls itself.

    Whoever types a kill into curl at night does not type a content type. The token, which no page of
    another origin has, already keeps such pages from commanding.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http":
            headers = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
            scope = {**scope, "headers": [*headers, (b"content-type", b"application/json")]}
        await self._app(scope, receive, send)


class _NoBodyIsLarge:
    """Ends a request whose body outgrows any command: bodies are read before the token is looked at."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        came = 0

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > BODY_BYTES_MAX:
                raise HTTPException(413, "Body too large")
            return message

        await self._app(scope, counted, send)


def _guard(token: str) -> Any:
    scheme = HTTPBearer(auto_error=False, description="the gateway's token")

    def check(
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(scheme)],
    ) -> None:
        if credentials is None:
            raise Refused(401, "No token", "send the header Authorization: Bearer <token>")
        given, right = credentials.credentials.encode(), token.encode()
        if not hmac.compare_digest(given, right):
            raise Refused(401, "Wrong token", "the token is not the one this gateway was given")

    return check


def _add_health(app: FastAPI, view: Gateway) -> None:
    @app.get("/health", tags=["state"], summary="Whether the control plane is connected (open)")
    async def health() -> Response:
        ready = all(view.up.values())
        document = {"ready": ready, "links": view.up}
        return _json(document, 200 if ready else 503)


def _add_reports(app: FastAPI, view: Gateway, env: str, guard: list[Any]) -> None:
    limited = Annotated[int, Query(ge=1, le=FILLS_KEPT, description="at most this many")]

    @app.get("/status", tags=["state"], dependencies=guard, summary="Everything on one screen")
    async def status() -> Response:
        return _json(reports.status(view, env))

    @app.get("/positions", tags=["state"], dependencies=guard, summary="Inventory and account")
    async def positions() -> Response:
        return _json(reports.positions(view))

    @app.get("/orders", tags=["state"], dependencies=guard, summary="Orders alive")
    async def orders() -> Response:
        return _json(reports.orders(view))

    @app.get("/fills", tags=["state"], dependencies=guard, summary="Trades of ours, newest first")
    async def fills(limit: limited = 100) -> Response:
        return _json(reports.fills(view, limit))

    @app.get("/pnl", tags=["state"], dependencies=guard, summary="Profit since 08:00 UTC by part")
    async def pnl() -> Response:
        document = reports.pnl(view)
        if document is None:
            raise Refused(503, "No PnL yet", "risk has not published any; see GET /status")
        return _json(document)

    @app.get("/quotes", tags=["state"], dependencies=guard, summary="Wanted quotes and reasons")
    async def quotes() -> Response:
        return _json(reports.quotes(view))

    @app.get("/anomalies", tags=["state"], dependencies=guard, summary="Oddities, newest first")
    async def anomalies(limit: limited = ANOMALIES_KEPT) -> Response:
        return _json(reports.anomalies(view, limit))

    registry = registry_of(view)

    @app.get("/metrics", tags=["state"], dependencies=guard, summary="For Prometheus")
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _add_params(app: FastAPI, view: Gateway, guard: list[Any]) -> None:
    @app.get("/params", tags=["parameters"], dependencies=guard, summary="Parameters in force")
    async def params() -> Response:
        return _json(reports.params(view))

    @app.get(
        "/params/schema",
        tags=["parameters"],
        dependencies=guard,
        summary="Every parameter with meaning, unit, default and bounds (JSON schema)",
    )
    async def schema() -> Response:
        return _json(Params.model_json_schema())


def _add_commands(app: FastAPI, commands: Commands, guard: list[Any]) -> None:
    @app.post("/pause", tags=["control"], dependencies=guard, summary="Pull quotes and stay out")
    async def pause(body: Annotated[PauseBody, Body()] = PAUSE) -> Response:
        return _json(await commands.pause(body))

    @app.post("/resume", tags=["control"], dependencies=guard, summary="Quote again")
    async def resume(body: Annotated[ResumeBody, Body()] = RESUME) -> Response:
        return _json(await commands.resume(body))

    @app.post("/kill", tags=["control"], dependencies=guard, summary="Latch and cancel everything")
    async def kill(body: Annotated[KillBody, Body()] = KILL) -> Response:
        return _json(await commands.kill(body))

    @app.patch("/params", tags=["parameters"], dependencies=guard, summary="Change parameters live")
    async def change(body: ParamsBody) -> Response:
        return _json(await commands.change_params(body))


def _add_problems(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> Response:
        return _problem(error.status, error.title, error.detail)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return _problem(422, "Request refused", "; ".join(map(_fault, error.errors())))

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> Response:
        detail = f"{request.method} {request.url.path}: {error.detail}; see /docs for what there is"
        return _problem(error.status_code, str(error.detail), detail)


def _fault(error: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in error["loc"] if part != "body") or "body"
    came = error.get("input")
    shown = "" if came is None or isinstance(came, dict) else f" (came: {came!r})"
    return f"{place}: {error['msg']}{shown}"


def _problem(status: int, title: str, detail: str) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    content = msgspec.json.encode({"title": title, "detail": detail, "status": status})
    return Response(content, status, headers, media_type="application/problem+json")


def _json(document: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(document), status, media_type="application/json")
