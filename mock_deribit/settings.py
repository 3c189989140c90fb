"""Owns what can be set on the mock exchange, with bounds and reasons; read once at start.

`from_environment` takes a scenario's settings; MOCK_… variables override them, and command-line flags those.
Limits default to Deribit's highest tier, that of a market maker; a client is expected to read them from the
account summary.
"""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, TypeVar

import msgspec
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from mock_deribit.clock import SPEED_MAX
from mock_deribit.exchange.listing import Listing, btc_listings, venue_listings
from mock_deribit.exchange.rules import Rules
from mock_deribit.market.regime import REGIMES, regime_of
from mock_deribit.rpc.credits import Limit, Limits
from mock_deribit.rpc.grants import AREAS, LEVELS, Key
from mock_deribit.rpc.rules import WireRules
from shared.kernel import Nanos
from shared.units import from_ms

PREFIX = "MOCK_"
SCENARIO = f"{PREFIX}SCENARIO"
COINS = ("BTC", "ETH", "USDC")
RULES = (*Rules.__struct_fields__, *WireRules.__struct_fields__)

Balance = Annotated[float, Field(ge=0)]

R = TypeVar("R", Rules, WireRules)


class AccountSettings(BaseModel):
    """One account with its API key. An empty secret is filled in when the server starts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(default="maker", min_length=1)
    client_id: str = Field(default="mock-maker", min_length=1)
    client_secret: str = ""
    balances: dict[str, Balance] = {"BTC": 0.9}
    scope: str = "account:read_write trade:read_write wallet:none"
    mmp: bool = True
    mass_quotes: bool = True

    @field_validator("balances")
    @classmethod
    def _coins_are_known(cls, balances: dict[str, float]) -> dict[str, float]:
        for coin in balances:
            if coin not in COINS:
                raise ValueError(f"expected coins out of {', '.join(COINS)}; came {coin!r}")
        return balances

    @field_validator("scope")
    @classmethod
    def _scope_is_of_levels(cls, scope: str) -> str:
        for word in scope.split():
            area, _, level = word.partition(":")
            if area not in AREAS or level not in LEVELS:
                raise ValueError(
                    f"expected words such as trade:read_write, of the areas {', '.join(AREAS)} and the "
                    f"levels {', '.join(LEVELS)}; came {word!r}"
                )
        return scope

    def key(self) -> Key:
        """The key as the gatekeeper holds it."""
        return Key(
            client_id=self.client_id,
            secret=self.client_secret,
            account=self.name,
            scope=self.scope,
        )


MAKER = AccountSettings()
TAKER = AccountSettings(
    name="taker", client_id="mock-taker", balances={"BTC": 10.0, "ETH": 100.0, "USDC": 500_000.0}
)
WATCHER = AccountSettings(
    name="watcher",
    client_id="mock-watcher",
    balances={},
    scope="account:read trade:read wallet:none",
)


class MockSettings(BaseModel):
    """Everything the mock can be told; every field has a default that works."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(default="127.0.0.1", description="where clients connect; 0.0.0.0: everywhere")
    port: int = Field(default=8085, ge=0, le=65535, description="0 takes a free port")
    control_host: str = Field(default="127.0.0.1", description="where the operator connects")
    control_port: int = Field(default=8086, ge=0, le=65535, description="0 takes a free port")
    seed: int = Field(default=1, description="of everything that is drawn")
    accounts: tuple[AccountSettings, ...] = Field(
        default=(MAKER, TAKER, WATCHER), description="JSON, or a scenario's"
    )
    client_secret: str = Field(default="", description="secret of the first account's key")
    market: Literal["simulated", "still", "tape"] = Field(
        default="simulated", description="still: books that only move when traded with; or tape"
    )
    tape: str = Field(
        default="", description="for market tape: a CSV of trades, or recorded frames of a book"
    )
    queue: Literal["cube", "averse", "optimistic"] = Field(
        default="cube", description="whose cancels shrink a recorded level: see market/levels.py"
    )
    speed: float = Field(default=1.0, gt=0, le=100, description="2 plays a tape in half its time")
    clock_start: AwareDatetime | None = Field(
        default=None, description="ISO 8601 with an offset; else now"
    )
    clock_speed: float = Field(
        default=1.0, gt=0, le=SPEED_MAX, description="exchange's seconds a second"
    )
    regime: str = Field(default="NORMAL", description=f"one of {', '.join(REGIMES)}")
    activity: float = Field(default=1.0, ge=0, description="1: 10-40 book changes a second")
    volatility: float | None = Field(default=None, ge=0, le=5, description="a year; the regime's")
    toxicity: float | None = Field(default=None, ge=0, le=10, description="informed; the regime's")
    sweeps_per_hour: float | None = Field(default=None, ge=0, le=1000, description="the regime's")
    sweep_permanence: float | None = Field(default=None, ge=0, le=1, description="the regime's")
    listed: Literal["all", "btc"] = Field(
        default="all", description="btc: only BTC-PERPETUAL and the dated BTC futures"
    )
    price: float = Field(default=86_000.0, ge=1_000, description="where BTC opens, USD")
    eth_price: float = Field(default=3_000.0, ge=100, description="where ETH opens, USD")
    maker_fee: float = Field(
        default=0.00015, ge=-0.01, le=0.01, description="share of the notional; negative: a rebate"
    )
    taker_fee: float = Field(
        default=0.00035, ge=-0.01, le=0.01, description="share of the notional"
    )
    latency_ms: float = Field(
        default=0.0,
        ge=0,
        le=10_000,
        description="mean, each frame out; above 0 replies overtake each other",
    )
    expires_in_seconds: int = Field(default=31_536_000, ge=2, description="life of an access token")
    matching_rate: float = Field(default=30, gt=0, description="orders and cancels a second")
    matching_burst: float = Field(default=100, gt=0, description="orders and cancels at once")
    non_matching_rate: float = Field(default=20, gt=0, description="other requests a second")
    non_matching_burst: float = Field(default=100, gt=0, description="other requests at once")
    rules: dict[str, bool | int | float | str] = Field(
        default={}, description="choices for what Deribit leaves open: name=value ..."
    )
    backlog_mb: float = Field(
        default=16, gt=0, le=1_024, description="unread by a client before it is cut off"
    )
    connections_max: int = Field(default=32, ge=1, description="sockets of one address")

    @model_validator(mode="before")
    @classmethod
    def _settings_are_known(cls, values: Mapping[str, object]) -> Mapping[str, object]:
        for name in values:
            if name in RULES:
                raise ValueError(
                    f"{name!r} is a rule; write {PREFIX}RULES={name}=… or --rules {name}=…"
                )
            if name not in cls.model_fields:
                raise ValueError(
                    f"there is no setting {name!r}; there are {', '.join(cls.model_fields)}"
                )
        return values

    @model_validator(mode="after")
    def _tape_and_market_agree(self) -> "MockSettings":
        if (self.market == "tape") != bool(self.tape):
            raise ValueError("market tape needs a tape, and a tape needs market tape")
        return self

    @field_validator("regime")
    @classmethod
    def _regime_is_known(cls, name: str) -> str:
        regime_of(name)
        return name

    @field_validator("accounts", mode="before")
    @classmethod
    def _accounts_from_text(cls, value: object) -> object:
        """A variable or a flag brings them as JSON."""
        if not isinstance(value, str):
            return value
        try:
            return msgspec.json.decode(value)
        except msgspec.DecodeError as error:
            raise ValueError(f"expected a JSON list of accounts; {error}") from None

    @field_validator("accounts")
    @classmethod
    def _accounts_differ(cls, accounts: tuple[AccountSettings, ...]) -> tuple[AccountSettings, ...]:
        if not accounts:
            raise ValueError("expected at least one account")
        for field in ("name", "client_id"):
            values = [getattr(account, field) for account in accounts]
            twice = [value for value in dict.fromkeys(values) if values.count(value) > 1]
            if twice:
                raise ValueError(f"two accounts have the {field} {twice[0]!r}; each needs its own")
        return accounts

    def dials(self) -> dict[str, float | None]:
        """What is turned by hand; None leaves the regime's."""
        return {
            "activity": self.activity,
            "volatility": self.volatility,
            "toxicity": self.toxicity,
            "sweeps_per_hour": self.sweeps_per_hour,
            "sweep_permanence": self.sweep_permanence,
        }

    @field_validator("rules", mode="before")
    @classmethod
    def _words(cls, value: object) -> object:
        """`hold_ms=10 fok_failure=error`, as a command line or a variable has it."""
        if not isinstance(value, str):
            return value
        pairs = [word.partition("=") for word in value.replace(",", " ").split()]
        if not all(equals for _, equals, _ in pairs):
            raise ValueError("rules are written name=value, separated by spaces")
        return {name: chosen for name, _, chosen in pairs}

    @model_validator(mode="after")
    def _rules_are_known(self) -> "MockSettings":
        for name in self.rules:
            if name not in RULES:
                raise ValueError(f"there is no rule {name!r}; known: {', '.join(RULES)}")
        self.exchange_rules()
        self.wire_rules()
        return self

    def exchange_rules(self) -> Rules:
        """The engine's choices."""
        return self._chosen(Rules)

    def wire_rules(self) -> WireRules:
        """The wire's choices."""
        return self._chosen(WireRules)

    def _chosen(self, kind: type[R]) -> R:
        fields = kind.__struct_fields__
        mine = {name: value for name, value in self.rules.items() if name in fields}
        try:
            return msgspec.convert(mine, kind, strict=False)
        except msgspec.ValidationError as error:
            raise ValueError(f"rules: {error}") from None

    def listings(self, now: Nanos) -> tuple[Listing, ...]:
        """Everything that is listed when the exchange opens."""
        listed = btc_listings if self.listed == "btc" else venue_listings
        return listed(now, self.maker_fee, self.taker_fee)

    def with_secrets(self, secret: str) -> "MockSettings":
        """The first key without a secret of its own gets `client_secret` or this one; the others get
        secrets derived from it."""
        first = self.client_secret or secret
        accounts = tuple(
            account.model_copy(
                update={"client_secret": account.client_secret or _derived(first, number)}
            )
            for number, account in enumerate(self.accounts)
        )
        return self.model_copy(update={"accounts": accounts})

    def opening(self) -> Nanos | None:
        """The exchange's time when it opens; None: as it is outside."""
        return None if self.clock_start is None else from_ms(self.clock_start.timestamp() * 1e3)

    def limits(self) -> Limits:
        """The credit pools."""
        matching = Limit(self.matching_rate, self.matching_burst)
        return Limits(
            trading=matching,
            cancel_all=matching,
            non_matching=Limit(self.non_matching_rate, self.non_matching_burst),
        )


def from_environment(
    environment: Mapping[str, str],
    overrides: Mapping[str, object],
    scenario: Mapping[str, object] = MappingProxyType({}),
) -> MockSettings:
    """Settings of a scenario, then MOCK_… variables, then overrides. Raises pydantic.ValidationError
    naming the variable for a bad value or an unknown name."""
    values = dict(scenario)
    values |= {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and name != SCENARIO
    }
    values |= overrides
    return MockSettings.model_validate(values)


def _derived(secret: str, number: int) -> str:
    if number == 0:
        return secret
    return hashlib.blake2b(f"{secret}/{number}".encode(), digest_size=16).hexdigest()
