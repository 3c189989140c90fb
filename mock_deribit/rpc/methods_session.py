"""Owns the methods about the connection itself: login, tokens, heartbeat, cancel on disconnect."""

from mock_deribit.rpc.errors import RpcError
from mock_deribit.rpc.grants import Grant
from mock_deribit.rpc.session import Heartbeat
from mock_deribit.rpc.venue import VERSION, Call, Method
from shared.units import SECOND

_LOGIN = (
    "grant_type client_id client_secret timestamp signature nonce data refresh_token scope state"
)


def _auth(call: Call) -> object:
    """Log in by client_credentials, client_signature or refresh_token."""
    gate, session = call.venue.gate, call.session
    conn = session.conn if session is not None else None
    try:
        grant = gate.authenticate(call.now, call.params, conn)
    except RpcError:
        _note(call, gate.owner(call.params.peek("client_id")), "failure")
        raise
    _log_in(call, grant)
    _note(call, grant.account, "success")
    return _tokens(call, grant)


def _note(call: Call, account: str | None, outcome: str) -> None:
    if account is not None:
        call.after += call.venue.log_access(call.now, account, outcome, call.peer)


def _log_in(call: Call, grant: Grant) -> None:
    """The socket acts for this account from now on."""
    session = call.session
    if session is not None:
        if session.grant is None or session.grant.account != grant.account:
            default = call.venue.cancel_on_disconnect.get(grant.account, False)
            session.cancel_on_disconnect = default
        session.grant = grant


def _tokens(call: Call, grant: Grant) -> object:
    answer: dict[str, object] = {
        "access_token": grant.access_token,
        "refresh_token": grant.refresh_token,
        "expires_in": (grant.expires - call.now) // SECOND,
        "scope": grant.scope,
        "token_type": "bearer",
        "enabled_features": [],
    }
    if grant.session is not None:
        answer["sid"] = grant.session
    if call.params.has("state"):
        answer["state"] = call.params.text("state")
    return answer


def _fork_token(call: Call) -> object:
    """Open another named session beside the one of a session token."""
    token, name = call.params.text("refresh_token"), call.params.text("session_name")
    return _tokens(call, call.venue.gate.fork(call.now, token, name))


def _exchange_token(call: Call) -> object:
    """Get a token for another account of the same user."""
    token, subject = call.params.text("refresh_token"), call.params.integer("subject_id")
    scope = call.params.text("scope", "")
    conn = call.session.conn if call.session is not None else None
    grant = call.venue.gate.exchange(call.now, token, subject, scope, conn)
    if call.venue.rules.exchange_switches:
        _log_in(call, grant)
    return _tokens(call, grant)


def _logout(call: Call) -> object:
    """Close the socket without a reply and without cancel on disconnect."""
    call.socket.cancel_on_disconnect = False
    if call.grant is not None and call.params.flag("invalidate_token", default=True):
        call.venue.gate.revoke(call.grant)
    call.hang_up = True
    return None


def _set_heartbeat(call: Call) -> object:
    """Ask for heartbeats and test requests."""
    call.socket.heartbeat = Heartbeat(call.params.integer("interval", low=10), call.now)
    return "ok"


def _disable_heartbeat(call: Call) -> object:
    """Stop them."""
    call.socket.heartbeat = None
    return "ok"


def _test(call: Call) -> object:
    """Answer a test request, or try the line."""
    if call.session is not None and call.session.heartbeat is not None:
        call.session.heartbeat.answered()
    if call.params.text("expected_result", "") == "exception":
        raise RpcError(-32000, "Missing params")
    return {"version": VERSION}


def _hello(call: Call) -> object:
    """Introduce a client."""
    call.params.text("client_name")
    call.params.text("client_version")
    return {"version": VERSION}


def _enable_cod(call: Call) -> object:
    """Cancel what this connection placed when it ends."""
    return _set_cod(call, enabled=True)


def _disable_cod(call: Call) -> object:
    """Leave orders alone when the connection ends."""
    return _set_cod(call, enabled=False)


def _set_cod(call: Call, *, enabled: bool) -> object:
    """Account scope means this socket and every new one; other open sockets keep their setting."""
    scope = _cod_scope(call)
    call.socket.cancel_on_disconnect = enabled
    if scope == "account":
        call.venue.cancel_on_disconnect[call.account] = enabled
    return "ok"


def _get_cod(call: Call) -> object:
    """Whether cancel on disconnect is on."""
    scope = _cod_scope(call)
    if scope == "account":
        enabled = call.venue.cancel_on_disconnect.get(call.account, False)
    else:
        enabled = call.socket.cancel_on_disconnect
    return {"scope": scope, "enabled": enabled}


def _cod_scope(call: Call) -> str:
    return call.params.choice("scope", ("connection", "account"), "connection")


METHODS: dict[str, Method] = {
    "public/auth": Method(_auth, takes=_LOGIN),
    "public/fork_token": Method(_fork_token, takes="refresh_token session_name state"),
    "public/exchange_token": Method(_exchange_token, takes="refresh_token subject_id scope state"),
    "private/logout": Method(_logout, "account:none", takes="invalidate_token"),
    "public/set_heartbeat": Method(_set_heartbeat, takes="interval"),
    "public/disable_heartbeat": Method(_disable_heartbeat),
    "public/test": Method(_test, takes="expected_result"),
    "public/hello": Method(_hello, takes="client_name client_version"),
    "private/enable_cancel_on_disconnect": Method(_enable_cod, "account:read_write", takes="scope"),
    "private/disable_cancel_on_disconnect": Method(
        _disable_cod, "account:read_write", takes="scope"
    ),
    "private/get_cancel_on_disconnect": Method(_get_cod, "account:read", takes="scope"),
}
