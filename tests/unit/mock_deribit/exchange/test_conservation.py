"""Whatever accounts do: nothing is created, nothing lost, no book crossed, every change told."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_deribit.exchange.events import (
    BookChanged,
    Event,
)
from mock_deribit.exchange.messages import (
    OrderEdit,
    OrderState,
    SelfMatch,
    TimeInForce,
)
from shared.kernel import Nanos
from shared.units import DAY, HOUR, SECOND, Side
from tests.support.floor import PERPETUAL, Floor

ACCOUNTS = ("alice", "bob", "carol")
Step = tuple[str, str, Side, int, int, TimeInForce, int]

steps = st.lists(
    st.tuples(
        st.sampled_from(["place"] * 6 + ["post", "reduce", "edit", "cancel", "index", "wait"]),
        st.sampled_from(ACCOUNTS),
        st.sampled_from(list(Side)),
        st.integers(1, 400),
        st.integers(-12, 12),
        st.sampled_from(list(TimeInForce)),
        st.integers(0, 50),
    ),
    min_size=5,
    max_size=60,
)


def perform(floor: Floor, step: Step) -> list[Event]:
    """One step of a random session: whatever is refused is part of it."""
    act, account, side, lots, ticks, tif, pick = step
    price, amount = 60_000.0 + 0.5 * ticks, 10.0 * lots
    if act == "place":
        floor.send(account, side, amount, price, tif=tif)
    elif act == "post":
        floor.send(account, side, amount, price, post_only=True)
    elif act == "reduce":
        floor.send(account, side, amount, price, reduce_only=True)
    elif act == "index":
        floor.exchange.set_index(floor.now, "btc_usd", 60_000.0 + 10.0 * ticks)
    elif act == "wait":
        floor.now = Nanos(floor.now + (SECOND, HOUR, DAY)[pick % 3])
        floor.exchange.advance(floor.now)
    else:
        orders = floor.exchange.open_orders(account)
        if orders:
            chosen = orders[pick % len(orders)].order_id
            if act == "edit":
                edit = OrderEdit(amount=amount, price=price)
                floor.exchange.edit(floor.now, account, chosen, edit)
            else:
                floor.exchange.cancel(floor.now, account, chosen)
    return floor.exchange.drain()


def check_whole(floor: Floor) -> None:
    exchange = floor.exchange
    assert sum(exchange.position(name, PERPETUAL).size for name in ACCOUNTS) == 0.0
    equity = sum(exchange.portfolio(name, "BTC").equity for name in ACCOUNTS)
    assert equity + exchange.fees_paid("BTC") == pytest.approx(3.0, abs=5e-8)
    bid, ask = exchange.best(PERPETUAL)
    assert bid is None or ask is None or bid < ask
    for name in ACCOUNTS:
        position = exchange.position(name, PERPETUAL)
        reducing = [o for o in exchange.open_orders(name) if o.reduce_only]
        total = sum(o.amount - o.filled_amount for o in reducing)
        assert total <= abs(position.size)
        assert all(o.side.sign * position.size < 0 for o in reducing)


@settings(max_examples=60, deadline=None)
@given(steps, st.sampled_from(list(SelfMatch)))
def test_positions_and_money_are_conserved_and_the_book_never_crosses(
    script: list[Step], mode: SelfMatch
) -> None:
    floor = Floor()
    floor.exchange.set_self_match("alice", mode)
    for step in script:
        perform(floor, step)
        check_whole(floor)


@settings(max_examples=60, deadline=None)
@given(steps, st.sampled_from(list(SelfMatch)))
def test_what_accounts_are_shown_of_their_orders_adds_up_to_the_book_and_to_their_fills(
    script: list[Step], mode: SelfMatch
) -> None:
    floor = Floor()
    exchange = floor.exchange
    exchange.set_self_match("alice", mode)
    for step in script:
        perform(floor, step)
        shown: dict[tuple[Side, float], float] = {}
        for name in ACCOUNTS:
            for order in exchange.open_orders(name):
                level = (order.side, order.price)
                shown[level] = shown.get(level, 0.0) + order.amount - order.filled_amount
            for order in (*exchange.open_orders(name), *exchange.closed_orders(name)):
                fills = exchange.user_trades(name, order_id=order.order_id)
                assert order.filled_amount == sum(fill.trade.amount for fill in fills)
                assert (order.state is OrderState.FILLED) == (order.filled_amount == order.amount)
        book = exchange.book(PERPETUAL)
        resting = {(Side.BUY, price): amount for price, amount in book.bids}
        assert shown == resting | {(Side.SELL, price): amount for price, amount in book.asks}


@settings(max_examples=60, deadline=None)
@given(steps)
def test_margin_and_equity_kept_along_the_way_equal_those_summed_up_anew(
    script: list[Step],
) -> None:
    floor = Floor()
    exchange = floor.exchange
    listing = exchange.listing(PERPETUAL)
    assert listing is not None
    for step in script:
        perform(floor, step)
        mark = exchange.ticker(PERPETUAL).mark_price
        for name in ACCOUNTS:
            position, portfolio = (
                exchange.position(name, PERPETUAL),
                exchange.portfolio(name, "BTC"),
            )
            left = {Side.BUY: 0.0, Side.SELL: 0.0}
            for order in exchange.open_orders(name):
                left[order.side] += order.amount - order.filled_amount
            long, short = position.size + left[Side.BUY], position.size - left[Side.SELL]
            size = max(abs(position.size), abs(long), abs(short)) / mark
            margin = (listing.initial_margin_rate + listing.margin_slope * size) * size
            assert portfolio.initial_margin == pytest.approx(margin, abs=1.1e-8)
            upl = (
                position.size * (1.0 / position.average_price - 1.0 / mark)
                if position.size
                else 0.0
            )
            assert position.total_profit_loss == pytest.approx(upl, abs=1e-8)
            session = position.realized_profit_loss + position.floating_profit_loss
            assert portfolio.equity == pytest.approx(portfolio.balance + session, abs=2e-8)


@settings(max_examples=40, deadline=None)
@given(steps)
def test_told_changes_rebuild_the_book_along_an_unbroken_chain(script: list[Step]) -> None:
    floor = Floor()
    change_id = floor.exchange.book(PERPETUAL).change_id
    bids: dict[float, float] = {}
    asks: dict[float, float] = {}
    for step in script:
        for event in perform(floor, step):
            if isinstance(event, BookChanged) and event.instrument == PERPETUAL:
                assert event.prev_change_id == change_id < event.change_id
                change_id = event.change_id
                assert event.bids or event.asks
                for side, levels in ((bids, event.bids), (asks, event.asks)):
                    for level in levels:
                        known = level.price in side
                        expected = "delete" if not level.amount else "change" if known else "new"
                        assert level.action == expected
                        side[level.price] = level.amount
                        if not level.amount:
                            del side[level.price]
                assert [lv.price for lv in event.bids] == sorted(
                    (lv.price for lv in event.bids), reverse=True
                )
                assert [lv.price for lv in event.asks] == sorted(lv.price for lv in event.asks)
        view = floor.exchange.book(PERPETUAL)
        assert view.change_id == change_id
        assert view.bids == tuple(sorted(bids.items(), reverse=True))
        assert view.asks == tuple(sorted(asks.items()))


@settings(max_examples=15, deadline=None)
@given(steps)
def test_the_same_session_tells_the_same_story(script: list[Step]) -> None:
    def story() -> list[list[Event]]:
        floor = Floor()
        return [perform(floor, step) for step in script]

    assert story() == story()


def test_open_interest_counts_each_contract_once() -> None:
    floor = Floor()
    floor.trade("alice", "bob", 100.0, 60_000.0)
    floor.trade("alice", "carol", 50.0, 60_000.0)
    floor.trade("bob", "alice", 30.0, 60_000.0)
    sizes = [floor.exchange.position(name, PERPETUAL).size for name in ACCOUNTS]
    assert floor.exchange.ticker(PERPETUAL).open_interest == sum(max(0.0, s) for s in sizes)
