"""Owns what a token pair stands for: which account, which scopes, how long, and on which socket.

A grant of scope `connection` lives and dies with its socket; one of scope `session:NAME` survives
reconnects. Asking for more than the key allows is not an error: the grant is clipped and says so.

Source: Deribit's access-scope article.
"""

from collections.abc import Sequence

import msgspec

from mock_deribit.rpc.errors import forbidden, invalid_params
from mock_deribit.rpc.params import whole
from shared.kernel import Nanos
from shared.units import SECOND

LEVELS = ("none", "read", "read_write")
AREAS = ("account", "trade", "wallet", "block_trade", "block_rfq", "custody")


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """An API key of one account; `scope` is the most it may ever be granted."""

    client_id: str
    secret: str
    account: str
    scope: str = "account:read_write trade:read_write wallet:none"


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What one token pair stands for. `conn` is the socket it is bound to, None when to none;
    `main` says that the account is the one the others are subaccounts of; `opened` is when the session
    began, `issued` when this pair was made."""

    key: Key
    account: str
    main: bool
    levels: dict[str, str]
    opened: Nanos
    issued: Nanos
    expires: Nanos
    conn: int | None
    session: str | None
    name: str
    access_token: str
    refresh_token: str

    @property
    def scope(self) -> str:
        """The granted scope in Deribit's words."""
        words = [f"session:{self.session}" if self.session else "connection"]
        words += [f"{area}:{level}" for area, level in self.levels.items()]
        words += [f"name:{self.name}"] if self.name else []
        words += ["mainaccount"] if self.main else []
        return " ".join(words)

    def covers(self, scope: str) -> bool:
        """Whether the grant reaches `area:level`."""
        area, level = scope.split(":")
        return LEVELS.index(self.levels.get(area, "none")) >= LEVELS.index(level)

    def require(self, scope: str) -> None:
        """Raise 13021 unless the grant reaches `area:level`."""
        if not self.covers(scope):
            raise forbidden(scope)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A requested scope taken apart. `levels` is empty when no area was named."""

    session: str | None = None
    lifetime: Nanos | None = None
    name: str = ""
    levels: dict[str, str] = {}


def wish(scope: str) -> Wish:
    """Read a `scope` parameter. Words that mean nothing here (`ip:…`, `connection`) pass; -32602 for a
    level that does not exist, an empty session name or a lifetime that is no number."""
    session, lifetime, name = None, None, ""
    levels: dict[str, str] = {}
    for word in scope.split():
        head, _, tail = word.partition(":")
        if head == "session":
            session = tail
        elif head == "expires":
            lifetime = Nanos((whole(tail) or 0) * SECOND)
        elif head == "name":
            name = tail
        elif head in AREAS:
            levels[head] = tail
    if session == "" or lifetime == 0 or any(level not in LEVELS for level in levels.values()):
        raise invalid_params("scope", "invalid value")
    return Wish(session=session, lifetime=lifetime, name=name, levels=levels)


def clipped(allowed: Sequence[str], wanted: dict[str, str]) -> dict[str, str]:
    """The smaller of what the key may and what was asked, area by area; all of it if none was named."""
    most = dict(word.split(":") for word in allowed)
    levels: dict[str, str] = {}
    for area in AREAS:
        if area in most:
            level = wanted.get(area, "none") if wanted else most[area]
            levels[area] = LEVELS[min(LEVELS.index(level), LEVELS.index(most[area]))]
    return levels
