"""Sockets that break, answers that never come, processes that die: what is left is always the truth."""

import json

import pytest

from mock_deribit.faults import Cut, LoseAnswer
from shared.kernel import FrameIn, LinkDown
from shared.messages import OrderState, ParamsChanged
from shared.params import change_params
from shared.units import MILLISECOND, SECOND, Side, from_seconds
from tests.support.exchange import SECRET
from tests.unit.oms.line import LATENCY, PERPETUAL
from tests.unit.oms.rig import Rig


def quoting() -> Rig:
    """A rig with both sides of a quote resting."""
    rig = Rig().live()
    rig.quote()
    rig.until(lambda: len(rig.book()) == 2)
    rig.pass_time(0.01)
    return rig


def foreign(rig: Rig, label: str, price: float = 59_900.0, amount: float = 50.0) -> None:
    """An order on our account from another connection, left open."""
    key = {"client_id": "mock-maker", "client_secret": SECRET}
    wanted = {"instrument_name": PERPETUAL, "amount": amount, "type": "limit", "price": price}
    calls: list[tuple[str, dict[str, object]]] = [
        ("public/auth", {"grant_type": "client_credentials", **key}),
        ("private/buy", {"label": label, **wanted}),
    ]
    rig.exchange.opened(rig.now, 900, "10.0.0.9")
    for number, (method, params) in enumerate(calls, start=1):
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        rig.exchange.received(rig.now, 900, json.dumps(request).encode())


def test_cancel_on_disconnect_is_read_back_before_any_order() -> None:
    rig = quoting()
    methods = [frame["method"] for frame in rig.sent]
    assert methods.index("private/get_cancel_on_disconnect") < methods.index("private/buy")


def test_a_lost_socket_makes_every_order_unknown_and_counts_it_in_full() -> None:
    rig = quoting()
    rig.cut()
    states = {order.label: order.state for order in rig.changes()}
    assert list(states.values()) == [OrderState.UNKNOWN, OrderState.UNKNOWN]
    assert (rig.position().working_buy, rig.position().working_sell) == (1_000.0, 1_000.0)


def test_after_a_lost_socket_it_reconciles_and_quotes_again() -> None:
    rig = quoting()
    rig.cut()
    rig.until(lambda: len(rig.book()) == 2)
    rig.pass_time(1.0)
    assert rig.prices() == [59_990.0, 60_010.0]
    assert len(rig.book()) == 2
    assert (rig.position().working_buy, rig.position().working_sell) == (1_000.0, 1_000.0)
    assert rig.halts == []


def test_a_fill_during_an_outage_is_found_once_and_marked_recovered() -> None:
    rig = quoting()
    rig.tamper = lambda _: []
    rig.others(Side.SELL, 59_990.0, 200_400.0)
    rig.pass_time(0.01)
    rig.tamper = lambda _: [LATENCY]
    rig.cut()
    rig.until(rig.fills)
    rig.pass_time(1.0)
    assert [(fill.amount, fill.recovered) for fill in rig.fills()] == [(400.0, True)]
    assert rig.position().amount == rig.real_position() == 400.0


@pytest.mark.parametrize("method", ["private/buy", "private/sell"])
def test_an_answer_lost_with_its_socket_never_doubles_an_order(method: str) -> None:
    rig = Rig().live()
    rig.fault(LoseAnswer(method=method))
    rig.quote()
    rig.until(lambda: len(rig.book()) == 2, 5.0)
    rig.pass_time(3.0)
    assert rig.prices() == [59_990.0, 60_010.0]
    assert rig.position().working_buy == rig.position().working_sell == 1_000.0


def answers_to(methods: tuple[str, ...], rig: Rig) -> list[int]:
    """Ids of the requests with these methods."""
    return [frame["id"] for frame in rig.sent if frame.get("method") in methods]


@pytest.mark.parametrize(
    ("method", "news"),
    [
        ("private/buy", True),
        ("private/buy", False),
        ("private/edit", True),
        ("private/edit", False),
    ],
)
def test_an_answer_lost_on_a_living_socket_is_looked_up_by_label(method: str, news: bool) -> None:
    rig = Rig().live()
    if method == "private/edit":
        rig.quote(ask=None)
        rig.pass_time(0.05)

    def deaf(frame: bytes) -> list[int]:
        told = json.loads(frame)
        if told.get("id") in answers_to((method,), rig):
            return []
        channel = told.get("params", {}).get("channel", "")
        return [] if channel.startswith("user.changes") and not news else [LATENCY]

    rig.tamper = deaf
    rig.quote(bid=59_980.0, ask=None)
    rig.pass_time(2.9)
    assert len(rig.requests(method)) == 1
    rig.tamper = lambda _: [LATENCY]
    rig.pass_time(1.5)
    assert rig.prices() == [59_980.0]
    assert len(rig.requests("private/buy")) == 1
    assert len(rig.requests("private/get_order_state_by_label")) >= 1
    assert rig.changes()[-1].state is OrderState.OPEN


