"""The auditor sees every broken rule, and keeps quiet when none is."""

from collections.abc import Callable

import msgspec
import pytest

from backtest.invariants import RULES, Auditor, ExchangeLedger
from shared.instruments import BookState
from shared.kernel import Event, Nanos, Started, Wake
from shared.messages import (
    Book,
    FeedState,
    FeedStatus,
    Filled,
    Health,
    Lease,
    Liquidity,
    Mode,
    ModeChanged,
    OrderChanged,
    OrderState,
    Pnl,
    Position,
    Purpose,
    Quote,
    QuoteLevel,
    Ticker,
)
from shared.units import SECOND, Side

PERPETUAL = "BTC-PERPETUAL"


def at(seconds: float) -> Nanos:
    """A moment of the story."""
    return Nanos(round(seconds * SECOND))


def book(bid: float = 60_000.0, ask: float = 60_000.5) -> Book:
    """A book of one level a side."""
    return Book(
        ts=at(1),
        instrument=PERPETUAL,
        change_id=1,
        seen=at(1),
        bids=((bid, 10.0),),
        asks=((ask, 10.0),),
    )


def feed(state: FeedState, when: float) -> FeedStatus:
    """What is to be believed of the book."""
    return FeedStatus(ts=at(when), instrument=PERPETUAL, state=state, reason="", heard=at(when))


def quote(price: float = 59_990.0, book_seen: float = 1.0) -> Quote:
    """A bid whose parts add up to 59,990."""
    level = QuoteLevel(
        side=Side.BUY,
        layer=0,
        price=price,
        amount=1_200.0,
        parts=(("mid", 60_000.25), ("fee_floor", -10.0), ("rounding", -0.25)),
    )
    return Quote(
        ts=at(book_seen),
        instrument=PERPETUAL,
        quote_id=1,
        levels=(level,),
        fair=60_000.25,
        reservation=60_000.25,
        half_spread=10.0,
        sigma=5.0,
        valid_until=at(10),
        change_id=1,
        book_ts=at(book_seen),
        book_seen=at(book_seen),
        params_version=1,
    )


def order(
    state: OrderState, when: float = 2, label: str = "mm-1", purpose: Purpose = Purpose.QUOTE
) -> OrderChanged:
    """A bid of ours somewhere in its life."""
    return OrderChanged(
        ts=at(when),
        instrument=PERPETUAL,
        label=label,
        order_id="1",
        state=state,
        side=Side.BUY,
        price=59_990.0,
        amount=1_200.0,
        filled=0.0,
        purpose=purpose,
        layer=0,
        quote_id=1,
        reason="",
        venue_ts=at(when),
    )


def fill(trade_id: str = "t1", liquidity: Liquidity = Liquidity.MAKER) -> Filled:
    """The bid, filled."""
    return Filled(
        ts=at(3),
        instrument=PERPETUAL,
        trade_id=trade_id,
        trade_seq=1,
        order_id="1",
        label="mm-1",
        side=Side.BUY,
        price=59_990.0,
        amount=1_200.0,
        fee=3e-6,
        realized=0.0,
        liquidity=liquidity,
        purpose=Purpose.QUOTE,
        mark_price=60_000.0,
        index_price=60_000.0,
        seen=at(3),
    )


def position(amount: float, working_buy: float = 0.0) -> Position:
    """Inventory with working bids."""
    return Position(
        ts=at(3),
        instrument=PERPETUAL,
        amount=amount,
        average_price=59_990.0,
        realized=0.0,
        fees=0.0,
        fills=1,
        working_buy=working_buy,
        working_sell=0.0,
        version=1,
        reconciled=at(3),
    )


def ticker(mark: float = 60_000.0) -> Ticker:
    """The mark."""
    return Ticker(
        ts=at(1),
        instrument=PERPETUAL,
        seen=at(1),
        state=BookState.OPEN,
        mark_price=mark,
        index_price=mark,
        min_price=59_000.0,
        max_price=61_000.0,
    )


def lease(granted: bool = True, until: float = 4.0) -> Lease:
    """Permission to rest orders within 0.3 BTC."""
    return Lease(
        ts=at(2),
        number=1,
        mode=Mode.ACTIVE,
        granted=granted,
        reason="",
        until=at(until),
        hard_limit=0.3,
    )


def pnl(spread: float = 1e-4, total: float = 9.7e-5, unexplained: float = 0.0) -> Pnl:
    """Profit of one fill."""
    return Pnl(
        ts=at(4),
        net_delta=0.02,
        worst_delta=0.02,
        deltas={PERPETUAL: 0.02},
        spread=spread,
        inventory=0.0,
        hedge=0.0,
        fees=3e-6,
        funding=0.0,
        total=total,
        equity=0.9,
        equity_change=total,
        unexplained=unexplained,
        drawdown=0.0,
        mark=60_000.0,
    )


def oms_alive(when: float, started: float = 0.0) -> Health:
    """The OMS speaks."""
    return Health(
        ts=at(when), source="oms", ready=True, detail="", started=at(started), counters={}
    )


def killed() -> ModeChanged:
    """The operator's hand."""
    return ModeChanged(
        ts=at(5), mode=Mode.KILLED, previous=Mode.ACTIVE, reason="test", by="operator"
    )


