"""Plans of faults: functions of their seed, with an end, and with all that the mock exchange can do."""

from typing import get_args

import msgspec
import pytest

from backtest.faults import (
    AT_VENUE,
    CALM_END_S,
    WARMUP_S,
    AtVenue,
    Due,
    Fault,
    Word,
    at_venue,
    plan,
)
from mock_deribit import faults as venue
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import SECOND


def test_a_plan_is_a_function_of_its_seed_and_can_be_read_back() -> None:
    dues = plan("7", 600.0)
    assert plan("7", 600.0) == dues
    assert plan("8", 600.0) != dues
    assert len(dues) > 20
    assert msgspec.json.decode(msgspec.json.encode(dues), type=tuple[Due, ...]) == dues


def test_faults_come_in_order_after_the_warm_up_and_before_the_calm_end() -> None:
    for seed in range(20):
        *dues, last = plan(str(seed), 600.0)
        assert last.fault == Word("resume")
        times = [due.at / SECOND for due in dues]
        assert times == sorted(times)
        assert times[0] >= WARMUP_S
        assert times[-1] <= 600.0 - CALM_END_S + 3.0


def test_every_kind_of_fault_is_drawn_sooner_or_later() -> None:
    drawn = {type(due.fault) for seed in range(60) for due in plan(str(seed), 600.0)}
    kinds = get_args(Fault)
    assert [kind.__name__ for kind in kinds if kind not in drawn] == []


@pytest.mark.parametrize("kind", AT_VENUE, ids=lambda kind: str(kind.__name__))
def test_whatever_the_mock_exchange_can_do_the_planner_can_draw(kind: type) -> None:
    fault = at_venue(Stream("any"), kind, 100)
    assert isinstance(fault.fault, kind)
    assert msgspec.json.decode(msgspec.json.encode(fault), type=AtVenue) == fault


def test_a_fault_with_an_unknown_field_is_refused_with_a_remedy() -> None:
    class Earthquake(msgspec.Struct, frozen=True):
        magnitude: float

    with pytest.raises(TypeError, match=r"no values for Earthquake\.magnitude: give it some in"):
        at_venue(Stream("any"), Earthquake, 100)


def test_what_is_switched_is_switched_back() -> None:
    locked = at_venue(Stream("any"), venue.Lock, 100)
    assert locked.undo == venue.Lock(index="btc_usd", locked=False)
    closed = at_venue(Stream("any"), venue.Maintenance, 100)
    assert closed.undo == venue.Maintenance(on=False)


def test_a_due_tells_its_time_and_what_happens() -> None:
    assert str(Due(Nanos(1_500 * SECOND // 1_000), Word("kill"))) == (
        '    1.500 s  {"type":"Word","word":"kill"}'
    )
