"""Settings of a process: which exchange, where the servers are, what is kept; and the parameter file.

Owns: reading the environment and `.env` (the environment wins), the addresses that follow from EXCHANGE,
and the second switch without which nothing trades live. Every mistake is a `SettingsError` of one line.
"""

import hashlib
import os
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from shared.params import BadParams, Params, parse_params

LIVE_SWITCH = "yes-i-know"


class SettingsError(ValueError):
    """Settings that cannot be used; one line that says which, what came and what to do."""


class ExchangeName(StrEnum):
    """Which Deribit; also the first word of every subject and the prefix of every key."""

    MOCK = "mock"
    TESTNET = "testnet"
    LIVE = "live"


WS_URLS = {
    ExchangeName.MOCK: "ws://127.0.0.1:8085/ws/api/v2",
    ExchangeName.TESTNET: "wss://test.deribit.com/ws/api/v2",
    ExchangeName.LIVE: "wss://www.deribit.com/ws/api/v2",
}


class Settings(BaseModel):
    """What a process is told by its surroundings. Each field is the variable of that name."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    exchange: ExchangeName = ExchangeName.MOCK
    live_trading: str = ""
    deribit_client_id: SecretStr | None = None
    deribit_client_secret: SecretStr | None = None
    venue_ws_url: str = ""
    nats_url: str = "nats://127.0.0.1:4222"
    redis_url: str = "redis://127.0.0.1:6379/0"
    config_file: Path | None = None
    run_dir: Path = Path("run")
    journal: bool = True
    journal_mb_max: Annotated[int, Field(ge=1, le=100_000)] = 512
    log_level: str = "info"

    @property
    def env(self) -> str:
        """The first word of every subject."""
        return self.exchange.value

    @property
    def credentials(self) -> tuple[SecretStr, SecretStr] | None:
        """Client id and secret, when there are both."""
        if self.deribit_client_id is None or self.deribit_client_secret is None:
            return None
        return self.deribit_client_id, self.deribit_client_secret

    @property
    def account(self) -> str:
        """A name for the account traded, in which the key's id cannot be read."""
        client_id = self.deribit_client_id.get_secret_value() if self.deribit_client_id else ""
        return hashlib.sha256(client_id.encode()).hexdigest()[:12]

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, level: str) -> str:
        if level.lower() not in ("debug", "info", "warning", "error"):
            raise ValueError("must be debug, info, warning or error")
        return level.lower()

    @field_validator("venue_ws_url", "nats_url", "redis_url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        schemes = ("ws://", "wss://", "nats://", "tls://", "redis://", "rediss://", "unix://")
        if url and not url.startswith(schemes):
            raise ValueError("must be an address with a scheme, such as nats://127.0.0.1:4222")
        return url

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.exchange is ExchangeName.LIVE and self.live_trading != LIVE_SWITCH:
            raise ValueError(
                f"EXCHANGE=live trades real money; set LIVE_TRADING={LIVE_SWITCH} as well to mean it"
            )
        if (self.deribit_client_id is None) != (self.deribit_client_secret is None):
            raise ValueError("DERIBIT_CLIENT_ID and DERIBIT_CLIENT_SECRET are needed together")
        if self.exchange is not ExchangeName.MOCK and self.venue_ws_url.startswith("ws://"):
            raise ValueError("VENUE_WS_URL must be wss:// unless EXCHANGE=mock")
        return self

    @property
    def ws_url(self) -> str:
        """The venue's WebSocket: VENUE_WS_URL, or what EXCHANGE implies."""
        return self.venue_ws_url or WS_URLS[self.exchange]

    @property
    def http_url(self) -> str:
        """The venue's JSON-RPC over HTTP, beside its WebSocket."""
        return self.ws_url.replace("ws", "http", 1).replace("/ws/", "/", 1)


def load_settings(
    environ: Mapping[str, str] | None = None, env_file: Path = Path(".env")
) -> Settings:
    """Settings from the environment (default: the process') and a file; raises `SettingsError`.

    A variable `X_FILE` names a file that holds X; an empty variable is one that is not set.
    """
    found = _read_env_file(env_file) | dict(os.environ if environ is None else environ)
    values: dict[str, str] = {}
    for field in Settings.model_fields:
        name = field.upper()
        value, file = found.get(name, ""), found.get(f"{name}_FILE", "")
        if value and file:
            raise SettingsError(f"{name} and {name}_FILE are both set; set one of them")
        if file and field.startswith("deribit_"):
            value = _read_secret(name, Path(file))
        if value:
            values[field] = value
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError("; ".join(map(_fault, error.errors()))) from None


def load_params(path: Path | None) -> Params:
    """Parameters from a TOML file, or the defaults when there is none; raises `SettingsError`."""
    if path is None:
        return Params()
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"CONFIG_FILE {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}") from error
    try:
        return parse_params(raw)
    except BadParams as error:
        raise SettingsError(f"{path}: {error}") from error


def _read_env_file(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise SettingsError(f"{path} line {number}: expected NAME=value")
        found[name.strip()] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value.partition(" #")[0].rstrip()


def _read_secret(name: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{name}_FILE {path} cannot be read: {error.strerror}") from error


def _fault(error: Any) -> str:
    name = ".".join(str(part) for part in error["loc"]).upper()
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{name}: {message}" if name else message
