"""typed-deribit, over HTTP and WebSocket, finds every answer as Deribit's documentation describes it.

It raises where a member is missing or of another type, on each of a hundred calls and two dozen streams.
"""

import pytest

from tests.support.exchange import Json

SCRIPT = "with_typed_deribit.py"

pytestmark = pytest.mark.timeout(600)


def test_no_answer_and_no_notification_differs_from_the_documented_types(told: Json) -> None:
    assert told["complaints"] == {}
    assert told["silent"] == []
    assert len(told["told"]) > 90


def test_an_order_lives_as_its_edits_say(told: Json) -> None:
    answers = told["told"]
    bid = answers["buy"]["order"]
    assert (bid["order_state"], bid["post_only"], bid["label"]) == ("open", True, "mine")
    edited = answers["edit_by_label"]["order"]
    assert (edited["order_id"], edited["price"], edited["amount"]) == (
        bid["order_id"],
        58_980,
        100,
    )
    [resting] = answers["get_open_orders_by_label"]
    assert resting["order_id"] == bid["order_id"]
    assert answers["cancel"]["order_state"] == "cancelled"
    families = [name for name in answers if name.startswith("cancel_all")]
    assert len(families) == 5
    assert all(len(answers[family][0]["result"]) == 1 for family in families)
    assert answers["cancel_by_label"] == 1


def test_what_it_holds_is_what_the_exchange_knows(told: Json) -> None:
    answers, books = told["told"], told["ledger"]["accounts"]["maker"]
    [position] = answers["get_positions"]
    assert position["size"] == answers["get_position"]["size"] == 60
    assert told["told"]["signed"][0]["instrument_name"] == "BTC-PERPETUAL"
    fills = answers["get_user_trades_by_currency"]["trades"]
    known = {trade["trade"]["trade_id"] for trade in books["trades"]}
    assert {fill["trade_id"] for fill in fills} <= known
    assert answers["get_account_summary"]["currency"] == "BTC"


def test_its_wrong_secret_is_refused(told: Json) -> None:
    assert "invalid_credentials" in told["refused"]["wrong secret"]
