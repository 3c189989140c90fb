"""Every scenario that is shipped, played to a client in simulated time."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from mock_deribit.shell.scenarios import shipped
from tests.support.rehearsal import PERP, Rehearsal

ROOT = Path(__file__).parents[2]
BOOK = f"book.{PERP}.100ms"
STATES = "instrument.state.future.BTC"


def gaps(rehearsal: Rehearsal) -> int:
    """Frames of the book that do not follow the one before."""
    frames = rehearsal.frames[BOOK]
    pairs = [(a, b) for a, b in pairwise(frames) if b["type"] == "change"]
    return sum(b["prev_change_id"] != a["change_id"] for a, b in pairs)


def codes(rehearsal: Rehearsal, method: str) -> list[int]:
    """Error codes that a method was answered with."""
    answers = rehearsal.answers.get(method, [])
    return [answer["error"]["code"] for answer in answers if "error" in answer]


def test_quiet_nothing_happens_but_the_market() -> None:
    quiet = Rehearsal("quiet").play(60)
    assert (quiet.closes, quiet.deeds, gaps(quiet)) == ([], [], 0)
    assert len(quiet.frames[BOOK]) > 50
    assert codes(quiet, "private/buy") == []


def test_flash_crash_the_price_falls_by_eight_percent_and_most_of_it_comes_back() -> None:
    crash = Rehearsal("flash-crash").play(30)
    index = crash.frames["deribit_price_index.btc_usd"]
    before = index[-1]["price"]
    crash.play(15)
    low = index[-1]["price"]
    crash.play(60)
    assert 0.88 < low / before < 0.96
    assert (index[-1]["price"] - low) / (before - low) > 0.5
    assert [deed.error for deed in crash.deeds if deed.error] == []


def test_lost_answers_the_line_is_cut_and_what_was_done_is_there() -> None:
    lost = Rehearsal("lost-answers").play(120)
    reasons = {reason for _, reason in lost.closes}
    assert reasons == {"answer lost", "request lost"}
    assert 13028 in codes(lost, "private/cancel")
    assert 10040 in [code for method in lost.answers for code in codes(lost, method)]
    orders = lost.frames["user.orders.any.any.raw"]
    assert any(first == again for first, again in pairwise(orders))


def test_flaky_feed_frames_break_and_lines_break() -> None:
    flaky = Rehearsal("flaky-feed").play(120)
    assert gaps(flaky) > 5
    assert flaky.refused == [429, 429, 429, 429]
    assert {(1006, "cut"), (1008, "connection_too_slow")} <= set(flaky.closes)
    crossed = [deed for deed in flaky.deeds if type(deed.word).__name__ == "CrossedBook"]
    assert len(crossed) == 4


def test_maintenance_at_settlement_books_settle_and_then_everybody_is_shown_out() -> None:
    night = Rehearsal("maintenance-at-settlement").play(120)
    states = [told["state"] for told in night.frames[STATES] if told["instrument_name"] == PERP]
    assert states[:2] == ["settlement", "open"]
    assert states[-1] == "open"
    platform = night.frames["platform_state"]
    assert {"maintenance": True} in platform
    assert any(told.get("locked") for told in platform)
    assert (1001, "maintenance") in night.closes
    assert set(night.refused) == {503}
    assert night.conn is not None


def test_expiry_the_nearest_future_is_delivered_at_the_average_of_its_index() -> None:
    expiry = Rehearsal("expiry").play(90)
    told = [
        told["state"] for told in expiry.frames[STATES] if told["instrument_name"] == "BTC-27NOV26"
    ]
    passed_over = ["settlement", "open"] * 2
    assert told == [*passed_over, "settlement", "delivered"]
    assert expiry.closes == []


@pytest.mark.parametrize("name", shipped())
def test_the_same_scenario_gives_the_same_bytes_whatever_the_hash_seed(name: str) -> None:
    def elsewhere(hash_seed: str) -> str:
        code = (
            "from tests.support.rehearsal import Rehearsal; "
            f"print(Rehearsal({name!r}).play(24).fingerprint)"
        )
        return subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    assert elsewhere("1") == elsewhere("2")
