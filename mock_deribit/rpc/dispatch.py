"""Owns the way from a request's bytes to its response: envelope, login, credits, method, error.

Source: JSON-RPC 2.0 as Deribit speaks it (named parameters only, `usIn`/`usOut`/`usDiff`/`testnet`).
"""

from collections.abc import Callable, Mapping

import msgspec

from mock_deribit.rpc.catalogue import METHODS, NOT_HERE
from mock_deribit.rpc.errors import (
    TOO_MANY_REQUESTS,
    RpcError,
    bad_request,
    invalid_params,
    maintenance,
    method_not_found,
    queue_full,
    request_too_large,
    switched_off,
    too_many_quotes,
    too_many_requests,
    unauthorized,
)
from mock_deribit.rpc.grants import Grant
from mock_deribit.rpc.hub import Frame
from mock_deribit.rpc.params import Params
from mock_deribit.rpc.session import Session
from mock_deribit.rpc.text import encode
from mock_deribit.rpc.venue import Call, Method, Sent, Venue, Waiting
from shared.kernel import Nanos
from shared.units import MICROSECOND

REQUEST_BYTES_MAX = 32 * 1024
QUEUE_MAX = 8


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request, taken apart by the host. `target` is path and query as sent."""

    verb: str
    target: str
    path: str
    query: Mapping[str, str]
    authorization: str
    body: bytes
    peer: str


class HttpAnswer(msgspec.Struct, frozen=True):
    """Status and JSON body."""

    status: int
    body: bytes


class Response(msgspec.Struct, frozen=True):
    """A result or an error, with the id it answers; None: the request had none."""

    id: int | str | None
    result: object = None
    error: RpcError | None = None

    def text(self, received: Nanos, sent: Nanos) -> str:
        """The JSON of the response."""
        body: dict[str, object] = {"jsonrpc": "2.0"}
        if self.id is not None:
            body["id"] = self.id
        if self.error is not None:
            body["error"] = self.error.body()
        else:
            body["result"] = self.result
        body["usIn"] = received // MICROSECOND
        body["usOut"] = sent // MICROSECOND
        body["usDiff"] = sent // MICROSECOND - received // MICROSECOND
        body["testnet"] = True
        return encode(body)


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one request. `waiting`: it is answered when its holds have ended."""

    method: str
    reply: Response | None
    waiting: Waiting | None = None
    lane: str = "public"
    after: list[Frame] = []
    hang_up: bool = False
    limited: bool = False
    queue: str = ""


class _Request(msgspec.Struct):
    method: str = ""
    params: dict[str, object] = {}
    id: int | str | None = None


class _Numbered(msgspec.Struct):
    id: int | str | None = None


