"""The generator is a function of its key, and its distributions are what they say."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.randomness import Stream


@given(st.text(max_size=20), st.integers(0, 2**40))
def test_equal_keys_give_equal_draws_and_forks_ignore_what_was_drawn(key: str, n: int) -> None:
    first, second = Stream(key), Stream(key)
    second_fork = second.fork(n)
    assert [first.bits() for _ in range(5)] == [second.bits() for _ in range(5)]
    assert first.fork(n).bits() == second_fork.bits()
    assert first.fork(n + 1).bits() != first.fork(n).bits()


def test_splitmix64_matches_its_published_first_values() -> None:
    stream = Stream("any")
    stream._state = 1234567
    assert [stream.bits() for _ in range(3)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


def check_moments(values: list[float], mean: float, deviation: float) -> None:
    """Mean and standard deviation within four per cent of the deviation."""
    found = sum(values) / len(values)
    spread = math.sqrt(sum((v - found) ** 2 for v in values) / len(values))
    assert found == pytest.approx(mean, abs=0.04 * deviation)
    assert spread == pytest.approx(deviation, rel=0.04)


def test_distributions_have_their_moments() -> None:
    stream, n = Stream("moments"), 20_000
    check_moments([stream.normal(2.0, 3.0) for _ in range(n)], 2.0, 3.0)
    check_moments([stream.exponential(4.0) for _ in range(n)], 4.0, 4.0)
    check_moments([stream.uniform(-1.0, 3.0) for _ in range(n)], 1.0, 4.0 / math.sqrt(12.0))
    logs = [math.log(stream.lognormal(5.0, 0.5)) for _ in range(n)]
    check_moments(logs, math.log(5.0), 0.5)


def test_tails_are_as_heavy_as_asked() -> None:
    stream, n = Stream("tails"), 20_000
    pareto = [stream.pareto(1.5) for _ in range(n)]
    assert min(pareto) >= 1.0
    assert sum(x > 4.0 for x in pareto) / n == pytest.approx(4.0**-1.5, abs=0.01)
    student = sorted(stream.student(2.6) for _ in range(n))
    assert student[n // 2] == pytest.approx(0.0, abs=0.05)
    assert student[int(0.975 * n)] == pytest.approx(3.5, rel=0.1)


@given(st.integers(1, 2**63))
def test_below_stays_below(n: int) -> None:
    stream = Stream(str(n))
    assert all(0 <= stream.below(n) < n for _ in range(20))


def test_impossible_draws_say_what_to_pass() -> None:
    with pytest.raises(ValueError, match="pass n >= 1"):
        Stream("x").below(0)
