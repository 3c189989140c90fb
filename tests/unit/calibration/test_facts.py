"""Facts of streams whose facts are known, and of the production recordings beside the project."""

import math
from pathlib import Path

import pytest

from calibration import flow, queueing, returns, touch
from calibration.facts import facts_of, measure
from calibration.reading import records_of
from calibration.record import Print, Record, Top
from calibration.report import Source, lines, report
from calibration.tally import Tally, slope
from console.validate import measured
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import MILLISECOND, SECOND

RECORDINGS = Path(__file__).parents[4] / "shared/data/deribit"
NAMED = {fact.name: fact for fact in facts_of(0.35)}


def record_of(prints: list[Print], tops: list[Top], seconds: float) -> Record:
    record = Record("BTC-PERPETUAL", 0.5, Nanos(0))
    record.end = Nanos(round(seconds * SECOND))
    record.prints, record.tops = prints, tops
    return record


def at(seconds: float) -> Nanos:
    return Nanos(round(seconds * SECOND))


def test_pooled_tallies_say_what_one_long_record_would() -> None:
    draws = Stream("pool")
    values = [draws.normal(0.0, 2.0) for _ in range(6_000)]
    whole, first, second = Tally(), Tally(), Tally()
    whole.moments("r", values)
    first.moments("r", values[:2_000])
    second.moments("r", values[2_000:])
    first.merge(second)
    assert first.kurtosis("r") == pytest.approx(whole.kurtosis("r"))
    assert whole.kurtosis("r") == pytest.approx(3.0, rel=0.1)
    assert whole.deviation("r") == pytest.approx(2.0, rel=0.03)


def test_what_was_never_seen_has_no_value() -> None:
    tally = measure(Record("BTC-PERPETUAL", 0.5, Nanos(0)))
    assert [fact.name for fact in NAMED.values() if fact.formula(tally) is not None] == []


def test_a_power_law_has_its_slope() -> None:
    assert slope([(x, 3.0 * x**-0.5) for x in (1.0, 2.0, 5.0, 9.0)]) == pytest.approx(-0.5)
    assert slope([(1.0, 1.0), (2.0, -1.0)]) is None


def test_the_spread_is_weighted_by_time() -> None:
    tops = [Top(at(0), 100.0, 1e3, 100.5, 1e3), Top(at(9), 100.0, 1e3, 101.5, 1e3)]
    tally = Tally()
    touch.measure(record_of([], tops, 10.0), tally)
    assert tally.mean("one tick") == pytest.approx(0.9)
    assert tally.mean("spread") == pytest.approx(0.9 * 1 + 0.1 * 3)


@pytest.mark.parametrize(("closes_s", "recovered"), [(0.3, 1.0), (0.7, 0.0)])
def test_a_sweep_has_recovered_when_the_spread_is_closed_half_a_second_later(
    closes_s: float, recovered: float
) -> None:
    prints = [Print(at(5), 1, 100.5, 1e5), Print(at(5), 1, 100.6, 1e5)]
    tops = [
        Top(at(0), 100.0, 1e3, 100.5, 1e3),
        Top(at(5), 100.0, 1e3, 102.0, 1e3),
        Top(at(5 + closes_s), 101.5, 1e3, 102.0, 1e3),
    ]
    tally = Tally()
    touch.measure(record_of(prints, tops, 10.0), tally)
    assert tally.mean("recovered") == recovered


def test_prints_of_one_side_in_one_millisecond_are_one_order() -> None:
    ms = Nanos(MILLISECOND)
    prints = [
        Print(ms, 1, 100.0, 10.0),
        Print(ms, 1, 100.5, 20.0),
        Print(ms, -1, 100.0, 30.0),
        Print(Nanos(2 * ms), -1, 100.0, 40.0),
    ]
    orders = record_of(prints, [], 1.0).orders()
    assert [(o.sign, o.usd, o.prints, o.last) for o in orders] == [
        (1, 30.0, 2, 100.5),
        (-1, 30.0, 1, 100.0),
        (-1, 40.0, 1, 100.0),
    ]


def test_signs_that_come_in_runs_are_correlated_and_poisson_arrivals_do_not_cluster() -> None:
    draws, now, sign, prints = Stream("runs"), 0.0, 1, []
    for _ in range(5_000):
        now += draws.exponential(2.0)
        sign = sign if draws.chance(0.75) else -sign
        prints.append(Print(at(now), sign, 100.0, 10.0))
    tally = Tally()
    flow.measure(record_of(prints, [], now), tally)
    assert tally.mean("sign 1") == pytest.approx(0.5, abs=0.05)
    assert tally.mean("sign 3") == pytest.approx(0.125, abs=0.06)
    assert tally.mean("gap CV") == pytest.approx(1.0, abs=0.07)
    assert tally.mean("fano 10") == pytest.approx(1.0, abs=0.2)


