"""From trades to what the others hear: each fill once, each position when it changes.

Owns the telling; the counting is the ledger's. Positions are compared with what was said last, so that
a turn that moves nothing says nothing.
"""

from services.oms.exposure import Working, working_of
from services.oms.ledger import BadInventory, Ledger
from services.oms.orders import Orders
from services.oms.outbox import Outbox
from shared.deribit.codec import VenueTrade
from shared.instruments import Instrument
from shared.kernel import Nanos, Store
from shared.messages import Filled, Liquidity, Position, Purpose, Severity
from shared.state import INVENTORY


class Inventory:
    """Fills in, positions out."""

    def __init__(self, out: Outbox, orders: Orders) -> None:
        self._out = out
        self._orders = orders
        self.ledger = Ledger()
        self.specs: dict[str, Instrument] = {}
        self.reconciled = Nanos(0)
        """When the positions last agreed with the exchange."""
        self._said: dict[str, tuple[int, Working, Nanos]] = {}
        self._stored: tuple[int, Nanos] = (0, Nanos(0))

    def restore(self, now: Nanos, stored: str) -> None:
        """Continue from what the last process stored; what cannot be read is left out, loudly."""
        try:
            self.ledger.load(stored)
        except BadInventory as error:
            self._out.anomaly(now, "stored_inventory", Severity.WARNING, str(error))

    def book(self, now: Nanos, trade: VenueTrade, *, recovered: bool = False) -> bool:
        """Count a trade and tell it, once; whether it was new."""
        if self._contradicts(now, trade):
            return False
        if not self.ledger.book(trade, self.specs.get(trade.instrument)):
            return False
        order = self._orders.booked(trade)
        purpose = order.purpose if order is not None else self._purpose(now, trade)
        self._out.count("fills")
        if recovered:
            self._out.count("fills_recovered")
        self._out.say(
            Filled(
                ts=trade.ts,
                instrument=trade.instrument,
                trade_id=trade.trade_id,
                trade_seq=trade.trade_seq,
                order_id=trade.order_id,
                label=order.label if order is not None else trade.label,
                side=trade.side,
                price=trade.price,
                amount=trade.amount,
                fee=trade.fee,
                realized=trade.realized,
                liquidity=trade.liquidity,
                purpose=purpose,
                mark_price=trade.mark_price,
                index_price=trade.index_price,
                seen=now,
                recovered=recovered,
            )
        )
        return True

    def _contradicts(self, now: Nanos, trade: VenueTrade) -> bool:
        """Whether a trade says something else than the label of ours that it bears: not believed."""
        label = self._orders.is_ours(trade.label)
        if label is None or (label.instrument, label.side) == (trade.instrument, trade.side):
            return False
        detail = (
            f"trade {trade.trade_id} of {trade.label}: expected {label.side} {label.instrument}, "
            f"came {trade.side} {trade.instrument}"
        )
        self._out.anomaly(now, "venue_fault", Severity.WARNING, detail)
        return True

    def _purpose(self, now: Nanos, trade: VenueTrade) -> Purpose:
        label = self._orders.is_ours(trade.label)
        if label is not None:
            return label.purpose
        detail = f"trade {trade.trade_id} of order {trade.order_id} {trade.label!r} is not ours"
        self._out.anomaly(now, "foreign_trade", Severity.WARNING, detail, trade.instrument)
        return Purpose.QUOTE if trade.liquidity is Liquidity.MAKER else Purpose.HEDGE

    def tell(self, now: Nanos, *, everything: bool = False) -> None:
        """Publish the positions that changed (or all), and store the inventory when it did."""
        working = working_of(self._orders)
        for name in dict.fromkeys((*self.specs, *self.ledger.holdings, *working)):
            self._tell(now, name, working.get(name, Working()), everything)
        fills = sum(holding.version for holding in self.ledger.holdings.values())
        if self._stored != (fills, self.ledger.complete_to):
            self._stored = (fills, self.ledger.complete_to)
            self._out.do(Store(INVENTORY, self.ledger.dump()))

    def _tell(self, now: Nanos, name: str, working: Working, anyway: bool) -> None:
        held = self.ledger.holding(name)
        state = (held.version, working, self.reconciled)
        if not anyway and self._said.get(name) == state:
            return
        self._said[name] = state
        self._out.say(
            Position(
                ts=now,
                instrument=name,
                amount=held.amount,
                average_price=held.average_price,
                realized=held.realized,
                fees=held.fees,
                fills=held.fills,
                working_buy=working.buy,
                working_sell=working.sell,
                version=held.version,
                reconciled=self.reconciled,
            )
        )

    def unbooked(self) -> bool:
        """Whether an order closed with fills that no trade has told yet."""
        return any(not order.alive and order.exposed > 0.0 for order in self._orders)
