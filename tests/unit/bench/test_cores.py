"""In the benchmark's market the quoter follows every move, at prices that name the centre."""

from pathlib import Path

from backtest.stage import Stage
from bench import per_message
from bench.market import HALF_SPREAD, StillMarket, as_toml, bench_params, bench_settings
from bench.stopwatch import centre_of
from bench.tape import Tape
from shared.kernel import FrameIn, Nanos, Publish
from shared.messages import Book, Quote
from shared.shell.settings import load_params

START = Nanos(1_789_000_000_000_000_000)


def test_every_move_and_nothing_else_is_quoted_at_prices_that_name_its_centre() -> None:
    stage = Stage(
        start=START,
        seed="1",
        params=bench_params(100.0),
        market=StillMarket(),
        settings=bench_settings(),
    )
    stage.run(6.0)
    marketdata, quoter = stage.world.core("marketdata"), stage.world.core("quoter")
    tape, now = Tape("1"), stage.world.now

    def quoted(data: bytes) -> list[int | None]:
        heard = marketdata.handle(now, FrameIn(link="public", data=data))
        books = [e.message for e in heard if isinstance(e, Publish) and isinstance(e.message, Book)]
        said = [effect for book in books for effect in quoter.handle(now, book)]
        return [
            centre_of(level.price, HALF_SPREAD)
            for effect in said
            if isinstance(effect, Publish) and isinstance(effect.message, Quote)
            for level in effect.message.levels
        ]

    quoted(tape.snapshot(0))
    for frame in tape.frames(500, 20, 0, 1000.0):
        now = Nanos(now + 1)
        expected = [] if frame.centre is None else [frame.centre] * 2
        assert quoted(frame.data) == expected


def test_the_parameters_survive_the_file_through_which_services_get_them(tmp_path: Path) -> None:
    file = tmp_path / "bench.toml"
    file.write_text(as_toml(bench_params(100.0)), encoding="utf-8")
    assert load_params(file) == bench_params(100.0)


def test_each_row_of_the_core_bench_does_its_work() -> None:
    report = per_message.measure(rounds=1)
    assert report.quotes >= per_message.MOVES
    assert report.steps[0].ratio == 1.0
    assert all(step.ns > 0.0 for step in report.steps)
