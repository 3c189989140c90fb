"""Owns what every method works on: the exchange, who is connected, who may do what.

A `Call` is one request with its caller; a method is a function of a call that returns the result or raises
`RpcError`. What else a call wants to happen (frames after the reply, hanging up) it leaves on the call.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.listing import Listing
from mock_deribit.exchange.messages import OrderView, Refused
from mock_deribit.rpc import wire
from mock_deribit.rpc.auth import Gatekeeper, Grant
from mock_deribit.rpc.credits import Limits, Purse
from mock_deribit.rpc.errors import RpcError, invalid_params, unauthorized, websocket_only
from mock_deribit.rpc.hub import Frame, Hub
from mock_deribit.rpc.params import Params
from mock_deribit.rpc.session import Session
from shared.kernel import Nanos

VERSION = "1.2.26"
T = TypeVar("T")

CURRENCIES = ("BTC", "ETH", "USDC", "USDT", "EURR", "any")
KINDS = ("future", "option", "spot", "future_combo", "option_combo", "combo", "any")


class Venue:
    """The exchange with its doors."""

    def __init__(
        self, now: Nanos, exchange: Exchange, gate: Gatekeeper, limits: Limits, users: Sequence[str]
    ) -> None:
        self.opened = now
        self.exchange = exchange
        self.gate = gate
        self.limits = limits
        self.user_ids = {name: 1001 + n for n, name in enumerate(users)}
        self.hub = Hub(exchange, self.user_ids)
        self.sessions: dict[int, Session] = {}
        self.purses: dict[str, Purse] = {}
        self.cancel_on_disconnect: dict[str, bool] = {}
        self.self_match: dict[str, str] = {}
        self.maintenance = False

    def purse(self, owner: str) -> Purse:
        """The credits of an account, or of an address that has not logged in."""
        return self.purses.setdefault(owner, Purse(self.limits))

    def listing(self, call: "Call") -> Listing:
        """The listing a request names; -32602 in the recorded words if there is none."""
        listing = self.exchange.listing(call.params.text("instrument_name"))
        if listing is None:
            raise invalid_params("instrument_name", "instrument not found")
        return listing

    def listed(self, name: str) -> Listing:
        """The listing of an instrument an order or trade of ours is in."""
        listing = self.exchange.listing(name)
        if listing is None:
            raise KeyError(f"expected a listed instrument, got {name!r}")
        return listing

    def order(self, view: OrderView, account: str) -> wire.Json:
        """An order in Deribit's words."""
        return wire.order(view, self.listed(view.instrument), self.user_ids[account])


class Call:
    """One request. `session` is None over HTTP, `grant` None when nobody is logged in."""

    def __init__(
        self,
        venue: Venue,
        now: Nanos,
        params: Params,
        session: Session | None,
        grant: Grant | None,
    ) -> None:
        self.venue = venue
        self.now = now
        self.params = params
        self.session = session
        self.grant = grant
        self.after: list[Frame] = []
        self.hang_up = False

    @property
    def account(self) -> str:
        """The account the caller acts for."""
        if self.grant is None:
            raise unauthorized("invalid_token")
        return self.grant.account

    @property
    def socket(self) -> Session:
        """The caller's session; 10030 over HTTP."""
        if self.session is None:
            raise websocket_only()
        return self.session

    def currency(self, default: str | None = None) -> str | None:
        """The `currency` parameter; None stands for any."""
        value = self.params.text("currency", default).upper()
        wanted = "any" if value == "ANY" else value
        if wanted not in CURRENCIES:
            raise invalid_params("currency", "invalid currency")
        return None if wanted == "any" else wanted

    def futures_wanted(self) -> bool:
        """Whether the `kind` parameter includes futures, the only kind listed."""
        return self.params.choice("kind", KINDS, "any") in ("future", "any")


class Method(msgspec.Struct, frozen=True):
    """How a method is served: by whom, for which scope, out of which credits."""

    run: Callable[[Call], object]
    scope: str | None = None
    credits: str = "non_matching"

    @property
    def matching(self) -> bool:
        """Whether the matching engine's queue is used."""
        return self.credits in ("trading", "cancel_all")


def taken(answer: T | Refused) -> T:
    """What the engine did, or its refusal raised as the request's error."""
    if isinstance(answer, Refused):
        raise RpcError(answer.code, answer.message, answer.data)
    return answer