def test_a_request_that_never_arrived_is_believed_lost_only_after_its_deadline() -> None:
    rig = Rig().live()
    rig.swallow(b"private/buy")
    rig.quote(ask=None)
    rig.pass_time(2.9)
    assert rig.changes()[-1].state is OrderState.PENDING
    rig.swallow(b"")
    rig.pass_time(0.3)
    assert OrderState.CANCELLED in [change.state for change in rig.changes()]
    rig.until(lambda: rig.prices() == [59_990.0])


def test_a_look_up_that_finds_nothing_is_not_believed_before_the_deadline() -> None:
    rig = Rig().live()
    rig.quote(ask=None)
    rig.pass_time(0.02)
    rig.others(Side.SELL, 59_990.0, 201_000.0)
    rig.until(lambda: rig.position().amount == 1_000.0)
    rig.quote(bid=None, ask=None)
    rig.pass_time(0.02)
    rig.swallow(b"private/sell")
    rig.hedge(Side.SELL, 500.0, 59_990.0)
    sent = rig.now
    rig.pass_time(0.01)
    rig.cut()
    rig.until(lambda: rig.requests("private/get_order_state_by_label"))
    rig.pass_time(0.5)
    assert rig.changes()[-1].state is OrderState.UNKNOWN
    assert rig.position().working_sell == 500.0
    rig.until(lambda: rig.changes()[-1].state is OrderState.CANCELLED)
    assert rig.now >= sent + 2 * SECOND
    assert rig.position().working_sell == 0.0


def test_an_unknown_order_under_a_lost_lease_is_cancelled_by_its_label() -> None:
    rig = Rig().live()
    rig.http_works = False
    rig.tamper = lambda frame: [] if b'"order_id"' in frame else [LATENCY]
    rig.quote(ask=None)
    rig.silent = True
    rig.until(lambda: not rig.book() and rig.requests("private/cancel_by_label"), 5.0)
    rig.tamper = lambda _: [LATENCY]
    rig.until(lambda: rig.oms.drained)


def test_an_answer_that_comes_after_its_time_out_is_still_believed() -> None:
    rig = Rig().live()

    def slow(frame: bytes) -> list[int]:
        if json.loads(frame).get("id") in answers_to(("private/buy",), rig):
            return [3_200 * MILLISECOND]
        slow_look = json.loads(frame).get("id") in answers_to(
            ("private/get_order_state_by_label",), rig
        )
        return [SECOND if slow_look else LATENCY]

    rig.tamper = slow
    rig.quote(ask=None)
    rig.pass_time(5.0)
    states = [c.state for c in rig.changes()]
    assert states == [OrderState.PENDING, OrderState.PENDING, OrderState.UNKNOWN, OrderState.OPEN]
    assert len(rig.requests("private/buy")) == 1
    assert rig.halts == []


def test_a_fill_frame_that_was_lost_is_recovered_by_the_next_round() -> None:
    rig = quoting()
    rig.tamper = lambda frame: [] if b"user.changes" in frame else [LATENCY]
    rig.others(Side.SELL, 59_990.0, 200_300.0)
    rig.pass_time(0.1)
    assert rig.fills() == []
    rig.pass_time(6.0)
    assert [fill.recovered for fill in rig.fills()] == [True]
    assert rig.position().amount == rig.real_position() == 300.0
    assert "position_mismatch" not in rig.anomalies()


def test_a_cancel_that_loses_against_a_fill_ends_as_filled() -> None:
    rig = quoting()
    rig.others(Side.SELL, 59_990.0, 201_000.0)
    rig.quote(bid=None)
    rig.pass_time(2.0)
    last = {c.label: c.state for c in rig.changes() if c.side is Side.BUY}
    assert list(last.values()) == [OrderState.FILLED]
    assert rig.position().amount == rig.real_position() == 1_000.0
    assert rig.halts == []


def test_an_edit_that_loses_against_a_fill_ends_as_filled() -> None:
    rig = quoting()
    rig.others(Side.SELL, 59_990.0, 201_000.0)
    rig.quote(bid=59_970.0)
    rig.pass_time(2.0)
    states = [c.state for c in rig.changes() if c.label.endswith("b0-0")]
    assert states[-1] is OrderState.FILLED
    assert rig.prices() == [59_970.0, 60_010.0]
    assert rig.halts == []


def test_every_frame_twice_counts_every_fill_once() -> None:
    rig = Rig()
    rig.tamper = lambda _: [LATENCY, LATENCY + MILLISECOND]
    rig.live()
    rig.quote()
    rig.pass_time(0.1)
    rig.others(Side.SELL, 59_990.0, 200_700.0)
    rig.pass_time(6.0)
    assert [fill.amount for fill in rig.fills()] == [700.0]
    assert rig.position().amount == rig.real_position() == 700.0
    assert rig.halts == []


