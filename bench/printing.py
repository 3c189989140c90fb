"""How reports look on a terminal."""

from collections.abc import Iterable, Mapping

from bench import engine, exchange, per_message, safety, sockets, tick_to_order
from bench.crowd import LATE_S
from bench.orders import ACCOUNTS, MIX
from bench.stacks import MATCHING_PER_S

_WIDTH = 34
_SAFETY_WIDTH = 44
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


def exchange_lines(report: exchange.Report) -> Iterable[str]:
    """The core, the sockets and the start of the mock exchange, each beside its floor."""
    yield "exchange: the mock Deribit"
    yield from head(report.engine.header)
    yield ""
    yield from _engine_lines(report.engine)
    yield ""
    yield from _socket_lines(report.sockets)
    yield ""
    start = report.start
    yield (
        f"start: {start.exchange_s:.2f} s from exec to the ready line; an interpreter that only imports "
        f"its libraries {start.floor_s:.2f} s; {start.ratio:.2f}x ({start.rounds} rounds, in turns)"
    )


def _engine_lines(report: engine.Report) -> Iterable[str]:
    mix = ", ".join(f"{share} % {kind}" for kind, share in MIX.items())
    matches = report.fills_per_op / 2.0
    requests_per_s = report.rows[0].ops_per_s
    yield (
        f"engine: {requests_per_s * (1.0 + matches):,.0f} order operations/s (place, cancel, edit, match): "
        f"{requests_per_s:,.0f} requests/s, each with {matches:.2f} matches"
    )
    yield f"requests of {len(ACCOUNTS)} ordinary accounts with margin; {mix}"
    yield (
        f"{report.fills_per_op:.2f} fills and {report.events_per_op:.1f} events a request, "
        f"{report.refused_share:.1%} refused; {report.rounds} rounds of {report.ops:,}, in turns; medians; "
        "rates of one core's CPU, quantiles of the wall"
    )
    titles = ("requests/s", "CPU us", "p50 us", "p99 us", *MIX, "to floor")
    yield f"{'':<{_WIDTH}}" + "".join(f"{title:>{_column(title)}}" for title in titles)
    for row in report.rows:
        cells = (
            f"{row.ops_per_s:,.0f}",
            f"{row.cpu_us:.1f}",
            f"{row.latency_us.p50:.1f}",
            f"{row.latency_us.p99:.1f}",
            *(f"{row.p50_us[kind]:.1f}" for kind in MIX),
            f"{row.ratio:.2f}x",
        )
        table = zip(titles, cells, strict=True)
        yield f"{row.name:<{_WIDTH}}" + "".join(f"{c:>{_column(t)}}" for t, c in table)
    if report.memory is not None:
        memory = report.memory
        yield (
            f"memory: {memory.fresh_mb:.0f} MB fresh; {memory.full_mb:.0f} MB after "
            f"{memory.full_after_ops:,} operations, when all it remembers is full; "
            f"{memory.after_mb:.0f} MB {memory.ops:,} operations later"
        )


def _socket_lines(report: sockets.Report) -> Iterable[str]:
    drive = report.drive
    yield (
        f"sockets: {drive.clients} WebSockets in another process follow one raw book; every order request "
        "changes it once, so each is a frame to all"
    )
    yield (
        f"{drive.rounds} rounds of {drive.seconds:g} s, in turns; lag from when a request was due to its "
        f"frame; late: frames not there {LATE_S * 1e3:.0f} ms after the last request was due"
    )
    titles = ("in/s", "out/s", "lag p50 ms", "p99 ms", "reply p50 ms", "late", "CPU", "us/frame")
    yield f"{'':<{_WIDTH}}" + "".join(f"{title:>{_column(title)}}" for title in titles)
    for row in report.rows:
        cells = (
            f"{row.rate:,.0f}",
            f"{row.frames_per_s:,.0f}",
            f"{row.lag_ms.p50:.1f}",
            f"{row.lag_ms.p99:.1f}",
            f"{row.answer_ms.p50:.1f}",
            f"{row.late:,}",
            f"{row.server_cpu:.0%}",
            f"{row.server_us_per_frame:.1f}",
        )
        table = zip(titles, cells, strict=True)
        yield f"{row.name:<{_WIDTH}}" + "".join(f"{c:>{_column(t)}}" for t, c in table)
    yield f"exchange / floor: CPU {report.ratio:.2f}x"
    if report.rows[-1].late:
        yield "EMPTY SOCKETS FELL BEHIND too: this machine was too busy to tell what the exchange can do"
    if report.keeps_up_at == drive.rate:
        yield "nothing fell behind"
    elif report.keeps_up_at is None:
        yield "FELL BEHIND at every rate that was tried"
    else:
        yield (
            f"FELL BEHIND at {drive.rate:,.0f} requests/s; keeps up at {report.keeps_up_at:,.0f}, "
            f"{report.keeps_up_at * drive.clients:,.0f} frames/s"
        )


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


def safety_lines(report: safety.Report) -> Iterable[str]:
    """How long until nothing rests, and until something does again."""
    yield f"safety: milliseconds, with a lease of {report.lease_ms} ms"
    yield from head(report.header)
    titles = ("samples", "p50", "p90", "p99", "worst", "orphan s")
    for what, rows in (
        ("in simulated time, 20 ms a round trip to the exchange", report.simulated),
        ("real processes on this machine, the ledger asked every 50 ms", report.real),
    ):
        if not rows:
            continue
        yield ""
        yield f"{what:<{_SAFETY_WIDTH + 12}}".rstrip()
        yield f"{'':<{_SAFETY_WIDTH}}" + "".join(f"{title:>{_column(title)}}" for title in titles)
        for row in rows:
            cells = (
                f"{row.samples}",
                f"{row.p50_ms:,.0f}",
                f"{row.p90_ms:,.0f}",
                f"{row.p99_ms:,.0f}",
                f"{row.worst_ms:,.0f}",
                f"{row.orphan_s:,.2f}",
            )
            table = zip(titles, cells, strict=True)
            yield f"{row.name:<{_SAFETY_WIDTH}}" + "".join(f"{c:>{_column(t)}}" for t, c in table)
    yield ""
    yield "orphan s: the most that orders rested without a lease in one sample, summed over the orders"
