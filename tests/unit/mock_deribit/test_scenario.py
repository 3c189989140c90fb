"""Scenario files: how they are read and refused, and when their timeline speaks."""

import tomllib
from pathlib import Path

import pytest

from mock_deribit.clock import Jump
from mock_deribit.faults import Cut, Lock, SetRegime
from mock_deribit.scenario import ScenarioError, read
from mock_deribit.settings import from_environment
from mock_deribit.shell.scenarios import load, shipped
from mock_deribit.timeline import Entry, Timeline
from shared.kernel import Nanos
from shared.units import SECOND
from tests.support.exchange import START, Bench

CUT = '[[timeline]]\nfault = "cut"\n'


def parse(text: str) -> tuple[Entry, ...]:
    return read(tomllib.loads(text)).timeline


def said(timeline: Timeline, until_s: float) -> list[tuple[float, int]]:
    """(seconds, entry) of everything that is said by then."""
    heard = []
    while (due := timeline.due()) is not None and due <= until_s * SECOND:
        heard.append((due / SECOND, timeline.take().number))
    return heard


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("speed = 1", "unknown field `speed`; a scenario has about, seed, settings, accounts"),
        ("seed = 1\n[settings]\nseed = 2", "seed stands in .* and beside it"),
        (CUT, "timeline entry 1: expected `at` or `every`; came neither"),
        (CUT + "at = -1", r"timeline entry 1: Expected `float` >= 0.0"),
        (CUT + "at = inf", r"Expected `float` <= 1000000000.0"),
        (CUT + "at = nan", r"Expected `float` >= 0.0"),
        (CUT + "every = 1e-9", r"Expected `float` >= 0.001"),
        ('[[timeline]]\nat = 1\nfault = "move_price"\nbps = nan', r"move_price: Expected `float`"),
        (CUT + "at = 2026-11-27T08:00:00", "entry 1: expected a time with its zone"),
        (CUT + "at = 1\ntimes = 2", "`times` needs `every`"),
        (CUT + "at = 1\n" + CUT + 'at = 2\nwhen = "now"', "timeline entry 2: cut: .*`when`"),
        ('[[timeline]]\nat = 1\nfault = "sabotage"', "entry 1: expected `fault` to be one of"),
        ("[[timeline]]\nat = 1", "entry 1: expected `fault` or `clock`.*came neither"),
        (CUT + 'at = 1\nclock = "pause"', "came both"),
    ],
)
def test_a_scenario_that_is_none_names_the_entry_and_what_was_expected(
    text: str, says: str
) -> None:
    with pytest.raises(ScenarioError, match=says):
        parse(text)


def test_an_entry_speaks_once_or_again_and_again_and_in_the_order_of_the_file() -> None:
    entries = parse(
        CUT
        + "at = 5\n"
        + CUT
        + "every = 2\ntimes = 3\n"
        + CUT
        + "at = 1\nevery = 4\n"
        + CUT
        + "at = 5"
    )
    timeline = Timeline(Nanos(0), entries)
    assert said(timeline, 9.0) == [(1, 3), (2, 2), (4, 2), (5, 1), (5, 3), (5, 4), (6, 2), (9, 3)]
    assert timeline.left == 1


def test_an_entry_with_a_date_is_said_then_and_one_before_the_opening_is_refused() -> None:
    entries = parse(CUT + "at = 1970-01-01T01:00:30+01:00")
    assert said(Timeline(Nanos(0), entries), 100.0) == [(30, 1)]
    with pytest.raises(ValueError, match="entry 1: its time is 70 s before the exchange opens"):
        Timeline(Nanos(100 * SECOND), entries)


def test_a_word_on_time_is_read_with_its_date() -> None:
    [entry] = parse('[[timeline]]\nat = 1\nclock = "jump"\nto = 1970-01-02T00:00:00Z')
    assert isinstance(entry.word, Jump)
    assert entry.word.time == 86_400 * SECOND


def test_the_exchange_does_what_its_script_says_and_notes_what_cannot_be_done() -> None:
    script = parse(
        CUT + 'at = 1\n[[timeline]]\nat = 2\nfault = "cut"\nconn = 9\n'
        '[[timeline]]\nat = 3\nfault = "lock"\nindex = "btc_usd"'
    )
    bench = Bench(script)
    conn = bench.open()
    bench.pass_time(2.5)
    assert bench.closes == {conn: (1006, "cut")}
    assert [(deed.entry, deed.word, deed.error) for deed in bench.core.record()] == [
        (1, Cut(), ""),
        (2, Cut(conn=9), "there is no connection 9; open are: none"),
    ]
    bench.pass_time(1.0)
    [*_, last] = bench.core.record()
    assert (last.now, last.word) == (START + 3 * SECOND, Lock(index="btc_usd"))


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (Lock(index="doge_usd"), "timeline entry 1: there is no index 'doge_usd'"),
        (SetRegime(regime="HAIL"), "timeline entry 1: there is no regime 'HAIL'"),
    ],
)
def test_a_script_that_names_what_is_not_there_is_refused_at_the_opening(
    entry: Lock | SetRegime, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        Bench((Entry(number=1, word=entry, at=Nanos(SECOND)),))


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_scenario_is_read_and_says_what_it_is_about(name: str) -> None:
    scenario = load(name)
    assert len(scenario.about) > 30
    assert from_environment({}, {}, scenario.settings).seed == scenario.settings["seed"]


def test_a_file_that_is_no_scenario_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    with pytest.raises(
        ScenarioError, match=r"no/such: No such file.* or one of expiry, flaky-feed"
    ):
        load("no/such")
    path.write_text("seed = ", encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"mine.toml: expected TOML; Invalid value"):
        load(str(path))
    path.write_bytes(b"\xff")
    with pytest.raises(ScenarioError, match=r"mine.toml: expected TOML"):
        load(str(path))
    path.write_text(CUT, encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"mine.toml: timeline entry 1"):
        load(str(path))


def test_a_script_keeps_its_place_among_what_happens_however_late_the_exchange_is_woken() -> None:
    bench = Bench(parse('[[timeline]]\nat = 2.5\nfault = "move_price"\nbps = 100'))
    channel = "deribit_price_index.btc_usd"
    conn = bench.login()
    bench.call(conn, "private/subscribe", channels=[channel])
    bench.note(bench.core.wake(Nanos(START + 4 * SECOND)))
    prices = [told["price"] for told in bench.frames(conn, channel)]
    assert prices == [60_000.0, 60_000.0, 60_600.0, 60_600.0]


def test_a_script_that_is_jumped_over_is_done_at_its_times() -> None:
    bench = Bench(
        parse('[[timeline]]\nat = 100\nfault = "lock"\nindex = "btc_usd"\n' + CUT + "at = 200")
    )
    conn = bench.open()
    bench.note(bench.core.jump(Nanos(START + 300 * SECOND)))
    assert [(deed.now - START) // SECOND for deed in bench.core.record()] == [100, 200]
    assert bench.closes == {conn: (1006, "cut")}
