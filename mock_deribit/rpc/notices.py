"""What the platform itself tells: announcements of the operator, logins to an account."""

import msgspec


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """A notice to everybody. `body` is HTML on Deribit."""

    id: int
    timestamp_ms: int
    title: str
    body: str


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """One try to log in with a key of an account: `log` is success or failure."""

    id: int
    timestamp_ms: int
    log: str
    ip: str
