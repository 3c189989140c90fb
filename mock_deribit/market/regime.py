"""Regimes: the weather of a market as one row of dials, each a seedable configuration of the same agents.

    CALM     quiet: 20 % volatility, half of the informed flow
    NORMAL   what the agents are calibrated to
    TREND    50 % volatility, the drift three times as strong
    TOXIC    50 % volatility, three times the informed flow, the race after a move three times as hot
    SWEEPY   twenty sweeps an hour of which half is given back
    CRASH    470 % volatility, news every few minutes, sweeps that excite sweeps (12 March 2020)
    THIN     a third of the flow and of the depth
    BENIGN   nobody knows anything, and thirty sweeps an hour revert fully: here a simple maker earns
    EXPIRY   NORMAL, for a clock that starts within the half hour of averaging before an expiry
    FUNDING  NORMAL, but the perpetual opens far above the index, and those who are paid for it pull it back

The share of a sweep that stays (`sweep_permanence`, rho) decides whether wide slow quotes can earn at all;
it belongs beside every result.
"""

import msgspec


class Regime(msgspec.Struct, frozen=True, kw_only=True):
    """Dials. Without a unit: 1 is NORMAL. `activity` speeds up everything but the price."""

    activity: float = 1.0
    volatility: float = 0.35
    toxicity: float = 1.0
    lead_lag: float = 1.0
    drift: float = 1.0
    impact: float = 1.0
    flow: float = 1.0
    depth: float = 1.0
    news_per_day: float = 2.0
    sweeps_per_hour: float = 5.0
    sweep_permanence: float = 1.0
    sweep_children: float = 0.0
    premium_bps: float = 0.0


REGIMES = {
    "CALM": Regime(volatility=0.20, toxicity=0.5),
    "NORMAL": Regime(),
    "TREND": Regime(volatility=0.50, drift=3.0),
    "TOXIC": Regime(volatility=0.50, toxicity=3.0, lead_lag=3.0),
    "SWEEPY": Regime(sweeps_per_hour=20.0, sweep_permanence=0.5),
    "CRASH": Regime(
        volatility=4.7, flow=3.0, news_per_day=200.0, sweeps_per_hour=40.0, sweep_children=0.5
    ),
    "THIN": Regime(flow=0.3, depth=0.3),
    "BENIGN": Regime(
        toxicity=0.0,
        lead_lag=0.0,
        drift=0.0,
        impact=0.0,
        news_per_day=0.0,
        sweeps_per_hour=30.0,
        sweep_permanence=0.0,
    ),
    "EXPIRY": Regime(),
    "FUNDING": Regime(premium_bps=12.0),
}


class Weather:
    """The regime that reigns; agents look at it whenever they act, so that it may change."""

    def __init__(self, regime: Regime) -> None:
        self.regime = regime


def regime_of(name: str) -> Regime:
    """The dials of a name. Raises ValueError that lists the names there are."""
    regime = REGIMES.get(name)
    if regime is None:
        raise ValueError(f"there is no regime {name!r}; expected one of {', '.join(REGIMES)}")
    return regime
