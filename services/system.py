"""The composition root: parameters in, cores out. The only place that sees every trading service.

Each service's own process needs only its own core; whoever hosts several at once takes them from here: the
World of tests and backtests, the replay of a journal, benchmarks, and `python -m services NAME ...`.
"""

from collections.abc import Callable

from services.marketdata.core import Marketdata
from services.oms.core import Oms
from services.quoter.core import Quoter
from services.risk.core import Risk
from shared.kernel import Core
from shared.params import Params

CORES: dict[str, Callable[[Params], Core]] = {
    "marketdata": Marketdata,
    "quoter": Quoter,
    "oms": Oms,
    "risk": Risk,
}


def build(name: str, params: Params) -> Core:
    """A trading core by its service's name. Raises ValueError for any other name."""
    if name not in CORES:
        raise ValueError(f"there is no service {name!r}; expected some of {', '.join(CORES)}")
    return CORES[name](params)
