"""The lease: what each silence objects, in the operator's words, and that life is no objection."""

from collections.abc import Callable

import pytest

from services.risk.lease import HEARTBEAT_AGE, LISTING_KEPT, Evidence
from shared.kernel import Nanos
from shared.messages import FeedState, InstrumentListed
from shared.params import Params
from shared.units import MILLISECOND, SECOND
from tests.unit.risk.scene import FUTURE, NOON, PERPETUAL, account, feed, health, position, spec

PARAMS = Params()


def alive(now: Nanos = NOON) -> Evidence:
    evidence = Evidence()
    evidence.links = dict.fromkeys(evidence.links, True)
    for source in ("marketdata", "oms"):
        evidence.heard_health(now, health(now, source))
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
    (lambda e: e.heartbeats.pop("oms"), "oms has no heartbeat"),
    (lambda e: e.heartbeats.pop("marketdata"), "marketdata has no heartbeat"),
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


def test_a_service_goes_silent_when_its_beat_is_older_than_the_lease() -> None:
    evidence = alive()

    assert evidence.objection(Nanos(NOON + HEARTBEAT_AGE), PARAMS) == ""
    later = Nanos(NOON + HEARTBEAT_AGE + 1)
    assert evidence.objection(later, PARAMS) == "marketdata has no heartbeat"


def test_an_instrument_that_is_no_longer_listed_is_no_longer_asked_for() -> None:
    evidence = alive()
    evidence.listed[PERPETUAL] = (evidence.listed[PERPETUAL][0], Nanos(NOON + LISTING_KEPT))

    assert evidence.followed(Nanos(NOON + LISTING_KEPT + 1)) == [PERPETUAL]
