"""What is written down: every movement of a balance, settlements, delivery prices, margins."""

from itertools import pairwise

import pytest

from mock_deribit.exchange.messages import Refused
from mock_deribit.exchange.records import LogType, OrderMargin, SettlementType
from mock_deribit.exchange.rules import Rules, choices
from shared.kernel import Nanos
from shared.units import DAY, HOUR, MINUTE, Side
from tests.support.floor import OPENING, PERPETUAL, Floor, accepted

EIGHT = Nanos((OPENING // DAY + 1) * DAY + 8 * HOUR)


@pytest.fixture
def floor() -> Floor:
    return Floor()


def test_the_log_sums_to_the_balance_through_trades_and_settlement(floor: Floor) -> None:
    floor.trade("alice", "bob", 60_000.0, 60_000.0)
    floor.exchange.set_index(floor.now, "btc_usd", 60_300.0)
    floor.trade("bob", "alice", 20_000.0, 60_300.0)
    floor.exchange.deposit(floor.now, "alice", "BTC", -0.25)
    floor.wait(EIGHT - floor.now)
    log = floor.exchange.transaction_log("alice", "BTC")
    assert [entry.type for entry in log] == [
        LogType.SETTLEMENT, LogType.WITHDRAWAL, LogType.TRADE, LogType.TRADE, LogType.DEPOSIT
    ]  # fmt: skip
    balance = floor.exchange.portfolio("alice", "BTC").balance
    assert sum(entry.change for entry in log) == pytest.approx(balance, abs=1e-12)
    assert log[0].balance == balance
    settlement, _, sale, purchase, _ = log
    assert settlement.session_rpl is not None
    assert settlement.session_upl is not None
    moved = settlement.session_rpl + settlement.session_upl
    assert settlement.change == pytest.approx(moved, abs=1e-8)
    assert (purchase.amount, sale.amount, sale.position) == (60_000.0, -20_000.0, 40_000.0)
    assert sale.cash_flow == pytest.approx(20_000.0 * (1 / 60_000 - 1 / 60_300), abs=1e-8)
    assert (purchase.change, purchase.maker) == (-purchase.commission, False)


def test_every_row_of_a_sweep_says_how_the_account_stood_after_it(floor: Floor) -> None:
    for lots in (10.0, 2_000.0, 30_000.0):
        floor.sell("bob", lots, 60_000.0)
    accepted(floor.send("alice", Side.BUY, 32_010.0, 60_000.0))
    for name, sizes in (
        ("alice", [10.0, 2_010.0, 32_010.0]),
        ("bob", [-10.0, -2_010.0, -32_010.0]),
    ):
        rows = floor.exchange.transaction_log(name, "BTC")[::-1]
        assert [row.position for row in rows[1:]] == sizes
        for before, after in pairwise(rows):
            assert after.balance == round(before.balance + after.change, 8)


def test_the_log_can_be_asked_for_a_type_an_instrument_and_a_time(floor: Floor) -> None:
    floor.trade("alice", "bob", 10.0, 60_000.0)
    floor.wait(HOUR)
    floor.trade("alice", "bob", 20.0, 60_000.0)
    ask = floor.exchange.transaction_log
    assert [e.amount for e in ask("alice", "BTC", query="trade")] == [20.0, 10.0]
    assert len(ask("alice", "BTC", query="PERPETUAL")) == 2
    assert [e.amount for e in ask("alice", "BTC", start=floor.now)] == [20.0]
    assert [e.amount for e in ask("alice", "BTC", end=OPENING, query="trade")] == [10.0]
    assert ask("alice", "ETH") == ()


def test_fills_can_be_asked_for_by_sequence_and_time(floor: Floor) -> None:
    for _ in range(4):
        floor.trade("alice", "bob", 10.0, 60_000.0)
        floor.wait(MINUTE)
    fills = floor.exchange.user_trades("alice")
    seqs = [fill.trade.trade_seq for fill in fills]
    assert seqs == list(range(seqs[0], seqs[0] + 4))
    chosen = floor.exchange.user_trades("alice", start_seq=seqs[1], end_seq=seqs[2])
    assert chosen == fills[1:3]
    later = floor.exchange.user_trades("alice", start=fills[2].trade.ts, end=fills[2].trade.ts)
    assert later == fills[2:3]


def test_settlements_are_kept_for_accounts_and_for_the_venue(floor: Floor) -> None:
    floor.trade("alice", "bob", 60_000.0, 60_000.0)
    floor.exchange.set_index(floor.now, "btc_usd", 60_300.0)
    floor.wait(EIGHT - floor.now)
    (mine,) = floor.exchange.settlements("alice", instrument=PERPETUAL)
    (other,) = floor.exchange.settlements("bob")
    assert (mine.type, mine.position, mine.mark_price) == (
        SettlementType.SETTLEMENT,
        60_000.0,
        60_300.0,
    )
    assert mine.session_profit_loss == pytest.approx(60_000.0 * (1 / 60_000 - 1 / 60_300), abs=1e-8)
    assert other.profit_loss == -mine.profit_loss
    assert floor.exchange.settlements("carol") == ()
    public = floor.exchange.settlements(instrument=PERPETUAL)
    assert [row.position for row in public] == [60_000.0]
    assert len(floor.exchange.settlements(currency="BTC")) == 4
    assert floor.exchange.settlements(currency="ETH") == ()


def test_the_delivery_price_is_the_average_of_the_last_half_hour_every_day(floor: Floor) -> None:
    floor.wait(EIGHT - floor.now - 15 * MINUTE)
    floor.exchange.set_index(floor.now, "btc_usd", 61_000.0)
    floor.wait(15 * MINUTE)
    floor.exchange.set_index(floor.now, "btc_usd", 62_000.0)
    floor.wait(DAY)
    prices = floor.exchange.delivery_prices("btc_usd")
    assert [(row.ts, row.price) for row in prices] == [
        (EIGHT + DAY, 62_000.0),
        (EIGHT, 60_500.0),
    ]


def test_margins_of_an_order_are_those_it_would_add(floor: Floor) -> None:
    asked = floor.exchange.margins("alice", PERPETUAL, 60_000.0, 60_000.0)
    assert asked.buy == asked.sell == pytest.approx(0.02005, abs=1e-9)
    assert (asked.min_price, asked.max_price) == (59_100.0, 60_900.0)
    assert (asked.maker_fee, asked.taker_fee) == (0.00015, 0.00035)
    floor.trade("alice", "bob", 60_000.0, 60_000.0)
    held = floor.exchange.margins("alice", PERPETUAL, 60_000.0, 60_000.0)
    assert (held.buy > asked.buy, held.sell) == (True, 0.0)


def test_the_margin_of_an_open_order_is_its_own(floor: Floor) -> None:
    order = accepted(floor.send("alice", Side.BUY, 60_000.0, 59_500.0)).order
    known, unknown = floor.exchange.order_margins("alice", [order.order_id, "1"])
    assert isinstance(known, OrderMargin)
    assert known.initial_margin == pytest.approx(0.02005, abs=1e-9)
    assert isinstance(unknown, Refused)
    assert unknown.code == 10004


def test_closed_orders_move_to_history_after_their_half_hour() -> None:
    floor = Floor(rules=Rules(order_memory_minutes=1.0))
    mine = floor.buy("alice", 10.0, 59_000.0)
    floor.exchange.cancel(floor.now, "alice", mine.order_id)
    ask = floor.exchange.closed_orders
    assert len(ask("alice")) == 1
    assert ask("alice", historical=True) == ()
    floor.wait(2 * MINUTE)
    assert ask("alice") == ()
    assert [view.order_id for view in ask("alice", historical=True)] == [mine.order_id]


def test_more_closed_orders_than_are_remembered_become_history(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mock_deribit.exchange.account.CLOSED_MAX", 3)
    floor = Floor()
    ids = []
    for _ in range(5):
        order = floor.buy("alice", 10.0, 59_000.0)
        floor.exchange.cancel(floor.now, "alice", order.order_id)
        ids.append(order.order_id)
    ask = floor.exchange.closed_orders
    assert [view.order_id for view in ask("alice")] == ids[2:]
    assert [view.order_id for view in ask("alice", historical=True)] == ids[:2]


def test_every_rule_says_what_is_open_what_was_chosen_and_what_else_there_is() -> None:
    table = {choice.name: choice for choice in choices(Rules())}
    assert list(table) == list(Rules.__struct_fields__)
    assert all(len(choice.question) > 20 for choice in table.values())
    assert table["hold_ms"].alternatives == ()
    assert table["halted_takes_cancels"].alternatives == (True, False)
    for choice in table.values():
        assert not choice.alternatives or choice.chosen in choice.alternatives, choice.name
