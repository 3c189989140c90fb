"""Sessions to talk to, and the recordings beside the project."""

import gzip
from pathlib import Path

import pytest

from shared.deribit.outputs import SessionConfig
from tests.unit.deribit.dialogue import Dialogue, Recorded

RECORDINGS = Path(__file__).parents[4] / "shared" / "data" / "deribit"


@pytest.fixture
def private() -> Dialogue:
    return Dialogue(
        SessionConfig(
            link="private",
            private=True,
            channels=("user.changes.future.BTC.raw", "user.portfolio.btc"),
            cancel_on_disconnect=True,
        )
    )


@pytest.fixture
def public() -> Dialogue:
    return Dialogue(
        SessionConfig(
            link="public",
            private=False,
            channels=("book.BTC-PERPETUAL.100ms", "ticker.BTC-PERPETUAL.100ms"),
        )
    )


@pytest.fixture
def recorded() -> Recorded:
    """Lines of a recording, without their receive times; skips where the recordings are not there."""

    def lines(name: str) -> list[str]:
        path = RECORDINGS / name
        if not path.exists():
            pytest.skip(f"no recordings of the venue here: expected {RECORDINGS.name}/{name}")
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return raw.decode().splitlines()

    return lines
