"""The quote formula: where a bid and an ask should stand, every tick with its reason.

Theory. A maker whose wealth is exponential in utility and who holds q above target does not centre on
the market's price s but on his own, the reservation price (Avellaneda and Stoikov 2008, eq. 2.8)

    r = s - q * gamma * sigma^2 * tau

with gamma the risk aversion (1/USD), sigma the volatility (USD/sqrt(s)), tau the time over which
inventory is worked off (s), q the net delta over ALL instruments at mark (BTC): futures of one coin
share nearly all of their risk, so each leans on the sum. The paper's tau runs down to a closing bell; a
market that never closes takes a fixed rolling horizon. The lean grows with sigma^2 and would walk
across the market in a storm, so its slope is bounded such that at the hard limit it is 1.25
half-spreads, and it grows no further beyond.

Around r both sides stand at the half-spread. A cost c that every fill bears moves the best distance
outward one for one (maximise A * exp(-k * d) * (d - c): d = c + 1/k; Gueant, Lehalle and Fernandez-Tapia
2013), so

    half = vol_half_spread    weight * sigma * sqrt(volatility_horizon): the move of the mid before
                              the quote can follow
         + fee_floor          maker fee * s; negative for a rebate
         + adverse_selection  expected mark-out against a fill
         + min_spread_lift    what is missing to half_spread_min

Then the venue's rules: at least one tick away from the other side (post-only), never better than the
touch while the spread is at most 2 ticks and better by one tick at most while it is wider, inside the
exchange's price band, and on the tick, rounded away from the market. Each can only move a price
outward, so the own bid stays below the own ask.

A price is the sum of its parts, exactly, however the sum is taken: every part is a multiple of
2^-20 USD, a grid on which floats of this size add without error, and the rounding is what is left.
"""

import math

import msgspec

from shared.instruments import Instrument
from shared.params import QuoterParams
from shared.units import BPS, Side

GRID = 2.0**-20
SHIFT_BOUND = 1.25
"""Half-spreads that the reservation price may lean at the hard limit."""
NARROW_TICKS = 2.0
_TICK_TOLERANCE = 1e-6

Parts = tuple[tuple[str, float], ...]


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """What the others quote, our own orders taken out, and the exchange's price band. USD per BTC."""

    best_bid: float
    best_ask: float
    min_price: float
    max_price: float

    @property
    def mid(self) -> float:
        """Half way between the others' best bid and ask."""
        return (self.best_bid + self.best_ask) / 2.0


class Stance(msgspec.Struct, frozen=True, kw_only=True):
    """What both sides share, before the venue's rules. USD, each a multiple of `GRID`."""

    mid: float
    inventory_shift: float
    vol_half_spread: float
    fee_floor: float
    adverse_selection: float
    min_spread_lift: float

    @property
    def reservation(self) -> float:
        """The centre of both quotes."""
        return self.mid + self.inventory_shift

    @property
    def half_spread(self) -> float:
        """Distance of each side from the reservation price."""
        costs = self.vol_half_spread + self.fee_floor + self.adverse_selection
        return costs + self.min_spread_lift


class Priced(msgspec.Struct, frozen=True):
    """A price on the tick and the parts that add up to it."""

    price: float
    parts: Parts


def stance(
    mid: float,
    sigma: float,
    net_delta: float,
    maker_fee: float,
    params: QuoterParams,
    hard_limit_btc: float,
) -> Stance:
    """Reservation price and half-spread.

    `mid` USD, `sigma` USD/sqrt(s) as to be used (floored), `net_delta` BTC, `maker_fee` a fraction.
    The caller compares `half_spread` with half_spread_max_bps.
    """
    vol = _grid(params.volatility_weight * sigma * math.sqrt(params.volatility_horizon_s))
    fee = _grid(maker_fee * mid)
    adverse = _grid(params.adverse_selection_bps * BPS * mid)
    least = _grid(params.half_spread_min_bps * BPS * mid)
    lift = max(0.0, least - (vol + fee + adverse))
    half = vol + fee + adverse + lift
    slope = min(params.gamma * sigma**2 * params.horizon_s, SHIFT_BOUND * half / hard_limit_btc)
    bounded_delta = max(-hard_limit_btc, min(hard_limit_btc, net_delta))
    return Stance(
        mid=_grid(mid),
        inventory_shift=_grid(-slope * bounded_delta),
        vol_half_spread=vol,
        fee_floor=fee,
        adverse_selection=adverse,
        min_spread_lift=lift,
    )


def price(side: Side, stance: Stance, market: Market, instrument: Instrument) -> Priced | None:
    """The wanted price of one side; None when the exchange's band leaves no passive price."""
    costs = (
        ("vol_half_spread", stance.vol_half_spread),
        ("fee_floor", stance.fee_floor),
        ("adverse_selection", stance.adverse_selection),
        ("min_spread_lift", stance.min_spread_lift),
    )
    parts = [("mid", stance.mid), ("inventory_shift", stance.inventory_shift)]
    # Adding 0.0 makes the -0.0 of a cost that is nothing an ordinary zero.
    parts += [(name, -side.sign * cost + 0.0) for name, cost in costs]
    raw = sum(part for _, part in parts)
    limited = _clamp(side, raw, market, instrument)
    rounded = instrument.passive_price(side, limited)
    if not market.min_price <= rounded <= market.max_price:
        return None
    clamp = _grid(limited) - raw
    parts += [("clamp", clamp), ("rounding", rounded - (raw + clamp))]
    return Priced(rounded, tuple(parts))


def _clamp(side: Side, raw: float, market: Market, instrument: Instrument) -> float:
    """Move a price outward as far as post-only, the touch and the band ask."""
    tick = instrument.tick_at(market.mid)
    narrow = market.best_ask - market.best_bid <= NARROW_TICKS * tick * (1.0 + _TICK_TOLERANCE)
    improvement = 0.0 if narrow else tick
    if side is Side.BUY:
        return min(raw, market.best_bid + improvement, market.max_price)
    return max(raw, market.best_ask - improvement, market.min_price)


def _grid(value: float) -> float:
    """The nearest multiple of `GRID`."""
    return round(value / GRID) * GRID
