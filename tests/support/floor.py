"""A trading floor for engine tests: an exchange with accounts, and short words for orders."""

from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.events import Event
from mock_deribit.exchange.listing import btc_listings, venue_listings
from mock_deribit.exchange.messages import (
    Held,
    OrderRequest,
    OrderType,
    OrderView,
    Placed,
    Refused,
    TimeInForce,
)
from mock_deribit.exchange.rules import Rules
from mock_deribit.market.market import Market
from shared.kernel import Nanos
from shared.units import SECOND, Side

OPENING = Nanos(1_789_990_000 * SECOND)
"""2026-09-21 11:26:40 UTC: far from any settlement."""

PERPETUAL = "BTC-PERPETUAL"


class Floor:
    """An exchange at index 60,000 with the accounts alice, bob and carol, 1 BTC each (on the whole
    venue also 100,000 USDC and 20 ETH)."""

    def __init__(
        self,
        index: float = 60_000.0,
        now: Nanos = OPENING,
        rules: Rules | None = None,
        *,
        whole_venue: bool = False,
    ) -> None:
        self.now = now
        listings = venue_listings(now) if whole_venue else btc_listings(now)
        self.exchange = Exchange(now, listings, {"btc_usd": index}, "floor", rules)
        for name in ("alice", "bob", "carol"):
            self.exchange.open_account(name, {"BTC": 1.0})
            if whole_venue:
                self.exchange.deposit(now, name, "USDC", 100_000.0)
                self.exchange.deposit(now, name, "ETH", 20.0)
        self.exchange.drain()

    def send(
        self,
        account: str,
        side: Side,
        amount: float,
        price: float | None,
        *,
        instrument: str = PERPETUAL,
        tif: TimeInForce = TimeInForce.GTC,
        order_type: OrderType = OrderType.LIMIT,
        post_only: bool = False,
        reject: bool = False,
        reduce_only: bool = False,
        label: str = "",
        valid_until: Nanos | None = None,
        display: float | None = None,
        mmp: bool = False,
    ) -> Placed | Refused | Held:
        """Place an order and hand back whatever the exchange says."""
        request = OrderRequest(
            instrument=instrument,
            side=side,
            amount=amount,
            price=price,
            order_type=order_type,
            time_in_force=tif,
            post_only=post_only,
            reject_post_only=reject,
            reduce_only=reduce_only,
            label=label,
            valid_until=valid_until,
            display_amount=display,
            mmp=mmp,
        )
        return self.exchange.place(self.now, account, request)

    def buy(self, account: str, amount: float, price: float) -> OrderView:
        """A limit buy that must be taken."""
        return accepted(self.send(account, Side.BUY, amount, price)).order

    def sell(self, account: str, amount: float, price: float) -> OrderView:
        """A limit sell that must be taken."""
        return accepted(self.send(account, Side.SELL, amount, price)).order

    def trade(self, buyer: str, seller: str, amount: float, price: float) -> None:
        """Let two accounts trade with each other."""
        self.sell(seller, amount, price)
        self.buy(buyer, amount, price)

    def wait(self, nanos: int) -> None:
        """Let time pass as a host would, waking the exchange when it asks, a thousand times at most."""
        target, pace = Nanos(self.now + nanos), nanos // 1_000
        while self.exchange.next_wake() <= target:
            late = max(self.exchange.next_wake(), self.exchange.now + pace)
            self.exchange.advance(Nanos(min(late, target)))
        self.exchange.advance(target)
        self.now = target


def accepted(answer: Placed | Refused | Held) -> Placed:
    """The answer, which must be neither a refusal nor held."""
    assert isinstance(answer, Placed), f"refused: {answer}"
    return answer


def code(answer: object) -> int:
    """The code of an answer that must be a refusal."""
    assert isinstance(answer, Refused), f"expected a refusal, came {answer}"
    return answer.code


def play(exchange: Exchange, market: Market, now: Nanos, seconds: float) -> list[Event]:
    """Start a market and drive it with the exchange for a while; everything that was told."""
    end = Nanos(now + round(seconds * SECOND))
    due = market.start(now, exchange)
    events = exchange.drain()
    while min(due, exchange.next_wake()) <= end:
        now = min(due, exchange.next_wake())
        exchange.advance(now)
        due = market.wake(now)
        events.extend(exchange.drain())
    return events
