"""Owns the reading of a scenario: what an exchange is like, and what happens to it.

    about = "What it shows"
    seed = 7                            # of everything that is random

    [settings]                          # any setting, by its name
    regime = "CALM"
    clock_start = 2026-11-27T07:58:00Z

    [[accounts]]                        # instead of the usual ones
    name = "maker"
    client_id = "mock-maker"
    balances = {BTC = 0.9}

    [[timeline]]
    at = 5.0                            # seconds after the opening, or a moment: 2026-11-27T08:00:00Z
    every = 10.0                        # again, in seconds
    times = 3                           # in all; without it: for ever
    fault = "drop_frames"               # the words of the control API, with their fields
    channel = "book."

An entry has `fault` or `clock`, and `at` or `every` or both.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from mock_deribit.clock import ClockWord
from mock_deribit.faults import Fault
from mock_deribit.timeline import Entry
from mock_deribit.words import CLOCK, FAULTS, WordError
from shared.kernel import Nanos
from shared.units import from_ms, from_seconds

Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Interval = Annotated[float, Meta(ge=0.001, le=1e9)]


class ScenarioError(ValueError):
    """What came is no scenario; the text names the entry, what was expected and what came."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange's settings by name, and its timeline."""

    about: str
    settings: dict[str, Any]
    timeline: tuple[Entry, ...]


class _File(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    about: str = ""
    seed: int | None = None
    settings: dict[str, Any] = {}
    accounts: list[dict[str, Any]] | None = None
    timeline: list[dict[str, Any]] = []


class _Times(msgspec.Struct, kw_only=True):
    at: Seconds | datetime | None = None
    every: Interval | None = None
    times: Annotated[int, Meta(ge=1)] | None = None


def read(data: Mapping[str, Any]) -> Scenario:
    """A scenario from the plain data of its file. Raises ScenarioError."""
    try:
        file = msgspec.convert(data, _File)
    except msgspec.ValidationError as error:
        known = ", ".join(_File.__struct_fields__)
        raise ScenarioError(f"{error}; a scenario has {known}") from None
    settings = dict(file.settings)
    for name, value in (("seed", file.seed), ("accounts", file.accounts)):
        if value is None:
            continue
        if name in settings:
            raise ScenarioError(f"{name} stands in [settings] and beside it; keep one of them")
        settings[name] = value
    entries = tuple(_entry(number, raw) for number, raw in enumerate(file.timeline, start=1))
    return Scenario(about=file.about, settings=settings, timeline=entries)


def _entry(number: int, raw: dict[str, Any]) -> Entry:
    try:
        times, word = msgspec.convert(raw, _Times), _word(raw)
    except (msgspec.ValidationError, WordError) as error:
        raise ScenarioError(f"timeline entry {number}: {error}") from None
    at, every = times.at, times.every
    if at is None and every is None:
        raise ScenarioError(f"timeline entry {number}: expected `at` or `every`; came neither")
    if times.times is not None and every is None:
        raise ScenarioError(f"timeline entry {number}: `times` needs `every`; came without it")
    if isinstance(at, datetime) and at.tzinfo is None:
        raise ScenarioError(f"timeline entry {number}: expected a time with its zone, as {at}Z")
    dated = isinstance(at, datetime)
    return Entry(
        number=number,
        word=word,
        at=_moment(every if at is None else at),
        dated=dated,
        every=None if every is None else from_seconds(every),
        times=times.times or (1 if every is None else 0),
    )


def _moment(at: float | datetime | None) -> Nanos:
    if isinstance(at, datetime):
        return from_ms(at.timestamp() * 1e3)
    return from_seconds(at or 0.0)


def _word(raw: dict[str, Any]) -> Fault | ClockWord:
    said = {name: value for name, value in raw.items() if name not in _Times.__struct_fields__}
    match "fault" in said, "clock" in said:
        case True, False:
            return FAULTS.read(said)
        case False, True:
            return CLOCK.read(said)
        case both, _:
            came = "both" if both else "neither"
            raise WordError(f"expected `fault` or `clock`, one of them; came {came}")
