"""Owns the carrying out of what an operator says: at once, or by arming it."""

from collections.abc import Sequence
from typing import assert_never

from mock_deribit.exchange.engine import Exchange
from mock_deribit.faults import (
    Announce,
    ArmedFault,
    CrossedBook,
    Deposit,
    DrainCredits,
    Expire,
    ExpireTokens,
    Fault,
    Gap,
    Liquidate,
    Lock,
    Maintenance,
    MarketFault,
    MovePrice,
    PlatformFault,
    SetFees,
    SetHold,
    SetRegime,
    SetState,
    SetTick,
    Settle,
    SocketFault,
    Sweep,
)
from mock_deribit.faults.armed import Armed
from mock_deribit.market.market import Directed, Market
from mock_deribit.market.regime import regime_of
from mock_deribit.market.trader import Trader
from mock_deribit.rpc.venue import Venue
from mock_deribit.sockets import GOING_AWAY, Sockets
from shared.instruments import Instrument
from shared.kernel import Nanos

HOUSE = "house-operator"


class Operator:
    """Whoever holds the control port. What names something that is not there is refused whole."""

    def __init__(
        self, exchange: Exchange, market: Market, venue: Venue, sockets: Sockets, armed: Armed
    ) -> None:
        self._exchange = exchange
        self._market = market
        self._venue = venue
        self._sockets = sockets
        self._armed = armed

    def check(self, fault: Fault) -> None:
        """Raise ValueError when a fault names what is not there, or asks what this market cannot do."""
        account = getattr(fault, "account", None)
        if account is not None:
            _require("account", account, list(self._venue.user_ids))
        if hasattr(fault, "instrument"):
            self._instrument(fault.instrument)
        if hasattr(fault, "index"):
            _require("index", fault.index, [x.instrument.index for x in self._exchange.listings])
        if isinstance(fault, MovePrice | SetRegime) and not isinstance(self._market, Directed):
            raise ValueError("this market takes no directions; the simulated one does")
        if isinstance(fault, SetRegime):
            regime_of(fault.regime)

    def carry_out(self, now: Nanos, fault: Fault) -> Nanos | None:
        """Do it or arm it. Raises ValueError when it cannot be done.

        Returns when to wake the market next, if that has changed.
        """
        self.check(fault)
        market_at: Nanos | None = None
        if isinstance(fault, ArmedFault):
            self._armed.arm(fault)
        elif isinstance(fault, SocketFault):
            self._sockets.suffer(now, fault)
        elif isinstance(fault, MarketFault):
            market_at = self._direct(now, fault)
        else:
            self._do(now, fault)
        self._sockets.notify(now, self._sockets.told(now))
        return market_at

    def _do(self, now: Nanos, fault: PlatformFault) -> None:
        hub, exchange, sockets = self._venue.hub, self._exchange, self._sockets
        match fault:
            case ExpireTokens(account=account):
                self._venue.gate.expire(account)
            case DrainCredits(account=account):
                self._drain(now, account)
            case CrossedBook(instrument=name):
                sockets.notify(now, hub.cross(name))
            case Gap(instrument=name):
                hub.skip(name)
            case Lock(index=index, locked=locked):
                exchange.set_locked(now, index, locked)
            case Maintenance(on=on):
                self._venue.maintenance = on
                sockets.notify(now, hub.announce("platform_state", {"maintenance": on}))
                if on:
                    sockets.close_all(now, GOING_AWAY, "maintenance")
            case Announce(title=title, body=body):
                sockets.notify(now, self._venue.announce(now, title, body))
            case SetState(instrument=name, state=state):
                exchange.set_state(now, name, state)
            case Settle():
                exchange.settle_now(now)
            case Expire(instrument=name):
                exchange.expire_now(now, name)
            case SetTick(instrument=name, tick=tick):
                exchange.set_tick(now, name, tick)
            case SetFees(instrument=name, maker=maker, taker=taker):
                exchange.set_fees(now, name, maker=maker, taker=taker)
            case SetHold(instrument=name, milliseconds=hold):
                exchange.set_hold(now, name, hold)
            case Liquidate(account=name):
                exchange.liquidate(now, name)
            case Deposit(account=name, currency=currency, amount=amount):
                exchange.deposit(now, name, currency, amount)
            case _:
                assert_never(fault)

    def _direct(self, now: Nanos, fault: MarketFault) -> Nanos | None:
        market = self._market
        match fault:
            case Sweep(instrument=name, side=side, bps=bps):
                if isinstance(market, Directed):
                    return market.sweep(now, name, side.sign, bps)
                # A passer-by takes where the market knows nothing of sweeps.
                Trader(self._exchange, HOUSE, self._instrument(name)).sweep(now, side.sign, bps)
                return None
            case MovePrice(bps=bps) if isinstance(market, Directed):
                return market.shift(now, bps)
            case SetRegime(regime=name) if isinstance(market, Directed):
                return market.set_regime(now, name)
        return None

    def _drain(self, now: Nanos, account: str | None) -> None:
        owners = [*self._venue.purses, *self._venue.user_ids] if account is None else [account]
        for owner in owners:
            self._venue.purse(owner).drain(now)

    def _instrument(self, name: str) -> Instrument:
        listings = {listing.name: listing.instrument for listing in self._exchange.listings}
        _require("instrument", name, list(listings))
        return listings[name]


def _require(what: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise ValueError(
            f"there is no {what} {name!r} here; there are {', '.join(dict.fromkeys(known))}"
        )
