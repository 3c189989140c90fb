"""Owns what every method works on: the exchange, who is connected, who may do what.

A `Call` is one request with its caller; a method is a function of a call that returns the result or raises
`RpcError`. What else a call wants to happen (frames after the reply, hanging up) it leaves on the call.
"""

from collections import deque
from collections.abc import Callable
from typing import TypeVar

from mock_deribit.exchange import checks
from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.events import HoldEnded
from mock_deribit.exchange.listing import Listing
from mock_deribit.exchange.messages import OrderState, OrderView, Placed, Refused
from mock_deribit.rpc import wire, wire_records
from mock_deribit.rpc.auth import Gatekeeper
from mock_deribit.rpc.credits import Limits, Purse
from mock_deribit.rpc.errors import RpcError, invalid_params, unauthorized, websocket_only
from mock_deribit.rpc.grants import Grant
from mock_deribit.rpc.hub import Frame, Hub, LateReply
from mock_deribit.rpc.notices import Access, Announcement
from mock_deribit.rpc.params import Params
from mock_deribit.rpc.rules import WireRules
from mock_deribit.rpc.session import Session
from shared.kernel import Nanos
from shared.units import from_ms, from_seconds, to_ms

VERSION = "1.2.26"
ACCESSES_MAX = 1_000
T = TypeVar("T")

Render = Callable[[list[Placed | Refused]], object]
"""Makes a result of what became of held requests; raises RpcError."""

Sent = Callable[[Nanos], bytes]
"""The text of a response by when it leaves."""

CURRENCIES = ("BTC", "ETH", "USDC", "USDT", "EURR", "any")
KINDS = ("future", "option", "spot", "future_combo", "option_combo", "combo", "any")


class Venue:
    """The exchange with its doors. `user_ids` numbers the accounts, the main one first."""

    def __init__(
        self,
        now: Nanos,
        exchange: Exchange,
        gate: Gatekeeper,
        limits: Limits,
        rules: WireRules,
        user_ids: dict[str, int],
    ) -> None:
        self.opened = now
        self.exchange = exchange
        self.gate = gate
        self.limits = limits
        self.rules = rules
        self.user_ids = user_ids
        self.hub = Hub(exchange, user_ids, from_seconds(rules.agg2_seconds))
        self.sessions: dict[int, Session] = {}
        self.purses: dict[str, Purse] = {}
        self.cancel_on_disconnect: dict[str, bool] = {}
        self.held: dict[int, Waiting] = {}
        self.announcements: list[Announcement] = []
        self.accesses: dict[str, deque[Access]] = {}
        self.maintenance = False

    def purse(self, owner: str) -> Purse:
        """The credits of an account, or of an address that has not logged in."""
        return self.purses.setdefault(owner, Purse(self.limits))

    @property
    def main_account(self) -> str:
        """The account the others are subaccounts of."""
        return next(iter(self.user_ids))

    def account_numbered(self, number: int, parameter: str) -> str:
        """The account with this user id; -32602 naming the parameter if there is none."""
        for name, user_id in self.user_ids.items():
            if user_id == number:
                return name
        raise invalid_params(parameter, "invalid value")

    def settled(self) -> list[str]:
        """Every currency that something settles in."""
        return list(dict.fromkeys(one.instrument.settlement for one in self.exchange.listings))

    def indices(self) -> list[str]:
        """Every index that something is listed on."""
        return list(dict.fromkeys(one.instrument.index for one in self.exchange.listings))

    def announce(self, now: Nanos, title: str, body: str) -> list[Frame]:
        """Publish an announcement; the frames that tell of it."""
        number = len(self.announcements) + 1
        made = Announcement(id=number, timestamp_ms=to_ms(now), title=title, body=body)
        self.announcements.append(made)
        return self.hub.announce(
            "announcements", {"action": "new", **wire_records.announcement(made)}
        )

    def log_access(self, now: Nanos, account: str, outcome: str, peer: str) -> list[Frame]:
        """Note a login to an account; the frames that tell of it."""
        log = self.accesses.setdefault(account, deque(maxlen=ACCESSES_MAX))
        number = log[-1].id + 1 if log else 1
        entry = Access(id=number, timestamp_ms=to_ms(now), log=outcome, ip=peer)
        log.append(entry)
        return self.hub.announce("user.access_log", wire_records.access(entry), account)

    def hold_ended(self, now: Nanos, event: HoldEnded) -> list[Frame]:
        """The response of a request that was held. What comes to rest for a socket that has ended
        meanwhile is cancelled if that is what it wanted."""
        waiting = self.held.pop(event.ticket, None)
        if waiting is None:
            return []
        session, answer = waiting.session, event.answer
        if isinstance(answer, Placed):
            self.adopt(session, answer.order, event.account)
        text = waiting.ended(event.ticket, answer)
        if session.conn not in self.sessions:
            if session.cancel_on_disconnect:
                for order_id, account in session.orders.items():
                    self.exchange.cancel(now, account, order_id, "cancel_on_disconnect")
                session.orders.clear()
            return []
        if text is None:
            return []
        return [LateReply(session.conn, waiting.method, text(now), waiting.lane, text)]

    def adopt(self, session: Session, order: OrderView, account: str) -> None:
        """Let a socket remember what rests through it, for cancel on disconnect."""
        made = not order.replaced or order.quote_id is not None
        if order.state is OrderState.OPEN and (made or self.rules.adopt_edited):
            session.orders[order.order_id] = account

    def listing(self, call: "Call") -> Listing:
        """The listing a request names; -32602 in the recorded words if there is none."""
        listing = self.exchange.listing(call.params.text("instrument_name"))
        if listing is None:
            raise invalid_params("instrument_name", "instrument not found")
        return listing

    def traded(self, call: "Call") -> Listing:
        """The listing a trading request names; if there is none, the code that the rules say."""
        listing = self.exchange.listing(call.params.text("instrument_name"))
        if listing is None:
            return taken(checks.UNKNOWN_INSTRUMENTS[self.exchange.rules.unknown_instrument_code])
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
        peer: str,
    ) -> None:
        self.venue = venue
        self.now = now
        self.params = params
        self.session = session
        self.grant = grant
        self.peer = peer
        self.after: list[Frame] = []
        self.hang_up = False
        self.waiting: Waiting | None = None

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

    def wait(self, tickets: tuple[int, ...], render: Render) -> None:
        """Answer only when these requests have left their holds, with what `render` makes of what
        became of them."""
        self.waiting = Waiting(self.socket, tickets, render)

    def follow(self, tickets: tuple[int, ...]) -> None:
        """Answer at once, and let the socket remember what comes of these requests."""
        for ticket in tickets:
            self.venue.held[ticket] = Waiting(self.socket, (ticket,))

    def index(self, name: str) -> str:
        """A parameter that names an index."""
        index = self.params.text(name)
        if index not in self.venue.indices():
            raise invalid_params(name, "invalid value")
        return index

    def window(self) -> tuple[Nanos, Nanos]:
        """`start_timestamp` and `end_timestamp`, both required."""
        start = self.params.integer("start_timestamp", low=0)
        end = self.params.integer("end_timestamp", low=0)
        if end < start:
            raise invalid_params("end_timestamp", "value must be >= start_timestamp")
        return from_ms(start), from_ms(end)

    def settlement(self) -> str:
        """The currency of whose books a trading request speaks, as far as it says so; else `all`."""
        name, order_id = self.params.peek("instrument_name"), self.params.peek("order_id")
        if not name and self.params.has("quotes"):
            name = self.params.peek_first("quotes", "instrument_name")
        listing = self.venue.exchange.listing(name) if name else None
        if listing is not None:
            return listing.instrument.settlement
        if order_id.isdigit():
            return "BTC"
        word = order_id.partition("-")[0] or self.params.peek("currency").upper()
        return word if word in CURRENCIES else "all"

    def futures_wanted(self) -> bool:
        """Whether the `kind` parameter includes futures, the only kind listed."""
        return self.params.choice("kind", KINDS, "any") in ("future", "any")


