"""Whatever accounts and operators do: nothing is made or lost, no book crossed, every change told."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_deribit.exchange.events import BookChanged, Event, HoldEnded
from mock_deribit.exchange.maker_messages import (
    MassQuote,
    Protection,
    Quote,
    QuoteFilter,
    QuoteSide,
)
from mock_deribit.exchange.messages import OrderEdit, OrderState, OrderType, SelfMatch, TimeInForce
from mock_deribit.exchange.rules import Rules
from shared.kernel import Nanos
from shared.units import DAY, HOUR, MILLISECOND, SECOND, Side
from tests.support.floor import PERPETUAL, Floor

ACCOUNTS = ("alice", "bob", "carol")
LINEAR = "BTC_USDC-PERPETUAL"
RULES = Rules(hold_ms=10.0, market_remainder="rests", edit_to_filled="close")
Step = tuple[str, str, Side, int, int, TimeInForce, int]
Act = Callable[[Floor, Step], None]

_USUAL = ["place"] * 8 + ["linear", "dated"] * 2 + ["market", "post", "reduce", "iceberg", "mmp"]
_USUAL += ["edit", "edit", "cancel", "quote", "quote", "index", "wait"]
_RARE = ["cancel_all", "cancel_quotes", "protect", "reset", "liquidate", "settle", "expire", "fees"]


def scripts(acts: list[str]) -> st.SearchStrategy[list[Step]]:
    """Sessions of these acts, each with whatever it may need drawn beforehand."""
    step = st.tuples(
        st.sampled_from(acts),
        st.sampled_from(ACCOUNTS),
        st.sampled_from(list(Side)),
        st.integers(1, 400),
        st.integers(-12, 12),
        st.sampled_from(list(TimeInForce)),
        st.integers(0, 50),
    )
    return st.lists(step, min_size=5, max_size=60)


steps = scripts(_USUAL + _RARE)
plain_steps = scripts(["place"] * 6 + ["post", "reduce", "edit", "cancel", "index", "wait"])


def opened(mode: SelfMatch = SelfMatch.REJECT_TAKER) -> Floor:
    floor = Floor(rules=RULES, whole_venue=True)
    floor.exchange.open_account("dave", {"BTC": 1.0, "USDC": 1_000.0}, owner="alice")
    floor.exchange.set_self_match("alice", mode, extended=True)
    for name in ACCOUNTS:
        protect(floor, name, 5.0)
    floor.exchange.drain()
    return floor


def protect(floor: Floor, account: str, most: float) -> None:
    for group in ("", "g"):
        config = Protection(
            index="btc_usd",
            group=group,
            interval_s=5,
            frozen_time_s=1,
            max_quote_quantity=most,
            quantity_limit=0.02,
        )
        floor.exchange.set_protection(floor.now, account, config)


def order(floor: Floor, step: Step) -> None:
    """An order of some kind; whatever is refused is part of it."""
    act, account, side, lots, ticks, tif, _ = step
    price, amount = 60_000.0 + 0.5 * ticks, 10.0 * lots
    match act:
        case "linear":
            floor.send(account, side, 0.01 * lots, price, instrument=LINEAR, tif=tif)
        case "dated":
            dated = floor.exchange.listings[1].name
            near = 60_000.0 + 2.5 * ticks
            floor.send(account, side, amount, near, instrument=dated, tif=tif)
        case "market":
            floor.send(account, side, amount, None, order_type=OrderType.MARKET)
        case "post":
            floor.send(account, side, amount, price, post_only=True)
        case "reduce":
            floor.send(account, side, amount, price, reduce_only=True)
        case "iceberg":
            floor.send(account, side, 10.0 * amount, price, display=max(1_000.0, amount))
        case "mmp":
            floor.send(account, side, amount, price, mmp=True)
        case _:
            floor.send(account, side, amount, price, tif=tif)


def change(floor: Floor, step: Step) -> None:
    """An edit or a cancel of some open order, if there is one."""
    act, account, _, lots, ticks, _, pick = step
    orders = floor.exchange.open_orders(account)
    if not orders:
        return
    chosen = orders[pick % len(orders)].order_id
    if act == "cancel":
        floor.exchange.cancel(floor.now, account, chosen)
    else:
        edit = OrderEdit(amount=10.0 * lots, price=60_000.0 + 0.5 * ticks)
        floor.exchange.edit(floor.now, account, chosen, edit)


def quote(floor: Floor, step: Step) -> None:
    _, account, _, lots, ticks, _, pick = step
    middle, amount = 60_000.0 + 0.5 * ticks, 10.0 * (lots % 40)
    sides = (
        QuoteSide(price=middle - 1.0, amount=amount, post_only=pick % 2 == 0),
        QuoteSide(price=middle + 1.0, amount=amount, reject_post_only=pick % 3 == 0),
    )
    quotes = Quote(instrument=PERPETUAL, bid=sides[0], ask=sides[1] if pick % 5 else None)
    request = MassQuote(quote_id=str(pick), group="g", quotes=(quotes,), guarded=True)
    floor.exchange.mass_quote(floor.now, account, request)


def operate(floor: Floor, step: Step) -> None:
    """Something that is not an order."""
    act, account, _, lots, ticks, _, pick = step
    exchange, now = floor.exchange, floor.now
    calm = all(listing.instrument.state != "settlement" for listing in exchange.listings)
    match act:
        case "index":
            exchange.set_index(now, "btc_usd", 60_000.0 + 25.0 * ticks)
        case "wait":
            floor.wait((3 * MILLISECOND, SECOND, HOUR, DAY)[pick % 4])
        case "cancel_all":
            exchange.cancel_all(now, account)
        case "cancel_quotes":
            exchange.cancel_quotes(now, account, QuoteFilter(), freeze=pick % 2 == 0)
        case "protect":
            protect(floor, account, 0.01 * lots)
        case "reset":
            exchange.reset_protection(now, account, "btc_usd")
        case "liquidate" if pick % 3 == 0:
            exchange.liquidate(now, account)
        case "settle" if calm:
            exchange.settle_now(now)
        case "expire" if calm and exchange.listings[1].instrument.state == "open":
            exchange.expire_now(now, exchange.listings[1].name)
        case "fees":
            exchange.set_fees(now, PERPETUAL, maker=0.00001 * ticks, taker=0.000001 * lots)


_ACTS: dict[str, Act] = {"edit": change, "cancel": change, "quote": quote}
_ACTS.update((act, operate) for act in ("index", "wait", *_RARE))


def perform(floor: Floor, step: Step) -> list[Event]:
    _ACTS.get(step[0], order)(floor, step)
    return floor.exchange.drain()


def check_whole(floor: Floor, money: dict[str, int]) -> None:
    exchange = floor.exchange
    assert {currency: exchange.money(currency) for currency in money} == money
    for listing in exchange.listings:
        sizes = [exchange.position(name, listing.name).size for name in exchange.accounts]
        assert abs(sum(sizes)) < 1e-9, listing.name
        bid, ask = exchange.best(listing.name)
        assert bid is None or ask is None or bid < ask, listing.name
    for name in ACCOUNTS:
        position = exchange.position(name, PERPETUAL)
        reducing = [o for o in exchange.open_orders(name) if o.reduce_only]
        assert sum(o.amount - o.filled_amount for o in reducing) <= abs(position.size)
        assert all(o.side.sign * position.size < 0 for o in reducing)
        log = exchange.transaction_log(name, "BTC")
        assert (
            round(sum(entry.change for entry in log), 8) == exchange.portfolio(name, "BTC").balance
        )


@settings(max_examples=150, deadline=None)
@given(steps, st.sampled_from(list(SelfMatch)))
def test_money_and_positions_are_conserved_to_the_last_quantum_and_no_book_crosses(
    script: list[Step], mode: SelfMatch
) -> None:
    floor = opened(mode)
    money = {currency: floor.exchange.money(currency) for currency in ("BTC", "USDC", "ETH")}
    assert money["BTC"] == 4 * 10**18
    for step in script:
        perform(floor, step)
        check_whole(floor, money)


@settings(max_examples=60, deadline=None)
@given(plain_steps, st.sampled_from(list(SelfMatch)))
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
@given(plain_steps)
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
            margin = (exchange.rules.initial_margin_rate + listing.margin_slope * size) * size
            assert portfolio.initial_margin == pytest.approx(margin, abs=1.1e-8)
            upl = (
                position.size * (1.0 / position.average_price - 1.0 / mark)
                if position.size
                else 0.0
            )
            assert position.total_profit_loss == pytest.approx(upl, abs=1e-8)
            session = position.realized_profit_loss + position.floating_profit_loss
            assert portfolio.equity == pytest.approx(portfolio.balance + session, abs=2e-8)


@settings(max_examples=60, deadline=None)
@given(steps)
def test_told_changes_rebuild_the_book_along_an_unbroken_chain(script: list[Step]) -> None:
    floor = opened()
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
        floor = opened()
        return [perform(floor, step) for step in script]

    assert story() == story()


@settings(max_examples=60, deadline=None)
@given(steps)
def test_every_ticket_of_the_hold_is_answered_once(script: list[Step]) -> None:
    floor = opened()
    floor.exchange.set_hold(floor.now, PERPETUAL, 10.0)
    answered: list[int] = []
    for step in script:
        answered += [e.ticket for e in perform(floor, step) if isinstance(e, HoldEnded)]
    floor.wait(SECOND)
    answered += [e.ticket for e in floor.exchange.drain() if isinstance(e, HoldEnded)]
    assert sorted(answered) == list(range(1, len(answered) + 1))
    assert floor.exchange.next_wake() > floor.now


def test_open_interest_counts_each_contract_once() -> None:
    floor = Floor()
    floor.trade("alice", "bob", 100.0, 60_000.0)
    floor.trade("alice", "carol", 50.0, 60_000.0)
    floor.trade("bob", "alice", 30.0, 60_000.0)
    sizes = [floor.exchange.position(name, PERPETUAL).size for name in ACCOUNTS]
    assert floor.exchange.ticker(PERPETUAL).open_interest == sum(max(0.0, s) for s in sizes)


def test_a_time_that_is_no_multiple_of_anything_changes_nothing_about_it() -> None:
    floor = opened()
    before = floor.exchange.money("BTC")
    floor.trade("bob", "carol", 12_340.0, 60_001.5)
    for nanos in (1, 7 * SECOND + 13, HOUR + 1, DAY + 999):
        floor.exchange.set_index(floor.now, "btc_usd", 60_000.0 + nanos % 97)
        floor.wait(nanos)
        assert floor.exchange.money("BTC") == before
    assert floor.now > Nanos(0)
