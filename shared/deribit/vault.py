"""Secrets: where they enter outgoing frames and leave incoming ones.

A core writes auth frames with placeholders and never sees a secret or a token, so that no journal,
log or message can hold one. One vault per socket, because a connection's tokens are its own.
"""

CLIENT_ID = "{{client_id}}"
CLIENT_SECRET = "{{client_secret}}"  # noqa: S105 - the placeholder, not a secret
ACCESS_TOKEN = "{{access_token}}"  # noqa: S105
REFRESH_TOKEN = "{{refresh_token}}"  # noqa: S105


class Vault:
    """Fills placeholders in what goes out, hides tokens in what comes in."""

    def __init__(self, client_id: str, client_secret: str) -> None:
        raise NotImplementedError

    def reveal(self, frame: bytes) -> bytes:
        """An outgoing frame with placeholders replaced; anything but an auth request is unchanged."""
        raise NotImplementedError

    def hide(self, frame: bytes) -> bytes:
        """An incoming frame with tokens replaced by their placeholders; the refresh token is kept."""
        raise NotImplementedError
