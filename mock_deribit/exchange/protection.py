"""★ Market maker protection: how much may trade against a maker's orders before all of them leave.

A protection covers the orders sent with `mmp` on one index, or the quotes of one group. It counts, in base
coin, what trades in a window that opens with the first trade and lasts `interval_s`:

    quantity = sum of |size|          gross: a buy of 10 and a sale of 10 count 20
    delta    = |sum of signed size|   net

and the next trade after its end opens a new one. A counter above its limit triggers: every order under the
protection is cancelled, and new ones are refused until `frozen_time_s` is over, or with 0 until the owner
resets it. Limits are checked after the trade, which stands: a trade may overshoot. Sizes of inverse
contracts are converted at the trade's price. Open orders of one side of one instrument may not sum to more
than `max_quote_quantity`.

Source: Deribit's market maker protection article.
"""

from collections.abc import Iterable

from mock_deribit.exchange.contract import Contract
from mock_deribit.exchange.maker_messages import Frozen, Protection
from mock_deribit.exchange.order import Order
from shared.kernel import Nanos
from shared.units import SECOND

_HAIR = 1e-9


class Shield:
    """One protection of one account at work. `contract` is any on its index."""

    def __init__(self, config: Protection, contract: Contract) -> None:
        self.config = config
        self.currency = contract.instrument.settlement
        self._contract = contract
        self._orders: dict[tuple[str, int], dict[str, Order]] = {}
        self._window_ends = Nanos(0)
        self._quantity = 0.0
        self._delta = 0.0
        self._frozen_until: Nanos | None = None

    def unit(self) -> float:
        """What a base coin of margin is in the settlement coin."""
        return self._contract.margin_unit()

    def is_frozen(self, now: Nanos) -> bool:
        """Whether new orders are refused."""
        until = self._frozen_until
        return until is not None and (until == 0 or now < until)

    def frozen(self, now: Nanos) -> Frozen | None:
        """The freeze in force, None when there is none."""
        if self._frozen_until is None or not self.is_frozen(now):
            return None
        return Frozen(
            index=self.config.index, group=self.config.group, frozen_until=self._frozen_until
        )

    def configure(self, config: Protection, contracts: Iterable[Contract]) -> list[Order]:
        """Take another configuration; the window starts anew, a freeze stays. The orders that must
        leave: the youngest beyond the new `max_quote_quantity`, or all when it is removed."""
        self.config = config
        self._window_ends = Nanos(0)
        if not config.interval_s:
            return self.orders()
        return [
            order
            for contract in contracts
            for sign in (1, -1)
            for order in self._excess(contract, sign)
        ]

    def reset(self) -> None:
        """End the freeze and forget the window."""
        self._frozen_until = None
        self._window_ends = Nanos(0)

    def count(self, now: Nanos, signed_size: float) -> bool:
        """Count a trade of base coins; whether a limit is exceeded."""
        if now >= self._window_ends:
            self._window_ends = Nanos(now + self.config.interval_s * SECOND)
            self._quantity = self._delta = 0.0
        self._quantity += abs(signed_size)
        self._delta += signed_size
        quantity, delta = self.config.quantity_limit, self.config.delta_limit
        return (quantity is not None and self._quantity > quantity + _HAIR) or (
            delta is not None and abs(self._delta) > delta + _HAIR
        )

    def freeze(self, now: Nanos) -> Frozen:
        """Refuse new orders from now on."""
        seconds = self.config.frozen_time_s
        self._frozen_until = Nanos(now + seconds * SECOND if seconds else 0)
        return Frozen(
            index=self.config.index, group=self.config.group, frozen_until=self._frozen_until
        )

    def cover(self, order: Order) -> None:
        """Take an order under the protection."""
        self._orders.setdefault((order.instrument.name, order.sign), {})[order.order_id] = order

    def release(self, order: Order) -> None:
        """An order has left the book."""
        self._orders.get((order.instrument.name, order.sign), {}).pop(order.order_id, None)

    def orders(self) -> list[Order]:
        """Every order under the protection, oldest first within each side of each instrument."""
        return [order for side in self._orders.values() for order in side.values()]

    def fits(
        self,
        contract: Contract,
        sign: int,
        lots: int,
        price: float,
        but: str = "",
        held: float = 0.0,
    ) -> bool:
        """Whether an order of this size stays within `max_quote_quantity` beside what is open."""
        beside = (
            order
            for order in self._orders.get((contract.name, sign), {}).values()
            if order.order_id != but
        )
        size = abs(contract.instrument.delta(contract.amount(lots), price)) + held
        return size + _open(contract, beside) <= self.config.max_quote_quantity + _HAIR

    def _excess(self, contract: Contract, sign: int) -> list[Order]:
        """The youngest orders of a side that no longer fit."""
        size, most, leave = 0.0, self.config.max_quote_quantity + _HAIR, []
        for order in self._orders.get((contract.name, sign), {}).values():
            size += _open(contract, [order])
            if size > most:
                leave.append(order)
        return leave


def _open(contract: Contract, orders: Iterable[Order]) -> float:
    return sum(
        abs(contract.instrument.delta(contract.amount(order.remaining), order.price))
        for order in orders
    )
