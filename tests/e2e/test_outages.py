"""The broker, then the state store, are gone for ten seconds under the running system.

The exchange's own ledger says how long orders stood; the auditor says that nothing was lost.
"""

from pathlib import Path

import pytest

from tests.support.drill import drilling

OUTAGE_S = 10.0


@pytest.mark.timeout(180)
async def test_ten_seconds_without_broker_and_without_state_lose_nothing(tmp_path: Path) -> None:
    async with drilling(tmp_path) as drill:
        await drill.until_quoting("at the start")
        await drill.outage(drill.nats, "the broker", OUTAGE_S)
        await drill.outage(drill.redis, "the state store", OUTAGE_S)
        assert await drill.audit() == []
