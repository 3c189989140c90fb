"""Every answer that leaves open what happened, against both things that may have happened.

Whatever the exchange says: the order counts in full until it was looked up by its label, nothing but that
look-up (or its cancel, where it must go) is sent for its place meanwhile, and in the end what we believe
is what rests.
"""

import json
from typing import Any

import pytest

from shared.messages import OrderState
from shared.units import Side
from tests.unit.oms.line import LATENCY, PERPETUAL
from tests.unit.oms.rig import Rig

UNPROVEN = (10028, 10047, 10050, 13666, 13777, 13888)
UNKNOWN = (11094, 13028, 19_999)
LATER = (10040, 10041, 11051, 13030)
CLOSED = (10004, 10010, 11044)
LOOK_UP = "private/get_order_state_by_label"
ORDERS = ("private/buy", "private/edit", "private/cancel", "private/cancel_by_label", LOOK_UP)


def bid() -> Rig:
    """A rig with one bid resting."""
    rig = Rig().live()
    rig.quote(ask=None)
    rig.pass_time(0.05)
    assert rig.prices() == [59_990.0]
    return rig


def asked(rig: Rig, since: int) -> list[str]:
    """What was sent for orders since then."""
    return [frame["method"] for frame in rig.sent[since:] if frame["method"] in ORDERS]


def counted_in_full(rig: Rig) -> bool:
    """The order is unknown, and every dollar of it is still held against the limits."""
    last = rig.changes()[-1]
    return last.state is OrderState.UNKNOWN and rig.position().working_buy == 1_000.0


def settled(rig: Rig) -> bool:
    """What is believed to rest, rests, and nothing else does."""
    believed = {change.label: change for change in rig.changes()}
    resting = sorted(c.price for c in believed.values() if c.state is OrderState.OPEN)
    open_ended = [c for c in believed.values() if not c.state.is_final and c.price not in resting]
    return resting == rig.prices() and not open_ended and rig.halts == []


@pytest.mark.parametrize("code", UNPROVEN + UNKNOWN + LATER)
@pytest.mark.parametrize("executed", [True, False])
def test_a_doubtful_answer_to_a_new_order_is_looked_up_and_never_doubled(
    code: int, executed: bool
) -> None:
    rig = Rig().live()
    (rig.belie if executed else rig.refuse)("private/buy", code)
    since = len(rig.sent)
    rig.quote(ask=None)
    rig.until(lambda: counted_in_full(rig), 1.0)
    rig.until(lambda: LOOK_UP in asked(rig, since), 0.1)
    assert asked(rig, since)[:2] == ["private/buy", LOOK_UP]
    rig.until(lambda: rig.changes()[-1].state is not OrderState.UNKNOWN, 5.0)
    first = rig.changes()[-1]
    assert (first.state is OrderState.OPEN) == executed
    rig.quote(bid=59_980.0, ask=None)
    rig.until(lambda: rig.prices() == [59_980.0] and settled(rig), 6.0)
    assert len(rig.requests("private/buy")) == (1 if executed else 2)


@pytest.mark.parametrize("code", [10009, 10043, -32602])
def test_a_new_order_that_was_seen_resting_is_not_believed_to_have_been_refused(code: int) -> None:
    rig = Rig().live()
    rig.belie("private/buy", code)
    rig.tamper = lambda frame: [LATENCY] if told_alone(frame) else [2 * LATENCY]
    rig.quote(ask=None)
    rig.until(lambda: LOOK_UP in asked(rig, 0), 0.1)
    rig.until(lambda: rig.changes()[-1].state is OrderState.OPEN, 1.0)
    assert settled(rig)


def told_alone(frame: bytes) -> bool:
    """Whether a frame is of the channel of our changes."""
    return b"user.changes" in frame


@pytest.mark.parametrize("code", UNPROVEN + UNKNOWN)
@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("told", [True, False])
def test_a_doubtful_answer_to_an_edit_is_looked_up_before_it_is_moved_again(
    code: int, executed: bool, told: bool
) -> None:
    rig = bid()
    (rig.belie if executed else rig.refuse)("private/edit", code)
    rig.tamper = lambda frame: [LATENCY] if told or not told_alone(frame) else []
    since = len(rig.sent)
    rig.quote(bid=59_980.0, ask=None)
    rig.until(lambda: rig.changes()[-1].state is OrderState.UNKNOWN, 0.1)
    assert rig.position().working_buy == 1_000.0
    rig.until(lambda: rig.prices() == [59_980.0] and settled(rig), 6.0)
    assert asked(rig, since)[:2] == ["private/edit", LOOK_UP]
    assert len(rig.requests("private/buy")) == 1


