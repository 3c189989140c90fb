"""Owns the vocabulary of a fault simulation and the plans drawn from a seed.

A plan is a list of `Due`s: what goes wrong, and when, counted from the start. It is data, so that it can be
printed, shrunk and replayed. Faults come in bursts with calm between them, because what breaks a system is
the second fault that meets the recovery from the first. Every fault ends by itself; the last minute is
calm, and the system must be found quoting at its end.

What the exchange itself can do is not listed here: it is read from `mock_deribit.faults.Fault`, so that
whatever the mock learns is drawn from then on.
"""

from typing import Any, get_args

import msgspec

from mock_deribit import faults as venue
from mock_deribit.market.regime import REGIMES
from shared.instruments import BookState
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import SECOND, Side

PERPETUAL = "BTC-PERPETUAL"
PERPETUAL_TICK = 0.5
DATED = "BTC-25SEP26"
"""The nearest of the dated futures that are listed in these runs."""
PARTS = ("marketdata", "quoter", "oms", "risk")
LINKS = ("bus", "state")
LINES = (("oms", "private"), ("oms", "http"), ("marketdata", "public"))

WARMUP_S = 20.0
CALM_END_S = 60.0
"""Without a new fault at the end, so that everything must have recovered."""
RESUME_BEFORE_END_S = 40.0


class Crash(msgspec.Struct, frozen=True, tag=True):
    """Processes die at once, with all they had in memory and on its way to the store; started again later."""

    parts: tuple[str, ...]
    ms: int


class Hang(msgspec.Struct, frozen=True, tag=True):
    """Processes stop noticing anything while their sockets stay open; then everything comes at once."""

    parts: tuple[str, ...]
    ms: int


class Cut(msgspec.Struct, frozen=True, tag=True):
    """A link ends, for a time if it is the bus or the state store; a venue socket is dialled again."""

    part: str
    link: str
    ms: int
    caught_up: bool = True
    """False: the event stream has lost what was missed."""


class Silence(msgspec.Struct, frozen=True, tag=True):
    """Nothing gets through a link in either direction, and nobody is told."""

    part: str
    link: str
    ms: int


class Slow(msgspec.Struct, frozen=True, tag=True):
    """Everything over a link takes longer: a slow consumer, a congested line."""

    part: str
    link: str
    ms: int
    extra_ms: int


class Rain(msgspec.Struct, frozen=True, tag=True):
    """Data to a part is lost, comes twice or out of order, in percent of the messages."""

    part: str
    ms: int
    lost: int
    doubled: int
    strayed: int


class BrokerDown(msgspec.Struct, frozen=True, tag=True):
    """The broker dies and comes back, perhaps without its store; the parts find it one after another."""

    ms: int
    store_lost: bool


class StateDown(msgspec.Struct, frozen=True, tag=True):
    """The state store dies and comes back, perhaps empty; the parts find it one after another."""

    ms: int
    flushed: bool


class ClockStep(msgspec.Struct, frozen=True, tag=True):
    """The machine's clock is set forward; every part notices within a second."""

    ms: int


class Word(msgspec.Struct, frozen=True, tag=True):
    """An operator says pause, resume, kill, or flatten (a kill that closes positions)."""

    word: str


class AtVenue(msgspec.Struct, frozen=True, tag=True):
    """The exchange misbehaves: a fault of its own, and what ends it (None: it ends by itself). What is armed
    is lifted at the end."""

    fault: venue.Fault
    undo: venue.Fault | None
    ms: int


Fault = (
    Crash | Hang | Cut | Silence | Slow | Rain | BrokerDown | StateDown | ClockStep | Word | AtVenue
)


class Due(msgspec.Struct, frozen=True):
    """A fault and its time, nanoseconds from the start."""

    at: Nanos
    fault: Fault

    def __str__(self) -> str:
        return f"{self.at / SECOND:9.3f} s  {msgspec.json.encode(self.fault).decode()}"


_WEIGHTS: tuple[tuple[str, int], ...] = (
    ("crash", 6),
    ("hang", 4),
    ("cut", 6),
    ("silence", 4),
    ("slow", 3),
    ("rain", 3),
    ("broker", 2),
    ("state", 2),
    ("clock", 1),
    ("shock", 3),
    ("word", 2),
    ("venue", 16),
)
_DRAWN = tuple(kind for kind, weight in _WEIGHTS for _ in range(weight))

