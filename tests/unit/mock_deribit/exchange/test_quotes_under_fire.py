"""Mass quotes, edits, cancels and holds mixed at random: what an account is said to have is what rests."""

import pytest

from mock_deribit.exchange.maker_messages import (
    MassQuote,
    Protection,
    Quote,
    QuoteFilter,
    QuoteSide,
)
from mock_deribit.exchange.messages import OrderEdit, OrderView, SelfMatch
from shared.instruments import BookState
from shared.randomness import Stream
from shared.units import MILLISECOND, Side
from tests.support.floor import PERPETUAL, Floor

QUOTERS = ("alice", "bob")
STEPS = 150


class Fire:
    """A floor on which everything happens within three dollars of 60,000."""

    def __init__(self, seed: int) -> None:
        self.draws = Stream(f"fire {seed}")
        self.floor = Floor()
        self.exchange = self.floor.exchange
        self.exchange.set_hold(self.floor.now, PERPETUAL, 10.0)
        self.exchange.set_self_match("alice", SelfMatch.CANCEL_MAKER)
        for account in QUOTERS:
            for group in ("g", "h", ""):
                self.protect(account, group, 0.01)

    def protect(self, account: str, group: str, most: float, interval_s: int = 1) -> None:
        config = Protection(
            index="btc_usd",
            group=group,
            interval_s=interval_s,
            frozen_time_s=1,
            max_quote_quantity=most,
            quantity_limit=0.002,
        )
        self.exchange.set_protection(self.floor.now, account, config)

    def price(self) -> float:
        return 60_000.0 + 0.5 * (self.draws.below(13) - 6)

    def amount(self) -> float:
        return 10.0 * (1 + self.draws.below(6))

    def side(self) -> QuoteSide | None:
        if self.draws.chance(0.3):
            return None
        return QuoteSide(
            price=None if self.draws.chance(0.2) else self.price(),
            amount=self.draws.choice((None, 0.0, 10.0, 20.0, 50.0)),
            post_only=self.draws.chance(0.3),
            reject_post_only=self.draws.chance(0.2),
        )

    def quote(self, account: str) -> None:
        quote = Quote(instrument=PERPETUAL, bid=self.side(), ask=self.side())
        group = self.draws.choice(("g", "h"))
        sent = MassQuote(quote_id="1", group=group, quotes=(quote,), guarded=True)
        self.exchange.mass_quote(self.floor.now, account, sent)

    def step(self) -> None:
        floor, exchange, draws = self.floor, self.exchange, self.draws
        account = draws.choice(QUOTERS)
        resting: tuple[OrderView, ...] = ()
        match draws.below(20):
            case 0:
                exchange.cancel_all(floor.now, account, freeze_quotes=draws.chance(0.2))
            case 1:
                exchange.cancel_quotes(floor.now, account, QuoteFilter())
            case 2:
                state = draws.choice((BookState.HALTED, BookState.OPEN, BookState.OPEN))
                exchange.set_state(floor.now, PERPETUAL, state)
            case 3:
                self.protect(account, "g", draws.choice((0.005, 0.01)), draws.below(4))
            case 4:
                exchange.liquidate(floor.now, account)
            case 5 | 6 | 7:
                floor.wait(draws.choice((1, 5, 10, 50)) * MILLISECOND)
            case 8 | 9:
                resting = exchange.open_orders(account)
            case 10 | 11 | 12:
                side, plain = draws.choice((Side.BUY, Side.SELL)), draws.chance(0.8)
                floor.send("carol", side, self.amount(), self.price())
                floor.send(account, side, self.amount(), self.price(), mmp=not plain)
            case _:
                self.quote(account)
        if resting:
            edit = OrderEdit(price=self.price(), amount=self.amount())
            exchange.edit(floor.now, account, draws.choice(resting).order_id, edit)

    def check(self) -> None:
        """One quote a side, instrument and group; every protected order under its protection."""
        for name in QUOTERS:
            orders = self.exchange.open_orders(name)
            quotes = [(o.side, o.mmp_group) for o in orders if o.quote_id is not None]
            assert len(quotes) == len(set(quotes))
            groups = {protection.group for protection in self.exchange.protections(name)}
            assert {o.mmp_group or "" for o in orders if o.mmp} <= groups
            queued = [
                order_id
                for order in orders
                for owner, order_id, _ in self.exchange.queue(PERPETUAL, order.side, order.price)
                if owner == name and order_id == order.order_id
            ]
            assert queued == [order.order_id for order in orders]
        bid, ask = self.exchange.best(PERPETUAL)
        assert bid is None or ask is None or bid < ask
        self.exchange.drain()


@pytest.mark.parametrize("seed", range(30))
def test_an_account_has_one_quote_a_side_whatever_waits_trades_or_leaves(seed: int) -> None:
    fire = Fire(seed)
    before = fire.exchange.money("BTC")
    for _ in range(STEPS):
        fire.step()
        fire.check()
    for name in QUOTERS:
        fire.exchange.set_state(fire.floor.now, PERPETUAL, BookState.OPEN)
        fire.exchange.cancel_all(fire.floor.now, name)
        assert fire.exchange.open_orders(name) == ()
    assert fire.exchange.money("BTC") == before