def test_volatility_is_annualised() -> None:
    draws, price, tops = Stream("walk"), 100.0, []
    step = 0.35 / math.sqrt(returns.YEAR_SECONDS)
    for second in range(20_000):
        price *= math.exp(draws.normal(0.0, step))
        tops.append(Top(at(second), price - 1e-5, 1e3, price + 1e-5, 1e3))
    tally = Tally()
    returns.measure(record_of([], tops, 20_000.0), tally)
    assert returns.volatility(tally, 1) == pytest.approx(0.35, rel=0.03)
    assert returns.volatility(tally, 60) == pytest.approx(0.35, rel=0.15)
    assert tally.kurtosis("return 1") == pytest.approx(3.0, rel=0.1)


def filled(prints: list[Print], changes: list[Top]) -> float:
    """The share of imaginary orders filled, of those that join an even touch at second 2 (a bid)."""
    tops = [Top(at(0), 100.0, 1_000.0, 100.5, 1_000.0), *changes]
    tally = Tally()
    queueing.measure(record_of([*prints, Print(at(9), 1, 100.5, 10.0)], tops, 11.0), tally)
    return (tally.mean("filled even") or 0.0) * tally.sums["filled even/n"]


def test_an_order_is_filled_by_what_trades_beyond_the_queue_ahead() -> None:
    assert filled([Print(at(2.5), -1, 100.0, 1_010.0)], []) == 1.0
    assert filled([Print(at(2.5), -1, 100.0, 990.0)], []) == 0.0
    assert filled([Print(at(2.5), 1, 100.5, 5_000.0)], []) == 0.0


def test_an_order_is_filled_when_it_is_traded_through_and_not_when_its_level_vanishes() -> None:
    gone = [Top(at(2.5), 99.5, 1_000.0, 100.5, 1_000.0)]
    assert filled([Print(at(2.5), -1, 99.5, 10.0)], []) == 1.0
    assert filled([], gone) == 0.0
    assert filled([Print(at(2.7), -1, 99.5, 10.0)], gone) == 1.0


def test_the_report_names_what_fails_and_says_when_nothing_was_recorded() -> None:
    tally = Tally()
    tally.mean_of("one tick", 0.5)
    tally.mean_of("spread", 1.2)
    done = report("a market", facts_of(0.35), tally, [])
    text = lines(done)
    assert done.failed == 1
    assert "no recordings: nothing recorded stands beside the ranges" in text
    assert [line.split("  ")[1] for line in text if line.endswith("FAILS")] == [
        "one tick, share of time"
    ]
    assert text[-1] == "1 of 2 judged facts hold"


def test_of_several_recordings_the_longest_that_knows_a_fact_counts() -> None:
    book, tape = Tally(), Tally()
    book.mean_of("one tick", 1.0)
    tape.mean_of("sign 1", 0.5)
    sources = [Source("tape", 9e3, tape), Source("book", 60.0, book)]
    rows = {row.name: row for row in report("x", facts_of(0.35), None, sources).rows}
    assert rows["one tick, share of time"].recorded_by == 2
    assert rows["autocorrelation at lag 1"].recorded_by == 1
    assert rows["mean, ticks"].recorded is None


def test_a_file_that_is_no_recording_has_no_records() -> None:
    assert records_of([b"date,price\n", b"2026-01-01,1\n"]) == []
    assert records_of([]) == []


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings are beside the project")
def test_the_production_recordings_show_the_facts_the_ranges_were_made_from() -> None:
    sources = {source.name.split("/")[0]: source.tally for source in measured(RECORDINGS)}
    tape, book = sources["cyri113"], sources["tardis-node"]
    for name in (
        "market orders a second", "prints an order", "50 %, USD", "99 %, USD",
        "CV of gaps between orders", "Fano factor, 10 s", "autocorrelation at lag 1",
        "exponent, lags 1 to 50", "after 1 s, bp", "after 5 s, bp", "after 30 s, bp",
        "volatility 1 s / 300 s", "deviation within a record, bp",
    ):  # fmt: skip
        value = NAMED[name].formula(tape)
        assert value is not None
        assert NAMED[name].holds(value), (name, value)
    assert book.mean("one tick") == 1.0
    assert book.mean("tops a second") == pytest.approx(2.9, abs=0.1)
