"""The whole system in one process over real sockets: the same cores, a third host."""

import time
import tomllib
from pathlib import Path

import msgspec

from backtest.invariants import Auditor, ExchangeLedger, ledger_of
from backtest.world import replay
from services.system import CORES, build
from shared.kernel import Nanos
from shared.params import parse_params
from shared.shell.host_local import LocalHost
from shared.shell.journal import journal_parts, read_parts
from tests.support.exchange import Running
from tests.support.hosting import running, settings_for
from tests.support.waiting import until

ROOT = Path(__file__).parents[3]
INSTRUMENTS = 3


def ledger(exchange: Running) -> ExchangeLedger:
    """The exchange's own record of the maker."""
    books = msgspec.to_builtins(exchange.server.core.ledger(Nanos(time.time_ns())))
    return ledger_of(next(iter(books["accounts"].values())))


async def test_one_process_quotes_stops_cleanly_and_leaves_journals_that_replay(
    exchange: Running, tmp_path: Path
) -> None:
    params = parse_params(tomllib.loads((ROOT / "config" / "demo.toml").read_text()))
    auditor = Auditor()
    state: dict[str, str] = {}
    settings = settings_for(
        tmp_path,
        journal=True,
        venue_ws_url=exchange.address.websocket,
        deribit_client_id=exchange.address.client_id,
        deribit_client_secret=exchange.address.client_secret,
    )
    cores = [auditor, *(build(name, params) for name in CORES)]
    host = LocalHost(cores, settings, params.model_dump(mode="json"), state)
    async with running(host) as (run,):
        await until(
            lambda: len(ledger(exchange).open_labels) == 2 * INSTRUMENTS, "two quotes on each book"
        )
        assert await run.end() == 0
    assert ledger(exchange).open_labels == ()
    auditor.compare_with_exchange(ledger(exchange))
    assert [verdict for verdict in auditor.verdicts() if not verdict.held] == []
    assert "inventory" in state
    for name in CORES:
        header, records = read_parts(journal_parts(settings.run_dir / "journal", name))
        core = build(name, parse_params(header.config))
        assert replay(header, records, core) == [], name
