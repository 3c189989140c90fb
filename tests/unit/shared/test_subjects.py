"""One table says who speaks and who listens; nothing else builds a subject."""

import pytest

from shared import subjects
from shared.kernel import Message, Nanos
from shared.messages import Anomaly, AnyMessage, Filled, OrderChanged, Severity
from shared.subjects import HEARS, KINDS, SERVICES, TOPICS

ALL_TYPES = AnyMessage.__args__


def matches(pattern: str, subject: str) -> bool:
    """The broker's own rule: `*` is one word, `>` is the rest."""
    wanted, words = pattern.split("."), subject.split(".")
    for at, word in enumerate(wanted):
        if word == ">":
            return len(words) > at
        if at >= len(words) or word not in ("*", words[at]):
            return False
    return len(wanted) == len(words)


def test_every_message_has_one_topic() -> None:
    assert list(TOPICS) == list(ALL_TYPES)
    assert {topic.kind for topic in TOPICS.values()} == set(KINDS)


def test_every_message_is_said_and_heard_by_known_services() -> None:
    for kind, topic in TOPICS.items():
        assert set(topic.speakers) <= set(SERVICES), kind
        assert any(kind in heard for heard in HEARS.values()), kind


@pytest.mark.parametrize("service", SERVICES)
def test_a_subscription_covers_exactly_the_heard_types_own_subjects(service: str) -> None:
    patterns = subjects.patterns_heard("test", service)
    for kind, topic in TOPICS.items():
        owner = topic.owner or "oms"
        subject = f"test.{topic.kind}.{owner}.{topic.noun}" + (
            ".BTC-PERPETUAL" if topic.by_instrument else ""
        )
        shared_subject = any(
            TOPICS[other] == topic
            or (TOPICS[other].noun, TOPICS[other].owner) == (topic.noun, topic.owner)
            for other in HEARS[service]
        )
        assert any(matches(p, subject) for p in patterns) == shared_subject, kind


def test_a_fill_travels_on_its_orders_subject() -> None:
    """So that it can never overtake the order's acceptance."""
    assert subjects.pattern_of("x", Filled) == subjects.pattern_of("x", OrderChanged)


def test_no_subject_spans_two_environments() -> None:
    anomaly = Anomaly(
        ts=Nanos(1), source="oms", kind="book_gap", severity=Severity.INFO, detail="none"
    )
    assert subjects.subject_of("live", anomaly) == "live.evt.oms.anomaly"
    assert not any(
        matches(pattern, "live.evt.oms.anomaly")
        for service in SERVICES
        for pattern in subjects.patterns_heard("demo", service)
    )


@pytest.mark.parametrize("service", SERVICES)
def test_nobody_may_say_what_another_service_owns(service: str) -> None:
    said = subjects.patterns_said("live", service)
    for topic in TOPICS.values():
        if service in topic.speakers:
            continue
        subject = f"live.{topic.kind}.{topic.owner}.{topic.noun}" + (
            ".X" if topic.by_instrument else ""
        )
        assert not any(matches(pattern, subject) for pattern in said), subject


def test_only_what_must_not_be_lost_is_journaled() -> None:
    patterns = subjects.journaled_patterns("live")
    for kind, topic in TOPICS.items():
        subject = f"live.{topic.kind}.{topic.owner or 'oms'}.{topic.noun}.X"
        assert any(matches(p, subject) for p in patterns) == (topic.kind != "data"), kind


def test_a_service_is_told_only_the_types_it_hears() -> None:
    message: Message = Anomaly(
        ts=Nanos(1), source="oms", kind="x", severity=Severity.INFO, detail="y"
    )
    assert subjects.is_heard("risk", message)
    assert not subjects.is_heard("quoter", message)
