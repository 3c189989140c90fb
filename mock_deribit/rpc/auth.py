"""Owns who may do what: keys, signatures, tokens and scopes.

A token of scope `connection` lives and dies with its socket; one of scope `session:NAME` survives
reconnects. Asking for more than the key allows is not an error: the grant is clipped and says so.

Signature over WebSocket: lowercase hex of HMAC-SHA256 with the client secret over
`timestamp \\n nonce \\n data`. Over HTTP: `timestamp \\n nonce \\n VERB \\n target \\n body \\n`.

Source: Deribit's authentication and access-scope articles, and the published signature test vector.
"""

import hashlib
import hmac
from base64 import b64decode
from binascii import Error as Base64Error

import msgspec

from mock_deribit.rpc.errors import forbidden, invalid_credentials, invalid_params, unauthorized
from mock_deribit.rpc.params import Params
from shared.kernel import Nanos
from shared.units import SECOND, from_ms

SIGNATURE_VALID = 60 * SECOND
SESSIONS_PER_KEY = 16

_LEVELS = ("none", "read", "read_write")
_AREAS = ("account", "trade", "wallet", "block_trade", "block_rfq", "custody")


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """An API key of one account; `scope` is the most it may ever be granted."""

    client_id: str
    secret: str
    account: str
    scope: str = "account:read_write trade:read_write wallet:none"


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What one token pair stands for. `conn` is the socket it is bound to, None when to none."""

    key: Key
    levels: dict[str, str]
    expires: Nanos
    conn: int | None
    session: str | None
    access_token: str
    refresh_token: str

    @property
    def account(self) -> str:
        """The account the token acts for."""
        return self.key.account

    @property
    def scope(self) -> str:
        """The granted scope in Deribit's words."""
        lifetime = f"session:{self.session}" if self.session else "connection"
        areas = " ".join(f"{area}:{level}" for area, level in self.levels.items())
        return f"{lifetime} {areas} mainaccount"

    def covers(self, scope: str) -> bool:
        """Whether the grant reaches `area:level`."""
        area, level = scope.split(":")
        return _LEVELS.index(self.levels.get(area, "none")) >= _LEVELS.index(level)

    def require(self, scope: str) -> None:
        """Raise 13021 unless the grant reaches `area:level`."""
        if not self.covers(scope):
            raise forbidden(scope)


def signature(secret: str, *parts: str) -> str:
    """Deribit's HMAC over parts joined by newlines."""
    message = "\n".join(parts).encode()
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


