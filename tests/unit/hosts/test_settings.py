"""Settings and parameter files: where values come from, and what is said about mistakes."""

from pathlib import Path

import pytest

from shared.params import Params
from shared.shell.settings import ExchangeName, SettingsError, load_params, load_settings

NO_FILE = Path("no such file")


def test_nothing_set_means_the_mock_on_this_machine() -> None:
    settings = load_settings({}, NO_FILE)
    assert settings.exchange is ExchangeName.MOCK
    assert settings.env == "mock"
    assert settings.ws_url.startswith("ws://127.0.0.1:")
    assert settings.credentials is None


def test_the_exchange_decides_the_addresses_unless_they_are_given() -> None:
    testnet = load_settings({"EXCHANGE": "testnet"}, NO_FILE)
    assert testnet.ws_url == "wss://test.deribit.com/ws/api/v2"
    elsewhere = load_settings({"VENUE_WS_URL": "ws://mock:9000/ws/api/v2"}, NO_FILE)
    assert elsewhere.ws_url == "ws://mock:9000/ws/api/v2"


def test_live_needs_the_second_switch() -> None:
    with pytest.raises(SettingsError, match="LIVE_TRADING=yes-i-know"):
        load_settings({"EXCHANGE": "live", "LIVE_TRADING": "true"}, NO_FILE)
    live = load_settings({"EXCHANGE": "live", "LIVE_TRADING": "yes-i-know"}, NO_FILE)
    assert live.ws_url == "wss://www.deribit.com/ws/api/v2"


def test_the_environment_wins_over_the_file_and_empty_means_not_set(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "# a comment\n\nexport NATS_URL='nats://file:1'\nREDIS_URL=redis://file:2/0 # there\n"
        'LOG_LEVEL="debug"\nUNKNOWN=ignored\n',
        encoding="utf-8",
    )
    settings = load_settings({"NATS_URL": "nats://environment:1", "LOG_LEVEL": ""}, file)
    assert settings.nats_url == "nats://environment:1"
    assert settings.redis_url == "redis://file:2/0"
    assert settings.log_level == "info"
    with_file_only = load_settings({}, file)
    assert with_file_only.log_level == "debug"


def test_a_secret_may_come_from_a_file_and_is_never_shown(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n", encoding="utf-8")
    settings = load_settings(
        {"DERIBIT_CLIENT_ID": "me", "DERIBIT_CLIENT_SECRET_FILE": str(secret)}, NO_FILE
    )
    assert settings.credentials is not None
    assert [part.get_secret_value() for part in settings.credentials] == ["me", "s3cret"]
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in str(settings.model_dump())


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"DERIBIT_CLIENT_ID": "me"}, "needed together"),
        ({"JOURNAL": "maybe"}, "JOURNAL: Input should be a valid boolean"),
        ({"JOURNAL_MB_MAX": "0"}, "JOURNAL_MB_MAX: Input should be greater than or equal to 1"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL: must be debug, info, warning or error"),
        ({"EXCHANGE": "testnet", "VENUE_WS_URL": "ws://x"}, "must be wss://"),
        ({"DERIBIT_CLIENT_SECRET_FILE": "not there"}, "DERIBIT_CLIENT_SECRET_FILE not there"),
        ({"DERIBIT_CLIENT_ID": "a", "DERIBIT_CLIENT_ID_FILE": "b"}, "are both set"),
    ],
)
def test_each_mistake_is_one_line_that_names_the_variable(
    variables: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(variables, NO_FILE)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_value_of_a_secret_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"DERIBIT_CLIENT_SECRET": "topsecret", "JOURNAL": "maybe"}, NO_FILE)
    assert "topsecret" not in str(caught.value)


def test_a_line_of_the_file_that_is_no_setting_is_named(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("NATS_URL=nats://a:1\nwhat is this\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="line 2: expected NAME=value"):
        load_settings({}, file)


def test_parameters_come_from_toml_over_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "params.toml"
    file.write_text("[quoter]\nhalf_spread_min_bps = 3.5\n", encoding="utf-8")
    params = load_params(file)
    assert params.quoter.half_spread_min_bps == 3.5
    assert params.risk == Params().risk
    assert load_params(None) == Params()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[quoter]\nhalf_spred_min_bps = 3.5\n", "quoter.half_spred_min_bps"),
        ("[quoter]\ngamma = 9\n", "quoter.gamma"),
        ("[quoter\n", "is not TOML"),
    ],
)
def test_a_typo_in_a_parameter_file_names_file_and_key(
    tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "params.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_params(file)
    assert "params.toml" in str(caught.value)
    assert said in str(caught.value)
