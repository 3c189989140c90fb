"""Owns the methods that open and close channels."""

from mock_deribit.rpc.channels import Channel, parse
from mock_deribit.rpc.errors import invalid_params, raw_needs_login
from mock_deribit.rpc.venue import Call, Method

CHANNELS_PER_CALL = 500
LABEL_LENGTH = 16

SCOPE_OF_TOPIC = {
    "user.portfolio": "account:read",
    "user.lock": "account:read",
    "user.access_log": "account:read",
}


def _subscribe_public(call: Call) -> object:
    """Open public channels; the answer lists those granted."""
    return _subscribe(call, private=False)


def _subscribe_private(call: Call) -> object:
    """Open private and public channels; the answer lists those granted."""
    return _subscribe(call, private=True)


def _subscribe(call: Call, *, private: bool) -> object:
    """Grant what can be granted; the rest is silently absent from the answer."""
    session, names = call.socket, _channel_names(call)
    label = call.params.text("label", "", longest=LABEL_LENGTH) if private else ""
    account = call.account if private else ""
    granted: list[Channel] = []
    for name in sorted(names, reverse=True):
        channel = parse(name)
        if channel is None or not _may(call, channel, private=private):
            continue
        if channel.needs_login and call.grant is None:
            if len(names) == 1 or call.venue.rules.raw_in_a_list == "refused":
                raise raw_needs_login()
            continue
        if call.venue.hub.subscribable(channel):
            granted.append(channel)
    for channel in granted:
        greeted = channel.topic != "user.portfolio" or call.venue.rules.portfolio_first_frame
        mine, owner = (label or None, account) if channel.private else (None, "")
        before = session.channels.get(channel.name, owner)
        if before != owner:
            call.venue.hub.unsubscribe(session.conn, before, channel.name)
        call.after += call.venue.hub.subscribe(session.conn, owner, channel, mine, greeted=greeted)
        session.channels[channel.name] = owner
    return [channel.name for channel in granted]


def _may(call: Call, channel: Channel, *, private: bool) -> bool:
    if not channel.private:
        return True
    if not private or call.grant is None:
        return False
    return call.grant.covers(SCOPE_OF_TOPIC.get(channel.topic, "trade:read"))


def _channel_names(call: Call) -> list[str]:
    names = list(dict.fromkeys(call.params.texts("channels")))
    if len(names) > CHANNELS_PER_CALL:
        raise invalid_params("channels", f"at most {CHANNELS_PER_CALL} channels in one call")
    return names


def _unsubscribe(call: Call) -> object:
    """Close channels; the answer lists those that were open."""
    session = call.socket
    gone = [name for name in _channel_names(call) if name in session.channels]
    for name in gone:
        call.venue.hub.unsubscribe(session.conn, session.channels.pop(name), name)
    return gone


def _unsubscribe_all(call: Call) -> object:
    """Close every channel of the connection."""
    session = call.socket
    for name, account in session.channels.items():
        call.venue.hub.unsubscribe(session.conn, account, name)
    session.channels.clear()
    return "ok"


METHODS: dict[str, Method] = {
    "public/subscribe": Method(_subscribe_public, credits="subscribe", takes="channels"),
    "private/subscribe": Method(
        _subscribe_private, "account:none", "subscribe", takes="channels label"
    ),
    "public/unsubscribe": Method(_unsubscribe, takes="channels"),
    "private/unsubscribe": Method(_unsubscribe, "account:none", takes="channels"),
    "public/unsubscribe_all": Method(_unsubscribe_all),
    "private/unsubscribe_all": Method(_unsubscribe_all, "account:none"),
}
