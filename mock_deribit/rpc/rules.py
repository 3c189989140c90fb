"""What Deribit's documents leave open about the wire, decided in one place; `exchange/rules.py` does the
same for the engine.

Each field of `WireRules` is one unconfirmed fact: its description says what is open and what the
alternatives do, its default is the choice made here.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class WireRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of the wire that are not certain. Frozen: one exchange, one set of rules."""

    unknown_parameters: Annotated[
        Literal["ignored", "refused"],
        Meta(description="A parameter that the method does not have: ignored, or -32602 naming it"),
    ] = "ignored"
    raw_in_a_list: Annotated[
        Literal["dropped", "refused"],
        Meta(description="A public raw channel without login among other channels: left out of the "
             "answer, or 13778 for the whole call (a call for it alone is refused in any case)"),
    ] = "dropped"  # fmt: skip
    heartbeat_answer: Annotated[
        Literal["test", "any"],
        Meta(description="What satisfies a test_request: public/test only, or any request"),
    ] = "test"
    adopt_edited: Annotated[
        bool,
        Meta(description="Whether cancel on disconnect takes an order edited on this connection but "
             "created on another"),
    ] = False  # fmt: skip
    portfolio_first_frame: Annotated[
        bool,
        Meta(description="Whether subscribing to user.portfolio sends the present state at once"),
    ] = False
    shuffled_frames: Annotated[
        bool,
        Meta(description="Whether the user channels that one request makes speak do so in a random "
             "order, or in the order orders, trades, changes, portfolio"),
    ] = False  # fmt: skip
    early_frames: Annotated[
        float,
        Meta(description="How often the frames of a request leave before its reply", ge=0, le=1),
    ] = 0.5
    session_eviction: Annotated[
        Literal["oldest", "least_refreshed", "shortest_life"],
        Meta(description="Which session of a key gives way to the seventeenth"),
    ] = "oldest"
    exchange_switches: Annotated[
        bool,
        Meta(description="Whether exchange_token over a WebSocket makes the socket act for the new "
             "account without a further login"),
    ] = True  # fmt: skip
    trades_by_order: Annotated[
        Literal["object", "array"],
        Meta(
            description="What get_user_trades_by_order answers: {trades, has_more}, or the bare list"
        ),
    ] = "object"
    protection_answer: Annotated[
        Literal["list", "object"],
        Meta(description="What set_mmp_config answers: a list with the configuration, or it alone"),
    ] = "list"
    rate_limit: Annotated[
        Literal["error", "close"],
        Meta(
            description="What 10028 does to a socket: nothing, or it is closed (the present text)"
        ),
    ] = "error"
