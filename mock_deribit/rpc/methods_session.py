"""Owns the methods about the connection itself: login, heartbeat, subscriptions, cancel on disconnect."""

from mock_deribit.rpc.channels import Channel, parse
from mock_deribit.rpc.errors import RpcError, invalid_params, raw_needs_login
from mock_deribit.rpc.session import Heartbeat
from mock_deribit.rpc.venue import VERSION, Call, Method
from shared.units import SECOND

CHANNELS_PER_CALL = 500
LABEL_LENGTH = 16

_SCOPE_OF_TOPIC = {"user.portfolio": "account:read"}


def _auth(call: Call) -> object:
    conn = call.session.conn if call.session is not None else None
    grant = call.venue.gate.authenticate(call.now, call.params, conn)
    if call.session is not None:
        if call.session.grant is None:
            default = call.venue.cancel_on_disconnect.get(grant.account, False)
            call.session.cancel_on_disconnect = default
        call.session.grant = grant
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


def _logout(call: Call) -> object:
    """No reply, the socket closes, and cancel on disconnect does not act."""
    call.socket.cancel_on_disconnect = False
    if call.grant is not None and call.params.flag("invalidate_token", default=True):
        call.venue.gate.revoke(call.grant)
    call.hang_up = True
    return None


def _set_heartbeat(call: Call) -> object:
    call.socket.heartbeat = Heartbeat(call.params.integer("interval", low=10), call.now)
    return "ok"


def _disable_heartbeat(call: Call) -> object:
    call.socket.heartbeat = None
    return "ok"


def _test(call: Call) -> object:
    if call.session is not None and call.session.heartbeat is not None:
        call.session.heartbeat.answered()
    if call.params.text("expected_result", "") == "exception":
        raise RpcError(-32000, "Missing params")
    return {"version": VERSION}


def _hello(call: Call) -> object:
    call.params.text("client_name")
    call.params.text("client_version")
    return {"version": VERSION}


def _subscribe_public(call: Call) -> object:
    return _subscribe(call, private=False)


def _subscribe_private(call: Call) -> object:
    return _subscribe(call, private=True)


def _subscribe(call: Call, *, private: bool) -> object:
    """Grant what can be granted; the rest is silently absent from the answer.

    One raw public channel asked for alone without login is an error (recorded); in a longer list it is
    dropped like any other channel that cannot be had (assumed).
    """
    session, names = call.socket, _channel_names(call)
    label = call.params.text("label", "", longest=LABEL_LENGTH) if private else ""
    account = call.account if private else ""
    granted: list[Channel] = []
    for name in sorted(names, reverse=True):
        channel = parse(name)
        if channel is None or not _may(call, channel, private=private):
            continue
        if _raw_locked(call, channel):
            if len(names) == 1:
                raise raw_needs_login()
            continue
        if call.venue.hub.subscribable(channel):
            granted.append(channel)
    for channel in granted:
        call.after += call.venue.hub.subscribe(session.conn, account, channel, label or None)
        session.channels[channel.name] = account if channel.private else ""
    return [channel.name for channel in granted]


def _may(call: Call, channel: Channel, *, private: bool) -> bool:
    if not channel.private:
        return True
    if not private or call.grant is None:
        return False
    return call.grant.covers(_SCOPE_OF_TOPIC.get(channel.topic, "trade:read"))


def _raw_locked(call: Call, channel: Channel) -> bool:
    bare = channel.topic in ("quote", "deribit_price_index", "instrument.state", "platform_state")
    return channel.interval == "raw" and not bare and call.grant is None


def _channel_names(call: Call) -> list[str]:
    names = list(dict.fromkeys(call.params.texts("channels")))
    if len(names) > CHANNELS_PER_CALL:
        raise invalid_params("channels", f"at most {CHANNELS_PER_CALL} channels in one call")
    return names


def _unsubscribe(call: Call) -> object:
    session = call.socket
    gone = [name for name in _channel_names(call) if name in session.channels]
    for name in gone:
        call.venue.hub.unsubscribe(session.conn, session.channels.pop(name), name)
    return gone


def _unsubscribe_all(call: Call) -> object:
    session = call.socket
    for name, account in session.channels.items():
        call.venue.hub.unsubscribe(session.conn, account, name)
    session.channels.clear()
    return "ok"


def _enable_cod(call: Call) -> object:
    return _set_cod(call, enabled=True)


def _disable_cod(call: Call) -> object:
    return _set_cod(call, enabled=False)


def _set_cod(call: Call, *, enabled: bool) -> object:
    """Account scope means this socket and every new one; other open sockets keep their setting."""
    call.socket.cancel_on_disconnect = enabled
    if _cod_scope(call) == "account":
        call.venue.cancel_on_disconnect[call.account] = enabled
    return "ok"


def _get_cod(call: Call) -> object:
    scope = _cod_scope(call)
    if scope == "account":
        enabled = call.venue.cancel_on_disconnect.get(call.account, False)
    else:
        enabled = call.socket.cancel_on_disconnect
    return {"scope": scope, "enabled": enabled}


def _cod_scope(call: Call) -> str:
    return call.params.choice("scope", ("connection", "account"), "connection")


METHODS: dict[str, Method] = {
    "public/auth": Method(_auth),
    "private/logout": Method(_logout, "account:none"),
    "public/set_heartbeat": Method(_set_heartbeat),
    "public/disable_heartbeat": Method(_disable_heartbeat),
    "public/test": Method(_test),
    "public/hello": Method(_hello),
    "public/subscribe": Method(_subscribe_public, credits="subscribe"),
    "private/subscribe": Method(_subscribe_private, "account:none", credits="subscribe"),
    "public/unsubscribe": Method(_unsubscribe),
    "private/unsubscribe": Method(_unsubscribe, "account:none"),
    "public/unsubscribe_all": Method(_unsubscribe_all),
    "private/unsubscribe_all": Method(_unsubscribe_all, "account:none"),
    "private/enable_cancel_on_disconnect": Method(_enable_cod, "account:read_write"),
    "private/disable_cancel_on_disconnect": Method(_disable_cod, "account:read_write"),
    "private/get_cancel_on_disconnect": Method(_get_cod, "account:read"),
}