@pytest.mark.parametrize("code", UNPROVEN + UNKNOWN + CLOSED)
@pytest.mark.parametrize("executed", [True, False])
def test_a_doubtful_answer_to_a_cancel_is_believed_only_when_looked_up(
    code: int, executed: bool
) -> None:
    rig = bid()
    rig.tamper = lambda frame: [] if told_alone(frame) else [LATENCY]
    (rig.belie if executed else rig.refuse)("private/cancel", code)
    rig.quote(bid=None, ask=None)
    rig.until(lambda: counted_in_full(rig), 0.1)
    rig.until(lambda: LOOK_UP in asked(rig, 0), 0.1)
    rig.until(lambda: rig.prices() == [] and settled(rig), 6.0)
    assert rig.oms.drained


@pytest.mark.parametrize("code", CLOSED)
@pytest.mark.parametrize("method", ["private/cancel", "private/edit"])
def test_a_cancel_or_edit_told_that_the_order_is_closed_finds_the_fill_that_closed_it(
    code: int, method: str
) -> None:
    rig = bid()
    rig.tamper = lambda frame: [] if told_alone(frame) else [LATENCY]
    rig.others(Side.SELL, 59_990.0, 201_000.0)
    rig.refuse(method, code)
    rig.quote(bid=None if method == "private/cancel" else 59_980.0, ask=None)
    rig.until(lambda: rig.changes()[-1].state is OrderState.UNKNOWN, 0.1)
    assert rig.position().working_buy == 1_000.0
    rig.until(lambda: rig.position().amount == 1_000.0, 3.0)
    states = {change.label: change.state for change in rig.changes()}
    assert next(iter(states.values())) is OrderState.FILLED
    assert rig.position().amount == rig.real_position()
    assert rig.halts == []


def test_an_edit_that_is_refused_after_a_partial_fill_keeps_the_fill_and_the_rest() -> None:
    rig = bid()
    rig.others(Side.SELL, 59_990.0, 200_300.0)
    rig.refuse("private/edit", 10009)
    rig.quote(bid=59_980.0, ask=None)
    rig.until(rig.fills, 1.0)
    rig.pass_time(1.0)
    assert [fill.amount for fill in rig.fills()] == [300.0]
    assert rig.position().amount == rig.real_position() == 300.0
    assert settled(rig)


def test_an_order_rejected_after_a_partial_fill_is_over_and_its_fill_counts() -> None:
    rig = Rig().live()
    rig.swallow(b"private/buy")
    rig.quote(ask=None)
    rig.pass_time(0.01)
    label = rig.changes()[-1].label
    seen = {"order_id": "99", "label": label, "instrument_name": PERPETUAL, "direction": "buy"}
    times = {"creation_timestamp": 1, "last_update_timestamp": 2}
    order: dict[str, Any] = {
        "order_state": "rejected",
        "order_type": "limit",
        "time_in_force": "good_til_cancelled",
        "price": 59_990.0,
        "amount": 1_000.0,
        "filled_amount": 300.0,
        "average_price": 59_990.0,
        "post_only": True,
        "reduce_only": False,
    }
    data = {
        "instrument_name": PERPETUAL,
        "orders": [seen | order | times],
        "trades": [],
        "positions": [],
    }
    params = {"channel": rig.oms._line.changes_channel, "data": data}
    rig.receive(json.dumps({"jsonrpc": "2.0", "method": "subscription", "params": params}).encode())
    last = {change.label: change for change in rig.changes()}[label]
    assert (last.state, last.filled) == (OrderState.CANCELLED, 300.0)
    replacement = rig.changes()[-1].amount
    assert rig.position().working_buy == 300.0 + replacement, "its fill is still to come as a trade"
    assert not rig.oms.drained


def test_a_socket_that_dies_between_request_and_answer_leaves_an_unknown_order() -> None:
    rig = Rig().live()
    rig.tamper = lambda _: []
    rig.quote(ask=None)
    rig.pass_time(0.01)
    assert rig.prices() == [59_990.0]
    rig.tamper = lambda _: [LATENCY]
    rig.cut()
    assert counted_in_full(rig)
    rig.until(lambda: rig.prices() == [59_990.0] and settled(rig), 6.0)
    labels = {change.label for change in rig.changes() if change.state is OrderState.OPEN}
    assert len(labels) == 1, "one order, whichever attempt it was"
