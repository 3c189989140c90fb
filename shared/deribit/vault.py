"""Secrets: where they enter outgoing frames and leave incoming ones.

A core writes auth frames with placeholders and never sees a secret or a token, so that no journal,
log or message can hold one. One vault per socket, because a connection's tokens are its own.
"""

import re

import msgspec

CLIENT_ID = "{{client_id}}"
CLIENT_SECRET = "{{client_secret}}"
REFRESH_TOKEN = "{{refresh_token}}"

_AUTH = b'"public/auth"'
_TOKEN = b'_token"'
# Works on the text, so that a token is hidden even in a frame that is cut short or otherwise no JSON.
_TOKENS = re.compile(rb'"(access|refresh)_token"\s*:\s*"((?:[^"\\]|\\.)*)"?')


class Vault:
    """Fills placeholders in what goes out, hides tokens in what comes in."""

    __slots__ = ("_secrets",)

    def __init__(self, client_id: str, client_secret: str) -> None:
        self._secrets = {
            CLIENT_ID.encode(): _escaped(client_id),
            CLIENT_SECRET.encode(): _escaped(client_secret),
        }

    def __repr__(self) -> str:
        return "Vault(…)"

    def reveal(self, frame: bytes) -> bytes:
        """An outgoing frame with placeholders replaced; anything but an auth request is unchanged."""
        if _AUTH not in frame:
            return frame
        for placeholder, secret in self._secrets.items():
            frame = frame.replace(placeholder, secret)
        return frame

    def hide(self, frame: bytes) -> bytes:
        """An incoming frame with tokens replaced by their placeholders; the refresh token is kept."""
        if _TOKEN not in frame:
            return frame
        return _TOKENS.sub(self._hidden, frame)

    def _hidden(self, match: re.Match[bytes]) -> bytes:
        kind, token = match.groups()
        if kind == b"refresh":
            self._secrets[REFRESH_TOKEN.encode()] = token
        return b'"%s_token":"{{%s_token}}"' % (kind, kind)


def _escaped(secret: str) -> bytes:
    """As it stands between the quotes of a JSON string."""
    return msgspec.json.encode(secret)[1:-1]
