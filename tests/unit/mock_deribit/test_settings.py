"""Settings of the mock: where they come from and what is refused."""

import pytest
from pydantic import ValidationError

from mock_deribit.settings import from_environment
from shared.kernel import Nanos


def test_flags_win_over_the_environment_and_other_variables_are_ignored() -> None:
    environment = {"MOCK_SEED": "5", "MOCK_ACTIVITY": "2.5", "HOME": "/"}
    settings = from_environment(environment, {"seed": "9"})
    assert (settings.seed, settings.activity) == (9, 2.5)


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"MOCK_SPED": "1"}, "there is no setting 'sped'; there are host, port"),
        ({"MOCK_HOLD_MS": "10"}, "'hold_ms' is a rule; write MOCK_RULES=hold_ms=…"),
        ({"MOCK_PORT": "70000"}, "port"),
        ({"MOCK_SPEED": "fast"}, "speed"),
        ({"MOCK_MARKET": "tape"}, "needs a tape"),
        ({"MOCK_TAPE": "x.csv"}, "needs market tape"),
    ],
)
def test_a_wrong_setting_is_named(environment: dict[str, str], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        from_environment(environment, {})


def test_a_key_without_a_secret_gets_one_and_a_given_one_stays() -> None:
    generated = from_environment({}, {}).with_secrets("generated").accounts[0]
    given = from_environment({"MOCK_CLIENT_SECRET": "given"}, {}).with_secrets("generated")
    assert generated.client_secret == "generated"
    assert given.accounts[0].client_secret == "given"


def test_every_account_has_a_secret_of_its_own() -> None:
    accounts = from_environment({}, {}).with_secrets("generated").accounts
    secrets = [account.client_secret for account in accounts]
    assert len(set(secrets)) == len(secrets) == 3
    again = from_environment({}, {}).with_secrets("generated").accounts
    assert [account.client_secret for account in again] == secrets


@pytest.mark.parametrize(
    ("accounts", "says"),
    [
        ("[]", "expected at least one account"),
        ("ann", "expected a JSON list of accounts"),
        ('[{"name": "a"}, {"name": "a", "client_id": "b"}]', "two accounts have the name 'a'"),
        ('[{"name": "a"}, {"name": "b"}]', "two accounts have the client_id 'mock-maker'"),
        ('[{"balances": {"DOGE": 1}}]', "expected coins out of BTC, ETH, USDC; came 'DOGE'"),
        ('[{"balances": {"BTC": -1}}]', "greater than or equal to 0"),
        ('[{"name": "a", "colour": "red"}]', "colour"),
        ('[{"name": ""}]', "at least 1 character"),
        ('[{"scope": "trade"}]', "expected words such as trade:read_write"),
        ('[{"scope": "trade:all"}]', "came 'trade:all'"),
    ],
)
def test_accounts_that_cannot_be_are_refused(accounts: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        from_environment({"MOCK_ACCOUNTS": accounts}, {})


def test_one_wrong_account_is_one_fault() -> None:
    with pytest.raises(ValidationError) as refused:
        from_environment({"MOCK_ACCOUNTS": '[{"balances": {"BTC": -1}}]'}, {})
    assert [fault["loc"] for fault in refused.value.errors()] == [
        ("accounts", 0, "balances", "BTC")
    ]


def test_the_taker_has_every_coin_that_something_settles_in() -> None:
    settings = from_environment({}, {})
    settled = {one.instrument.settlement for one in settings.listings(Nanos(0))}
    assert set(settings.accounts[1].balances) == settled


def test_a_scenario_gives_way_to_the_environment_and_that_to_flags() -> None:
    scenario = {"seed": 1, "price": 50_000.0, "latency_ms": 5.0}
    environment = {"MOCK_PRICE": "51000", "MOCK_LATENCY_MS": "6", "MOCK_SCENARIO": "quiet"}
    settings = from_environment(environment, {"latency_ms": "7"}, scenario)
    assert (settings.seed, settings.price, settings.latency_ms) == (1, 51_000.0, 7.0)
