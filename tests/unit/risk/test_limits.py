"""The table of limits: what crossing each line does, and when it is left again."""

import msgspec
import pytest

from services.risk.limits import Limits, Measures, limits
from shared.messages import Mode
from shared.params import RiskParams

CALM = Measures(
    net_delta=0.0, worst_delta=0.0, day_loss=0.0, drawdown=0.0, open_loss=0.0, margin_pct=0.0
)
PARAMS = RiskParams()


def judge(lines: Limits, **measures: float) -> tuple[Mode, str]:
    verdict = lines.judge(msgspec.structs.replace(CALM, **measures), PARAMS)
    return verdict.mode, verdict.reason


@pytest.mark.parametrize(
    ("measure", "value", "mode", "reason"),
    [
        ("net_delta", 0.30, Mode.ACTIVE, ""),
        ("net_delta", 0.301, Mode.REDUCING, "hard limit"),
        ("net_delta", -0.301, Mode.REDUCING, "hard limit"),
        ("net_delta", 0.451, Mode.KILLED, "kill limit, hard limit"),
        ("net_delta", -0.451, Mode.KILLED, "kill limit, hard limit"),
        ("worst_delta", 0.361, Mode.REDUCING, "worst case"),
        ("day_loss", 0.021, Mode.REDUCING, "day loss"),
        ("day_loss", 0.051, Mode.KILLED, "day loss (kill), day loss"),
        ("drawdown", 0.021, Mode.REDUCING, "drawdown"),
        ("open_loss", 0.021, Mode.REDUCING, "open loss"),
        ("margin_pct", 35.1, Mode.REDUCING, "margin"),
    ],
)
def test_each_line_does_what_the_table_says(
    measure: str, value: float, mode: Mode, reason: str
) -> None:
    assert judge(Limits(), **{measure: value}) == (mode, reason)


def test_the_hard_limit_is_left_at_the_soft_one_and_not_before() -> None:
    lines = Limits()
    judge(lines, net_delta=0.31)

    assert judge(lines, net_delta=0.25)[0] is Mode.REDUCING
    assert judge(lines, net_delta=0.20)[0] is Mode.ACTIVE
    assert judge(lines, net_delta=0.25)[0] is Mode.ACTIVE


def test_a_loss_stands_after_recovery_until_it_is_forgiven() -> None:
    lines = Limits()
    judge(lines, day_loss=0.03)

    assert judge(lines) == (Mode.REDUCING, "day loss")
    lines.forgive()
    assert judge(lines) == (Mode.ACTIVE, "")


def test_a_loss_that_is_still_there_is_not_forgiven() -> None:
    lines = Limits()
    judge(lines, day_loss=0.03)
    lines.forgive()

    assert judge(lines, day_loss=0.03)[0] is Mode.REDUCING


def test_every_line_measures_something_that_exists_and_leaves_behind_itself() -> None:
    for limit in limits(PARAMS):
        assert limit.measure in Measures.__struct_fields__
        assert limit.leave is None or limit.leave < limit.enter
