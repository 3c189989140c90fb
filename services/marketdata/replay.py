"""Replay: a recording through the whole market-data core, and what came of it.

The core asks its venue for a list of instruments and for channels as it always does; `Playback` answers
in the venue's place, and the recorded frames follow at their recorded times. Answers that were recorded
are left out: they belong to questions of another session. A recording that breaks a chain cannot be asked
for a new snapshot, so after a gap its book stays empty until the recording holds one.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from services.marketdata.core import LINK, Marketdata
from shared.deribit.channels import parse_channel
from shared.kernel import (
    Event,
    FrameIn,
    LinkDown,
    LinkUp,
    Message,
    Nanos,
    Publish,
    Send,
    Started,
    Wake,
    WakeAt,
)
from shared.messages import Anomaly, Book, Health
from shared.params import MarketdataParams, Params
from shared.recordings import tardis
from shared.recordings.frames import HEADER, Entry, MalformedRecording, decode_entry
from shared.units import HOUR, SECOND, to_ms, to_seconds

Lines = Callable[[], Iterable[bytes]]
"""Gives the lines of a recording from the start, each time it is called."""

_FUTURES_MAX = 4
_PERPETUAL_EXPIRY_MS = 32_503_708_800_000


class Spread(msgspec.Struct):
    """Spreads of the different books published for one instrument, USD."""

    books: int = 0
    change_id: int = 0
    least: float = float("inf")
    greatest: float = 0.0
    total: float = 0.0

    def note(self, book: Book) -> None:
        """One more book; one that is repeated does not count."""
        if book.change_id == self.change_id:
            return
        usd = book.asks[0][0] - book.bids[0][0]
        self.change_id = book.change_id
        self.books += 1
        self.total += usd
        self.least = min(self.least, usd)
        self.greatest = max(self.greatest, usd)

    @property
    def mean(self) -> float:
        """Mean over the published books."""
        return self.total / self.books if self.books else 0.0


class Summary(msgspec.Struct):
    """What a replay found; `counters` are those of the service's last `Health`."""

    seconds: float = 0.0
    frames: int = 0
    """Recorded frames that were replayed, answers left out."""
    counters: dict[str, float] = {}
    spreads: dict[str, Spread] = {}
    anomalies: list[str] = []

    @property
    def is_clean(self) -> bool:
        """No gap, no crossed book, no frame that could not be read, and at least one book."""
        faults = sum(self.counters.get(name, 0) for name in ("gaps", "crossed", "malformed"))
        return faults == 0 and bool(self.spreads)


class _Envelope(msgspec.Struct):
    id: int | str | None = None
    method: str = ""
    params: dict[str, Any] = {}


_envelope = msgspec.json.Decoder(_Envelope)


def entries_of(lines: Iterable[bytes]) -> Iterator[Entry]:
    """The entries of a recording in either format; raises `MalformedRecording`."""
    iterator = iter(lines)
    first = next(iterator, None)
    if first is None:
        raise MalformedRecording("the recording is empty")
    if tardis.is_tardis(first):
        yield from tardis.entries_of(_with(first, iterator))
        return
    if first.strip() != HEADER:
        raise MalformedRecording(
            f"expected a recording of this system ({HEADER.decode()}) or one of tardis-node on the "
            f"first line, came {first[:80]!r}"
        )
    for line in iterator:
        # Segments read one after the other repeat the header.
        if line.strip() != HEADER:
            yield decode_entry(line)


def replay(lines: Lines) -> Summary:
    """Everything of a recording through a new core."""
    names = sorted({name: None for entry in entries_of(lines()) for name in _instruments(entry)})
    return Playback(names).run(entries_of(lines()))


