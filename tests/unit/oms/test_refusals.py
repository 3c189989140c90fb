"""What the exchange may say instead of yes, and histories that do not fit one answer."""

import json

import msgspec
import pytest

from shared.kernel import Nanos
from shared.messages import Anomaly, InstrumentListed, OrderState, Severity
from shared.units import DAY, SECOND, Side
from tests.unit.oms.line import PERPETUAL
from tests.unit.oms.rig import Rig

NOT_ENOUGH_FUNDS = 10009
TOO_MANY_REQUESTS = 10028
SETTLEMENT = 10041
INTERNAL = 11094
TIMED_OUT = 13888
NOT_OPEN = 11044
UNLISTED_CODE = 19_999


def quoting() -> Rig:
    """A rig with both sides of a quote resting."""
    rig = Rig().live()
    rig.quote()
    rig.pass_time(0.05)
    assert len(rig.book()) == 2
    return rig


def test_not_enough_funds_is_critical_and_the_order_is_over() -> None:
    rig = Rig().live()
    rig.refuse("private/buy", NOT_ENOUGH_FUNDS)
    rig.quote(ask=None)
    rig.pass_time(0.5)
    (anomaly,) = rig.of(Anomaly)
    assert (anomaly.kind, anomaly.severity) == ("not_enough_funds", Severity.CRITICAL)
    assert rig.changes()[-1].state is OrderState.REJECTED
    assert rig.book() == []
    assert rig.oms.drained


@pytest.mark.parametrize("code", [INTERNAL, UNLISTED_CODE])
def test_an_error_that_says_nothing_is_looked_up_before_anything_else(code: int) -> None:
    rig = Rig().live()
    rig.refuse("private/buy", code)
    rig.quote(ask=None)
    rig.pass_time(1.0)
    assert rig.changes()[-1].state is OrderState.UNKNOWN
    assert rig.position().working_buy == 1_000.0
    assert len(rig.requests("private/buy")) == 1
    rig.until(lambda: rig.prices() == [59_990.0])
    assert len(rig.requests("private/get_order_state_by_label")) >= 2


def test_a_look_up_that_is_refused_is_repeated() -> None:
    rig = Rig().live()
    rig.refuse("private/buy", INTERNAL)
    rig.refuse("private/get_order_state_by_label", INTERNAL, times=2)
    rig.quote(ask=None)
    rig.until(lambda: rig.prices() == [59_990.0])
    assert rig.halts == []


def test_during_settlement_a_cancel_is_repeated_with_a_pause_until_it_passes() -> None:
    rig = quoting()
    rig.http_works = False
    rig.refuse("private/cancel", SETTLEMENT, times=6)
    rig.lease(granted=False)
    rig.silent = True
    rig.pass_time(0.5)
    assert len(rig.book()) == 2
    assert len(rig.requests("private/cancel")) <= 6
    rig.until(lambda: not rig.book(), 3.0)


def test_a_refused_cancel_by_label_does_not_prove_that_the_order_rests() -> None:
    rig = Rig().live()
    rig.refuse("private/buy", INTERNAL)
    rig.quote(bid=59_990.0, ask=None)
    rig.until(lambda: rig.changes()[-1].state is OrderState.UNKNOWN)
    rig.refuse("private/cancel_by_label", SETTLEMENT, times=2)
    rig.lease(granted=False)
    rig.pass_time(0.02)
    assert len(rig.requests("private/cancel_by_label")) == 1, "refused, it waits a while"
    rig.lease()
    rig.quote(bid=59_900.0, ask=None)
    assert OrderState.OPEN not in [change.state for change in rig.changes()]
    rig.until(lambda: rig.prices() == [59_900.0], 5.0)
    assert rig.halts == []


