"""Others on the account: orders by hand, another bot, another instance of this one."""

from tests.unit.oms.rig import Rig
from tests.unit.oms.test_recovery import foreign, quoting


def test_at_start_orders_of_ours_are_cancelled_and_foreign_ones_never_touched() -> None:
    rig = Rig()
    foreign(rig, "somebody-else")
    foreign(rig, "mm-0-BTC-PERPETUAL-b0-3", 59_901.0)
    foreign(rig, "mm-looks-like-ours", 59_902.0)
    foreign(rig, "", 59_903.0)
    rig.live()
    assert sorted(order.label for order in rig.book()) == [
        "",
        "mm-looks-like-ours",
        "somebody-else",
    ]
    assert rig.anomalies() == ["unknown_order"]
    rig.quote()
    rig.pass_time(0.1)
    assert len(rig.book()) == 5
    rig.silent = True
    rig.pass_time(3.0)
    assert len(rig.book()) == 3


def test_orders_of_a_later_instance_end_this_one_and_are_not_touched() -> None:
    rig = quoting()
    foreign(rig, "mm-2-BTC-PERPETUAL-b0-0")
    rig.until(lambda: rig.halts, 10.0)
    assert "two act on one account" in rig.halts[0]
    assert "mm-2-BTC-PERPETUAL-b0-0" in [order.label for order in rig.book()]


def test_orders_from_before_a_clock_went_back_are_stale_and_no_second_instance() -> None:
    rig = Rig()
    foreign(rig, "mm-zz-BTC-PERPETUAL-b0-3")
    rig.crash()
    rig.pass_time(1.0)
    rig.start()
    rig.live()
    assert rig.halts == []
    assert rig.book() == []


def test_a_kill_leaves_foreign_orders_alone() -> None:
    rig = Rig()
    foreign(rig, "somebody-else")
    rig.live()
    rig.quote()
    rig.pass_time(0.02)
    assert len(rig.book()) == 3
    rig.kill()
    rig.pass_time(0.02)
    assert [order.label for order in rig.book()] == ["somebody-else"]


def test_a_trade_by_another_hand_moves_the_position_and_is_an_anomaly() -> None:
    rig = quoting()
    foreign(rig, "by-hand", price=60_000.5, amount=200.0)
    rig.exchange.wake(rig.now)
    rig.pass_time(7.0)
    assert rig.position().amount == rig.real_position() == 200.0
    assert "foreign_trade" in rig.anomalies()
    assert "position_mismatch" not in rig.anomalies()
