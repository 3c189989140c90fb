"""What surrounds the cores of a process: clock, log, figures, heartbeat, probe, backoff."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.shell import log
from shared.shell.backoff import LONGEST_S, Backoff
from shared.shell.clock import Clock
from shared.shell.health import Durations, read_beats, remove_beat, rss_mb, write_beat
from shared.shell.log import conceal, set_up_logging
from shared.shell.probe import ailments

SECOND = 1_000_000_000


class Times:
    """Two clocks moved by hand."""

    def __init__(self) -> None:
        self.wall = 1_000 * SECOND
        self.monotonic = 5 * SECOND

    def clock(self) -> Clock:
        return Clock(lambda: self.wall, lambda: self.monotonic)


def test_the_clock_follows_time_passed_and_not_the_wall_clocks_steps_back() -> None:
    times = Times()
    clock = times.clock()
    times.monotonic += 10 * SECOND
    times.wall -= 30 * SECOND
    assert clock() == 1_010 * SECOND
    clock.correct()
    assert clock() == 1_010 * SECOND


def test_a_small_error_is_worked_off_slowly_and_a_long_sleep_is_taken_at_once() -> None:
    times = Times()
    clock = times.clock()
    times.monotonic += SECOND
    times.wall += SECOND + SECOND // 50
    left = clock.correct()
    assert clock() == 1_001 * SECOND + SECOND // 100
    assert left == SECOND // 100
    times.wall += 3_600 * SECOND
    assert clock.correct() == 0
    assert clock() == times.wall


@given(
    st.lists(st.tuples(st.integers(0, 5 * SECOND), st.integers(-SECOND, 5 * SECOND)), max_size=30)
)
def test_the_clock_never_runs_back(steps: list[tuple[int, int]]) -> None:
    times = Times()
    clock = times.clock()
    read = [clock()]
    for monotonic, wall in steps:
        times.monotonic += monotonic
        times.wall += wall
        read.append(clock())
        clock.correct()
        read.append(clock())
    assert read == sorted(read)


@pytest.fixture
def concealed() -> Iterator[None]:
    """What a test conceals is shown again afterwards."""
    before = list(log._concealed)
    yield
    log._concealed[:] = before


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """The root logger as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("concealed", "root_logger")
def test_a_secret_never_shows_in_a_line_whatever_way_it_took() -> None:
    conceal("hunter2")
    stream = io.StringIO()
    set_up_logging("info", stream)
    logger = logging.getLogger("test")
    logger.info("key %s", "hunter2", extra={"fields": {"url": "nats://me:hunter2@host"}})
    try:
        raise ValueError("hunter2 was refused")
    except ValueError:
        logger.exception("failed")
    lines = stream.getvalue().splitlines()
    assert "hunter2" not in stream.getvalue()
    first, second = (json.loads(line) for line in lines)
    assert (first["message"], first["url"], first["level"]) == (
        "key ***",
        "nats://me:***@host",
        "info",
    )
    assert "ValueError" in second["traceback"]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("root_logger")
def test_on_a_terminal_lines_are_plain() -> None:
    stream = Terminal()
    set_up_logging("warning", stream)
    logging.getLogger("test").info("not shown")
    logging.getLogger("test").warning("shown", extra={"fields": {"n": 3}})
    (line,) = stream.getvalue().splitlines()
    assert line.endswith("warning test: shown n=3")


@given(st.lists(st.integers(0, 2**50), min_size=1))
def test_a_quantile_is_an_upper_bound_within_a_factor_of_two(values: list[int]) -> None:
    durations = Durations()
    for value in values:
        durations.add(value)
    ordered = sorted(values)
    for share in (0.5, 0.99, 1.0):
        exact = ordered[max(0, -(-round(share * 100) * len(ordered) // 100) - 1)]
        if exact < 2**39:
            assert exact <= durations.quantile(share) <= max(2 * exact, 1)
    assert durations.longest == ordered[-1]


def test_memory_is_that_of_a_python_process() -> None:
    assert 5 < rss_mb() < 5_000


def test_the_probe_wants_a_fresh_heartbeat_that_says_ready(tmp_path: Path) -> None:
    assert ailments(read_beats(tmp_path), None, 0.0) == [
        "no heartbeat of any process; is it running with this RUN_DIR?"
    ]
    write_beat(tmp_path, ("marketdata", "quoter"), ready=True, detail="")
    write_beat(tmp_path, ("oms",), ready=False, detail="bus is down")
    (tmp_path / "health" / "torn.json").write_text("{", encoding="utf-8")
    beats = read_beats(tmp_path)
    now = beats[0].written
    assert ailments(beats, "quoter", now) == []
    assert ailments(beats, None, now) == ["oms: not ready, bus is down"]
    assert ailments(beats, "quoter", now + 60) == ["marketdata+quoter: last heartbeat 60 s ago"]
    remove_beat(tmp_path, ("oms",))
    assert ailments(read_beats(tmp_path), None, now) == []


def test_waits_grow_to_a_bound_and_begin_again_after_success() -> None:
    backoff = Backoff()
    waits = [backoff.failed() for _ in range(60)]
    assert 0.1 <= waits[0] <= 0.2
    assert all(LONGEST_S / 2 <= wait <= LONGEST_S for wait in waits[10:])
    backoff.succeeded()
    assert backoff.failed() <= 0.2


def test_an_outage_is_news_once_and_again_after_success_or_for_another_reason() -> None:
    backoff = Backoff()
    assert [backoff.is_news("refused") for _ in range(3)] == [True, False, False]
    assert backoff.is_news("wrong password")
    backoff.succeeded()
    assert backoff.is_news("wrong password")
