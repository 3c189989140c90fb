"""The only place that builds or reads a subject, and the table of who says and hears what.

    {env}.{kind}.{owner}.{noun}[.{instrument}]      live.evt.oms.order.BTC-27MAR26

`env` comes first so that no subscription can span two worlds. `kind` is `data` (lossy, latest wins),
`evt` (journaled, never lost), `cmd` (one owner obeys) or `ctl` (an operator's word). The broker's own
permissions in deploy/nats-users.conf state the same ownership, and a test holds the two together.
"""

import msgspec

from shared.kernel import Message
from shared.messages import (
    Account,
    Anomaly,
    Book,
    FeedStatus,
    Filled,
    Health,
    Hedge,
    InstrumentListed,
    Kill,
    Lease,
    ModeChanged,
    NoQuote,
    OrderChanged,
    ParamsApplied,
    ParamsChanged,
    Pause,
    Pnl,
    Position,
    Quote,
    Resume,
    Swept,
    Ticker,
    Trades,
)

TRADING = ("marketdata", "quoter", "oms", "risk")
"""The services that run on parameters."""
SERVICES = (*TRADING, "gateway")
KINDS = ("data", "evt", "cmd", "ctl")


class Topic(msgspec.Struct, frozen=True):
    """Where a message type lives. `owner` None: the message's own `source`."""

    kind: str
    owner: str | None
    noun: str
    by_instrument: bool
    speakers: tuple[str, ...]


TOPICS: dict[type[Message], Topic] = {
    InstrumentListed: Topic("data", "marketdata", "instrument", True, ("marketdata",)),
    Book: Topic("data", "marketdata", "book", True, ("marketdata",)),
    Trades: Topic("data", "marketdata", "trades", True, ("marketdata",)),
    Ticker: Topic("data", "marketdata", "ticker", True, ("marketdata",)),
    FeedStatus: Topic("data", "marketdata", "status", True, ("marketdata",)),
    # One subject for both, so that a refusal can never overtake the quote it replaces.
    Quote: Topic("evt", "quoter", "quote", True, ("quoter",)),
    NoQuote: Topic("evt", "quoter", "quote", True, ("quoter",)),
    # One subject per life cycle, so that a fill cannot overtake its order's acceptance.
    OrderChanged: Topic("evt", "oms", "order", True, ("oms",)),
    Filled: Topic("evt", "oms", "order", True, ("oms",)),
    Position: Topic("evt", "oms", "position", True, ("oms",)),
    Account: Topic("evt", "oms", "account", False, ("oms",)),
    Hedge: Topic("cmd", "oms", "hedge", False, ("risk",)),
    Lease: Topic("evt", "risk", "lease", False, ("risk",)),
    ModeChanged: Topic("evt", "risk", "mode", False, ("risk",)),
    Pnl: Topic("evt", "risk", "pnl", False, ("risk",)),
    Pause: Topic("ctl", "risk", "pause", False, ("gateway",)),
    Resume: Topic("ctl", "risk", "resume", False, ("gateway",)),
    Kill: Topic("ctl", "risk", "kill", False, ("gateway",)),
    Swept: Topic("evt", "oms", "swept", False, ("oms",)),
    ParamsChanged: Topic("ctl", "all", "params", False, ("gateway",)),
    ParamsApplied: Topic("evt", None, "params", False, TRADING),
    Health: Topic("data", None, "health", False, SERVICES),
    Anomaly: Topic("evt", None, "anomaly", False, TRADING),
}

# The auditor is no service: it listens in tests, demos and drills, and says nothing.
HEARS: dict[str, tuple[type[Message], ...]] = {
    "marketdata": (ParamsChanged, Position),
    "quoter": (
        InstrumentListed,
        Book,
        Ticker,
        FeedStatus,
        OrderChanged,
        Position,
        Account,
        Lease,
        ParamsChanged,
    ),
    "oms": (
        InstrumentListed,
        Ticker,
        FeedStatus,
        Quote,
        NoQuote,
        Hedge,
        Lease,
        Resume,
        Kill,
        ParamsChanged,
    ),
    "risk": (
        InstrumentListed,
        Book,
        Ticker,
        FeedStatus,
        OrderChanged,
        Filled,
        Position,
        Account,
        Health,
        Anomaly,
        Pause,
        Resume,
        Kill,
        ParamsChanged,
    ),
    "gateway": tuple(TOPICS),
    "auditor": tuple(TOPICS),
}


# The last of each that the event stream holds is told once more, before the bus is up for the first time.
RECALLS: dict[str, tuple[type[Message], ...]] = {"risk": (Lease, Kill)}


def subject_of(env: str, message: Message) -> str:
    """The subject a message is published on."""
    topic = TOPICS[type(message)]
    owner = topic.owner if topic.owner is not None else str(getattr(message, "source"))  # noqa: B009
    subject = f"{env}.{topic.kind}.{owner}.{topic.noun}"
    if topic.by_instrument:
        return f"{subject}.{getattr(message, 'instrument')}"  # noqa: B009
    return subject


def pattern_of(env: str, kind: type[Message]) -> str:
    """The subscription that covers every message of a type."""
    topic = TOPICS[kind]
    owner = topic.owner if topic.owner is not None else "*"
    pattern = f"{env}.{topic.kind}.{owner}.{topic.noun}"
    return f"{pattern}.*" if topic.by_instrument else pattern


def patterns_heard(env: str, service: str) -> tuple[str, ...]:
    """What a service subscribes to, without repetition, in the table's order."""
    return tuple(dict.fromkeys(pattern_of(env, kind) for kind in HEARS[service]))


def patterns_said(env: str, service: str) -> tuple[str, ...]:
    """What a service may publish, without repetition."""
    said = []
    for topic in TOPICS.values():
        if service in topic.speakers:
            owner = topic.owner if topic.owner is not None else service
            pattern = f"{env}.{topic.kind}.{owner}.{topic.noun}"
            said.append(f"{pattern}.*" if topic.by_instrument else pattern)
    return tuple(dict.fromkeys(said))


def journaled_patterns(env: str) -> tuple[str, ...]:
    """What the event stream captures: events, commands and an operator's word."""
    return (f"{env}.evt.>", f"{env}.cmd.>", f"{env}.ctl.>")


def is_heard(service: str, message: Message) -> bool:
    """Whether a service takes this message type."""
    return type(message) in HEARS[service]
