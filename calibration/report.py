"""The report: each fact with its range, what recordings show, what a simulation shows, and the verdict."""

from collections.abc import Sequence

import msgspec

from calibration.facts import Fact
from calibration.tally import Tally


class Source(msgspec.Struct, frozen=True):
    """A recording that was measured."""

    name: str
    seconds: float
    tally: Tally


class Row(msgspec.Struct, frozen=True):
    """One fact. `recorded_by` is the number of the recording, from 1; `holds` None: not judged."""

    group: str
    name: str
    low: float | None
    high: float | None
    range: str
    source: str
    recorded: float | None
    recorded_by: int | None
    simulated: float | None
    holds: bool | None


class Report(msgspec.Struct, frozen=True):
    """All of it."""

    what: str
    recordings: tuple[str, ...]
    rows: tuple[Row, ...]
    failed: int


def report(
    what: str, facts: Sequence[Fact], simulated: Tally | None, sources: Sequence[Source]
) -> Report:
    """Every fact beside what is known of it; of several recordings the longest that shows it counts."""
    rows = tuple(_row(fact, simulated, sources) for fact in facts)
    failed = sum(row.holds is False for row in rows)
    names = tuple(f"{source.name}, {source.seconds:,.0f} s" for source in sources)
    return Report(what, names, rows, failed)


def _row(fact: Fact, simulated: Tally | None, sources: Sequence[Source]) -> Row:
    recorded, by = None, None
    for number, source in enumerate(sources, start=1):
        recorded = fact.formula(source.tally)
        if recorded is not None:
            by = number
            break
    value = None if simulated is None else fact.formula(simulated)
    return Row(
        group=fact.group,
        name=fact.name,
        low=fact.low,
        high=fact.high,
        range=fact.range_text,
        source=fact.source,
        recorded=recorded,
        recorded_by=by,
        simulated=value,
        holds=None if value is None else fact.holds(value),
    )


def lines(done: Report) -> list[str]:
    """The report as text."""
    text = [done.what]
    for number, name in enumerate(done.recordings, start=1):
        text.append(f"recording [{number}]  {name}")
    if not done.recordings:
        text.append("no recordings: nothing recorded stands beside the ranges")
    text.append("")
    text.append(f"{'':<50}{'range':>16}  {'from':<11}{'recorded':>12}{'simulated':>12}")
    group = ""
    for row in done.rows:
        if row.group != group:
            group = row.group
            text.append(group)
        text.append(_line(row))
    judged = sum(row.holds is not None for row in done.rows)
    text.append("")
    text.append(f"{judged - done.failed} of {judged} judged facts hold")
    return text


def _line(row: Row) -> str:
    verdict = {None: "", True: "  ok", False: "  FAILS"}[row.holds]
    recorded = "-" if row.recorded is None else f"{shown(row.recorded)} [{row.recorded_by}]"
    simulated = "-" if row.simulated is None else shown(row.simulated)
    return (
        f"  {row.name:<48}{row.range:>16}  {row.source:<11}{recorded:>12}{simulated:>12}{verdict}"
    ).rstrip()


def shown(value: float) -> str:
    """Three or four figures."""
    if abs(value) >= 1_000.0:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 100.0 else f"{value:.3f}"
