"""Login: credentials, signatures, scopes, tokens and their lives."""

import pytest

from mock_deribit.rpc.auth import signature
from tests.support.exchange import SECRET, START, Bench

CREDENTIALS = {"grant_type": "client_credentials", "client_id": "mock-maker"}


@pytest.mark.parametrize(
    ("secret", "timestamp", "nonce", "expected"),
    [
        (
            "AMANDASECRECT",
            "1576074319000",
            "1iqt2wls",
            "56590594f97921b09b18f166befe0d1319b198bbcdad7ca73382de2f88fe9aa1",
        ),
        (
            "demo-secret-1",
            "1790000000000",
            "n0nce-7",
            "1d978e874315cb4fe9ea72bdaea423e66a2e9ee06919c4cdba68026f5bab8644",
        ),
    ],
)
def test_signatures_agree_with_the_published_vectors(
    secret: str, timestamp: str, nonce: str, expected: str
) -> None:
    assert signature(secret, timestamp, nonce, "") == expected


def signed(nonce: str, timestamp_ms: int, secret: str = SECRET) -> dict[str, object]:
    return {
        "grant_type": "client_signature",
        "client_id": "mock-maker",
        "timestamp": timestamp_ms,
        "nonce": nonce,
        "data": "",
        "signature": signature(secret, str(timestamp_ms), nonce, ""),
    }


def test_a_signature_logs_in_once_and_only_near_its_time() -> None:
    bench = Bench()
    conn, now_ms = bench.open(), START // 1_000_000
    assert bench.call(conn, "public/auth", **signed("n1", now_ms))["token_type"] == "bearer"
    assert bench.error(conn, "public/auth", **signed("n1", now_ms))["code"] == 13004
    assert bench.error(conn, "public/auth", **signed("n2", now_ms - 61_000))["code"] == 13004
    assert bench.error(conn, "public/auth", **signed("n3", now_ms, "other"))["code"] == 13004
    malformed = bench.error(conn, "public/auth", **signed("", now_ms))
    assert malformed["data"] == {"reason": "invalid format", "param": "nonce"}


def test_a_wrong_secret_is_refused_and_leaves_the_socket_logged_out() -> None:
    bench = Bench()
    conn = bench.open()
    error = bench.error(conn, "public/auth", **CREDENTIALS, client_secret="wrong")
    assert error == {"code": 13004, "message": "invalid_credentials"}
    refused = bench.error(conn, "private/get_positions", currency="BTC")
    assert (refused["code"], refused["data"]) == (13009, {"reason": "invalid_token"})


def test_scopes_are_clipped_to_the_key_without_an_error_and_enforced() -> None:
    bench = Bench()
    conn = bench.open()
    grant = bench.call(
        conn,
        "public/auth",
        **CREDENTIALS,
        client_secret=SECRET,
        scope="trade:read wallet:read_write account:read",
    )
    assert "trade:read " in grant["scope"]
    assert "wallet:none" in grant["scope"]
    assert bench.call(conn, "private/get_open_orders") == []
    assert bench.error(conn, "private/cancel_all")["code"] == 13021


def test_a_token_ends_and_a_refresh_token_buys_a_new_one() -> None:
    bench = Bench(expires_in_seconds=30)
    conn = bench.login()
    first = bench.call(conn, "public/auth", **CREDENTIALS, client_secret=SECRET)
    assert first["expires_in"] == 30
    bench.call(conn, "public/subscribe", channels=["platform_state"])
    bench.pass_time(31)
    assert bench.error(conn, "private/get_open_orders")["code"] == 13009
    renewed = bench.call(
        conn, "public/auth", grant_type="refresh_token", refresh_token=first["refresh_token"]
    )
    assert renewed["access_token"] != first["access_token"]
    assert bench.call(conn, "private/get_open_orders") == []
    again = bench.error(
        conn, "public/auth", grant_type="refresh_token", refresh_token=first["refresh_token"]
    )
    assert again["code"] == 13009


def test_a_connection_token_is_good_on_its_own_socket_only() -> None:
    bench = Bench()
    conn = bench.open()
    grant = bench.call(conn, "public/auth", **CREDENTIALS, client_secret=SECRET)
    other = bench.open()
    error = bench.error(other, "private/get_open_orders", access_token=grant["access_token"])
    assert error["data"] == {"reason": "session_not_found"}


def test_a_session_token_outlives_its_socket() -> None:
    bench = Bench()
    conn = bench.open()
    scope = {"scope": "session:desk trade:read"}
    grant = bench.call(conn, "public/auth", **CREDENTIALS, client_secret=SECRET, **scope)
    assert grant["sid"] == "desk"
    bench.hang_up(conn)
    other = bench.open()
    token = grant["access_token"]
    assert bench.call(other, "private/get_open_orders", access_token=token) == []


def test_the_seventeenth_session_of_a_key_removes_the_oldest() -> None:
    bench = Bench()
    conn = bench.open()
    tokens = []
    for n in range(17):
        scope = f"session:s{n} trade:read"
        grant = bench.call(conn, "public/auth", **CREDENTIALS, client_secret=SECRET, scope=scope)
        tokens.append(grant["access_token"])
    first, second, *_ = tokens
    assert bench.error(conn, "private/get_open_orders", access_token=first)["code"] == 13009
    assert bench.call(conn, "private/get_open_orders", access_token=second) == []


def test_logout_gives_no_reply_and_closes_without_cancelling() -> None:
    bench = Bench()
    conn, watcher = bench.login(), bench.login()
    bench.call(conn, "private/enable_cancel_on_disconnect")
    order = {"instrument_name": "BTC-PERPETUAL", "amount": 10, "price": 59_000, "post_only": True}
    bench.call(conn, "private/buy", **order)
    before = len(bench.inbox[conn])
    bench.raw(conn, b'{"jsonrpc":"2.0","id":99,"method":"private/logout","params":{}}')
    assert len(bench.inbox[conn]) == before
    assert conn in bench.closes
    assert len(bench.call(watcher, "private/get_open_orders")) == 1
