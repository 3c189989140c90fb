"""The balance against the fees: explained, or told with the amount."""

import pytest

from shared.messages import Anomaly, Severity
from shared.units import Side
from tests.unit.oms.line import PERPETUAL
from tests.unit.oms.rig import Rig
from tests.unit.oms.test_recovery import quoting

ROUNDS_S = 5.0


def moved(rig: Rig) -> list[Anomaly]:
    """What was told of the balance."""
    return [anomaly for anomaly in rig.of(Anomaly) if anomaly.kind == "balance_mismatch"]


def pay(rig: Rig, amount: float) -> None:
    """Somebody deposits, or (negative) withdraws."""
    rig.exchange._exchange.deposit(rig.now, "maker", "BTC", amount)


def test_fees_explain_it_to_the_last_satoshi_however_the_fills_came() -> None:
    rig = quoting()
    rig.pass_time(2 * ROUNDS_S)
    for turn in range(10):
        rig.others(Side.SELL, 59_990.0, 200_100.0 if turn == 0 else 100.0)
        rig.pass_time(0.7)
    rig.tamper = lambda frame: [] if b"user.changes" in frame else [2_000_000]
    rig.others(Side.BUY, 60_010.0, 200_300.0)
    rig.pass_time(5 * ROUNDS_S)
    assert len(rig.fills()) > 5
    assert rig.position().fees > 0.0
    assert moved(rig) == []


@pytest.mark.parametrize(
    ("amount", "severity"), [(0.1, Severity.WARNING), (-0.1, Severity.CRITICAL)]
)
def test_what_no_fee_explains_is_told_once_with_its_amount(
    amount: float, severity: Severity
) -> None:
    rig = quoting()
    rig.pass_time(2 * ROUNDS_S)
    pay(rig, amount)
    rig.pass_time(2 * ROUNDS_S)
    assert moved(rig) == [], "two rounds prove nothing"
    rig.pass_time(4 * ROUNDS_S)
    (anomaly,) = moved(rig)
    assert anomaly.severity is severity
    assert f"{amount:+.8f} BTC" in anomaly.detail
    assert len(rig.book()) == 2


def test_over_a_lost_line_nothing_is_compared() -> None:
    rig = quoting()
    rig.pass_time(2 * ROUNDS_S)
    rig.connectable = False
    rig.cut()
    pay(rig, -0.1)
    rig.pass_time(1.0)
    rig.connectable = True
    rig.pass_time(6 * ROUNDS_S)
    assert moved(rig) == []
    assert rig.position(PERPETUAL).reconciled > 0


def test_a_history_that_cannot_be_read_to_its_end_stops_the_reconciliation_loudly() -> None:
    rig = quoting()
    rig.tamper = lambda frame: [] if b"user.changes" in frame else [2_000_000]
    rig.others(Side.SELL, 59_990.0, 200_000.0)
    for _ in range(3):
        rig.others(Side.SELL, 59_990.0, 100.0)
    rig.rewrite = lambda data: data.replace(b'"count":1000', b'"count":2')
    reconciled = rig.position().reconciled
    rig.pass_time(8.0)
    assert "history_unreadable" in rig.anomalies()
    asked = rig.requests("private/get_user_trades_by_currency_and_time")
    assert len(asked) < 50, "and does not ask for ever"
    assert rig.position().reconciled == reconciled
