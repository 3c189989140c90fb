"""The exchange's time: followed, stopped, sped up and moved."""

from datetime import UTC, datetime

import pytest

from mock_deribit.clock import ExchangeClock, Jump
from shared.kernel import Nanos
from shared.units import SECOND


class Real:
    """Real time, told by the test."""

    def __init__(self) -> None:
        self.now = Nanos(1_000 * SECOND)

    def __call__(self) -> Nanos:
        return self.now

    def passes(self, seconds: float) -> None:
        """It is later."""
        self.now = Nanos(self.now + round(seconds * SECOND))


def test_it_is_real_time_to_the_nanosecond_until_somebody_says_otherwise() -> None:
    real = Real()
    clock = ExchangeClock(real)
    real.now = Nanos(real.now + 123_456_789)
    assert clock() == real()


def test_it_begins_where_it_is_told_and_runs_at_its_speed() -> None:
    real = Real()
    clock = ExchangeClock(real, start=Nanos(0), speed=10.0)
    real.passes(2.0)
    assert clock() == 20 * SECOND
    assert clock.wait_s(Nanos(25 * SECOND)) == pytest.approx(0.5)
    clock.run(1.0)
    real.passes(2.0)
    assert clock() == 22 * SECOND


def test_it_stands_still_and_goes_on_from_there() -> None:
    real = Real()
    clock = ExchangeClock(real, start=Nanos(0))
    clock.pause()
    real.passes(5.0)
    assert (clock(), clock.wait_s(Nanos(SECOND))) == (0, None)
    clock.move_to(Nanos(3 * SECOND))
    assert clock() == 3 * SECOND
    clock.resume()
    real.passes(1.0)
    assert clock() == 4 * SECOND


def test_whatever_is_said_of_it_takes_no_time_and_loses_none() -> None:
    real = Real()

    def ticking() -> Nanos:
        real.now = Nanos(real.now + 1)
        return real.now

    clock = ExchangeClock(ticking, start=Nanos(0))
    clock.pause()
    clock.pass_by(Nanos(SECOND))
    still = clock()
    clock.resume()
    resumed = real.now
    clock.run(1.0)
    clock.run(1.0)
    assert clock() - still == real.now - resumed


def test_it_never_runs_back() -> None:
    clock = ExchangeClock(Real())
    with pytest.raises(ValueError, match="not run back: it is 1970-01-01T00:16:40"):
        clock.move_to(Nanos(999 * SECOND))
    with pytest.raises(ValueError, match="at most 3660 days"):
        clock.move_to(Nanos(1_000_000_000 * SECOND))


def test_a_jump_is_to_a_moment_of_any_time_zone() -> None:
    jump = Jump(to=datetime(2026, 11, 27, 7, 59, 58, 500_000, tzinfo=UTC))
    assert jump.time == 1_795_766_398_500_000_000
