"""The measuring behind `./mm bench safety`: simulated samples on every processor, then real processes.

The real ones are bounded: every part that orders depend on is killed once a repetition, stays away for longer
than the lease, and is started again; the exchange's ledger is asked all the while.
"""

import asyncio
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from bench import machine
from bench.safety import MEASURES, Report, Row, Sample, row_of, sample
from console.chaos import standing
from console.havoc import PULLED_BY, Act
from shared.params import Params
from shared.shell.settings import load_params

_CONFIG = Path(__file__).parents[1] / "config" / "demo.toml"
_AWAY_S = 2.5
"""Beyond the lease."""


def measure(samples: int, real: int) -> Report:
    """Everything. Raises `NotMeasured`, or `Broken` when the real system lost something on the way."""
    params = load_params(_CONFIG)
    header = machine.header()
    return Report(
        header=header,
        lease_ms=params.risk.lease_ms,
        simulated=_simulated(samples, params),
        real=asyncio.run(_real(real, params)) if real else (),
    )


def _simulated(samples: int, params: Params) -> tuple[Row, ...]:
    with ProcessPoolExecutor() as pool:
        rows = []
        for name in MEASURES:
            seeds = [f"safety {number}" for number in range(samples)]
            taken = pool.map(partial(_sample, name, params), seeds, chunksize=5)
            rows.append(row_of(name, list(taken)))
        return tuple(rows)


def _sample(name: str, params: Params, seed: str) -> Sample:
    return sample(name, seed, params)


async def _real(repetitions: int, params: Params) -> tuple[Row, ...]:
    gone: dict[str, list[Sample]] = {}
    back: dict[str, list[Sample]] = {}
    away_s = params.risk.lease_ms / 1e3 + _AWAY_S
    with tempfile.TemporaryDirectory(prefix="mm-") as folder:
        async with standing(Path(folder)) as havoc:
            await havoc.begin()
            for repetition in range(repetitions):
                for number, target in enumerate(PULLED_BY):
                    act = Act(target, "killed", 0.0, away_s)
                    done = await havoc.round(repetition * len(PULLED_BY) + number + 1, (act,))
                    if done.gone_s is not None:
                        gone.setdefault(target, []).append(Sample(done.gone_s, 0.0))
                    back.setdefault(target, []).append(Sample(done.back_s, 0.0))
            await havoc.finish()
    rows = [row_of(f"{target} killed -> empty book", took) for target, took in gone.items()]
    rows += [row_of(f"{target} back -> quoting again", took) for target, took in back.items()]
    return tuple(rows)
