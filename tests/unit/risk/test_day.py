"""The exchange's day: when it begins and rolls, what it loses, and what a restart remembers."""

import pytest

from services.risk.day import ROAD, TradingDay, day_of
from shared.kernel import Nanos
from shared.units import DAY, HOUR, MILLISECOND, SECOND, Side
from tests.unit.risk.scene import NOON, PERPETUAL, fill, position, spec, ticker

SPEC = spec()


def begun(equity: float = 1.0, amount: float = 0.0) -> TradingDay:
    day = TradingDay()
    day.attribution.reported(position(NOON, amount=amount), None)
    day.attribution.marked(ticker(NOON), SPEC)
    day.reported(NOON, equity)
    day.watch(NOON)
    return day


def test_the_day_starts_at_eight() -> None:
    midnight = Nanos(20_000 * DAY)

    assert day_of(Nanos(midnight + 8 * HOUR)) == day_of(Nanos(midnight + 8 * HOUR - 1)) + 1
    assert day_of(Nanos(midnight + 8 * HOUR)) == day_of(Nanos(midnight + 31 * HOUR))


def test_no_day_begins_before_a_position_is_known() -> None:
    day = TradingDay()

    day.reported(NOON, 1.0)

    assert not day.begun
    assert day.stored() is None


def test_a_loss_is_seen_with_the_mark_and_before_the_exchange_reports_it() -> None:
    day = begun(equity=1.0, amount=60_000.0)

    day.attribution.marked(ticker(NOON, 58_000.0), SPEC)
    day.watch(Nanos(NOON + SECOND))

    loss = 60_000 * (1 / 58_000 - 1 / 60_000)
    assert day.loss == pytest.approx(loss)
    assert day.drawdown == pytest.approx(loss)
    assert day.equity == pytest.approx(1.0 - loss)


def test_what_the_exchange_has_and_we_do_not_is_unexplained() -> None:
    day = begun(equity=1.0)

    day.reported(Nanos(NOON + SECOND), 1.25)
    assert not day.watch(Nanos(NOON + SECOND + ROAD - 1))
    assert day.watch(Nanos(NOON + SECOND + ROAD))

    assert day.unexplained == pytest.approx(0.25)
    assert day.equity == 1.25
    assert day.equity_change == 0.25


@pytest.mark.parametrize("lag", [-300 * MILLISECOND, 300 * MILLISECOND])
def test_a_report_struck_at_a_mark_that_came_earlier_or_later_is_explained(lag: int) -> None:
    day = begun(equity=1.0, amount=60_000.0)
    report = Nanos(NOON + 10 * SECOND)
    spike = Nanos(report + lag)
    marks = {spike: 60_600.0, Nanos(spike + 50 * MILLISECOND): 60_000.0}

    for now in sorted([*marks, report, Nanos(report + ROAD)]):
        if now in marks:
            day.attribution.marked(ticker(now, marks[now]), SPEC)
        if now == report:
            day.reported(now, 1.0 + 60_000 * (1 / 60_000 - 1 / 60_600))
        day.watch(now)

    assert day.unexplained == pytest.approx(0.0, abs=1e-12)


def test_drawdown_is_the_fall_from_the_highest_equity_and_not_from_the_start() -> None:
    day = begun(equity=1.0, amount=60_000.0)

    for now, mark in enumerate((63_000.0, 61_000.0), start=NOON):
        day.attribution.marked(ticker(Nanos(now), mark), SPEC)
        day.watch(Nanos(now))

    assert day.loss == 0.0
    assert day.drawdown == pytest.approx(60_000 * (1 / 61_000 - 1 / 63_000))


def test_the_next_day_counts_from_the_equity_of_that_moment() -> None:
    day = begun(equity=1.0, amount=60_000.0)
    day.attribution.marked(ticker(NOON, 61_000.0), SPEC)
    gained = 60_000 * (1 / 60_000 - 1 / 61_000)

    day.watch(Nanos(NOON + DAY))

    assert day.equity == pytest.approx(1.0 + gained)
    assert day.equity_change == 0.0
    assert day.attribution.parts.total == 0.0
    assert day.attribution.holdings[PERPETUAL].amount == 60_000.0


def test_forgiving_counts_losses_anew_but_keeps_the_published_change() -> None:
    day = begun(equity=1.0, amount=60_000.0)
    day.attribution.marked(ticker(NOON, 58_000.0), SPEC)
    day.watch(NOON)

    change = day.equity_change
    day.forgive()

    assert day.loss == 0.0
    assert day.drawdown == 0.0
    assert day.equity_change == change < 0


def test_a_restart_on_the_same_day_goes_on_and_values_the_time_away() -> None:
    before = begun(equity=1.0, amount=60_000.0)
    before.attribution.filled(fill(NOON, Side.BUY, 600.0, 59_990.0, fee=1e-6), SPEC, 60_000.0)
    before.watch(NOON)
    stored = before.stored()
    assert stored is not None

    after = TradingDay()
    after.restore(Nanos(NOON + SECOND), stored)
    for day in (before, after):
        day.attribution.marked(ticker(Nanos(NOON + SECOND), 60_500.0), SPEC)

    assert after.attribution.parts == before.attribution.parts
    assert after.equity == before.equity


def test_a_restart_on_another_day_keeps_holdings_and_waits_for_the_exchange() -> None:
    stored = begun(amount=60_000.0).stored()
    assert stored is not None

    day = TradingDay()
    day.restore(Nanos(NOON + DAY), stored)

    assert not day.begun
    assert day.attribution.holdings[PERPETUAL].amount == 60_000.0
