"""The ladder: which sides are wanted, how much of each, and why a side is withheld. One level a side.

The side that would add to the net delta fades to nothing at the soft limit,

    amount = order_size * max(0, 1 - |net delta| / soft limit)

the reducing side stays whole. Where only reductions are allowed (mode REDUCING, the day before
expiry), a side must reduce what it is there to reduce and never carry it through zero.
"""

import msgspec

from services.quoter.formula import Market, Stance, price
from services.quoter.gates import EXPIRY_REDUCING, Refusal
from shared.instruments import Instrument
from shared.kernel import Nanos
from shared.messages import Mode, QuoteLevel
from shared.units import Side


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """What is held: BTC over all instruments, and the instrument's own signed amount."""

    net_delta: float
    amount: float


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What is allowed at `now`."""

    now: Nanos
    mode: Mode
    order_size_btc: float
    soft_limit_btc: float
    pulled: tuple[Side, ...]


class Ladder(msgspec.Struct, frozen=True):
    """The wanted levels, and (side, reason) of each side that is not wanted."""

    levels: tuple[QuoteLevel, ...]
    withheld: tuple[tuple[str, str], ...]


def ladder(
    stance: Stance, market: Market, spec: Instrument, inventory: Inventory, rules: Rules
) -> Ladder | Refusal:
    """Both sides; a `Refusal` when neither is wanted."""
    levels: list[QuoteLevel] = []
    withheld: list[tuple[str, str]] = []
    for side in Side:
        level = _level(side, stance, market, spec, inventory, rules)
        if isinstance(level, QuoteLevel):
            levels.append(level)
        else:
            withheld.append((side.value, level))
    if not levels:
        reasons = sorted({reason for _, reason in withheld})
        detail = "; ".join(f"{side}: {reason}" for side, reason in withheld)
        return Refusal(reasons[0] if len(reasons) == 1 else "size", detail)
    return Ladder(tuple(levels), tuple(withheld))


def _level(
    side: Side, stance: Stance, market: Market, spec: Instrument, inventory: Inventory, rules: Rules
) -> QuoteLevel | str:
    """One side's level, or the reason why there is none."""
    if side in rules.pulled:
        return "momentum"
    amount = spec.amount_for(_fade(side, inventory, rules), stance.mid)
    if rules.mode is Mode.REDUCING:
        spare = abs(spec.amount_for(inventory.net_delta, stance.mid))
        amount = min(amount, spare, abs(inventory.amount))
        if not (_reduces(side, inventory.net_delta) and _reduces(side, inventory.amount)):
            return "reducing"
    if not spec.perpetual and spec.expiry - rules.now <= EXPIRY_REDUCING:
        amount = min(amount, abs(inventory.amount))
        if not _reduces(side, inventory.amount):
            return "expiry"
    amount = spec.round_amount(amount)
    if amount <= 0:
        return "size"
    priced = price(side, stance, market, spec)
    if priced is None:
        return "price_band"
    return QuoteLevel(side=side, layer=0, price=priced.price, amount=amount, parts=priced.parts)


def _fade(side: Side, inventory: Inventory, rules: Rules) -> float:
    """Size of the order in BTC before the venue's lot."""
    if inventory.net_delta * side.sign <= 0:
        return rules.order_size_btc
    room = 1.0 - abs(inventory.net_delta) / rules.soft_limit_btc
    return rules.order_size_btc * max(0.0, room)


def _reduces(side: Side, held: float) -> bool:
    return held * side.sign < 0
