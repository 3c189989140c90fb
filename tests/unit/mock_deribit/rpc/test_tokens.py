"""Tokens: forked, exchanged, refreshed, cut short, and vouching for one request over HTTP."""

import json
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from mock_deribit.rpc.auth import TOKENS_MAX, signature
from mock_deribit.rpc.dispatch import HttpRequest
from tests.support.exchange import SECRET, START, Bench

ACCOUNTS = [
    {"name": name, "client_id": f"key-{name}", "client_secret": SECRET} for name in ("ann", "bob")
]
CREDENTIALS = {"grant_type": "client_credentials", "client_secret": SECRET}
LOGIN = json.dumps(
    {"id": 1, "method": "public/auth", "params": CREDENTIALS | {"client_id": "key-ann"}}
).encode()
BID = {"instrument_name": "BTC-PERPETUAL", "amount": 10, "price": 59_000}


def login(bench: Bench, conn: int, name: str = "ann", scope: str = "") -> Any:
    return bench.call(conn, "public/auth", **CREDENTIALS, client_id=f"key-{name}", scope=scope)


def http(
    bench: Bench, target: str, authorization: str = "", body: bytes = b"", verb: str = "GET"
) -> tuple[int, Any]:
    """Status and answer of one request over HTTP."""
    split = urlsplit(target)
    request = HttpRequest(
        verb=verb,
        target=target,
        path=split.path,
        query=dict(parse_qsl(split.query)),
        authorization=authorization,
        body=body,
        peer="10.0.0.9",
    )
    answer, _ = bench.core.http(bench.now, request)
    assert answer is not None
    return answer.status, json.loads(answer.body)


def test_a_session_token_forks_into_a_session_of_another_name() -> None:
    bench = Bench(accounts=ACCOUNTS)
    conn = bench.open()
    first = login(bench, conn, scope="session:one trade:read")
    forked = bench.call(
        conn, "public/fork_token", refresh_token=first["refresh_token"], session_name="two"
    )
    assert forked["sid"] == "two"
    assert "trade:read " in forked["scope"] + " "
    other = bench.open()
    for grant in (first, forked):
        token = grant["access_token"]
        assert bench.call(other, "private/get_open_orders", access_token=token) == []


def test_a_connections_token_does_not_fork() -> None:
    bench = Bench(accounts=ACCOUNTS)
    conn = bench.open()
    token = login(bench, conn)["refresh_token"]
    refused = bench.error(conn, "public/fork_token", refresh_token=token, session_name="two")
    assert (refused["code"], refused["data"]) == (13009, {"reason": "session_not_found"})
    unknown = bench.error(conn, "public/fork_token", refresh_token="no", session_name="two")
    assert unknown["data"] == {"reason": "invalid_token"}


def test_the_main_account_exchanges_its_token_for_a_subaccounts_and_the_socket_acts_for_it() -> (
    None
):
    bench = Bench(accounts=ACCOUNTS)
    conn = bench.open()
    mine = login(bench, conn)
    order_id = bench.call(conn, "private/buy", **BID)["order"]["order_id"]
    [_, bob] = bench.call(conn, "private/get_subaccounts")
    given = {"refresh_token": mine["refresh_token"], "subject_id": bob["id"]}
    exchanged = bench.call(conn, "public/exchange_token", **given)
    assert "mainaccount" in mine["scope"]
    assert "mainaccount" not in exchanged["scope"]
    assert bench.call(conn, "private/get_open_orders") == []
    assert bench.error(conn, "private/cancel", order_id=order_id)["code"] == 10004
    assert bench.error(conn, "public/exchange_token", **given)["code"] == 13009


def test_an_exchange_into_a_session_leaves_the_supplied_tokens_alive() -> None:
    bench = Bench(accounts=ACCOUNTS)
    conn = bench.open()
    mine = login(bench, conn)
    given = {"refresh_token": mine["refresh_token"], "subject_id": 1002, "scope": "session:b"}
    assert bench.call(conn, "public/exchange_token", **given)["sid"] == "b"
    token = mine["access_token"]
    assert bench.call(conn, "private/get_open_orders", access_token=token) == []


