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
    market_lifetime: Annotated[
        Literal["refused", "taken"],
        Meta(
            description="A market or market_limit order that names its time_in_force: -32602, as one "
            "client reports, or taken"
        ),
    ] = "refused"
    heartbeat_answer: Annotated[
        Literal["test", "any"],
        Meta(description="What satisfies a test_request: public/test only, or any request"),
    ] = "test"
    idle_seconds: Annotated[
        float,
        Meta(description="How long a socket without heartbeat and channels lives unheard: 60 measured, "
             "600 documented", gt=0),
    ] = 60.0  # fmt: skip
    agg2_seconds: Annotated[
        float,
        Meta(description="Period of the agg2 channels: about 1 measured, 2 in one of the texts", gt=0),
    ] = 1.0  # fmt: skip
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
            description="What get_user_trades_by_order answers: {trades, has_more}, as an older page has "
            "it, or the bare list, which two clients in use expect"
        ),
    ] = "array"
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


class Fact(msgspec.Struct, frozen=True):
    """What is open, what the mock does, and where that stands when no rule switches it."""

    question: str
    choice: str
    where: str


FACTS = (
    Fact(
        "Margin rates of inverse futures today",
        "initial 2 %, maintenance 1 %, both growing by 0.005 % a coin",
        "fields of `Listing`",
    ),
    Fact(
        "Initial margin of open orders",
        "that of the larger of the two positions which filling one side's orders would lead to",
        "`exchange/account.py`",
    ),
    Fact(
        "Meaning and rounding of `interest_value` and `realized_funding`",
        "the integral of rate over index since 08:00 UTC, unrounded; funding is its change times size",
        "`exchange/valuation.py`",
    ),
    Fact("A post-only order that is no good-til-cancelled limit order", "11055", "`exchange/checks.py`"),
    Fact("Ids of trades that settle in USDC", "prefixed like ETH's: `USDC-…`", "`exchange/numbering.py`"),
    Fact("Whether orders survive maintenance", "they do", "`core.py`"),
    Fact(
        "How long after a lost connection cancel on disconnect acts",
        "at once when the socket ends, whoever ended it",
        "`core.py`",
    ),
    Fact(
        "Whether `user.orders`, `user.trades` and `user.changes` send a frame at first",
        "they do not",
        "`rpc/private_streams.py`",
    ),
    Fact(
        "Whether `quote`, `perpetual`, index and `trades` channels send a frame at first",
        "only book, ticker, incremental_ticker, platform_state and public_methods_state do",
        "`rpc/streams.py`",
    ),
    Fact(
        "What `instrument.state` says beside book states",
        "nothing; a new listing is told by `instrument.creation`",
        "`rpc/quiet_streams.py`",
    ),
    Fact("`expires_in` of tokens", "a year, as recorded with keys", "setting `expires_in_seconds`"),
    Fact("Heartbeats of other intervals than 10 s", "to scale", "`rpc/session.py`"),
    Fact("An unfilled immediate_or_cancel order", "an order in state cancelled", "`exchange/desk.py`"),
    Fact("A resting order outside a band that moved", "stays", "`exchange/desk.py`"),
    Fact(
        "`cancel_reason` of one's own order that cancel_maker takes away",
        "order_overlap",
        "`exchange/execution.py`",
    ),
    Fact("Direction of a flat position", "zero", "`rpc/wire.py`"),
    Fact("Leverage of a position", "one over its initial margin rate, rounded", "`exchange/account.py`"),
    Fact(
        "Fees of weekly futures in the schedule of 2026",
        "as the others'; their delivery is free",
        "`exchange/listing.py`",
    ),
    Fact("The code for a method that only Deribit has", "13025", "`rpc/catalogue.py`"),
    Fact("The answer to forking a connection's token", "13009 session_not_found", "`rpc/auth.py`"),
    Fact("Orders over HTTP on a book with a hold", "are not held", "`rpc/methods_orders.py`"),
    Fact("Whether held requests count among the eight of 10047", "no", "`rpc/dispatch.py`"),
    Fact("A scope `ip:…`", "is accepted and binds nothing", "`rpc/grants.py`"),
    Fact("Bans of addresses after repeated errors, and 12003 after failed logins", "never", "nowhere"),
    Fact(
        "The meaning of the `continuation` of order histories and logs",
        "the id of the last row seen",
        "`rpc/paging.py`",
    ),
    Fact(
        "13777 and 13666 for requests that still wait",
        "only for what waits in the hold of a book; other requests are carried out when they arrive",
        "`exchange/`",
    ),
)  # fmt: skip
"""Open questions whose answer here is not switched by a rule."""