class Dispatcher:
    """Serves requests one at a time."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._queues: dict[str, list[Nanos]] = {}
        self._decode = msgspec.json.Decoder(_Request).decode
        self._decode_id = msgspec.json.Decoder(_Numbered).decode

    def queued(self, queue: str, until: Nanos) -> None:
        """A matching request in this queue is answered only at `until`."""
        self._queues.setdefault(queue, []).append(until)

    def frame(self, now: Nanos, session: Session, data: bytes) -> Answered:
        """Serve one frame of a socket."""
        request = self._parsed(data)
        if isinstance(request, Response):
            return Answered(method="", reply=request)
        return self._serve(now, request, session, None, textual=False, peer=session.peer)

    def http(self, now: Nanos, request: HttpRequest) -> HttpAnswer:
        """Serve `GET /api/v2/{method}?…` or `POST /api/v2[/{method}]` with a JSON-RPC body."""
        method = request.path.removeprefix("/api/v2").strip("/")
        parsed: _Request | Response
        if request.verb == "POST":
            parsed = self._parsed(request.body)
        else:
            parsed = _Request(method=method, params=dict(request.query))
        if isinstance(parsed, Response):
            return _http(parsed, now)
        try:
            grant = self._http_grant(now, request)
        except RpcError as error:
            return _http(Response(parsed.id, error=error), now)
        answered = self._serve(
            now, parsed, None, grant, textual=request.verb == "GET", peer=request.peer
        )
        return _http(answered.reply or Response(parsed.id), now)

    def _http_grant(self, now: Nanos, request: HttpRequest) -> Grant | None:
        if not request.authorization:
            return None
        body = request.body.decode(errors="replace")
        gate = self._venue.gate
        return gate.header(now, request.authorization, request.verb, request.target, body)

    def _parsed(self, data: bytes) -> "_Request | Response":
        """The request, or the answer to what is none; with its id if there is one to be seen."""
        if len(data) > REQUEST_BYTES_MAX:
            return Response(None, error=request_too_large())
        try:
            return self._decode(data)
        except msgspec.ValidationError as error:
            return Response(self._id(data), error=invalid_params("request", str(error)))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Response(None, error=bad_request("invalid json"))

    def _id(self, data: bytes) -> int | str | None:
        try:
            return self._decode_id(data).id
        except msgspec.ValidationError:
            return None

    def _serve(
        self,
        now: Nanos,
        request: _Request,
        session: Session | None,
        grant: Grant | None,
        *,
        textual: bool,
        peer: str,
    ) -> Answered:
        method = METHODS.get(request.method)
        known = method.parameters if method is not None else ()
        params = Params(
            {name: value for name, value in request.params.items() if name in known},
            textual=textual,
        )
        call = Call(self._venue, now, params, session, grant, peer)
        queue = ""
        try:
            if self._venue.maintenance:
                raise maintenance()
            if method is None:
                raise _missing(request.method)
            call.grant = self._granted(now, request, method, call)
            self._spend(now, method, call)
            self._refuse_unknown(request, known)
            if method.matching:
                queue = self._line(now, call)
            response = _response(request.id, lambda: method.run(call))
        except RpcError as error:
            response = Response(request.id, error=error)
        if call.waiting is not None:
            self._keep(now, request, call.waiting, queue)
        private = request.method.startswith("private/")
        return Answered(
            method=request.method,
            reply=None if call.hang_up or call.waiting else response,
            waiting=call.waiting,
            lane=queue or ("private" if private else "public"),
            after=call.after,
            hang_up=call.hang_up,
            limited=response.error is not None and response.error.code == TOO_MANY_REQUESTS,
            queue=queue,
        )

    def _keep(self, now: Nanos, request: _Request, waiting: Waiting, lane: str) -> None:
        """Let a request wait for the end of its holds."""

        def respond(run: Callable[[], object]) -> Sent:
            response = _response(request.id, run)
            return lambda sent: response.text(now, sent).encode()

        waiting.method, waiting.lane, waiting.respond = request.method, lane, respond
        for ticket in waiting.tickets:
            self._venue.held[ticket] = waiting

    def _refuse_unknown(self, request: _Request, known: tuple[str, ...]) -> None:
        if self._venue.rules.unknown_parameters == "refused":
            for name in request.params:
                if name not in known and name != "access_token":
                    raise invalid_params(name, "unknown parameter")

    def _granted(self, now: Nanos, request: _Request, method: Method, call: Call) -> Grant | None:
        """Who is asking: by an HTTP header, by a token in the parameters, by the socket's login, or
        nobody."""
        gate, session, grant = self._venue.gate, call.session, call.grant
        token = request.params.get("access_token")
        if token is not None:
            if not isinstance(token, str):
                raise invalid_params("access_token", "value must be a string")
            grant = gate.granted(now, token, session.conn if session is not None else None)
        elif session is not None and session.grant is not None:
            grant = session.grant if gate.alive(now, session.grant) else None
        if method.scope is None:
            return grant
        if grant is None:
            raise unauthorized("invalid_token")
        grant.require(method.scope)
        return grant

    def _spend(self, now: Nanos, method: Method, call: Call) -> None:
        owner = call.grant.account if call.grant is not None else f"peer {call.peer}"
        credits = method.credits(call.params)
        if not self._venue.purse(owner).take(now, credits):
            raise too_many_quotes() if credits == "mass_quotes" else too_many_requests()

    def _line(self, now: Nanos, call: Call) -> str:
        """The line in which a matching request stands: one an account and settlement currency."""
        queue = f"matching {call.account} {call.settlement()}"
        waiting = [until for until in self._queues.get(queue, ()) if until > now]
        self._queues[queue] = waiting
        if len(waiting) >= QUEUE_MAX:
            raise queue_full()
        return queue


def _response(number: int | str | None, run: Callable[[], object]) -> Response:
    try:
        return Response(number, run())
    except RpcError as error:
        return Response(number, error=error)


def _missing(name: str) -> RpcError:
    """Why there is no such method. A body that names none is no request (seen on the test network)."""
    if not name:
        return bad_request()
    why = NOT_HERE.get(name)
    return method_not_found() if why is None else switched_off(why)


def _http(response: Response, now: Nanos) -> HttpAnswer:
    status = 200 if response.error is None else 400
    return HttpAnswer(status, response.text(now, now).encode())
