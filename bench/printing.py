"""How reports look on a terminal."""

from collections.abc import Iterable, Mapping

from bench import per_message, tick_to_order
from bench.stacks import MATCHING_PER_S

_WIDTH = 34
_SAMPLES_FOR_P999 = 2_000
"""With fewer, the rank of p99.9 is the last or last but one."""


def head(header: Mapping[str, str]) -> list[str]:
    """What the numbers depend on."""
    width = max(map(len, header))
    return [f"{name:<{width}}  {value}" for name, value in header.items()]


def tick_to_order_lines(report: tick_to_order.Report) -> Iterable[str]:
    """Latencies beside their floors, ratios, and whether anything fell behind."""
    drive = report.drive
    yield "tick to order: book frame out of the venue to first order frame back in, us"
    yield from head(report.header)
    yield (
        f"{drive.rate:,.0f} book frames/s, {drive.moves:g} moves/s that requote both sides, "
        f"{drive.rounds} rounds of {drive.seconds:g} s a row, in turns; medians of rounds"
    )
    yield (
        f"one instrument; the OMS may send {MATCHING_PER_S:g} requests/s, the account takes 1,000 and "
        "answers at once"
    )
    yield "journals as in production (JOURNAL=false leaves them out)"
    yield "late: answered after a younger move, counted with its own time; missed: never answered"
    yield ""
    titles = ("p50", "p99", "p99.9", "moves", "late", "missed", "CPU us/frame")
    yield f"{'':<{_WIDTH}}" + "".join(f"{title:>{_column(title)}}" for title in titles)
    for row in report.rows:
        latency = row.latency_us
        cells = (
            f"{latency.p50:,.0f}",
            f"{latency.p99:,.0f}",
            f"{latency.p999:,.0f}",
            f"{row.moves}",
            f"{row.late}",
            f"{row.missed}",
            f"{sum(row.cpu_us_per_frame.values()):,.0f}" if row.cpu_us_per_frame else "-",
        )
        table = zip(titles, cells, strict=True)
        yield f"{row.name:<{_WIDTH}}" + "".join(f"{c:>{_column(t)}}" for t, c in table)
    samples = drive.moves * drive.seconds
    if samples < _SAMPLES_FOR_P999:
        yield f"a round has {samples:.0f} moves: its p99.9 is its slowest one"
    yield ""
    for ratio in report.ratios:
        rounds = ", ".join(f"{one:.2f}" for one in ratio.rounds_p50)
        yield (
            f"{ratio.product} / floor: p50 {ratio.p50:.2f}x (rounds {rounds}), p99 {ratio.p99:.2f}x"
        )
    yield ""
    for row in report.rows:
        if row.behind is not None:
            yield from _health(row)


def per_message_lines(report: per_message.Report) -> Iterable[str]:
    """Nanoseconds row by row."""
    yield "core: CPU of one book message, ns"
    yield from head(report.header)
    yield (
        f"{report.frames:,} frames of {report.bytes_mean:.0f} bytes, {report.quotes} quotes made of "
        f"them, {report.rounds} rounds, in turns; medians"
    )
    yield ""
    for step in report.steps:
        yield f"{step.name:<40}{step.ns:>10,.0f}{step.ratio:>9.2f}x"


def _health(row: tick_to_order.Row) -> Iterable[str]:
    kept_up = "nothing fell behind" if row.behind == 0.0 else f"{row.behind:g} FRAMES FELL BEHIND"
    yield f"{row.name}: {row.rate:,.0f} frames/s sent, {kept_up}"
    names = dict.fromkeys((*row.rss_mb, *row.loop_lag_ms))
    for name in names:
        cells = (
            _cell(row.cpu_us_per_frame, name, "{:.0f} us CPU a frame"),
            _cell(row.rss_mb, name, "{:.0f} MB"),
            _cell(row.loop_lag_ms, name, "loop late by {:.0f} ms at most"),
        )
        yield f"  {name:<14}" + ", ".join(cell for cell in cells if cell)


def _cell(values: Mapping[str, float], name: str, form: str) -> str:
    return form.format(values[name]) if name in values else ""


def _column(title: str) -> int:
    return max(8, len(title) + 2)