_METHODS = ("private/buy", "private/sell", "private/edit", "private/cancel", "private/get_", "")
_CODES = (
    -32603,
    10001,
    10004,
    10009,
    10010,
    10040,
    10041,
    10047,
    11044,
    11051,
    11094,
    13009,
    13028,
)
"""What may come in place of an answer. Not 10028: it must never come but by our own doing."""
_VALUES: dict[str, tuple[Any, ...]] = {
    "account": (None, "maker"),
    "bps": (-250.0, -120.0, -40.0, 40.0, 120.0, 250.0),
    "channel": ("book.", "ticker.", "user.changes", "user.portfolio", "private/", ""),
    "count": (1, 2, 3),
    "executed": (False, True),
    "hears": (False, True),
    "index": ("btc_usd",),
    "instrument": (PERPETUAL,),
    "jitter_ms": (0.0, 100.0),
    "locked": (True,),
    "maker": (None, 0.0001),
    "method": _METHODS,
    "milliseconds": (5.0, 50.0, 300.0, 1_500.0),
    "on": (True,),
    "probability": (0.5, 1.0),
    "regime": tuple(REGIMES),
    "side": tuple(Side),
    "speaks": (False, True),
    "state": (BookState.LOCKED, BookState.HALTED, BookState.SETTLEMENT),
    "status": (429, 503),
    "taker": (None, 0.0005),
    "tick": (1.0, 2.5, 5.0),
    "title": ("Scheduled maintenance",),
}
_VALUES_OF: dict[tuple[type[Any], str], tuple[Any, ...]] = {
    (venue.AnswerError, "code"): _CODES,
    (venue.CloseSockets, "code"): (1001, 1008, 1011),
    (venue.Expire, "instrument"): (DATED,),
    (venue.Liquidate, "account"): ("maker",),
    (venue.Sweep, "bps"): (1.0, 5.0, 25.0),
}
_LEFT_OUT = (venue.Deposit,)
"""No fault: somebody's money comes or goes, which no profit can explain."""
AT_VENUE = tuple(kind for kind in get_args(venue.Fault) if kind not in _LEFT_OUT)


def plan(seed: str, seconds: float) -> tuple[Due, ...]:
    """Everything that goes wrong in a run of this length, in order of time."""
    stream = Stream(f"{seed}|plan")
    dues: list[Due] = []
    at_s = WARMUP_S + stream.exponential(5.0)
    while at_s < seconds - CALM_END_S:
        for _ in range(1 + stream.below(4)):
            offset_s = at_s + stream.uniform(0.0, 3.0)
            dues.append(Due(Nanos(round(offset_s * SECOND)), _draw(stream)))
        at_s += 4.0 + stream.exponential(14.0)
    resume_at = Nanos(round((seconds - RESUME_BEFORE_END_S) * SECOND))
    dues.append(Due(resume_at, Word("resume")))
    return tuple(sorted(dues, key=lambda due: due.at))


def _draw(stream: Stream) -> Fault:
    kind = stream.choice(_DRAWN)
    ms = _length(stream)
    match kind:
        case "crash":
            return Crash(_some(stream), ms)
        case "hang":
            return Hang(_some(stream), ms)
        case "cut":
            part, link = _link(stream)
            return Cut(part, link, ms, not stream.chance(0.2))
        case "silence":
            return Silence(*_link(stream), ms)
        case "slow":
            return Slow(*_link(stream), ms, 1 + stream.below(1_500))
        case "rain":
            lost, doubled, strayed = (stream.below(60) for _ in range(3))
            return Rain(stream.choice(PARTS), ms, lost, doubled, strayed)
        case "broker":
            return BrokerDown(ms, stream.chance(0.3))
        case "state":
            return StateDown(ms, stream.chance(0.4))
        case "clock":
            return ClockStep(1_000 + stream.below(1_000))
        case "shock":
            return at_venue(stream, venue.MovePrice, ms)
        case "word":
            return Word(stream.choice(("pause", "resume", "kill", "flatten")))
        case _:
            return at_venue(stream, stream.choice(AT_VENUE), ms)


def at_venue(stream: Stream, kind: type[Any], ms: int) -> AtVenue:
    """A fault of the mock's own vocabulary. A field that has no values here keeps its default; raises
    TypeError when it has none."""
    values = {}
    for field in msgspec.structs.fields(kind):
        choices = _VALUES_OF.get((kind, field.name)) or _VALUES.get(field.name)
        if choices is None and not field.required:
            continue
        if choices is None:
            raise TypeError(
                f"the planner of fault simulations has no values for {kind.__name__}.{field.name}: "
                "give it some in backtest/faults.py"
            )
        values[field.name] = stream.choice(choices)
    fault: venue.Fault = kind(**values)
    return AtVenue(fault, _undo(fault), ms)


def _undo(fault: venue.Fault) -> venue.Fault | None:
    match fault:
        case venue.Lock():
            return venue.Lock(index=fault.index, locked=False)
        case venue.Maintenance():
            return venue.Maintenance(on=False)
        case venue.SetState():
            return venue.SetState(instrument=fault.instrument, state=BookState.OPEN)
        case venue.SetTick():
            return venue.SetTick(instrument=fault.instrument, tick=PERPETUAL_TICK)
        case venue.SetHold():
            return venue.SetHold(instrument=fault.instrument, milliseconds=0.0)
        case _:
            return None


def _length(stream: Stream) -> int:
    """Mostly short, sometimes longer than any timeout."""
    return min(20_000, 20 + round(stream.exponential(2_500.0)))


def _some(stream: Stream) -> tuple[str, ...]:
    """One part, or rarely several, or all at once: the machine loses power."""
    if stream.chance(0.1):
        return PARTS
    first = stream.choice(PARTS)
    if stream.chance(0.2):
        return tuple(part for part in PARTS if part == first or stream.chance(0.4))
    return (first,)


def _link(stream: Stream) -> tuple[str, str]:
    if stream.chance(0.5):
        return stream.choice(LINES)
    return stream.choice(PARTS), stream.choice(LINKS)
