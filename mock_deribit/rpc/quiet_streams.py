"""Owns the quieter public channels: indices, states, listings, candles, and what the platform says.

A silent channel is granted and says nothing by itself: its news come from outside the exchange.
"""

from collections.abc import Callable

from mock_deribit.exchange.delivery import AVERAGING
from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.events import (
    Event,
    IndexChanged,
    Listed,
    LockChanged,
    StateChanged,
    Traded,
)
from mock_deribit.exchange.messages import PublicTrade
from mock_deribit.rpc import wire, wire_records
from mock_deribit.rpc.candles import RESOLUTIONS, Candle, opened
from mock_deribit.rpc.channels import Channel
from mock_deribit.rpc.estimate import delivery_price, nearest
from mock_deribit.rpc.streams import Payload, Stream
from shared.units import SECOND, to_ms, to_seconds

CONSTITUENTS = (
    ("one", 0.0002),
    ("two", -0.0001),
    ("three", 0.0),
    ("four", -0.0003),
    ("five", 0.0001),
)
"""Invented sources of an index and how far each one's price is from it."""


class SilentStream(Stream):
    """A channel whose news are said by the venue, or never."""

    def take(self, event: Event) -> bool:
        return False

    def flush(self) -> list[Payload]:
        return []


class MethodsStateStream(SilentStream):
    """`platform_state.public_methods_state`: public methods are open to everybody."""

    def initial(self) -> list[Payload]:
        return [{"allow_unauthenticated_public_requests": True}]


class NoticeStream(Stream):
    """Channels that pass each event on as one small object."""

    def __init__(self, channel: Channel, exchange: Exchange) -> None:
        super().__init__(channel, exchange)
        self._notices: list[Payload] = []

    def take(self, event: Event) -> bool:
        notice = self.notice(event)
        if notice is not None:
            self._notices.append(notice)
        return notice is not None

    def notice(self, event: Event) -> Payload | None:
        """The object for this event, None if it belongs elsewhere."""
        raise NotImplementedError

    def flush(self) -> list[Payload]:
        notices, self._notices = self._notices, []
        return notices


class IndexStream(NoticeStream):
    """`deribit_price_index.{index}`."""

    hears = (IndexChanged,)

    def notice(self, event: Event) -> Payload | None:
        if not isinstance(event, IndexChanged) or event.index != self.channel.index:
            return None
        return {"timestamp": to_ms(event.ts), "price": event.price, "index_name": event.index}


class StateStream(NoticeStream):
    """`instrument.state.{kind}.{currency}`."""

    hears = (StateChanged,)

    def notice(self, event: Event) -> Payload | None:
        if not isinstance(event, StateChanged) or not self.covers(event.instrument):
            return None
        return {
            "timestamp": to_ms(event.ts),
            "state": event.state.value,
            "instrument_name": event.instrument,
        }


class PlatformStream(NoticeStream):
    """`platform_state`: one frame an index at first, then every lock and release."""

    hears = (LockChanged,)

    def initial(self) -> list[Payload]:
        indices = dict.fromkeys(listing.instrument.index for listing in self.exchange.listings)
        return [_lock(index, self.exchange.is_locked(index)) for index in indices]

    def notice(self, event: Event) -> Payload | None:
        return _lock(event.index, event.locked) if isinstance(event, LockChanged) else None


def _lock(index: str, locked: bool) -> Payload:
    return {"locked": locked, "price_index": index, "reasons": []}


class RankingStream(NoticeStream):
    """`deribit_price_ranking.{index}`: invented constituents, equally weighted, around the index."""

    hears = (IndexChanged,)

    def notice(self, event: Event) -> Payload | None:
        if not isinstance(event, IndexChanged) or event.index != self.channel.index:
            return None
        return [
            {
                "identifier": name,
                "enabled": True,
                "weight": 100.0 / len(CONSTITUENTS),
                "price": round(event.price * (1.0 + away), 2),
                "original_price": round(event.price * (1.0 + away), 2),
                "timestamp": to_ms(event.ts),
            }
            for name, away in CONSTITUENTS
        ]


class ExpirationStream(NoticeStream):
    """`estimated_expiration_price.{index}`: of the next expiry; an average in the last half hour."""

    hears = (IndexChanged,)

    def notice(self, event: Event) -> Payload | None:
        if not isinstance(event, IndexChanged) or event.index != self.channel.index:
            return None
        listing = nearest(self.exchange, event.index)
        if listing is None:
            return None
        left = max(0, listing.instrument.expiry - event.ts)
        body: dict[str, object] = {
            "price": delivery_price(self.exchange, event.index),
            "seconds": int(to_seconds(left)),
            "is_estimated": left <= AVERAGING,
        }
        if left <= AVERAGING:
            body["left_ticks"] = left // SECOND
            body["total_ticks"] = AVERAGING // SECOND
        return body


class CreationStream(NoticeStream):
    """`instrument.creation.{kind}.{currency}`."""

    hears = (Listed,)

    def notice(self, event: Event) -> Payload | None:
        if not isinstance(event, Listed) or not event.created or not self.covers(event.instrument):
            return None
        return wire.instrument(self.listing(event.instrument))


class ChartStream(Stream):
    """`chart.trades.{instrument}.{resolution}`: the candle of the last trade, after each request that
    traded."""

    hears = (Traded,)

    def __init__(self, channel: Channel, exchange: Exchange) -> None:
        super().__init__(channel, exchange)
        self._length = RESOLUTIONS[channel.detail]
        self._instrument = self.listing(channel.instrument or "").instrument
        self._candle: Candle | None = None
        self._dirty = False
        for trade in exchange.trades(self._instrument.name):
            self._add(trade)

    def take(self, event: Event) -> bool:
        if not isinstance(event, Traded) or event.instrument != self._instrument.name:
            return False
        for trade in event.trades:
            self._add(trade)
        self._dirty = True
        return True

    def flush(self) -> list[Payload]:
        dirty, self._dirty = self._dirty, False
        return [wire_records.candle(self._candle)] if dirty and self._candle is not None else []

    def _add(self, trade: PublicTrade) -> None:
        current = self._candle
        if current is None or trade.ts >= current.start + self._length:
            current = self._candle = opened(trade, self._length)
        current.add(trade, self._instrument)


QUIET_STREAMS: dict[str, Callable[[Channel, Exchange], Stream]] = {
    "announcements": SilentStream,
    "chart.trades": ChartStream,
    "deribit_price_index": IndexStream,
    "deribit_price_ranking": RankingStream,
    "estimated_expiration_price": ExpirationStream,
    "instrument.creation": CreationStream,
    "instrument.state": StateStream,
    "markprice.options": SilentStream,
    "platform_state": PlatformStream,
    "platform_state.public_methods_state": MethodsStateStream,
}
