"""The mock's messages beside recorded ones of the exchange: members, kinds of value, nesting, notation."""

from functools import cache
from typing import Any

import pytest

from mock_deribit.rpc.text import number
from tests.contract.allowances import ALLOWED
from tests.contract.answers import ANSWERS, WORD_FOR_WORD, Desk
from tests.contract.inventory import INVENTORY, NotHere, kind_of, rules_for
from tests.contract.recordings import RECORDINGS, files, numbers, payloads
from tests.contract.shapes import differences, shape

pytestmark = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="no recordings of the exchange beside the project"
)


@cache
def recorded() -> dict[tuple[str, str], list[Any]]:
    """By file and kind, the messages of which the mock should have the like."""
    found: dict[tuple[str, str], list[Any]] = {}
    for path in files():
        if all(isinstance(rule.kind, NotHere) for rule in rules_for(path)):
            continue
        for message in payloads(path):
            kind = kind_of(path, message)
            if isinstance(kind, str):
                found.setdefault((path, kind), []).append(message)
    return found


@cache
def answered(kind: str) -> list[Any]:
    """The mock's own messages of a kind."""
    return ANSWERS[kind](Desk())


def parted(path: str, kind: str) -> list[str]:
    """Where the messages of a file and the mock's differ."""
    return differences(shape(recorded()[path, kind]), shape(answered(kind)))


def test_every_file_beside_the_project_is_compared_or_said_not_to_be_comparable() -> None:
    assert [path for path in files() if not rules_for(path)] == []
    spoken_for = [pattern for path in files() for pattern in INVENTORY if rules_for(path)]
    assert [pattern for pattern in INVENTORY if pattern not in spoken_for] == []


def test_every_kind_of_message_is_recorded_and_answered() -> None:
    assert sorted({kind for _, kind in recorded()}) == sorted(ANSWERS)
    assert [kind for kind in ANSWERS if not answered(kind)] == []


@pytest.mark.parametrize("kind", ANSWERS)
def test_the_mocks_message_is_made_like_the_recorded_ones(kind: str) -> None:
    for path in [path for path, recorded_kind in recorded() if recorded_kind == kind]:
        meant = [one for one in ALLOWED if one.where in (path, kind)]
        allowed = [difference for one in meant for difference in one.differences()]
        assert [one for one in parted(path, kind) if one not in allowed] == [], path


@pytest.mark.parametrize("allowance", ALLOWED, ids=lambda one: f"{one.where} {one.under}")
def test_no_difference_is_allowed_that_is_not_there(allowance: Any) -> None:
    there = [
        difference
        for path, kind in recorded()
        if allowance.where in (path, kind)
        for difference in parted(path, kind)
    ]
    assert [one for one in allowance.differences() if one not in there] == []


@pytest.mark.parametrize("kind", WORD_FOR_WORD)
def test_what_has_no_variable_part_is_the_same_to_the_word(kind: str) -> None:
    member = WORD_FOR_WORD[kind]
    for (_, recorded_kind), messages in recorded().items():
        if recorded_kind == kind:
            assert [each[member] for each in messages] == [each[member] for each in answered(kind)]


def test_every_recorded_number_is_printed_as_the_mock_would_print_it() -> None:
    """Of the frames of 2026 that nobody has trimmed and so printed anew."""
    trimmed = ("meta", "book_perp_snapshot", "get_instruments", "trades_perp")
    frames = [path for path in files() if path.startswith("fastmm-engine/")]
    whole = [path for path in frames if not any(name in path for name in trimmed)]
    written = [text for path in whole for text in numbers(path)]
    assert len(written) > 5_000
    assert [text for text in written if number(float(text)) != text] == []


def test_the_terms_of_the_perpetual_are_the_recorded_ones() -> None:
    """But for its fees and leverage, which change."""
    recorded_in = "fastmm-engine/get_instruments_future.json", "instruments"
    theirs, ours = (
        next(row for row in answer["result"] if row["instrument_name"] == "BTC-PERPETUAL")
        for [answer] in (recorded()[recorded_in], answered("instruments"))
    )
    for name in (
        "tick_size", "tick_size_steps", "contract_size", "min_trade_amount", "lot_size", "price_index",
        "state", "kind", "instrument_type", "settlement_period", "expiration_timestamp",
        "settlement_currency", "counter_currency", "base_currency", "quote_currency",
    ):  # fmt: skip
        assert ours[name] == theirs[name], name