def test_a_subaccount_reaches_no_account_but_its_own() -> None:
    bench = Bench(accounts=ACCOUNTS)
    conn = bench.open()
    mine = login(bench, conn, "bob")
    given = {"refresh_token": mine["refresh_token"], "subject_id": 1001}
    refused = bench.error(conn, "public/exchange_token", **given)
    assert refused["data"]["param"] == "subject_id"
    listed = bench.call(conn, "private/get_subaccounts", with_portfolio=True)
    assert [row["username"] for row in listed] == ["bob"]
    assert listed[0]["portfolio"]["btc"]["balance"] == 0.9
    details = bench.call(conn, "private/get_subaccounts_details", currency="BTC")
    assert [row["uid"] for row in details] == [1002]
    peek = bench.error(conn, "private/get_positions", currency="BTC", subaccount_id=1001)
    assert peek["code"] == 13021


def test_the_main_account_sees_the_positions_of_its_subaccounts() -> None:
    bench = Bench(accounts=ACCOUNTS)
    ann, bob = bench.open(), bench.open()
    login(bench, ann)
    login(bench, bob, "bob")
    bench.call(bob, "private/buy", **(BID | {"price": 60_100}))
    found = bench.call(ann, "private/get_positions", currency="BTC", subaccount_id=1002)
    assert [row["size"] for row in found] == [10.0]
    details = bench.call(ann, "private/get_subaccounts_details", currency="BTC")
    assert [len(row["positions"]) for row in details] == [0, 1]


def test_a_lifetime_in_the_scope_cuts_the_token_short() -> None:
    bench = Bench(accounts=ACCOUNTS)
    conn = bench.open()
    grant = login(bench, conn, scope="expires:60 trade:read name:desk")
    assert grant["expires_in"] == 60
    assert "name:desk" in grant["scope"]
    bench.call(conn, "public/subscribe", channels=["platform_state"])
    bench.pass_time(61)
    assert bench.error(conn, "private/get_open_orders")["code"] == 13009


@pytest.mark.parametrize("scope", ["expires:soon", "session:", "trade:everything"])
def test_a_scope_that_makes_no_sense_is_refused(scope: str) -> None:
    bench = Bench(accounts=ACCOUNTS)
    given = {"client_id": "key-ann", "scope": scope}
    refused = bench.error(bench.open(), "public/auth", **CREDENTIALS, **given)
    assert refused["data"] == {"reason": "invalid value", "param": "scope"}


def test_a_refreshed_session_is_the_same_session() -> None:
    bench = Bench(accounts=ACCOUNTS)
    conn = bench.open()
    first = login(bench, conn, scope="session:one trade:read")
    renewed = bench.call(
        conn, "public/auth", grant_type="refresh_token", refresh_token=first["refresh_token"]
    )
    assert renewed["sid"] == "one"
    ended = bench.error(conn, "private/get_open_orders", access_token=first["access_token"])
    assert ended["code"] == 13009


@pytest.mark.parametrize(
    ("eviction", "gone"), [("oldest", 0), ("least_refreshed", 1), ("shortest_life", 2)]
)
def test_the_rule_says_which_of_seventeen_sessions_gives_way(eviction: str, gone: int) -> None:
    bench = Bench(accounts=ACCOUNTS, rules={"session_eviction": eviction})
    conn = bench.open()
    grants = []
    for n in range(16):
        lifetime = "expires:100" if n == 2 else "expires:1000"
        grants.append(login(bench, conn, scope=f"session:s{n} trade:read {lifetime}"))
        bench.pass_time(0.1)
    refresh = {"grant_type": "refresh_token", "refresh_token": grants[0]["refresh_token"]}
    grants[0] = bench.call(conn, "public/auth", **refresh)
    login(bench, conn, scope="session:s16 trade:read")
    tokens = [grant["access_token"] for grant in grants]
    answers = [bench.ask(conn, "private/get_open_orders", access_token=t) for t in tokens]
    assert [n for n, answer in enumerate(answers) if "error" in answer] == [gone]


def test_basic_and_bearer_vouch_for_one_http_request_each() -> None:
    bench = Bench(accounts=ACCOUNTS)
    target = "/api/v2/private/get_open_orders"
    assert http(bench, target)[1]["error"]["code"] == 13009
    pair = b64encode(f"key-ann:{SECRET}".encode()).decode()
    assert http(bench, target, f"Basic {pair}")[1]["result"] == []
    query = f"grant_type=client_credentials&client_id=key-ann&client_secret={SECRET}"
    token = http(bench, f"/api/v2/public/auth?{query}")[1]["result"]["access_token"]
    assert http(bench, target, f"Bearer {token}")[1]["result"] == []
    wrong = b64encode(b"key-ann:no").decode()
    assert http(bench, target, f"Basic {wrong}")[0] == 400


