"""The second way out: over HTTP, when the socket is dead or silent; and the proof that nothing is left."""

import json

import pytest

from mock_deribit.faults import LoseAnswer
from shared.kernel import FrameIn, Restored
from shared.messages import OrderState, Swept
from shared.state import KILL_LATCH
from shared.units import Side
from tests.unit.oms.rig import Rig
from tests.unit.oms.test_recovery import foreign, quoting

FOREIGN = "somebody-else"


def half_open(rig: Rig) -> None:
    """Nothing arrives on the socket in either direction, and nobody has noticed."""
    rig.tamper = lambda _: []
    rig.swallow(b"jsonrpc")


def swept(rig: Rig) -> Swept:
    """The one word that the exchange has shown nothing of ours."""
    (word,) = rig.of(Swept)
    assert isinstance(word, Swept)
    return word


def test_a_kill_is_reported_done_only_when_the_exchange_itself_lists_nothing_of_ours() -> None:
    rig = quoting()
    foreign(rig, FOREIGN)
    rig.kill()
    rig.until(lambda: rig.of(Swept))
    assert [order.label for order in rig.book()] == [FOREIGN]
    assert (swept(rig).command_id, swept(rig).way, swept(rig).foreign_orders) == ("k", "socket", 1)
    asked = [frame["method"] for frame in rig.sent]
    assert asked[-1] == "private/get_open_orders_by_currency"
    assert rig.sent_http == [], "a socket that works needs no help"


def test_a_kill_over_a_silent_socket_goes_by_http_and_touches_nobody_else() -> None:
    rig = quoting()
    foreign(rig, FOREIGN)
    half_open(rig)
    rig.kill()
    killed = rig.now
    rig.until(lambda: len(rig.book()) == 1, 1.0)
    assert rig.now - killed < 300_000_000
    rig.until(lambda: rig.of(Swept), 1.0)
    assert swept(rig).way == "http"
    assert [order.label for order in rig.book()] == [FOREIGN]
    cancels = [f for f in rig.sent_http if f["method"] == "private/cancel_by_label"]
    assert [frame["params"]["label"][:3] for frame in cancels] == ["mm-", "mm-"]
    assert all("currency" not in frame["params"] for frame in cancels)


def test_with_the_socket_dead_a_kill_needs_no_patience_and_is_proved_over_http() -> None:
    rig = quoting()
    foreign(rig, FOREIGN)
    rig.connectable = False
    # Only our end of the line is gone: the exchange has not noticed, and cancels nothing by itself.
    rig.conn = None
    rig.kill()
    rig.tell_down()
    rig.until(lambda: len(rig.book()) == 1, 0.02)
    rig.until(lambda: rig.of(Swept), 1.0)
    assert swept(rig).way == "http"
    assert rig.position().working_buy == rig.position().working_sell == 0.0
    states = {order.label: order.state for order in rig.changes()}
    assert set(states.values()) == {OrderState.CANCELLED}


def test_a_lost_socket_is_enough_no_order_waits_for_the_exchange_to_notice() -> None:
    rig = quoting()
    rig.connectable = False
    rig.conn = None
    rig.tell_down()
    rig.until(lambda: not rig.book(), 0.02)
    rig.connectable = True
    rig.until(lambda: len(rig.book()) == 2)
    assert rig.of(Swept) == [], "there was no kill to report on"
    assert rig.halts == []


def test_an_order_that_may_still_arrive_keeps_the_proof_waiting() -> None:
    rig = Rig().live()
    rig.swallow(b"private/buy")
    rig.quote(ask=None)
    rig.pass_time(0.01)
    half_open(rig)
    rig.connectable = False
    rig.conn = None
    rig.kill()
    rig.tell_down()
    rig.pass_time(2.9)
    assert rig.of(Swept) == [], "the order could be executed until now"
    rig.until(lambda: rig.of(Swept), 3.0)
    assert rig.book() == []


