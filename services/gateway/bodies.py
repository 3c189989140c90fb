"""Bodies: what a person may send, checked before anything happens; a misspelt member is an error.

Owns the request models of the API and the examples shown in its documentation.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

By = Annotated[str, Field(min_length=1, max_length=64, description="who commands this")]


class Body(BaseModel):
    """Unknown members are refused, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: By = "operator"


class PauseBody(Body):
    """Stop quoting; orders are pulled."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"by": "ana"}, {"instrument": "BTC-PERPETUAL"}]}
    )

    instrument: str | None = Field(default=None, description="one instrument; none: everything")


class ResumeBody(Body):
    """Quote again."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"by": "ana"}, {"by": "ana", "confirm": True}]}
    )

    instrument: str | None = Field(default=None, description="one instrument; none: everything")
    confirm: bool = Field(
        default=False,
        description="needed to leave KILLED, and to take over the exchange's positions where ours "
        "differ; also counts losses anew from the present equity",
    )


class KillBody(Body):
    """Cancel everything and stay out until a confirmed resume."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"by": "ana", "reason": "drill", "flatten": False}]}
    )

    reason: str = Field(default="operator", min_length=1, max_length=200)
    flatten: bool = Field(default=False, description="also reduce positions with taker slices")


class ParamsBody(Body):
    """Some parameters changed; the whole set is validated together."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"changes": {"quoter.half_spread_min_bps": 3.0}, "expected_version": 4},
                {"changes": {"risk": {"soft_limit_btc": 0.1}}, "by": "ana"},
            ]
        }
    )

    changes: dict[str, Any] = Field(
        min_length=1, description="dotted names or nested sections, as in GET /params"
    )
    expected_version: int | None = Field(
        default=None, ge=0, description="refuse (409) unless this version is in force"
    )


PAUSE = PauseBody()
RESUME = ResumeBody()
KILL = KillBody()
"""What a command without a body means."""
