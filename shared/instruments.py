"""Instruments and their arithmetic: inverse (coin-settled) and linear.

Inverse contract, the BTC futures of this system. The amount N is in USD and signed (+ long); one contract
is 10 USD. With entry e, exit or mark x (USD per BTC):

    value in BTC           N / x            also the delta of the position in BTC
    profit and loss        N * (1/e - 1/x)  BTC
    average entry          sum N / sum(N/e) harmonic, because the cost is held in BTC
    fee                    rate * |N| / p   BTC, positive is paid, negative is a rebate

Linear contract: the amount N is in the base coin, PnL = N * (x - e) and fee = rate * |N| * p, both in
the quote coin; the average entry is arithmetic.

Source: Deribit's contract specifications; a long of 185,160 USD at 15,000 marked at 17,391 is worth
10.646886321 BTC and has gained 1.69711368 BTC (a published example that the tests check).
"""

from enum import StrEnum

import msgspec

from shared.kernel import Nanos
from shared.units import Side, is_multiple, round_down, round_up


class Payoff(StrEnum):
    """How price turns into money."""

    INVERSE = "inverse"
    LINEAR = "linear"


# A member looked up through its class costs as much as the arithmetic it decides about.
_INVERSE = Payoff.INVERSE


class BookState(StrEnum):
    """Deribit's book states since January 2026."""

    OPEN = "open"
    SETTLEMENT = "settlement"
    DELIVERED = "delivered"
    INACTIVE = "inactive"
    LOCKED = "locked"
    HALTED = "halted"
    ARCHIVIZED = "archivized"


class TickStep(msgspec.Struct, frozen=True):
    """Above this price the tick is larger."""

    above_price: float
    tick: float


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One listed future or perpetual, as the venue describes it.

    `amount_step` is both the smallest order and the grid of amounts (USD for inverse, base coin for
    linear). Fees are fractions of notional for the account's base tier; negative is a rebate.
    """

    name: str
    payoff: Payoff
    base: str
    settlement: str
    index: str
    perpetual: bool
    expiry: Nanos
    tick: float
    tick_steps: tuple[TickStep, ...] = ()
    contract_size: float
    amount_step: float
    maker_fee: float
    taker_fee: float
    state: BookState = BookState.OPEN

    def tick_at(self, price: float) -> float:
        """The tick in force at a price."""
        tick = self.tick
        for step in self.tick_steps:
            if price > step.above_price:
                tick = step.tick
        return tick

    def passive_price(self, side: Side, price: float) -> float:
        """Round to the tick away from the market: bids down, asks up."""
        tick = self.tick_at(price)
        return round_down(price, tick) if side is Side.BUY else round_up(price, tick)

    def is_on_tick(self, price: float) -> bool:
        """Whether the venue would accept this price."""
        return is_multiple(price, self.tick_at(price))

    def round_amount(self, amount: float) -> float:
        """The largest tradable amount not above this one."""
        return round_down(amount, self.amount_step)

    def delta(self, amount: float, price: float) -> float:
        """Signed exposure in base coin of a signed amount at a price."""
        return amount / price if self.payoff is _INVERSE else amount

    def amount_for(self, delta: float, price: float) -> float:
        """The unrounded amount whose exposure is this many base coins."""
        return delta * price if self.payoff is _INVERSE else delta

    def pnl(self, amount: float, entry: float, exit_: float) -> float:
        """Profit of a signed amount from entry to exit, in the settlement coin, fees excluded."""
        if self.payoff is _INVERSE:
            return amount * (1.0 / entry - 1.0 / exit_)
        return amount * (exit_ - entry)

    def average_entry(self, amount: float, entry: float, added: float, price: float) -> float:
        """Average entry after adding to a position on the same side."""
        total = amount + added
        if self.payoff is _INVERSE:
            cost = added / price + (amount / entry if amount else 0.0)
            return total / cost
        return (amount * entry + added * price) / total

    def fee(self, amount: float, price: float, rate: float) -> float:
        """Fee of a fill in the settlement coin; sign as the rate's."""
        if self.payoff is _INVERSE:
            return rate * abs(amount) / price
        return rate * abs(amount) * price
