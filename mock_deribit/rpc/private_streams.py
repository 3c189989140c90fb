"""Owns what the `user.*` channels say: one stream per account and channel.

Raw `user.orders` frames hold one order, batched ones a list; `user.trades` always a list; `user.changes`
one object an instrument, sent when the position that closes every order event has arrived.
Source: recorded production frames of December 2025.
"""

from collections.abc import Callable

from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.events import (
    AccountLocked,
    Event,
    MmpTriggered,
    OrderUpdated,
    PortfolioChanged,
    PositionChanged,
    UserTraded,
)
from mock_deribit.rpc import wire, wire_quotes
from mock_deribit.rpc.channels import Channel
from mock_deribit.rpc.streams import Payload, Stream


class PrivateStream(Stream):
    """A channel of one account."""

    def __init__(self, channel: Channel, exchange: Exchange, account: str, user_id: int) -> None:
        super().__init__(channel, exchange)
        self.account = account
        self.user_id = user_id

    def order(self, event: OrderUpdated) -> wire.Json:
        """The order object of an event."""
        return wire.order(event.order, self.listing(event.order.instrument), self.user_id)

    def trades(self, event: UserTraded) -> list[object]:
        """The user trades of an event."""
        listing = self.listing(event.instrument)
        return [wire.user_trade(fill, listing, self.user_id) for fill in event.trades]


class OrdersStream(PrivateStream):
    """`user.orders.…`."""

    hears = (OrderUpdated,)

    def __init__(self, channel: Channel, exchange: Exchange, account: str, user_id: int) -> None:
        super().__init__(channel, exchange, account, user_id)
        self._orders: list[wire.Json] = []

    def take(self, event: Event) -> bool:
        if not isinstance(event, OrderUpdated) or event.account != self.account:
            return False
        if not self.covers(event.order.instrument):
            return False
        self._orders.append(self.order(event))
        return True

    def flush(self) -> list[Payload]:
        orders, self._orders = self._orders, []
        if self.channel.interval == "raw":
            return list(orders)
        return [list(orders)] if orders else []


class UserTradesStream(PrivateStream):
    """`user.trades.…`."""

    hears = (UserTraded,)

    def __init__(self, channel: Channel, exchange: Exchange, account: str, user_id: int) -> None:
        super().__init__(channel, exchange, account, user_id)
        self._trades: list[object] = []

    def take(self, event: Event) -> bool:
        if not isinstance(event, UserTraded) or event.account != self.account:
            return False
        if not self.covers(event.instrument):
            return False
        self._trades.extend(self.trades(event))
        return True

    def flush(self) -> list[Payload]:
        trades, self._trades = self._trades, []
        return [trades] if trades else []


class ChangesStream(PrivateStream):
    """`user.changes.…`: orders, trades and positions of one instrument together."""

    hears = (OrderUpdated, UserTraded, PositionChanged)

    def __init__(self, channel: Channel, exchange: Exchange, account: str, user_id: int) -> None:
        super().__init__(channel, exchange, account, user_id)
        self._orders: dict[str, list[object]] = {}
        self._trades: dict[str, list[object]] = {}
        self._moved: dict[str, None] = {}

    def take(self, event: Event) -> bool:
        if not isinstance(event, OrderUpdated | UserTraded | PositionChanged):
            return False
        if event.account != self.account:
            return False
        match event:
            case OrderUpdated(order=order) if self.covers(order.instrument):
                self._orders.setdefault(order.instrument, []).append(self.order(event))
            case UserTraded(instrument=name) if self.covers(name):
                self._trades.setdefault(name, []).extend(self.trades(event))
            case PositionChanged(instrument=name) if self.covers(name):
                self._moved[name] = None
            case _:
                return False
        return True

    def flush(self) -> list[Payload]:
        moved, self._moved = self._moved, {}
        return [
            {
                "instrument_name": name,
                "trades": self._trades.pop(name, []),
                "orders": self._orders.pop(name, []),
                "positions": [self._position(name)],
            }
            for name in moved
        ]

    def _position(self, name: str) -> wire.Json:
        view = self.exchange.position(self.account, name)
        return wire.position(view, self.listing(name).instrument.perpetual)


class PortfolioStream(PrivateStream):
    """`user.portfolio.{currency}`: the latest state of each currency."""

    hears = (PortfolioChanged,)

    def __init__(self, channel: Channel, exchange: Exchange, account: str, user_id: int) -> None:
        super().__init__(channel, exchange, account, user_id)
        self._moved: dict[str, None] = {}

    def initial(self) -> list[Payload]:
        listed = self.exchange.listings
        settled = dict.fromkeys(listing.instrument.settlement for listing in listed)
        wanted = self.channel.currency
        views = [
            self.exchange.portfolio(self.account, currency)
            for currency in settled
            if wanted in (currency, "any")
        ]
        return [wire.portfolio(view) for view in views]

    def take(self, event: Event) -> bool:
        if not isinstance(event, PortfolioChanged) or event.account != self.account:
            return False
        if self.channel.currency not in (event.currency, "any"):
            return False
        self._moved[event.currency] = None
        return True

    def flush(self) -> list[Payload]:
        moved, self._moved = self._moved, {}
        views = [self.exchange.portfolio(self.account, currency) for currency in moved]
        return [wire.portfolio(view) for view in views]


class ProtectionStream(PrivateStream):
    """`user.mmp_trigger.{index}`: market maker protection acted; `frozen_until` 0 is until reset."""

    hears = (MmpTriggered,)

    def __init__(self, channel: Channel, exchange: Exchange, account: str, user_id: int) -> None:
        super().__init__(channel, exchange, account, user_id)
        self._triggers: list[Payload] = []

    def take(self, event: Event) -> bool:
        if not isinstance(event, MmpTriggered) or event.account != self.account:
            return False
        if self.channel.index not in (None, event.index):
            return False
        self._triggers.append(wire_quotes.frozen(event))
        return True

    def flush(self) -> list[Payload]:
        triggers, self._triggers = self._triggers, []
        return triggers


class LockStream(PrivateStream):
    """`user.lock`: the account was locked for its liquidation, or released."""

    hears = (AccountLocked,)

    def __init__(self, channel: Channel, exchange: Exchange, account: str, user_id: int) -> None:
        super().__init__(channel, exchange, account, user_id)
        self._locks: list[Payload] = []

    def take(self, event: Event) -> bool:
        if not isinstance(event, AccountLocked) or event.account != self.account:
            return False
        self._locks.append({"currency": "ALL", "locked": event.locked})
        return True

    def flush(self) -> list[Payload]:
        locks, self._locks = self._locks, []
        return locks


class TidingsStream(PrivateStream):
    """`user.access_log`: its news are said by the venue itself."""

    def take(self, event: Event) -> bool:
        return False

    def flush(self) -> list[Payload]:
        return []


PRIVATE_STREAMS: dict[str, Callable[[Channel, Exchange, str, int], PrivateStream]] = {
    "user.orders": OrdersStream,
    "user.trades": UserTradesStream,
    "user.changes": ChangesStream,
    "user.portfolio": PortfolioStream,
    "user.mmp_trigger": ProtectionStream,
    "user.lock": LockStream,
    "user.access_log": TidingsStream,
}
