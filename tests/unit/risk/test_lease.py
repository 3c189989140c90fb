"""The lease: what each silence objects, in the operator's words, and that life is no objection."""

from collections.abc import Callable

import pytest

from services.risk.lease import HELD_KEPT, LISTING_KEPT, Evidence
from shared.kernel import Message, Nanos
from shared.messages import FeedState, InstrumentListed
from shared.params import LEASE_GUARD_MS, Params, change_params
from shared.units import MILLISECOND, SECOND
from tests.unit.risk.scene import (
    FUTURE,
    NOON,
    PERPETUAL,
    account,
    book,
    feed,
    health,
    kill,
    position,
    spec,
    ticker,
)

PARAMS = Params()
LEASES_MS = (500, 700, 1_000, 2_000, 3_500, 10_000)


def under(lease_ms: int) -> Params:
    """Everything else as it is shipped, but for a renewal that fits the shortest lease."""
    changes = {"risk.lease_ms": lease_ms, "risk.lease_renewal_ms": 100}
    return change_params(PARAMS, changes)


def alive(now: Nanos = NOON) -> Evidence:
    evidence = Evidence()
    evidence.links = dict.fromkeys(evidence.links, True)
    for source in ("marketdata", "oms"):
        evidence.hear(now, health(now, source))
    for name in (PERPETUAL, FUTURE):
        listing = InstrumentListed(ts=now, instrument=name, spec=spec(name), role="near")
        evidence.listed[name] = (listing, now)
        evidence.feeds[name] = feed(now, name)
        evidence.positions[name] = position(now, name=name)
    evidence.account = account(now)
    return evidence


def test_nothing_objects_when_everything_was_heard() -> None:
    assert alive().objection(NOON, PARAMS) == ""


def _without_account(evidence: Evidence) -> None:
    evidence.account = None


FAULTS: list[tuple[Callable[[Evidence], object], str]] = [
    (lambda e: e.links.update(state=False), "state link is down"),
    (lambda e: e.links.update(bus=False), "bus link is down"),
    (lambda e: e.heard.pop("oms"), "oms is silent"),
    (lambda e: e.heard.pop("marketdata"), "marketdata is silent"),
    (lambda e: e.listed.pop(PERPETUAL), "no perpetual is listed"),
    (lambda e: e.feeds.pop(FUTURE), f"{FUTURE} feed is stale"),
    (
        lambda e: e.feeds.update({FUTURE: feed(NOON, FUTURE, heard=NOON - 3001 * MILLISECOND)}),
        f"{FUTURE} feed is stale",
    ),
    (
        lambda e: e.feeds.update({PERPETUAL: feed(NOON, state=FeedState.GAP)}),
        f"{PERPETUAL} book is not live",
    ),
    (
        lambda e: e.feeds.update({FUTURE: feed(NOON, FUTURE, clock_offset_ms=-251.0)}),
        f"{FUTURE} venue clock is off by more than 250 ms",
    ),
    (lambda e: e.positions.pop(FUTURE), f"{FUTURE} position is not reconciled"),
    (
        lambda e: e.positions.update({PERPETUAL: position(NOON, reconciled=NOON - 16 * SECOND)}),
        f"{PERPETUAL} position is not reconciled",
    ),
    (_without_account, "account is not known"),
]


@pytest.mark.parametrize(("fault", "objection"), FAULTS)
def test_each_fault_objects_in_its_own_words(
    fault: Callable[[Evidence], object], objection: str
) -> None:
    evidence = alive()
    fault(evidence)

    assert evidence.objection(NOON, PARAMS) == objection


def test_a_dated_book_that_is_not_live_does_not_take_the_whole_lease() -> None:
    evidence = alive()
    evidence.feeds[FUTURE] = feed(NOON, FUTURE, state=FeedState.GAP)

    assert evidence.objection(NOON, PARAMS) == ""


@pytest.mark.parametrize("lease_ms", LEASES_MS)
def test_a_service_is_silent_once_its_last_word_has_worn_out(lease_ms: int) -> None:
    params = under(lease_ms)
    evidence = alive()
    end = Nanos(NOON + (lease_ms - LEASE_GUARD_MS) * MILLISECOND)

    assert min(evidence.ends(params), end) == evidence.ends(params)
    assert evidence.objection(Nanos(min(end, evidence.ends(params)) - 1), params) == ""
    evidence.feeds = {name: feed(end, name) for name in evidence.feeds}
    assert evidence.ends(params) == end
    assert evidence.objection(end, params) == "marketdata is silent"


@pytest.mark.parametrize(
    ("message", "source"),
    [
        (book(NOON), "marketdata"),
        (ticker(NOON), "marketdata"),
        (feed(NOON), "marketdata"),
        (health(NOON, "marketdata"), "marketdata"),
        (position(NOON), "oms"),
        (account(NOON), "oms"),
        (health(NOON, "oms"), "oms"),
    ],
)
def test_whatever_a_service_says_proves_it_alive(message: Message, source: str) -> None:
    evidence = Evidence()
    evidence.hear(NOON, message)

    assert evidence.heard == {source: NOON}


def test_who_else_speaks_proves_nobody_alive() -> None:
    evidence = Evidence()
    evidence.hear(NOON, health(NOON, "quoter"))
    evidence.hear(NOON, kill(NOON))

    assert evidence.heard == {}


def listed_again(evidence: Evidence, name: str, at: Nanos) -> None:
    evidence.listed[name] = (evidence.listed[name][0], at)


def test_an_instrument_that_two_rounds_left_out_is_no_longer_asked_for() -> None:
    evidence = alive()
    listed_again(evidence, PERPETUAL, Nanos(NOON + LISTING_KEPT))
    assert evidence.followed() == [PERPETUAL, FUTURE]

    listed_again(evidence, PERPETUAL, Nanos(NOON + LISTING_KEPT + 1))
    assert evidence.followed() == [PERPETUAL]


def test_what_is_held_is_asked_for_until_marketdata_had_time_to_follow_it_again() -> None:
    evidence = alive()
    evidence.positions[FUTURE] = position(NOON, 0.1, FUTURE)
    listed_again(evidence, PERPETUAL, Nanos(NOON + HELD_KEPT))
    assert evidence.followed() == [PERPETUAL, FUTURE]

    listed_again(evidence, PERPETUAL, Nanos(NOON + HELD_KEPT + 1))
    assert evidence.followed() == [PERPETUAL]
