"""Owns who is asking: keys, signatures, and every token that is alive.

Signature over WebSocket: lowercase hex of HMAC-SHA256 with the client secret over
`timestamp \\n nonce \\n data`. Over HTTP: `timestamp \\n nonce \\n VERB \\n target \\n body \\n`. A signature
counts once, within a minute of its timestamp.

The first account is the main one, the others are its subaccounts: a token of the main account can be
exchanged for one of any of them, and back.

Source: Deribit's authentication article, and the published signature test vector.
"""

import hashlib
import hmac
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping

from mock_deribit.rpc.errors import RpcError, invalid_credentials, invalid_params, unauthorized
from mock_deribit.rpc.grants import Grant, Key, Wish, clipped, wish
from mock_deribit.rpc.params import Params, whole
from shared.kernel import Nanos
from shared.units import SECOND, from_ms

SIGNATURE_VALID = 60 * SECOND
SESSIONS_PER_KEY = 16
TOKENS_MAX = 4_096
"""Living token pairs in all; a client that logs in without end loses its oldest."""


def signature(secret: str, *parts: str) -> str:
    """Deribit's HMAC over parts joined by newlines."""
    message = "\n".join(parts).encode()
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


class Gatekeeper:
    """Every key, every living token. `user_ids` numbers the accounts, the main one first."""

    def __init__(
        self,
        keys: tuple[Key, ...],
        user_ids: Mapping[str, int],
        seed: int,
        lifetime: Nanos,
        eviction: str,
    ) -> None:
        self._keys = {key.client_id: key for key in keys}
        self._user_ids = user_ids
        self._seed = seed
        self._lifetime = lifetime
        self._eviction = eviction
        self._by_access: dict[str, Grant] = {}
        self._by_refresh: dict[str, Grant] = {}
        self._nonces: dict[tuple[str, str], Nanos] = {}
        self._issued = 0

    # -- the ways to a token ---------------------------------------------------------------------

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
        return self._issue(now, key, key.account, wish(params.text("scope", "")), conn)

    def fork(self, now: Nanos, refresh_token: str, session: str) -> Grant:
        """A new named session beside the one this token belongs to; 13009 for a connection's token."""
        old = self._by_refresh.get(refresh_token)
        if old is None or old.session is None:
            raise unauthorized("invalid_token" if old is None else "session_not_found")
        if not session or " " in session:
            raise invalid_params("session_name", "invalid value")
        wanted = Wish(session=session, levels=old.levels, name=old.name)
        return self._issue(now, old.key, old.account, wanted, None)

    def exchange(
        self, now: Nanos, refresh_token: str, user_id: int, scope: str, conn: int | None
    ) -> Grant:
        """A token for another account of the same user. Without a session scope the supplied pair
        ends."""
        old = self._owner(refresh_token, conn)
        names = [name for name, number in self._user_ids.items() if number == user_id]
        home = old.key.account
        if not names or (not self._is_main(home) and names != [home]):
            raise invalid_params("subject_id", "invalid value")
        wanted = wish(scope)
        if not wanted.levels:
            wanted = Wish(session=wanted.session, lifetime=wanted.lifetime, levels=old.levels)
        if wanted.session is None:
            self.revoke(old)
        return self._issue(now, old.key, names[0], wanted, conn)

    def header(self, now: Nanos, header: str, verb: str, target: str, body: str) -> Grant:
        """The grant of an HTTP `Authorization` header: Bearer, Basic or deri-hmac-sha256. The latter
        two vouch for one request and open no session."""
        kind, _, rest = header.partition(" ")
        if kind.lower() == "bearer":
            return self.granted(now, rest.strip(), None)
        if kind.lower() == "basic":
            return self._passing(now, self._basic(rest))
        if kind.lower() == "deri-hmac-sha256":
            fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
            key = self._keys.get(fields.get("id", ""))
            stamp, nonce = fields.get("ts", ""), fields.get("nonce", "")
            signed_at = whole(stamp)
            if key is None or not nonce or signed_at is None:
                raise invalid_credentials()
            expected = signature(key.secret, stamp, nonce, verb, target, body, "")
            key = self._fresh(now, key, signed_at, nonce, expected, fields.get("sig", ""))
            return self._passing(now, key)
        raise unauthorized("invalid_token")

    # -- living tokens ---------------------------------------------------------------------------

    def granted(self, now: Nanos, token: str, conn: int | None) -> Grant:
        """The living grant of an access token, on the socket it belongs to; else 13009."""
        grant = self._by_access.get(token)
        if grant is None or now >= grant.expires:
            raise unauthorized("invalid_token")
        if grant.conn is not None and grant.conn != conn:
            raise unauthorized("session_not_found")
        return grant

    def alive(self, now: Nanos, grant: Grant) -> bool:
        """Whether a socket's login still holds."""
        return now < grant.expires and grant.access_token in self._by_access

    def revoke(self, grant: Grant) -> None:
        """Forget a token pair."""
        self._by_access.pop(grant.access_token, None)
        self._by_refresh.pop(grant.refresh_token, None)

    def expire(self, account: str | None) -> None:
        """The access tokens of an account, or of everybody, end; refresh tokens still work."""
        for token, grant in list(self._by_access.items()):
            if account in (None, grant.account):
                del self._by_access[token]

    def closed(self, conn: int) -> None:
        """Tokens bound to a socket die with it."""
        for grant in [g for g in self._by_refresh.values() if g.conn == conn]:
            self.revoke(grant)

    def claimed(self, header: str) -> str:
        """The account that an `Authorization` header speaks for, whether rightly or not; empty: none."""
        kind, _, rest = header.partition(" ")
        if kind.lower() == "bearer":
            grant = self._by_access.get(rest.strip())
            return "" if grant is None else grant.account
        if kind.lower() == "basic":
            try:
                return self._basic(rest).account
            except RpcError:
                return ""
        fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
        return self.owner(fields.get("id", "")) or ""

    def owner(self, client_id: str) -> str | None:
        """The account of a key, if there is such a key."""
        key = self._keys.get(client_id)
        return None if key is None else key.account

    # -- proofs ----------------------------------------------------------------------------------

    def _signed(self, now: Nanos, key: Key | None, params: Params) -> Key:
        # Milliseconds, which the documented example sends as a string.
        written = whole(params.peek("timestamp"))
        timestamp = params.integer("timestamp") if written is None else written
        nonce = params.text("nonce")
        if not nonce:
            raise invalid_params("nonce", "invalid format")
        given = params.text("signature")
        if key is None:
            raise invalid_credentials()
        expected = signature(key.secret, str(timestamp), nonce, params.text("data", ""))
        return self._fresh(now, key, timestamp, nonce, expected, given)

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

    def _basic(self, encoded: str) -> Key:
        try:
            client_id, _, secret = b64decode(encoded, validate=True).decode().partition(":")
        except (Base64Error, UnicodeDecodeError):
            raise invalid_credentials() from None
        key = self._keys.get(client_id)
        if key is None or not hmac.compare_digest(secret.encode(), key.secret.encode()):
            raise invalid_credentials()
        return key

    def _owner(self, refresh_token: str, conn: int | None) -> Grant:
        """The grant of a refresh token; a connection's is good on its own socket only."""
        grant = self._by_refresh.get(refresh_token)
        if grant is None or (grant.conn is not None and grant.conn != conn):
            raise unauthorized("invalid_token")
        return grant

    def _refreshed(self, now: Nanos, token: str, conn: int | None) -> Grant:
        old = self._owner(token, conn)
        if old.session is None:
            self.revoke(old)
        wanted = Wish(session=old.session, levels=old.levels, name=old.name)
        return self._issue(now, old.key, old.account, wanted, conn)

    # -- issuing ---------------------------------------------------------------------------------

    def _issue(self, now: Nanos, key: Key, account: str, wanted: Wish, conn: int | None) -> Grant:
        lifetime = min(self._lifetime, wanted.lifetime or self._lifetime)
        opened = self._place(now, key, wanted.session) if wanted.session else now
        grant = Grant(
            key=key,
            account=account,
            main=self._is_main(account),
            levels=clipped(key.scope.split(), wanted.levels),
            opened=opened,
            issued=now,
            expires=Nanos(now + lifetime),
            conn=None if wanted.session else conn,
            session=wanted.session,
            name=wanted.name,
            access_token=self._token(now, "access"),
            refresh_token=self._token(now, "refresh"),
        )
        self._by_access[grant.access_token] = grant
        self._by_refresh[grant.refresh_token] = grant
        if len(self._by_refresh) > TOKENS_MAX:
            self.revoke(next(iter(self._by_refresh.values())))
        return grant

    def _passing(self, now: Nanos, key: Key) -> Grant:
        """A grant for the one request that carried the proof."""
        return Grant(
            key=key,
            account=key.account,
            main=self._is_main(key.account),
            levels=clipped(key.scope.split(), {}),
            opened=now,
            issued=now,
            expires=Nanos(now + self._lifetime),
            conn=None,
            session=None,
            name="",
            access_token="",
            refresh_token="",
        )

    def _is_main(self, account: str) -> bool:
        return account == next(iter(self._user_ids))

    def _place(self, now: Nanos, key: Key, session: str) -> Nanos:
        """Make room for a session and say since when it is open: it replaces its namesake, and of
        more than sixteen of a key one other gives way."""
        opened, others = now, []
        for grant in [g for g in self._by_refresh.values() if g.key is key and g.session]:
            if grant.session == session:
                opened = grant.opened
                self.revoke(grant)
            else:
                others.append(grant)
        others.sort(key=self._worth)
        for grant in others[: max(0, len(others) + 1 - SESSIONS_PER_KEY)]:
            self.revoke(grant)
        return opened

    def _worth(self, grant: Grant) -> Nanos:
        """What a session is kept for; the smallest goes first."""
        if self._eviction == "least_refreshed":
            return grant.issued
        return grant.expires if self._eviction == "shortest_life" else grant.opened

    def _token(self, now: Nanos, purpose: str) -> str:
        self._issued += 1
        text = f"{self._seed}/{now}/{self._issued}/{purpose}"
        digest = hashlib.blake2b(text.encode(), digest_size=24).hexdigest()
        return f"{now // SECOND}.{digest[:8]}.{digest[8:]}"
