"""One table says who speaks and who listens; nothing else builds a subject."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

from shared import subjects
from shared.kernel import Message, Nanos
from shared.messages import Anomaly, AnyMessage, Filled, OrderChanged, Severity
from shared.subjects import HEARS, KINDS, RECALLS, SERVICES, TOPICS, TRADING

ALL_TYPES = AnyMessage.__args__
NAMES = {kind.__name__ for kind in ALL_TYPES}
ROOT = Path(__file__).resolve().parents[3]


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


def card(service: str, line: str) -> set[str]:
    """The messages that a service's card names behind `Hears` or `Says`."""
    doc = import_module(f"services.{service}").__doc__ or ""
    text = re.search(rf"^{line}: (.*?)(?=^[A-Z]\w+: |\Z)", doc, re.DOTALL | re.MULTILINE)
    assert text is not None, f"the card of {service} has no line {line}"
    return set(re.findall(r"`(\w+)`", text[1]))


@pytest.mark.parametrize("service", SERVICES)
def test_a_services_card_names_what_it_says(service: str) -> None:
    said = {kind.__name__ for kind, topic in TOPICS.items() if service in topic.speakers}
    in_its_own_name = {kind.__name__ for kind, topic in TOPICS.items() if topic.owner is None}
    named = card(service, "Says")
    assert named <= said
    assert said - named <= in_its_own_name


@pytest.mark.parametrize("service", ["marketdata", "quoter", "oms", "risk"])
def test_a_services_card_names_what_it_hears(service: str) -> None:
    assert card(service, "Hears") == {kind.__name__ for kind in HEARS[service]}


@pytest.mark.parametrize("service", TRADING)
def test_a_core_knows_every_type_it_is_told_and_waits_for_no_other(service: str) -> None:
    """What nobody matches would wake a process for nothing; what is not subscribed to never comes."""
    tree = ast.parse((ROOT / "services" / service / "core.py").read_text())
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & NAMES
    matched = {
        node.cls.id
        for node in ast.walk(tree)
        if isinstance(node, ast.MatchClass) and isinstance(node.cls, ast.Name)
    } & NAMES
    heard = {kind.__name__ for kind in HEARS[service]}
    recalled = {kind.__name__ for kind in RECALLS.get(service, ())}
    assert heard <= used
    assert matched <= heard | recalled
