"""The verb says what there is, refuses what cannot be measured, and never calls that a pass."""

import argparse
from pathlib import Path

import pytest

from bench.printing import tick_to_order_lines
from bench.quantiles import Quantiles
from bench.tick_to_order import Drive, Ratio, Report, Row
from console import bench


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    return parser.parse_args(arguments)


def row(name: str, p50: float, behind: float | None) -> Row:
    return Row(
        name=name,
        latency_us=Quantiles(p50, 2 * p50, 3 * p50),
        moves=10,
        answered=9,
        late=0,
        missed=1,
        unmatched=0,
        cpu_us_per_frame={"oms": 12.0},
        rate=1000.0,
        behind=behind,
        loop_lag_ms={},
        rss_mb={"oms": 48.0},
    )


def lines_of(behind: float) -> list[str]:
    ratio = Ratio(product="ours", floor="floor", p50=2.0, p99=2.5, rounds_p50=(1.9, 2.0, 2.1))
    report = Report(
        header={"interpreter": "CPython"},
        drive=Drive(rate=1000.0, moves=40.0, seconds=7.0, rounds=3),
        rows=(row("ours", 400.0, behind), row("floor", 200.0, None)),
        ratios=(ratio,),
    )
    return list(tick_to_order_lines(report))


def test_list_names_every_bench(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.run(parsed("list")) == 0
    told = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert told == ["tick-to-order", "core", "exchange", "safety", "list"]


def test_more_moves_than_the_oms_may_send_is_not_measured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert bench.run(parsed("tick-to-order", "--moves", "200")) == 1
    told = capsys.readouterr()
    assert told.err.startswith("bench: not measured: 200 moves a second need 400 requests")
    assert told.out == ""


def test_a_report_that_could_not_be_written_is_refused_before_measuring(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "nowhere" / "r.json"
    assert bench.run(parsed("core", "--json", str(missing))) == 2
    assert "its folder does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["0", "-1", "x", "nan"])
def test_a_rate_that_is_none_is_refused(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("tick-to-order", f"--rate={wrong}")
    assert f"came {wrong}" in capsys.readouterr().err


def test_the_ratio_stands_beside_its_rounds() -> None:
    assert "ours / floor: p50 2.00x (rounds 1.90, 2.00, 2.10), p99 2.50x" in lines_of(behind=0.0)


def test_frames_that_fell_behind_are_shouted() -> None:
    assert any("nothing fell behind" in line for line in lines_of(behind=0.0))
    assert any("17 FRAMES FELL BEHIND" in line for line in lines_of(behind=17.0))