def test_an_edit_refused_for_a_moment_leaves_the_order_as_it_was() -> None:
    rig = quoting()
    rig.refuse("private/edit", SETTLEMENT, times=2)
    rig.quote(bid=59_980.0, ask=60_020.0)
    rig.pass_time(0.1)
    assert rig.prices() == [59_990.0, 60_010.0]
    rig.pass_time(0.5)
    assert rig.prices() == [59_980.0, 60_020.0]


@pytest.mark.parametrize("code", [SETTLEMENT, TIMED_OUT])
def test_an_edit_that_is_refused_keeps_no_cancel_waiting(code: int) -> None:
    rig = quoting()
    rig.refuse("private/edit", code, times=2)
    rig.quote(bid=59_980.0, ask=60_020.0)
    rig.silent = True
    rig.lease(granted=False)
    rig.pass_time(0.1)
    assert rig.book() == []


def test_a_cancel_told_that_the_order_is_closed_asks_how() -> None:
    rig = quoting()
    rig.refuse("private/cancel", NOT_OPEN)
    rig.quote(bid=None)
    rig.pass_time(0.5)
    assert rig.requests("private/get_order_state_by_label")
    assert rig.prices() == [60_010.0]
    assert rig.halts == []


def test_too_many_requests_empties_our_own_count_as_well() -> None:
    rig = quoting()
    rig.refuse("private/edit", TOO_MANY_REQUESTS)
    rig.quote(bid=59_980.0, ask=60_010.0)
    rig.pass_time(0.01)
    sent = len(rig.sent)
    rig.quote(bid=59_970.0, ask=60_010.0)
    assert len(rig.sent) == sent
    rig.until(lambda: rig.prices() == [59_970.0, 60_010.0], 5.0)


def test_a_refused_round_proves_nothing_and_is_repeated() -> None:
    rig = Rig()
    rig.refuse("private/get_positions", INTERNAL, times=2)
    rig.live()
    assert rig.anomalies() == ["reconciliation_refused", "reconciliation_refused"]


def test_channels_that_are_not_granted_keep_it_from_quoting() -> None:
    rig = Rig()
    wanted = b"user.changes.future.BTC.raw"
    rig.rewrite = lambda data: data.replace(wanted, b"user.changes.future.NONE.raw")
    rig.market_data()
    rig.lease(60.0)
    rig.quote()
    rig.pass_time(3.0)
    assert "not_subscribed" in rig.anomalies()
    assert rig.requests("private/buy", "private/sell") == []


def test_a_history_longer_than_one_page_is_read_to_its_end() -> None:
    rig = quoting()
    rig.tamper = lambda frame: [] if b"user.changes" in frame else [2_000_000]
    rig.others(Side.SELL, 59_990.0, 200_000.0)
    for _ in range(5):
        rig.others(Side.SELL, 59_990.0, 100.0)
        rig.pass_time(0.002)
    rig.rewrite = lambda data: data.replace(b'"count":1000', b'"count":2')
    rig.pass_time(6.0)
    assert [fill.amount for fill in rig.fills()] == [100.0] * 5
    assert rig.position().amount == rig.real_position() == 500.0


def test_after_a_day_away_the_archive_is_asked_too() -> None:
    rig = quoting()
    rig.crash()
    stored = json.loads(rig.state["inventory"])
    stored["complete_to"] -= 2 * DAY
    rig.state["inventory"] = json.dumps(stored)
    rig.start()
    rig.live()
    asked = rig.requests("private/get_user_trades_by_currency_and_time")[:2]
    assert [frame["params"]["historical"] for frame in asked] == [True, False]
    assert rig.anomalies() == []


def test_a_future_that_was_delivered_is_no_mismatch() -> None:
    rig = quoting()
    expired = msgspec.structs.replace(
        rig.specs[PERPETUAL], name="BTC-OLD", perpetual=False, expiry=Nanos(rig.now - SECOND)
    )
    rig.tell(InstrumentListed(ts=rig.now, instrument="BTC-OLD", spec=expired, role="near"))
    rig.oms._inventory.ledger.adopt("BTC-OLD", 50.0, 60_000.0)
    rig.pass_time(7.0)
    assert rig.anomalies() == ["delivered"]
    assert rig.position("BTC-OLD").amount == 0.0
    assert rig.position().reconciled > rig.now - 6 * SECOND


