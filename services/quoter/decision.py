"""The decision: one pass from what is known to a wanted ladder, or the reason why there is none."""

from collections.abc import Mapping

import msgspec

from services.quoter.desk import Desk
from services.quoter.formula import Market, Stance, stance
from services.quoter.gates import Facts, Refusal, first_refusal
from services.quoter.inventory import doubt, net_delta
from services.quoter.ladder import Inventory, Ladder, Rules, ladder
from shared.instruments import Instrument
from shared.kernel import Nanos
from shared.messages import Lease, Position
from shared.params import Params
from shared.units import BPS


class House(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of all instruments at once; `maker_fee` None: each instrument's own applies."""

    params: Params
    lease: Lease | None
    positions: Mapping[str, Position]
    specs: Mapping[str, Instrument]
    marks: Mapping[str, float]
    maker_fee: float | None


class Wanted(msgspec.Struct, frozen=True):
    """A ladder and the numbers it came from; `sigma` in USD/sqrt(s), floored."""

    ladder: Ladder
    stance: Stance
    sigma: float


def floored_sigma(desk: Desk, params: Params) -> float:
    """The volatility in force for an instrument, USD/sqrt(s)."""
    return max(params.quoter.sigma_floor, desk.volatility.sigma)


def decide(now: Nanos, desk: Desk, house: House) -> Wanted | Refusal:
    """What to want in one instrument now."""
    params = house.params
    sigma = floored_sigma(desk, params)
    best_bid, best_ask = desk.best_bid, desk.best_ask
    facts = Facts(
        now=now,
        params=params,
        lease=house.lease,
        inventory_doubt=doubt(
            now, tuple(house.specs), house.positions, params.risk.position_age_max_ms
        ),
        instrument=desk.instrument,
        spec=desk.spec,
        listed=desk.listed,
        status=desk.status,
        best_bid=best_bid,
        best_ask=best_ask,
        ticker=desk.ticker,
        sigma=sigma,
        observed_s=desk.volatility.observed_s,
    )
    refusal = first_refusal(facts)
    if refusal is not None:
        return refusal
    delta = net_delta(house.positions, house.specs, house.marks)
    if delta is None:
        return Refusal("position_unknown", "a position without an instrument or a mark price")
    assert desk.spec is not None
    assert desk.ticker is not None
    assert house.lease is not None
    assert best_bid is not None
    assert best_ask is not None
    market = Market(
        best_bid=best_bid,
        best_ask=best_ask,
        min_price=desk.ticker.min_price,
        max_price=desk.ticker.max_price,
    )
    fee = house.maker_fee if house.maker_fee is not None else desk.spec.maker_fee
    limits = params.risk
    ours = stance(market.mid, sigma, delta, fee, params.quoter, limits.hard_limit_btc)
    half_bps = ours.half_spread / ours.mid / BPS
    if half_bps > params.quoter.half_spread_max_bps:
        return Refusal("spread_too_wide", f"half-spread {half_bps:.1f} bp")
    position = house.positions.get(desk.instrument)
    inventory = Inventory(net_delta=delta, amount=position.amount if position else 0.0)
    rules = Rules(
        now=now,
        mode=house.lease.mode,
        order_size_btc=params.quoter.order_size_btc,
        soft_limit_btc=limits.soft_limit_btc,
        pulled=desk.momentum.pulled(now),
    )
    wanted = ladder(ours, market, desk.spec, inventory, rules)
    return wanted if isinstance(wanted, Refusal) else Wanted(wanted, ours, sigma)
