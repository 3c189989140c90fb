"""Settings of the mock: where they come from and what is refused."""

import pytest
from pydantic import ValidationError

from mock_deribit.settings import from_environment


def test_flags_win_over_the_environment_and_other_variables_are_ignored() -> None:
    environment = {"MOCK_SEED": "5", "MOCK_ACTIVITY": "2.5", "HOME": "/"}
    settings = from_environment(environment, {"seed": "9"})
    assert (settings.seed, settings.activity) == (9, 2.5)


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"MOCK_SPED": "1"}, "sped"),
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
