"""The exchange dies under the running system and comes back on its port with an empty account.

Whoever held nothing simply quotes again. Whoever held something believes in a position that the exchange
does not know: that is for an operator to look at, and nothing rests until one has.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from shared.messages import Anomaly, Severity
from tests.support.drill import Drill, drilling
from tests.support.waiting import throughout, until

FOUND_S = 45.0
STANDSTILL_S = 4.0
NOBODY_TRADES = 0.001
BUSY = 12.0

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def drill(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Drill]:
    folder: Path = tmp_path_factory.mktemp("restart")
    async with drilling(folder, activity=NOBODY_TRADES) as running:
        await running.until_quoting("at the start")
        yield running


def mismatch(drill: Drill) -> Anomaly | None:
    """The last anomaly, when it is of a position that differs."""
    last = drill.auditor.last_anomaly
    return last if last is not None and last.kind == "position_mismatch" else None


async def test_without_a_position_quoting_simply_returns(drill: Drill) -> None:
    assert not await drill.holds(), "somebody traded with us although nobody should"
    await drill.restart_exchange(BUSY)
    await drill.until_quoting("on the exchange set up anew")
    assert "oms:position_mismatch" not in drill.auditor.anomalies


async def test_with_a_position_it_stands_still_says_why_and_waits_for_an_operator(
    drill: Drill,
) -> None:
    heard = drill.auditor.positions
    await until(lambda: any(position.amount for position in heard.values()), "a fill", 60.0)
    await drill.restart_exchange(BUSY)
    await until(lambda: mismatch(drill), "an anomaly about the position", FOUND_S)
    said = mismatch(drill)
    assert said is not None
    assert said.severity is Severity.CRITICAL
    assert "exchange 0" in said.detail
    assert "resume with confirm: true" in said.detail

    await throughout(drill.rests_nothing, "out of the market", STANDSTILL_S)
    status = await drill.status()
    assert status["quoting"] is False
    assert "position_mismatch" in str(status["services"])

    await drill.ask("POST", "/resume", {"by": "test"})
    await throughout(drill.rests_nothing, "out of the market unconfirmed", 1.0)
    answer = await drill.ask("POST", "/resume", {"by": "test", "confirm": True})
    assert answer.status_code == 200
    await drill.until_quoting("once an operator has confirmed")
    assert drill.auditor.anomalies["oms:position_adopted"] >= 1


async def test_afterwards_positions_are_the_exchanges_and_nothing_is_left(drill: Drill) -> None:
    await drill.cast.services["oms"].stop()
    ledger = await drill.ledger()
    assert ledger.open_labels == ()
    heard = drill.auditor.positions
    await until(
        lambda: all(
            position.amount == ledger.positions.get(name, 0.0) for name, position in heard.items()
        ),
        "positions as the exchange has them",
    )
    assert set(ledger.trade_ids) <= drill.auditor.fills.keys()
    broken = {rule.rule for rule in drill.auditor.verdicts() if not rule.held}
    assert broken == set()
