"""Secrets go out where an auth request names them, and never come in."""

import json

from hypothesis import given
from hypothesis import strategies as st

from shared.deribit.vault import Vault

LOGIN = (
    b'{"jsonrpc":"2.0","id":2,"method":"public/auth","params":{"grant_type":"client_credentials",'
    b'"client_id":"{{client_id}}","client_secret":"{{client_secret}}"}}'
)
REFRESH = (
    b'{"jsonrpc":"2.0","id":9,"method":"public/auth","params":{"grant_type":"refresh_token",'
    b'"refresh_token":"{{refresh_token}}"}}'
)
GRANT = (
    b'{"id":2,"result":{"access_token":"1796.acc","refresh_token" : "1796.ref","expires_in":900}}'
)


def test_placeholders_of_an_auth_request_become_the_secrets() -> None:
    params = json.loads(Vault("key", "s3cret").reveal(LOGIN))["params"]
    assert (params["client_id"], params["client_secret"]) == ("key", "s3cret")


@given(st.text(), st.text())
def test_any_secret_survives_the_way_into_the_frame(client_id: str, client_secret: str) -> None:
    client_id, client_secret = client_id.replace("{{", ""), client_secret.replace("{{", "")
    try:
        client_id.encode(), client_secret.encode()
    except UnicodeEncodeError:
        return
    params = json.loads(Vault(client_id, client_secret).reveal(LOGIN))["params"]
    assert (params["client_id"], params["client_secret"]) == (client_id, client_secret)


def test_only_auth_requests_are_filled_in() -> None:
    order = b'{"method":"private/buy","params":{"label":"{{client_secret}}"}}'
    assert Vault("key", "s3cret").reveal(order) == order


def test_tokens_of_a_grant_are_hidden_and_the_refresh_token_comes_back_when_asked() -> None:
    vault = Vault("key", "s3cret")
    hidden = vault.hide(GRANT)
    result = json.loads(hidden)["result"]
    assert result == {
        "access_token": "{{access_token}}",
        "refresh_token": "{{refresh_token}}",
        "expires_in": 900,
    }
    assert json.loads(vault.reveal(REFRESH))["params"]["refresh_token"] == "1796.ref"


def test_a_newer_grant_replaces_the_refresh_token() -> None:
    vault = Vault("key", "s3cret")
    vault.hide(GRANT)
    vault.hide(GRANT.replace(b"1796.ref", b"1796.new"))
    assert json.loads(vault.reveal(REFRESH))["params"]["refresh_token"] == "1796.new"


def test_a_token_is_hidden_even_in_a_frame_that_was_cut_short() -> None:
    for end in range(len(GRANT)):
        hidden = Vault("key", "s3cret").hide(GRANT[:end])
        assert b"1796" not in hidden


def test_other_frames_pass_as_the_same_bytes() -> None:
    vault = Vault("key", "s3cret")
    frame = b'{"method":"subscription","params":{"channel":"c","data":{}}}'
    assert vault.hide(frame) is frame
    assert vault.reveal(frame) is frame


def test_a_vault_shows_nothing_of_what_it_holds() -> None:
    vault = Vault("key-1", "s3cret")
    vault.hide(GRANT)
    shown = repr(vault) + str(vault) + f"{vault}"
    assert "key-1" not in shown
    assert "s3cret" not in shown
    assert "1796" not in shown
    assert not hasattr(vault, "__dict__")