def test_orders_long_closed_are_forgotten_and_memory_stays_flat() -> None:
    rig = Rig().live()
    for _ in range(5):
        rig.quote()
        rig.pass_time(0.05)
        rig.quote(bid=None, ask=None)
        rig.pass_time(0.05)
    labels = {change.label for change in rig.changes()}
    assert len(labels) == 10
    assert all(rig.oms._orders.get(label) for label in labels)
    assert list(rig.oms._orders) == []
    rig.pass_time(125.0)
    assert not any(rig.oms._orders.get(label) for label in labels)


def test_a_stale_order_that_only_the_channel_tells_of_is_cancelled() -> None:
    rig = quoting()
    order = {
        "order_id": "99",
        "label": "mm-0-BTC-PERPETUAL-s0-1",
        "instrument_name": PERPETUAL,
        "direction": "sell",
        "order_state": "open",
        "order_type": "limit",
        "time_in_force": "good_til_cancelled",
        "price": 61_000.0,
        "amount": 10.0,
        "filled_amount": 0.0,
        "average_price": 0.0,
        "post_only": True,
        "reduce_only": False,
        "creation_timestamp": 1,
        "last_update_timestamp": 1,
    }
    data = {"instrument_name": PERPETUAL, "orders": [order], "trades": [], "positions": []}
    params = {"channel": "user.changes.future.BTC.raw", "data": data}
    frame = {"jsonrpc": "2.0", "method": "subscription", "params": params}
    rig.receive(json.dumps(frame).encode())
    assert rig.anomalies() == ["unknown_order"]
    rig.pass_time(0.02)
    cancels = [cancel["params"]["order_id"] for cancel in rig.requests("private/cancel")]
    assert cancels == ["99"]
    rig.until(lambda: rig.changes()[-1].state is OrderState.CANCELLED)


def test_a_stale_order_told_of_with_its_fill_counts_that_fill_once() -> None:
    rig = quoting()
    label = "mm-0-BTC-PERPETUAL-s0-1"
    seen = {"order_id": "99", "label": label, "instrument_name": PERPETUAL, "direction": "sell"}
    order = {
        "order_state": "open",
        "order_type": "limit",
        "time_in_force": "good_til_cancelled",
        "price": 61_000.0,
        "amount": 100.0,
        "filled_amount": 30.0,
        "average_price": 61_000.0,
        "post_only": True,
        "reduce_only": False,
        "creation_timestamp": 1,
        "last_update_timestamp": 1,
    }
    trade = {
        "trade_id": "1",
        "trade_seq": 1,
        "timestamp": 1_790_000_000_001,
        "price": 61_000.0,
        "amount": 30.0,
        "fee": 0.0,
        "fee_currency": "BTC",
        "liquidity": "M",
        "mark_price": 61_000.0,
        "index_price": 61_000.0,
        "profit_loss": 0.0,
        "order_type": "limit",
        "state": "open",
    }
    data = {
        "instrument_name": PERPETUAL,
        "orders": [seen | order],
        "trades": [seen | trade],
        "positions": [],
    }
    params = {"channel": "user.changes.future.BTC.raw", "data": data}
    frame = {"jsonrpc": "2.0", "method": "subscription", "params": params}
    rig.receive(json.dumps(frame).encode())
    assert rig.position().amount == -30.0
    assert rig.position().working_sell == 1_000.0 + 70.0


def test_the_same_hedge_is_forgotten_only_after_many_others() -> None:
    rig = quoting()
    for number in range(1_200):
        rig.hedge(Side.SELL, 10.0, 59_990.0, hedge_id=number)
    assert len(rig.oms._desk._hedges) == 1_000