def test_a_fill_just_before_the_second_way_cancels_is_found_when_the_socket_is_back() -> None:
    rig = quoting()
    rig.connectable = False
    rig.conn = None
    rig.others(Side.SELL, 59_990.0, 200_400.0)
    rig.tell_down()
    rig.until(lambda: not rig.book(), 0.1)
    rig.connectable = True
    rig.until(rig.fills)
    rig.pass_time(1.0)
    assert [(fill.amount, fill.recovered) for fill in rig.fills()] == [(400.0, True)]
    assert rig.position().amount == rig.real_position() == 400.0


def test_orders_that_a_dead_process_left_go_even_if_no_socket_can_be_opened() -> None:
    rig = Rig()
    rig.connectable = False
    foreign(rig, "mm-0-BTC-PERPETUAL-b0-3")
    foreign(rig, FOREIGN)
    rig.until(lambda: len(rig.book()) == 1, 2.0)
    assert [order.label for order in rig.book()] == [FOREIGN]
    assert "unknown_order" in rig.anomalies()


def test_a_kill_from_before_the_restart_is_proved_again() -> None:
    rig = quoting()
    rig.kill()
    rig.until(lambda: rig.of(Swept))
    rig.crash()
    rig.start()
    rig.until(lambda: rig.of(Swept))
    assert swept(rig).command_id == ""
    assert rig.state[KILL_LATCH]


def test_the_latch_told_again_while_running_kills_without_any_bus() -> None:
    rig = quoting()
    latch = '{"reason":"by the state store","by":"ann","ts":1,"flatten":false}'
    rig.tell(Restored(key=KILL_LATCH, value=latch))
    rig.until(lambda: rig.of(Swept))
    assert rig.book() == []
    rig.tell(Restored(key=KILL_LATCH, value=""))
    rig.quote()
    rig.pass_time(1.0)
    assert rig.book() == [], "an empty latch lifts nothing: only risk does"


def test_an_exchange_that_answers_nobody_is_asked_again_at_a_bounded_rate() -> None:
    rig = quoting()
    half_open(rig)
    rig.http_works = False
    rig.kill()
    rig.pass_time(10.0)
    assert 10 <= len(rig.sent_http) <= 30
    rig.http_works = True
    rig.until(lambda: not rig.book(), 5.0)


@pytest.mark.parametrize(
    "answer", [b"", b"<html>502</html>", b"[]", b'{"jsonrpc":"2.0","result":1}', b'{"id":"x"}']
)
def test_what_is_no_answer_of_ours_changes_nothing(answer: bytes) -> None:
    rig = quoting()
    rig.tell(FrameIn(link="http", data=answer))
    rig.pass_time(0.1)
    assert rig.anomalies() == ["malformed_answer"]
    assert len(rig.book()) == 2


def test_a_refusal_over_http_is_told_and_tried_again() -> None:
    rig = quoting()
    rig.conn = None
    rig.connectable = False
    rig.tell_down()
    rig.until(lambda: len(rig.sent_http) == 2, 0.1)
    numbers = [frame["id"] for frame in rig.sent_http]
    for number in numbers:
        error = {"code": 11051, "message": "system_maintenance"}
        answer = {"jsonrpc": "2.0", "id": number, "error": error}
        rig.tell(FrameIn(link="http", data=json.dumps(answer).encode()))
    assert rig.anomalies().count("refused") == 2
    rig.until(lambda: not rig.book(), 3.0)


def test_a_cancel_whose_answer_was_lost_with_the_socket_leaves_nothing() -> None:
    rig = quoting()
    rig.fault(LoseAnswer(method="private/cancel"))
    rig.kill()
    rig.until(lambda: rig.of(Swept), 5.0)
    assert rig.book() == []


def test_what_went_unanswered_over_http_does_not_hold_up_the_next_socket() -> None:
    rig = quoting()
    rig.conn = None
    rig.connectable = rig.http_works = False
    rig.tell_down()
    rig.pass_time(5.0)
    rig.connectable = True
    rig.until(lambda: rig.requests("private/get_open_orders_by_currency")[1:])
    back = rig.now
    rig.until(lambda: len(rig.book()) == 2, 3.0)
    assert rig.now - back < 300_000_000
