"""The benchmark of the mock exchange does its work: orders trade, frames arrive, and lateness is told."""

from bench import engine, exchange, sockets, start
from bench.orders import MIX, START, Crowd, Script
from bench.printing import exchange_lines
from bench.quantiles import Quantiles
from mock_deribit.exchange.messages import Placed


def test_the_same_seed_plays_the_same_orders() -> None:
    played = [Crowd(engine.open_exchange()).play(Script("7").take(2_000)) for _ in range(2)]
    assert played[0].events == played[1].events
    assert (played[0].fills, played[0].refused) == (played[1].fills, played[1].refused)
    assert played[0].fills > 0


def test_the_floor_answers_the_same_requests() -> None:
    ledger = engine.Ledger()
    [act] = Script("1").take(1)
    placed = ledger.place(START, act.account, act.request)
    assert isinstance(placed, Placed)
    assert (placed.order.price, placed.order.amount) == (act.request.price, act.request.amount)
    assert [type(event).__name__ for event in ledger.drain()] == [
        "OrderUpdated", "BookChanged", "PositionChanged", "PortfolioChanged",
    ]  # fmt: skip


def test_every_row_of_the_engine_is_measured() -> None:
    report = engine.measure(rounds=1, million=0)
    assert [row.name for row in report.rows] == [engine.ENGINE, engine.HEARD, engine.FLOOR]
    assert report.rows[-1].ratio == 1.0
    assert all(row.ops_per_s > 0 and set(row.p50_us) == set(MIX) for row in report.rows)
    assert report.refused_share < 0.05 < report.fills_per_op


def test_a_few_sockets_hear_of_each_others_orders() -> None:
    report = sockets.measure(sockets.Drive(clients=10, rate=500.0, seconds=1.0, rounds=1))
    names = [row.name for row in report.rows]
    assert (names[0], names[-1]) == (sockets.EXCHANGE, sockets.FLOOR)
    assert all(row.lag_ms.p99 > 0.0 and row.server_us_per_frame >= 0.0 for row in report.rows)


def test_the_ready_line_is_waited_for() -> None:
    report = start.measure(rounds=1)
    assert report.exchange_s > 0.0
    assert report.floor_s > 0.0


def row(rate: float, late: int, name: str = sockets.EXCHANGE) -> sockets.Row:
    return sockets.Row(
        name=name,
        rate=rate,
        frames_per_s=rate * 50,
        lag_ms=Quantiles(1.0, 2.0, 3.0),
        answer_ms=Quantiles(1.0, 2.0, 3.0),
        late=late,
        server_cpu=0.5,
        clients_cpu=0.4,
        server_us_per_frame=10.0,
    )


def lines_of(rows: tuple[sockets.Row, ...], keeps_up_at: float | None) -> list[str]:
    report = exchange.Report(
        engine=engine.Report(
            header={"interpreter": "CPython"},
            rounds=1,
            ops=1,
            refused_share=0.0,
            fills_per_op=0.1,
            events_per_op=4.0,
            rows=(
                engine.Row(
                    name=engine.ENGINE,
                    ops_per_s=90_000.0,
                    cpu_us=11.1,
                    latency_us=Quantiles(p50=7.0, p99=70.0, p999=90.0),
                    p50_us=dict.fromkeys(MIX, 8.0),
                    ratio=4.0,
                ),
            ),
            memory=engine.Memory(
                fresh_mb=30.0, full_after_ops=1_000, full_mb=90.0, ops=1_000_000, after_mb=91.0
            ),
        ),
        sockets=sockets.Report(
            drive=sockets.Drive(), rows=rows, ratio=2.0, keeps_up_at=keeps_up_at
        ),
        start=start.Report(rounds=3, exchange_s=0.3, floor_s=0.1, ratio=3.0),
    )
    return list(exchange_lines(report))


def test_the_engine_counts_matches_as_operations_and_says_how_many_requests_that_were() -> None:
    [line] = [line for line in lines_of((row(1_000.0, 0),), None) if line.startswith("engine: ")]
    assert "94,500 order operations/s (place, cancel, edit, match)" in line
    assert "90,000 requests/s, each with 0.05 matches" in line


def test_a_machine_too_busy_for_empty_sockets_is_told() -> None:
    busy = lines_of((row(1_000.0, 5), row(1_000.0, 9, sockets.FLOOR)), None)
    assert any("EMPTY SOCKETS FELL BEHIND" in line for line in busy)
    calm = lines_of((row(1_000.0, 5), row(1_000.0, 0, sockets.FLOOR)), None)
    assert not any("EMPTY SOCKETS FELL BEHIND" in line for line in calm)


def test_a_rate_that_is_kept_up_is_told() -> None:
    assert "nothing fell behind" in lines_of((row(1_000.0, 0),), 1_000.0)


def test_a_rate_that_is_not_kept_up_is_shouted_beside_one_that_is() -> None:
    lines = lines_of((row(1_000.0, 5), row(500.0, 0)), 500.0)
    assert "FELL BEHIND at 1,000 requests/s; keeps up at 500, 25,000 frames/s" in lines
    assert "FELL BEHIND at every rate that was tried" in lines_of((row(1_000.0, 5),), None)
