"""Owns the subscriptions: which socket hears which channel, and when batched channels speak."""

from collections.abc import Callable

import msgspec

from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.events import Event
from mock_deribit.rpc.channels import Channel
from mock_deribit.rpc.private_streams import PRIVATE_STREAMS
from mock_deribit.rpc.quiet_streams import QUIET_STREAMS
from mock_deribit.rpc.streams import STREAMS, BookStream, Payload, Stream
from mock_deribit.rpc.text import encode
from shared.instruments import BookState
from shared.kernel import Nanos
from shared.units import MILLISECOND, SECOND

BATCH = Nanos(100 * MILLISECOND)

_SEVERAL = ""
_NOTICE = '{"jsonrpc":"2.0","method":"subscription","params":{'

StreamKey = tuple[str, str]
"""Account (empty for public channels) and channel name."""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One notification for one socket, and its text as bytes, which all its listeners share."""

    conn: int
    channel: str
    data: bytes


class LateReply(Frame, frozen=True, gc=False):
    """The response of a request that was held, as it reads if it leaves at once. `at` is its text for a
    later moment, `lane` the one in which replies of its kind leave."""

    lane: str
    at: Callable[[Nanos], bytes]


class _Live:
    """A stream with its listeners: socket to label."""

    def __init__(self, stream: Stream, period: Nanos | None) -> None:
        self.stream = stream
        self.period = period
        self.due: Nanos | None = None
        self.listeners: dict[int, str | None] = {}


class Hub:
    """All live channels. `agg2` is the period of the channels so called."""

    def __init__(self, exchange: Exchange, user_ids: dict[str, int], agg2: Nanos) -> None:
        self._periods = {"100ms": BATCH, "1s": SECOND, "agg2": agg2}
        self._exchange = exchange
        self._user_ids = user_ids
        self._live: dict[StreamKey, _Live] = {}
        self._routes: dict[tuple[type[Event], str], dict[StreamKey, _Live]] = {}
        self._due: Nanos | None = None
        self._due_moved = False

    def subscribable(self, channel: Channel) -> bool:
        """Whether the instrument or index a channel names is there and open."""
        if channel.index is not None:
            indices = [listing.instrument.index for listing in self._exchange.listings]
            return channel.index in indices
        if channel.instrument is None:
            return True
        listing = self._exchange.listing(channel.instrument)
        return listing is not None and listing.instrument.state is BookState.OPEN

    def subscribe(
        self,
        conn: int,
        account: str,
        channel: Channel,
        label: str | None,
        *,
        greeted: bool = True,
    ) -> list[Frame]:
        """Add a listener to a channel, of an account if it is private; the frames to send after the
        acknowledgement (none if already one). One that is not `greeted` gets nothing of the channel's
        present state."""
        key = (account, channel.name)
        live = self._live.get(key)
        if live is None:
            live = self._live[key] = _Live(
                self._stream(account, channel), self._periods.get(channel.interval)
            )
            for route in _routes(account, live.stream):
                self._routes.setdefault(route, {})[key] = live
        if conn in live.listeners:
            return []
        frames = self._flush(live)
        live.listeners[conn] = label
        newcomer = {conn: label}
        for payload in live.stream.initial() if greeted else ():
            frames += _frames(newcomer, channel.name, payload)
        return frames

    def _stream(self, account: str, channel: Channel) -> Stream:
        if channel.private:
            make = PRIVATE_STREAMS[channel.topic]
            return make(channel, self._exchange, account, self._user_ids[account])
        make_public = STREAMS.get(channel.topic) or QUIET_STREAMS[channel.topic]
        return make_public(channel, self._exchange)

    def unsubscribe(self, conn: int, account: str, channel: str) -> None:
        """Take a listener off a channel, and the channel down after its last one."""
        key = (account, channel)
        live = self._live[key]
        del live.listeners[conn]
        if not live.listeners:
            del self._live[key]
            self._due_moved = True
            for route in _routes(account, live.stream):
                del self._routes[route][key]

    def tell(self, now: Nanos, event: Event) -> list[Frame]:
        """Show an event to the streams that it may concern; raw channels speak at once.

        Those of its own account or instrument first, then those that are about several.
        """
        frames: list[Frame] = []
        for subject in dict.fromkeys((_subject(event), _SEVERAL)):
            for live in self._routes.get((type(event), subject), {}).values():
                if not live.stream.take(event):
                    continue
                if live.period is None:
                    frames += self._flush(live)
                elif live.due is None:
                    live.due = Nanos((now // live.period + 1) * live.period)
                    self._due_moved = True
        return frames

    def announce(self, channel: str, payload: Payload, account: str = "") -> list[Frame]:
        """Say something on a channel, public or an account's, that no event of the exchange says."""
        live = self._live.get((account, channel))
        return _frames(live.listeners, channel, payload) if live is not None else []

    def cross(self, instrument: str) -> list[Frame]:
        """Tell the listeners of an instrument's books of a bid at the best ask."""
        frames: list[Frame] = []
        for live in self._live.values():
            stream = live.stream
            if isinstance(stream, BookStream) and stream.channel.instrument == instrument:
                frames += self._flush(live)
                for payload in stream.crossed():
                    frames += _frames(live.listeners, stream.channel.name, payload)
        return frames

    def skip(self, instrument: str) -> None:
        """Let an instrument's books lose the thread: their next frame does not follow the last."""
        for live in self._live.values():
            if isinstance(live.stream, BookStream) and live.stream.channel.instrument == instrument:
                live.stream.skip()

    def due(self) -> Nanos | None:
        """When a batched channel next has something to say."""
        if self._due_moved:
            times = [live.due for live in self._live.values() if live.due is not None]
            self._due, self._due_moved = min(times, default=None), False
        return self._due

    def wake(self, now: Nanos) -> list[Frame]:
        """Let the batched channels speak whose time has come."""
        frames: list[Frame] = []
        for live in self._live.values():
            if live.due is not None and live.due <= now:
                frames += self._flush(live)
        return frames

    def _flush(self, live: _Live) -> list[Frame]:
        if live.due is not None:
            live.due, self._due_moved = None, True
        frames: list[Frame] = []
        for payload in live.stream.flush():
            frames += _frames(live.listeners, live.stream.channel.name, payload)
        return frames


def _routes(account: str, stream: Stream) -> list[tuple[type[Event], str]]:
    """By what the stream is found: what it hears, and about whom or what."""
    subject = account or stream.channel.instrument or _SEVERAL
    return [(heard, subject) for heard in stream.hears]


def _subject(event: Event) -> str:
    """Whom a private event is told, or which instrument a public one is about."""
    subject: str = getattr(event, "account", "") or getattr(event, "instrument", _SEVERAL)
    return subject


def _frames(listeners: dict[int, str | None], channel: str, payload: Payload) -> list[Frame]:
    """The same bytes for everybody, but for those who asked for a label in theirs."""
    rest = f'"channel":"{channel}","data":{encode(payload)}}}}}'
    plain = (_NOTICE + rest).encode()
    return [
        Frame(
            conn,
            channel,
            f'{_NOTICE}"label":{encode(label)},{rest}'.encode() if label else plain,
        )
        for conn, label in listeners.items()
    ]