class Playback:
    """The world of one core: its clock, its timers, its venue."""

    def __init__(self, names: list[str]) -> None:
        self._names = names
        dated = min(_FUTURES_MAX, max(0, len(names) - 1))
        following = MarketdataParams(dated_futures=dated, expiry_min_h=1.0)
        self._core = Marketdata(Params(marketdata=following))
        self._timers: list[tuple[Nanos, str]] = []
        self._due: dict[str, Nanos] = {}
        self._summary = Summary()
        self._up = False

    def run(self, entries: Iterable[Entry]) -> Summary:
        """Feed the entries in order."""
        start = now = None
        for entry in entries:
            if start is None:
                start = entry.at
                self._tell(start, Started(incarnation=1))
            now = max(entry.at, now or entry.at)
            self._pass_time(now)
            self._play(now, entry)
        if start is not None and now is not None:
            self._summary.seconds = to_seconds(now - start)
            self._pass_time(Nanos(now + SECOND))
        return self._summary

    def _play(self, now: Nanos, entry: Entry) -> None:
        if entry.kind == "down":
            self._up = False
            self._tell(now, LinkDown(link=LINK, reason=entry.text))
            return
        if not self._up:
            self._up = True
            self._tell(now, LinkUp(link=LINK))
        if entry.kind == "frame" and not _is_answer(entry.text):
            self._summary.frames += 1
            self._tell(now, FrameIn(link=LINK, data=entry.text.encode()))

    def _pass_time(self, until: Nanos) -> None:
        while self._timers and self._timers[0][0] <= until:
            at, timer = heapq.heappop(self._timers)
            if self._due.get(timer) == at:
                del self._due[timer]
                self._tell(at, Wake(timer=timer))

    def _tell(self, now: Nanos, event: Event) -> None:
        """One event, then the venue's answers to whatever it made the core ask."""
        events = deque([event])
        while events:
            for effect in self._core.handle(now, events.popleft()):
                match effect:
                    case Publish(message):
                        self._note(message)
                    case WakeAt(timer, at):
                        self._due[timer] = at
                        heapq.heappush(self._timers, (at, timer))
                    case Send(_, data):
                        events.append(FrameIn(link=LINK, data=self._answer(data)))
                    case _:
                        self._summary.anomalies.append(str(effect))

    def _note(self, message: Message) -> None:
        match message:
            case Book():
                self._summary.spreads.setdefault(message.instrument, Spread()).note(message)
            case Health():
                self._summary.counters = message.counters
            case Anomaly():
                where = f"{message.instrument}: " if message.instrument else ""
                self._summary.anomalies.append(f"{message.kind}: {where}{message.detail}")

    def _answer(self, data: bytes) -> bytes:
        """The venue's side of the conversation."""
        request = _envelope.decode(data)
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request.id}
        match request.method:
            case "public/get_instruments":
                answer["result"] = [_listed(name) for name in self._names if _expiry_ms(name)]
            case "public/ticker":
                answer["error"] = {"code": -32601, "message": "not in a recording"}
            case "public/subscribe" | "public/unsubscribe":
                answer["result"] = request.params["channels"]
            case _:
                answer["result"] = "ok"
        return msgspec.json.encode(answer)


def _with(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _is_answer(text: str) -> bool:
    try:
        envelope = _envelope.decode(text)
    except msgspec.DecodeError:
        return False
    return envelope.id is not None


def _instruments(entry: Entry) -> list[str]:
    """The instrument of a book frame."""
    if entry.kind != "frame" or '"book.' not in entry.text:
        return []
    try:
        channel = _envelope.decode(entry.text).params.get("channel")
    except msgspec.DecodeError:
        return []
    name = parse_channel(str(channel)).instrument
    return [name] if name else []


def _listed(name: str) -> dict[str, Any]:
    """An instrument as the venue lists it; its tick and fees are in no recording and play no part."""
    perpetual = name.endswith("-PERPETUAL")
    return {
        "instrument_name": name,
        "kind": "future",
        "instrument_type": "reversed",
        "base_currency": name.split("-", maxsplit=1)[0],
        "quote_currency": "USD",
        "settlement_currency": name.split("-", maxsplit=1)[0],
        "settlement_period": "perpetual" if perpetual else "month",
        "expiration_timestamp": _expiry_ms(name),
        "tick_size": 0.5,
        "contract_size": 10.0,
        "min_trade_amount": 10.0,
        "maker_commission": 0.0,
        "taker_commission": 0.0,
        "is_active": True,
        "state": "open",
    }


def _expiry_ms(name: str) -> int | None:
    """08:00 UTC on the day in the name; None for what is no future."""
    if name.endswith("-PERPETUAL"):
        return _PERPETUAL_EXPIRY_MS
    try:
        day = datetime.strptime(name.split("-")[1], "%d%b%y").replace(tzinfo=UTC)
    except (ValueError, IndexError):
        return None
    return int(day.timestamp() * 1000) + to_ms(Nanos(8 * HOUR))