def test_a_signed_http_request_is_good_once_and_only_as_signed() -> None:
    bench = Bench(accounts=ACCOUNTS)
    body = json.dumps({"id": 1, "method": "private/get_open_orders", "params": {}}).encode()
    stamp, target = str(START // 1_000_000), "/api/v2/private/get_open_orders"

    def header(nonce: str, signed_body: str = body.decode()) -> str:
        made = signature(SECRET, stamp, nonce, "POST", target, signed_body, "")
        return f"deri-hmac-sha256 id=key-ann,ts={stamp},sig={made},nonce={nonce}"

    assert http(bench, target, header("n1"), body, "POST")[1]["result"] == []
    assert http(bench, target, header("n1"), body, "POST")[1]["error"]["code"] == 13004
    forged = http(bench, target, header("n2", "{}"), body, "POST")
    assert forged[1]["error"]["code"] == 13004


def test_logins_are_noted_and_told_to_the_account() -> None:
    bench = Bench(accounts=ACCOUNTS)
    conn, other = bench.open(), bench.open("10.0.0.7")
    login(bench, conn)
    bench.call(conn, "private/subscribe", channels=["user.access_log"])
    bench.error(
        other, "public/auth", **(CREDENTIALS | {"client_secret": "no"}), client_id="key-ann"
    )
    login(bench, other)
    told = bench.frames(conn, "user.access_log")
    assert [(entry["log"], entry["ip"]) for entry in told] == [
        ("failure", "10.0.0.7"),
        ("success", "10.0.0.7"),
    ]
    log = bench.call(conn, "private/get_access_log", count=2)
    assert (log["records_total"], log["data"]) == (3, told[::-1])


def test_a_list_in_the_query_of_an_http_get_is_json() -> None:
    bench = Bench(accounts=ACCOUNTS)
    conn = bench.open()
    login(bench, conn)
    bench.call(conn, "private/buy", **BID)
    pair = b64encode(f"key-ann:{SECRET}".encode()).decode()
    target = '/api/v2/private/cancel_all_by_kind_or_type?currency=["BTC"]&kind=["future"]'
    assert http(bench, target, f"Basic {pair}")[1]["result"] == 1
    ids = "/api/v2/private/get_order_margin_by_ids?ids=nonsense"
    assert http(bench, ids, f"Basic {pair}")[1]["error"]["data"]["param"] == "ids"


def test_a_socket_that_changes_accounts_takes_on_the_new_ones_default() -> None:
    bench = Bench(accounts=ACCOUNTS)
    ann, bob = bench.open(), bench.open()
    mine = login(bench, ann)
    login(bench, bob, "bob")
    bench.call(bob, "private/enable_cancel_on_disconnect", scope="account")
    given = {"refresh_token": mine["refresh_token"], "subject_id": 1002}
    bench.call(ann, "public/exchange_token", **given)
    assert bench.call(ann, "private/get_cancel_on_disconnect")["enabled"] is True


def test_a_scope_decides_over_channels_too() -> None:
    bench = Bench(accounts=ACCOUNTS)
    conn = bench.open()
    login(bench, conn, scope="trade:read")
    channels = ["user.orders.any.any.raw", "user.portfolio.any", "user.access_log", "user.lock"]
    assert bench.call(conn, "private/subscribe", channels=channels) == channels[:1]
    login(bench, conn, scope="account:read")
    granted = bench.call(conn, "private/subscribe", channels=[*channels, "user.mmp_trigger.any"])
    assert sorted(granted) == sorted(channels[1:])


def test_a_client_that_logs_in_without_end_loses_its_oldest_token() -> None:
    bench = Bench(accounts=ACCOUNTS, non_matching_rate=1e6, non_matching_burst=1e6)
    conn = bench.open()
    first, second = (login(bench, conn)["access_token"] for _ in range(2))
    for _ in range(TOKENS_MAX - 1):
        bench.core.received(bench.now, conn, LOGIN)
    assert bench.error(conn, "private/get_open_orders", access_token=first)["code"] == 13009
    assert bench.call(conn, "private/get_open_orders", access_token=second) == []