def test_inventory_survives_the_process_with_its_profit_and_fees() -> None:
    rig = quoting()
    rig.others(Side.SELL, 59_990.0, 200_400.0)
    rig.pass_time(0.1)
    rig.crash()
    before = rig.position()
    again = rig
    again.start()
    again.live()
    after = again.position()
    assert (after.amount, after.average_price) == (400.0, 59_990.0)
    assert (after.fees, after.fills) == (before.fees, 1)
    assert again.fills() == []
    assert again.anomalies() == []


def test_a_fill_between_two_processes_is_told_by_the_next_one() -> None:
    rig = quoting()
    rig.pass_time(0.1)
    rig.tamper = lambda _: []
    rig.others(Side.SELL, 59_990.0, 200_400.0)
    rig.crash()
    rig.tamper = lambda _: [LATENCY]
    rig.start()
    rig.live()
    assert [(fill.amount, fill.recovered) for fill in rig.fills()] == [(400.0, True)]
    assert rig.position().amount == rig.real_position() == 400.0
    assert rig.anomalies() == []


def test_a_stored_position_that_nothing_explains_gives_way_to_the_exchange() -> None:
    rig = quoting()
    rig.crash()
    stored = json.loads(rig.state["inventory"])
    stored["holdings"][PERPETUAL] = {"amount": 70.0, "average_price": 50_000.0}
    rig.state["inventory"] = json.dumps(stored)
    rig.start()
    rig.live()
    assert rig.position().amount == rig.real_position() == 0.0
    assert rig.anomalies() == ["position_adopted"]


def test_unreadable_inventory_is_left_out_loudly_and_the_exchange_is_adopted() -> None:
    rig = Rig(state={"inventory": "{torn", "params": "[]", "kill_latch": ""})
    rig.live()
    assert rig.anomalies() == ["stored_params", "stored_inventory"]
    rig.quote()
    rig.pass_time(0.05)
    assert len(rig.book()) == 2


def test_a_difference_that_stays_stops_the_reconciliation_clock() -> None:
    rig = quoting()
    rig.oms._inventory.ledger.adopt(PERPETUAL, 30.0, 60_000.0)
    frozen = rig.position().reconciled
    rig.pass_time(8.0)
    assert rig.position().reconciled == frozen
    assert rig.anomalies().count("position_mismatch") == 1


def test_the_exchange_out_of_reach_for_ten_seconds_loses_nothing() -> None:
    rig = quoting()
    rig.connectable = False
    rig.fault(Cut())
    rig.pass_time(10.0)
    assert rig.book() == []
    rig.connectable = True
    rig.until(lambda: len(rig.book()) == 2, 5.0)
    rig.pass_time(1.0)
    assert rig.position().working_buy == 1_000.0
    assert rig.halts == []


def test_a_socket_that_drops_before_it_was_ever_ready_is_harmless() -> None:
    rig = Rig()
    rig.pass_time(0.004)
    rig.tell(LinkDown(link="private", reason="early"))
    rig.hang_up()
    rig.at(from_seconds(0.1), rig.connect)
    rig.live()
    assert rig.halts == []


def test_rubbish_on_the_line_is_an_anomaly_and_nothing_else() -> None:
    rig = quoting()
    for data in (b"", b"{", b"[]", b'{"method":"subscription"}', b'{"params":{"data":{}}}'):
        rig.tell(FrameIn(link="private", data=data))
    order = {"instrument_name": PERPETUAL, "orders": [{"price": "x"}]}
    params = {"channel": "user.changes.future.BTC.raw", "data": order}
    frame = {"jsonrpc": "2.0", "method": "subscription", "params": params}
    rig.tell(FrameIn(link="private", data=json.dumps(frame).encode()))
    rig.pass_time(1.0)
    assert len(rig.book()) == 2
    assert "venue_fault" in rig.anomalies()
    assert rig.halts == []


def test_a_new_request_timeout_holds_for_the_next_request() -> None:
    rig = quoting()
    params = change_params(rig.params, {"oms.request_timeout_ms": 400})
    rig.tell(ParamsChanged(ts=rig.now, version=2, by="test", params=params.model_dump()))
    rig.tamper = lambda frame: [] if json.loads(frame).get("id") else [LATENCY]
    rig.quote(bid=59_980.0)
    rig.pass_time(0.3)
    assert OrderState.UNKNOWN not in [change.state for change in rig.changes()]
    rig.pass_time(0.3)
    unknown = [change for change in rig.changes() if change.state is OrderState.UNKNOWN]
    assert [change.reason for change in unknown[:1]] == ["no answer within 0.4 s"]