def audited(*heard: tuple[float, Event]) -> Auditor:
    """An auditor that heard these, each at its second."""
    auditor = Auditor()
    auditor.handle(at(0), Started(incarnation=1))
    for when, event in heard:
        auditor.handle(at(when), event)
    return auditor


def broken(auditor: Auditor) -> list[str]:
    """The rules with a witness against them."""
    return [verdict.rule for verdict in auditor.verdicts() if not verdict.held]


def a_good_day() -> Auditor:
    """Everything in order, every rule put to the test but the exchange's."""
    return audited(
        (1, feed(FeedState.LIVE, 1)),
        (1, book()),
        (1, ticker()),
        (2, lease()),
        (2, quote()),
        (2, order(OrderState.PENDING)),
        (2, order(OrderState.OPEN)),
        (3, fill()),
        (3, order(OrderState.FILLED)),
        (3, position(1_200.0, working_buy=1_200.0)),
        (4, pnl()),
        (5, killed()),
        (5, order(OrderState.PENDING, 6, "mm-2", Purpose.HEDGE)),
        (6, oms_alive(6)),
        (6, Wake(timer="audit")),
    )


def test_a_good_day_breaks_no_rule_and_tests_every_one() -> None:
    auditor = a_good_day()
    auditor.compare_with_exchange(ExchangeLedger(("t1",), {PERPETUAL: 1_200.0}, ()))
    assert broken(auditor) == []
    assert {verdict.rule: verdict.checks > 0 for verdict in auditor.verdicts()} == dict.fromkeys(
        RULES, True
    )


@pytest.mark.parametrize(
    ("rule", "story"),
    [
        ("book_continuous", lambda: audited((1, book(bid=60_001.0)))),
        (
            "quote_from_live_book",
            lambda: audited((1, feed(FeedState.GAP, 1)), (2, quote(book_seen=1.5))),
        ),
        ("quote_adds_up", lambda: audited((2, quote(price=59_990.5)))),
        ("post_only", lambda: audited((3, fill(liquidity=Liquidity.TAKER)))),
        (
            "within_hard_limit",
            lambda: audited((1, ticker()), (2, lease()), (3, position(12_000.0, 7_000.0))),
        ),
        (
            "lease_covers_orders",
            lambda: audited(
                (2, lease(until=4)),
                (2, order(OrderState.OPEN)),
                (5, oms_alive(5)),
                (5.6, Wake(timer="audit")),
            ),
        ),
        (
            "lease_covers_orders",
            lambda: audited(
                (2, lease(granted=False)),
                (2, order(OrderState.OPEN)),
                (3, oms_alive(3)),
                (3.6, Wake(timer="audit")),
            ),
        ),
        (
            "kill_is_final",
            lambda: audited((5, killed()), (6, order(OrderState.PENDING, when=6))),
        ),
        (
            "kill_is_final",
            lambda: audited(
                (2, lease(until=9)),
                (2, order(OrderState.OPEN)),
                (5, killed()),
                (6, oms_alive(6)),
                (6.6, Wake(timer="audit")),
            ),
        ),
        ("fills_once", lambda: audited((3, fill()), (3, fill()))),
        (
            "fills_once",
            lambda: audited(
                (3, fill()), (3, msgspec.structs.replace(fill(), recovered=True, amount=10.0))
            ),
        ),
        ("pnl_adds_up", lambda: audited((4, pnl(total=1e-4)))),
    ],
)
def test_a_broken_rule_is_seen(rule: str, story: Callable[[], Auditor]) -> None:
    assert broken(story()) == [rule]


def test_a_fill_that_a_new_oms_finds_anew_is_the_same_fill() -> None:
    again = msgspec.structs.replace(fill(), recovered=True)
    auditor = audited((3, fill()), (4, again))
    assert broken(auditor) == []
    assert auditor.counts["fills_told_again"] == 1


@pytest.mark.parametrize(
    ("rule", "ledger"),
    [
        ("exchange_fills_equal", ExchangeLedger(("t1", "t2"), {PERPETUAL: 1_200.0}, ())),
        ("exchange_fills_equal", ExchangeLedger((), {PERPETUAL: 1_200.0}, ())),
        ("exchange_positions_equal", ExchangeLedger(("t1",), {PERPETUAL: 1_210.0}, ())),
        (
            "exchange_positions_equal",
            ExchangeLedger(("t1",), {PERPETUAL: 1_200.0, "BTC-25DEC26": 10.0}, ()),
        ),
        ("nothing_left_behind", ExchangeLedger(("t1",), {PERPETUAL: 1_200.0}, ("mm-1",))),
    ],
)
def test_a_difference_to_the_exchange_is_seen(rule: str, ledger: ExchangeLedger) -> None:
    auditor = a_good_day()
    auditor.compare_with_exchange(ledger)
    assert broken(auditor) == [rule]


def test_equity_that_profit_cannot_explain_is_seen() -> None:
    auditor = audited((4, pnl(unexplained=2e-5)))
    auditor.compare_with_exchange(ExchangeLedger((), {}, ()))
    assert broken(auditor) == ["equity_explained"]


def test_an_order_within_the_grace_of_its_lease_is_no_breach() -> None:
    auditor = audited((2, lease(until=4)), (2, order(OrderState.OPEN)), (5.4, Wake(timer="audit")))
    assert broken(auditor) == []
