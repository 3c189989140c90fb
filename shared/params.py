"""Every parameter a person may set: typed, bounded, with its unit and meaning, checked together.

One model for the configuration file, the REST body and the cores. `Params` is frozen; a change is a
whole new set, validated as one, so that a set that contradicts itself is refused whole and nothing is
half applied. Field names carry their unit last.
"""

from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

LEASE_GUARD_MS = 150
"""Of a lease, for what comes after its words: the bus, an edit in flight, the cancel behind it."""
BEATS_PER_WORD = 4
BEAT_MS_MAX = 1_000


class BadParams(ValueError):
    """Parameters that cannot be used; the text names field, what came and what was expected."""


class Section(BaseModel):
    """Frozen, and a misspelt name is an error rather than a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class MarketdataParams(Section):
    """What is followed and when it is no longer believed."""

    dated_futures: Annotated[int, Field(ge=0, le=4)] = Field(
        default=2,
        description="how many dated BTC futures to follow besides the perpetual, nearest first",
    )
    expiry_min_h: Annotated[float, Field(ge=1, le=720)] = Field(
        default=48, description="a future expiring sooner than this many hours is not chosen"
    )
    interval: Annotated[
        Literal["100ms", "raw"],
        Field(description="frames batched by the venue, or each event by itself (needs keys)"),
    ] = "100ms"
    depth_levels: Annotated[int, Field(ge=5, le=50)] = Field(
        default=10, description="levels a side published for every book"
    )
    stale_ms: Annotated[int, Field(ge=200, le=30_000)] = Field(
        default=3_000, description="no frame on the connection for this long makes every book stale"
    )
    ticker_stale_ms: Annotated[int, Field(ge=500, le=60_000)] = Field(
        default=5_000, description="a ticker older than this is not believed"
    )


class QuoterParams(Section):
    """The quote formula and its guards."""

    half_spread_min_bps: Annotated[float, Field(ge=0.06, le=20)] = Field(
        default=2.0, description="least distance of a quote from the reservation price, bp of fair"
    )
    half_spread_max_bps: Annotated[float, Field(ge=5, le=100)] = Field(
        default=25.0, description="greatest distance; beyond it nothing is quoted"
    )
    gamma: Annotated[float, Field(ge=0.0005, le=0.2)] = Field(
        default=0.02,
        description="risk aversion, 1/USD: how far inventory moves the reservation price",
    )
    horizon_s: Annotated[float, Field(ge=5, le=600)] = Field(
        default=60,
        description="rolling horizon over which inventory is assumed to be worked off, s",
    )
    volatility_weight: Annotated[float, Field(ge=0, le=5)] = Field(
        default=1.0, description="volatility half-spread = this * sigma * sqrt(volatility_horizon)"
    )
    volatility_horizon_s: Annotated[float, Field(ge=0.1, le=60)] = Field(
        default=2.0, description="time a quote is exposed before it can be moved, s"
    )
    adverse_selection_bps: Annotated[float, Field(ge=0, le=10)] = Field(
        default=1.0, description="expected mark-out against a fill, added to the fee, bp"
    )
    order_size_btc: Annotated[float, Field(ge=0.0002, le=0.1)] = Field(
        default=0.02, description="size of one order, BTC"
    )
    sigma_floor: Annotated[float, Field(ge=0.01, le=50)] = Field(
        default=2.0, description="least volatility used, USD per sqrt(s)"
    )
    sigma_ceiling: Annotated[float, Field(ge=5, le=500)] = Field(
        default=60.0, description="volatility above which nothing is quoted, USD per sqrt(s)"
    )
    warmup_s: Annotated[float, Field(ge=1, le=600)] = Field(
        default=60.0, description="seconds of book needed before the volatility is believed"
    )
    requote_s: Annotated[float, Field(ge=0.1, le=10)] = Field(
        default=1.0, description="evaluate at least this often, s"
    )
    move_trigger: Annotated[float, Field(ge=0.01, le=1)] = Field(
        default=0.15, description="evaluate at once when mid moved by this share of the half-spread"
    )


class OmsParams(Section):
    """How the working orders follow the wanted ones."""

    tolerance_aggressive: Annotated[float, Field(ge=0.02, le=1)] = Field(
        default=0.10,
        description="an order may be nearer than wanted by this share of the half-spread",
    )
    tolerance_passive: Annotated[float, Field(ge=0.02, le=1)] = Field(
        default=0.30,
        description="an order may be further than wanted by this share of the half-spread",
    )
    tolerance_size: Annotated[float, Field(ge=0.02, le=1)] = Field(
        default=0.25,
        description="an order's open amount may differ by this share of the wanted amount",
    )
    order_age_max_s: Annotated[float, Field(ge=5, le=600)] = Field(
        default=60.0, description="an order older than this is renewed, s"
    )
    request_timeout_ms: Annotated[int, Field(ge=200, le=30_000)] = Field(
        default=3_000, description="an unanswered request is unknown after this long"
    )
    reconcile_s: Annotated[float, Field(ge=1, le=60)] = Field(
        default=5.0,
        description="compare orders, fills and positions with the exchange this often, s",
    )
    rate_per_s: Annotated[float, Field(ge=1, le=100)] = Field(
        default=4.0,
        description="sustained matching requests per second (never above the account's own limit)",
    )
    burst: Annotated[int, Field(ge=4, le=200)] = Field(
        default=16,
        description="matching requests in one burst (never above the account's own limit)",
    )
    reserve: Annotated[int, Field(ge=2, le=100)] = Field(
        default=6, description="requests of the burst kept for cancels and hedges"
    )

    mmp: Annotated[
        Literal["on", "off"],
        Field(description="quote under market maker protection where the account has it"),
    ] = "on"
    mmp_interval_s: Annotated[int, Field(ge=1, le=3_600)] = Field(
        default=2, description="window in which the protection counts what trades, s"
    )
    mmp_frozen_s: Annotated[int, Field(ge=0, le=3_600)] = Field(
        default=5, description="out of the market after the protection has acted, at least, s"
    )
    mmp_quantity_btc: Annotated[float, Field(gt=0, le=100)] = Field(
        default=0.4, description="bought plus sold within the window beyond which it acts"
    )
    mmp_delta_btc: Annotated[float, Field(gt=0, le=100)] = Field(
        default=0.25, description="bought less sold within the window beyond which it acts"
    )
    mmp_quote_max_btc: Annotated[float, Field(gt=0, le=100)] = Field(
        default=0.5, description="most that may rest on one side of one instrument"
    )


class RiskParams(Section):
    """Limits, in BTC of net delta over all instruments, and what happens at each."""

    soft_limit_btc: Annotated[float, Field(gt=0, le=5)] = Field(
        default=0.20, description="adding quotes fade to nothing here"
    )
    hard_limit_btc: Annotated[float, Field(gt=0, le=5)] = Field(
        default=0.30, description="worst case including working orders never exceeds this"
    )
    breach_limit_btc: Annotated[float, Field(gt=0, le=5)] = Field(
        default=0.36, description="beyond this the hedge is immediate"
    )
    kill_limit_btc: Annotated[float, Field(gt=0, le=5)] = Field(
        default=0.45, description="beyond this the kill switch is thrown"
    )
    hedge_trigger_btc: Annotated[float, Field(gt=0, le=5)] = Field(
        default=0.24, description="a taker hedge starts after this was exceeded for hedge_delay_s"
    )
    hedge_target_btc: Annotated[float, Field(gt=0, le=5)] = Field(
        default=0.18, description="a hedge brings the net delta back to here"
    )
    hedge_delay_s: Annotated[float, Field(ge=0, le=60)] = Field(
        default=2.0, description="how long the trigger must be exceeded, s"
    )
    hedge_slice_btc: Annotated[float, Field(ge=0.0002, le=1)] = Field(
        default=0.05, description="largest single hedge order"
    )
    hedge_interval_ms: Annotated[int, Field(ge=100, le=10_000)] = Field(
        default=300, description="least time between two slices"
    )
    hedge_slippage_bps: Annotated[float, Field(ge=0.1, le=50)] = Field(
        default=3.0, description="limit of a hedge beyond the touch, bp"
    )
    loss_reduce_btc: Annotated[float, Field(gt=0, le=5)] = Field(
        default=0.02, description="loss of the exchange's day that allows reductions only"
    )
    loss_kill_btc: Annotated[float, Field(gt=0, le=5)] = Field(
        default=0.05, description="loss of the exchange's day that throws the kill switch"
    )
    drawdown_reduce_btc: Annotated[float, Field(gt=0, le=5)] = Field(
        default=0.02, description="fall from the day's highest equity that allows reductions only"
    )
    margin_reduce_pct: Annotated[float, Field(gt=0, le=100)] = Field(
        default=35.0,
        description="initial margin, % of equity, above which only reductions are allowed",
    )
    lease_ms: Annotated[int, Field(ge=500, le=10_000)] = Field(
        default=2_000, description="no order rests longer than this after a service has died"
    )
    lease_renewal_ms: Annotated[int, Field(ge=50, le=5_000)] = Field(
        default=500,
        description=f"the lease is renewed this often; twice this and {LEASE_GUARD_MS} ms fit in it",
    )
    position_age_max_ms: Annotated[int, Field(ge=1_000, le=120_000)] = Field(
        default=15_000,
        description="oldest reconciliation with the exchange that still allows quoting",
    )
    unexplained_max_btc: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1e-5, description="equity that PnL cannot explain beyond this is an anomaly"
    )

    @property
    def word_ms(self) -> int:
        """How long anybody's word is good: the lease, less the way of the cancels that end it."""
        return self.lease_ms - LEASE_GUARD_MS

    @property
    def beat_ms(self) -> int:
        """How often a service is heard whose silence ends the lease: a late one is no alarm."""
        return min(BEAT_MS_MAX, self.word_ms // BEATS_PER_WORD)


class Params(Section):
    """The whole set."""

    marketdata: MarketdataParams = MarketdataParams()
    quoter: QuoterParams = QuoterParams()
    oms: OmsParams = OmsParams()
    risk: RiskParams = RiskParams()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        risk, quoter, oms = self.risk, self.quoter, self.oms
        _ascending(
            ("risk.soft_limit_btc", risk.soft_limit_btc),
            ("risk.hard_limit_btc", risk.hard_limit_btc),
            ("risk.breach_limit_btc", risk.breach_limit_btc),
            ("risk.kill_limit_btc", risk.kill_limit_btc),
        )
        _ascending(
            ("risk.hedge_target_btc", risk.hedge_target_btc),
            ("risk.hedge_trigger_btc", risk.hedge_trigger_btc),
            ("risk.breach_limit_btc", risk.breach_limit_btc),
        )
        _ascending(
            ("risk.loss_reduce_btc", risk.loss_reduce_btc),
            ("risk.loss_kill_btc", risk.loss_kill_btc),
        )
        _ascending(
            ("quoter.half_spread_min_bps", quoter.half_spread_min_bps),
            ("quoter.half_spread_max_bps", quoter.half_spread_max_bps),
        )
        _ascending(
            ("quoter.sigma_floor", quoter.sigma_floor),
            ("quoter.sigma_ceiling", quoter.sigma_ceiling),
        )
        _ascending(
            ("risk.lease_renewal_ms * 2", 2 * risk.lease_renewal_ms),
            (f"risk.lease_ms - {LEASE_GUARD_MS}", risk.word_ms),
        )
        _ascending(
            ("oms.reconcile_s * 1000", 1000 * oms.reconcile_s),
            ("risk.position_age_max_ms", risk.position_age_max_ms),
        )
        _ascending(
            ("oms.mmp_delta_btc", oms.mmp_delta_btc),
            ("oms.mmp_quantity_btc", oms.mmp_quantity_btc),
        )
        _ascending(("oms.reserve", oms.reserve), ("oms.burst", oms.burst))
        if quoter.order_size_btc > risk.soft_limit_btc:
            raise ValueError(
                f"quoter.order_size_btc ({quoter.order_size_btc}) must not exceed "
                f"risk.soft_limit_btc ({risk.soft_limit_btc})"
            )
        return self


def _ascending(*pairs: tuple[str, float]) -> None:
    for (lower_name, lower), (upper_name, upper) in pairwise(pairs):
        if lower >= upper:
            raise ValueError(f"{lower_name} ({lower}) must be below {upper_name} ({upper})")


def parse_params(raw: dict[str, Any]) -> Params:
    """A whole set from plain data, defaults filled in; raises `BadParams` naming every fault."""
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        faults = "; ".join(
            _fault(item["loc"], item["msg"], item["input"]) for item in error.errors()
        )
        raise BadParams(faults) from error


def change_params(params: Params, changes: dict[str, Any]) -> Params:
    """A new set with some members changed; `changes` is nested or uses dotted names."""
    merged = params.model_dump()
    for name, value in _flat(changes).items():
        section, _, field = name.partition(".")
        if section not in merged or not field or field not in merged[section]:
            raise BadParams(f"{name}: there is no such parameter; see GET /params for the names")
        merged[section][field] = value
    return parse_params(merged)


def _flat(changes: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in changes.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _fault(loc: tuple[int | str, ...], message: str, came: object) -> str:
    name = ".".join(str(part) for part in loc) or "parameters"
    shown = "" if isinstance(came, BaseModel | dict) else f" (came: {came!r})"
    return f"{name}: {message.removeprefix('Value error, ')}{shown}"
