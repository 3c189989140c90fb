"""Fills to positions: every trade of the account counted once, whoever told it and however often.

A trade is known by its id and its time (an exchange that was set up anew may number from the start again);
the reply to an order, the user channel and the history all tell the same trades and may tell them in any
order. The amount held is the sum of signed amounts, so it does not depend on that order; average and
realized profit follow the average-cost method (for inverse contracts harmonic, see
`shared/instruments.py`), which does.
"""

from collections.abc import Mapping

import msgspec

from shared.deribit.codec import VenueTrade
from shared.instruments import Instrument, Payoff
from shared.kernel import Nanos
from shared.units import round_satoshi, to_ms

_TRADES_REMEMBERED = 20_000
_TRADES_STORED = 1_000
_FORMAT = 1


class Holding(msgspec.Struct, kw_only=True):
    """One instrument's inventory. `realized` and `fees` in the settlement coin, since the ledger began."""

    amount: float = 0.0
    average_price: float = 0.0
    realized: float = 0.0
    fees: float = 0.0
    fills: int = 0
    version: int = 0


class StoredInventory(msgspec.Struct, kw_only=True):
    """What survives the process. `complete_to`: every trade before it is counted."""

    format: int
    complete_to: Nanos
    holdings: dict[str, Holding]
    trades: tuple[str, ...]


class BadInventory(ValueError):
    """Stored inventory that cannot be read; says why."""


class Ledger:
    """Positions by instrument, and the trades that made them."""

    def __init__(self) -> None:
        self.holdings: dict[str, Holding] = {}
        self.complete_to = Nanos(0)
        """Venue time up to which the history was compared and nothing was missing; 0: never."""
        self._seen: dict[str, None] = {}

    def has(self, trade: VenueTrade) -> bool:
        """Whether this trade was counted."""
        return _key(trade) in self._seen

    def amounts(self) -> dict[str, float]:
        """Signed amounts by instrument."""
        return {name: holding.amount for name, holding in self.holdings.items()}

    def holding(self, instrument: str) -> Holding:
        """What is held of an instrument; an empty holding is begun where there was none."""
        return self.holdings.setdefault(instrument, Holding())

    def skip(self, trade: VenueTrade) -> None:
        """Take a trade as counted: the adopted position has it in already."""
        self._remember(trade)

    def book(self, trade: VenueTrade, spec: Instrument | None) -> bool:
        """Count a trade; False when it was counted before. Without a specification: inverse."""
        if self.has(trade):
            return False
        self._remember(trade)
        held = self.holding(trade.instrument)
        _add(held, trade.side.sign * trade.amount, trade.price, spec or _UNLISTED)
        held.fees = round_satoshi(held.fees + trade.fee)
        held.fills += 1
        held.version += 1
        return True

    def adopt(self, instrument: str, amount: float, average_price: float) -> None:
        """Take the exchange's word for a position; profit and fees so far are kept."""
        held = self.holding(instrument)
        held.amount = amount
        held.average_price = average_price if amount else 0.0
        held.version += 1

    def mismatches(self, exchange: Mapping[str, float]) -> tuple[tuple[str, float, float], ...]:
        """(instrument, ours, the exchange's) wherever the two differ."""
        ours = self.amounts()
        names = dict.fromkeys((*ours, *exchange))
        pairs = ((name, ours.get(name, 0.0), exchange.get(name, 0.0)) for name in names)
        return tuple(pair for pair in pairs if abs(pair[1] - pair[2]) > 1e-9)

    def dump(self) -> str:
        """The inventory as JSON, to be stored."""
        trades = tuple(self._seen)[-_TRADES_STORED:]
        inventory = StoredInventory(
            format=_FORMAT,
            complete_to=self.complete_to,
            holdings=self.holdings,
            trades=trades,
        )
        return msgspec.json.encode(inventory).decode()

    def load(self, stored: str) -> None:
        """Continue from a stored inventory; raises `BadInventory` and changes nothing."""
        try:
            inventory = msgspec.json.decode(stored, type=StoredInventory)
        except msgspec.DecodeError as error:
            raise BadInventory(f"stored inventory cannot be read: {error}") from error
        if inventory.format != _FORMAT:
            raise BadInventory(f"stored inventory has format {inventory.format}, need {_FORMAT}")
        self.holdings = inventory.holdings
        self.complete_to = inventory.complete_to
        self._seen = dict.fromkeys(inventory.trades)

    def _remember(self, trade: VenueTrade) -> None:
        self._seen[_key(trade)] = None
        if len(self._seen) > _TRADES_REMEMBERED:
            del self._seen[next(iter(self._seen))]


# Whatever the market data does not follow (any more) still is a future of an inverse currency.
_UNLISTED = Instrument(
    name="",
    payoff=Payoff.INVERSE,
    base="",
    settlement="",
    index="",
    perpetual=False,
    expiry=Nanos(0),
    tick=1.0,
    contract_size=1.0,
    amount_step=1.0,
    maker_fee=0.0,
    taker_fee=0.0,
)


def _key(trade: VenueTrade) -> str:
    return f"{trade.trade_id}@{to_ms(trade.ts)}"


def _add(held: Holding, signed: float, price: float, spec: Instrument) -> None:
    """Move a holding by a signed amount at a price: add to it, close some of it, or turn it over."""
    # An exchange that told a position without its average leaves it to the first trade after.
    entry = held.average_price or price
    if held.amount * signed >= 0.0:
        held.average_price = spec.average_entry(held.amount, entry, signed, price)
        held.amount = round_satoshi(held.amount + signed)
        return
    closed = -signed if abs(signed) <= abs(held.amount) else held.amount
    held.realized += spec.pnl(closed, entry, price)
    rest = round_satoshi(held.amount + signed)
    if rest == 0.0:
        held.average_price = 0.0
    elif rest * signed > 0.0:
        held.average_price = price
    else:
        held.average_price = entry
    held.amount = rest
