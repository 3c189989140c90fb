"""A market that leaves the books alone: prices stand, the index breathes, and orders rest untouched.

The tape of the benchmark takes the place of the book channel, so nothing may trade here. The index moves
half a dollar up and down once a second, because a feed on which nothing moves is taken for dead.
"""

import json
from collections.abc import Mapping

from bench.tape import BASE
from mock_deribit.exchange.engine import Exchange
from mock_deribit.market.trader import Trader
from mock_deribit.settings import MockSettings
from shared.kernel import Nanos
from shared.params import Params, parse_params
from shared.units import SECOND

_AWAY_TICKS = 400
_LOTS = 10_000
_INDEX = "btc_usd"

HALF_SPREAD_BPS = 5.0
HALF_SPREAD = HALF_SPREAD_BPS * 1e-4 * BASE
"""USD: what the quoter makes of the parameters below, at the base price."""


class StillMarket:
    """One far bid and one far ask in every book, so that marks exist."""

    ended: str | None = None

    @property
    def index_prices(self) -> Mapping[str, float]:
        """Where the tape's centres have their middle."""
        return {_INDEX: BASE}

    def start(self, now: Nanos, exchange: Exchange) -> Nanos:
        """Fill the books."""
        self._exchange = exchange
        self._up = False
        for listing in exchange.listings:
            trader = Trader(exchange, "house", listing.instrument)
            middle = round(BASE / listing.instrument.tick)
            trader.rest(now, +1, middle - _AWAY_TICKS, _LOTS)
            trader.rest(now, -1, middle + _AWAY_TICKS, _LOTS)
        return Nanos(now + SECOND)

    def wake(self, now: Nanos) -> Nanos:
        """Breathe."""
        self._up = not self._up
        self._exchange.set_index(now, _INDEX, BASE + 0.5 * self._up)
        return Nanos(now + SECOND)


def bench_params(matching_per_s: float) -> Params:
    """Every move of the tape is followed by a requote of both sides, and nothing else is.

    The volatility part is off, so that a price names its centre; the band of the OMS is narrower than a
    step of the centre, its request rate as high as parameters go.
    """
    return parse_params(
        {
            "marketdata": {"dated_futures": 0, "ticker_stale_ms": 60_000},
            "quoter": {
                "half_spread_min_bps": HALF_SPREAD_BPS,
                "volatility_weight": 0.0,
                "adverse_selection_bps": 0.0,
                "sigma_floor": 40.0,
                "sigma_ceiling": 500.0,
                "warmup_s": 1.0,
                "move_trigger": 0.05,
            },
            "oms": {
                "tolerance_aggressive": 0.02,
                "tolerance_passive": 0.02,
                "order_age_max_s": 600.0,
                "rate_per_s": matching_per_s,
                "burst": 200,
            },
        }
    )


def bench_settings() -> MockSettings:
    """An account whose limits are far above what is driven."""
    limits = dict.fromkeys(
        ("matching_rate", "matching_burst", "non_matching_rate", "non_matching_burst"), 1_000.0
    )
    return MockSettings.model_validate({"maker_fee": 0.0, **limits})


def as_toml(params: Params) -> str:
    """The parameters as the services read them."""
    sections = params.model_dump(mode="json")
    return "\n".join(
        f"[{section}]\n"
        + "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
        for section, values in sections.items()
    )