class Gatekeeper:
    """Every key, every living token."""

    def __init__(self, keys: tuple[Key, ...], seed: int, lifetime: Nanos) -> None:
        self._keys = {key.client_id: key for key in keys}
        self._seed = seed
        self._lifetime = lifetime
        self._by_access: dict[str, Grant] = {}
        self._by_refresh: dict[str, Grant] = {}
        self._nonces: dict[tuple[str, str], Nanos] = {}
        self._issued = 0

    def authenticate(self, now: Nanos, params: Params, conn: int | None) -> Grant:
        """Answer `public/auth`: a new grant, or 13004, 13009 or -32602."""
        grant_type = params.choice(
            "grant_type", ("client_credentials", "client_signature", "refresh_token")
        )
        if grant_type == "refresh_token":
            return self._refreshed(now, params.text("refresh_token"), conn)
        key = self._keys.get(params.text("client_id"))
        if grant_type == "client_credentials":
            secret = params.text("client_secret")
            if key is None or not hmac.compare_digest(secret.encode(), key.secret.encode()):
                raise invalid_credentials()
        else:
            key = self._signed(now, key, params)
        return self._issue(now, key, params.text("scope", ""), conn)

    def _signed(self, now: Nanos, key: Key | None, params: Params) -> Key:
        timestamp, nonce = params.integer("timestamp"), params.text("nonce")
        if not nonce:
            raise invalid_params("nonce", "invalid format")
        if key is None:
            raise invalid_credentials()
        expected = signature(key.secret, str(timestamp), nonce, params.text("data", ""))
        return self._fresh(now, key, timestamp, nonce, expected, params.text("signature"))

    def _fresh(
        self, now: Nanos, key: Key, timestamp_ms: int, nonce: str, expected: str, given: str
    ) -> Key:
        """A signature counts once, and only around its time."""
        forgotten = now - 2 * SIGNATURE_VALID
        self._nonces = {used: at for used, at in self._nonces.items() if at > forgotten}
        late = abs(now - from_ms(timestamp_ms)) > SIGNATURE_VALID
        wrong = not hmac.compare_digest(expected.encode(), given.encode())
        if late or wrong or (key.client_id, nonce) in self._nonces:
            raise invalid_credentials()
        self._nonces[(key.client_id, nonce)] = now
        return key

    def _refreshed(self, now: Nanos, token: str, conn: int | None) -> Grant:
        old = self._by_refresh.get(token)
        if old is None or (old.conn is not None and old.conn != conn):
            raise unauthorized("invalid_token")
        self.revoke(old)
        scope = f"session:{old.session}" if old.session else ""
        areas = " ".join(f"{area}:{level}" for area, level in old.levels.items())
        return self._issue(now, old.key, f"{scope} {areas}", conn)

    def _issue(self, now: Nanos, key: Key, wanted: str, conn: int | None) -> Grant:
        words = wanted.split()
        session = next((w.partition(":")[2] for w in words if w.startswith("session:")), None)
        lifetime = self._lifetime
        for word in words:
            if word.startswith("expires:") and word[8:].isdigit():
                lifetime = Nanos(min(lifetime, int(word[8:]) * SECOND))
        grant = Grant(
            key=key,
            levels=_clipped(key.scope.split(), words),
            expires=Nanos(now + lifetime),
            conn=None if session else conn,
            session=session,
            access_token=self._token(now, "access"),
            refresh_token=self._token(now, "refresh"),
        )
        if session:
            self._make_room(key, session)
        self._by_access[grant.access_token] = grant
        self._by_refresh[grant.refresh_token] = grant
        return grant

    def _make_room(self, key: Key, session: str) -> None:
        """At most sixteen sessions a key; the oldest gives way, as does one of the same name."""
        same = [g for g in self._by_access.values() if g.session and g.key is key]
        for grant in same:
            if grant.session == session:
                self.revoke(grant)
        names = list(dict.fromkeys(g.session for g in same if g.session != session))
        surplus = max(0, len(names) + 1 - SESSIONS_PER_KEY)
        for grant in same:
            if grant.session in names[:surplus]:
                self.revoke(grant)

    def _token(self, now: Nanos, purpose: str) -> str:
        self._issued += 1
        text = f"{self._seed}/{now}/{self._issued}/{purpose}"
        digest = hashlib.blake2b(text.encode(), digest_size=24).hexdigest()
        return f"{now // SECOND}.{digest[:8]}.{digest[8:]}"

    def revoke(self, grant: Grant) -> None:
        """Forget a token pair."""
        self._by_access.pop(grant.access_token, None)
        self._by_refresh.pop(grant.refresh_token, None)

    def closed(self, conn: int) -> None:
        """Tokens bound to a socket die with it."""
        for grant in [g for g in self._by_access.values() if g.conn == conn]:
            self.revoke(grant)

    def granted(self, now: Nanos, token: str, conn: int | None) -> Grant:
        """The living grant of an access token, on the socket it belongs to; else 13009."""
        grant = self._by_access.get(token)
        if grant is None or now >= grant.expires:
            raise unauthorized("invalid_token")
        if grant.conn is not None and grant.conn != conn:
            raise unauthorized("session_not_found")
        return grant

    def alive(self, now: Nanos, grant: Grant) -> bool:
        """Whether a grant still holds."""
        return now < grant.expires and grant.access_token in self._by_access

    def header(self, now: Nanos, header: str, verb: str, target: str, body: str) -> Grant:
        """The grant of an HTTP `Authorization` header: Bearer, Basic or deri-hmac-sha256."""
        kind, _, rest = header.partition(" ")
        if kind.lower() == "bearer":
            return self.granted(now, rest.strip(), None)
        if kind.lower() == "basic":
            return self._issue(now, self._basic(rest), "session:http-basic", None)
        if kind == "deri-hmac-sha256":
            fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
            key = self._keys.get(fields.get("id", ""))
            if key is None or not fields.get("ts", "").isdigit():
                raise invalid_credentials()
            nonce = fields.get("nonce", "")
            expected = signature(key.secret, fields["ts"], nonce, verb, target, body, "")
            given = fields.get("sig", "")
            key = self._fresh(now, key, int(fields["ts"]), nonce, expected, given)
            return self._issue(now, key, "session:http-signed", None)
        raise unauthorized("invalid_token")

    def _basic(self, encoded: str) -> Key:
        try:
            client_id, _, secret = b64decode(encoded, validate=True).decode().partition(":")
        except (Base64Error, UnicodeDecodeError):
            raise invalid_credentials() from None
        key = self._keys.get(client_id)
        if key is None or not hmac.compare_digest(secret.encode(), key.secret.encode()):
            raise invalid_credentials()
        return key


def _clipped(allowed: list[str], wanted: list[str]) -> dict[str, str]:
    """The smaller of what the key may and what was asked, area by area; all of it if none named."""
    most = dict(word.split(":") for word in allowed)
    asked = dict(word.split(":") for word in wanted if word.partition(":")[0] in _AREAS)
    levels: dict[str, str] = {}
    for area in _AREAS:
        ceiling = most.get(area, "none")
        level = asked.get(area, "none") if asked else ceiling
        if level not in _LEVELS:
            raise invalid_params("scope", "invalid value")
        clipped = _LEVELS[min(_LEVELS.index(level), _LEVELS.index(ceiling))]
        if area in most:
            levels[area] = clipped
    return levels