class Waiting:
    """A request of a session that waits for holds to end; without `render` it is answered already.
    `respond` is the dispatcher's: from what makes the result it makes the response, whose text depends
    on when it leaves."""

    def __init__(
        self, session: Session, tickets: tuple[int, ...], render: Render | None = None
    ) -> None:
        self.session = session
        self.method = ""
        self.lane = ""
        self.respond: Callable[[Callable[[], object]], Sent] | None = None
        self._render = render
        self._answers: dict[int, Placed | Refused | None] = dict.fromkeys(tickets)

    def ended(self, ticket: int, answer: Placed | Refused) -> Sent | None:
        """One of the holds has ended; the response once all have."""
        self._answers[ticket] = answer
        answers = [each for each in self._answers.values() if each is not None]
        render = self._render
        if self.respond is None or render is None or len(answers) < len(self._answers):
            return None
        return self.respond(lambda: render(answers))

    @property
    def tickets(self) -> tuple[int, ...]:
        """The holds waited for."""
        return tuple(self._answers)


class Method:
    """How a method is served: by what, for which scope, out of which credits, and what it may be asked.

    A method sees only the parameters named in `takes`. With the parameter `narrowed_by` present the
    request is of class `trading`. The docstring of `run` says in its first line what the method does.
    """

    def __init__(
        self,
        run: Callable[[Call], object],
        scope: str | None = None,
        credits: str = "non_matching",
        takes: str = "",
        narrowed_by: str = "",
    ) -> None:
        self.run = run
        self.scope = scope
        self.parameters = tuple(takes.split())
        self.narrowed_by = narrowed_by
        self._credits = credits
        self.matching = credits in ("trading", "cancel_all", "mass_quotes")

    def credits(self, params: Params) -> str:
        """The class whose credits a request with these parameters costs."""
        return "trading" if self.narrowed_by and params.has(self.narrowed_by) else self._credits

    @property
    def credit_class(self) -> str:
        """The class of a request without the parameter that narrows it."""
        return self._credits


def taken(answer: T | Refused) -> T:
    """What the engine did, or its refusal raised as the request's error."""
    if isinstance(answer, Refused):
        raise RpcError(answer.code, answer.message, answer.data)
    return answer
