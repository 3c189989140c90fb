"""A house account's hand on one instrument: rest, move, cancel and take, in ticks and lots."""

from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.messages import (
    Held,
    OrderEdit,
    OrderRequest,
    OrderState,
    Placed,
    Refused,
    TimeInForce,
)
from shared.instruments import Instrument
from shared.kernel import Nanos
from shared.units import BPS, Side, on_grid


class Trader:
    """One account trading one instrument. Opens the account if it is not there yet."""

    def __init__(self, exchange: Exchange, account: str, instrument: Instrument) -> None:
        if account not in exchange.accounts:
            exchange.open_account(account, {}, house=True)
        self.exchange = exchange
        self.account = account
        self.instrument = instrument

    def best(self, sign: int) -> int | None:
        """The best tick of a half (+1 bids)."""
        price = self.exchange.best(self.instrument.name)[0 if sign > 0 else 1]
        return None if price is None else round(price / self.instrument.tick)

    def queue(self, sign: int, tick: int) -> list[tuple[bool, str, int]]:
        """(ours, order id, lots) of the orders at a price in order of priority."""
        price = on_grid(tick, self.instrument.tick)
        queue = self.exchange.queue(self.instrument.name, _side(sign), price)
        step = self.instrument.amount_step
        return [
            (who == self.account, order_id, round(amount / step)) for who, order_id, amount in queue
        ]

    def lots_from(self, sign: int, tick: int) -> int:
        """Everything that rests on a half at this price or better, whoever owns it."""
        price = on_grid(tick, self.instrument.tick)
        amount = self.exchange.amount_from(self.instrument.name, _side(sign), price)
        return round(amount / self.instrument.amount_step)

    def is_resting(self, order_id: str) -> bool:
        """Whether an order of this account still stands in the book."""
        return self.exchange.is_resting(self.account, order_id)

    def rest(
        self, now: Nanos, sign: int, tick: int, lots: int, *, post_only: bool = True
    ) -> tuple[str, int] | None:
        """Place a limit order: (order id, tick it rests at), None if it does not rest."""
        if tick <= 0 or lots <= 0:
            return None
        placed = self._place(now, sign, tick, lots, TimeInForce.GTC, post_only)
        if not isinstance(placed, Placed) or placed.order.state is not OrderState.OPEN:
            return None
        return placed.order.order_id, round(placed.order.price / self.instrument.tick)

    def move(self, now: Nanos, order_id: str, tick: int) -> int | None:
        """Re-price a post-only order: the tick it rests at now, None if it is gone."""
        if tick <= 0:
            return None
        edit = OrderEdit(price=on_grid(tick, self.instrument.tick))
        placed = self.exchange.edit(now, self.account, order_id, edit)
        if not isinstance(placed, Placed) or placed.order.state is not OrderState.OPEN:
            return None
        return round(placed.order.price / self.instrument.tick)

    def reduce(self, now: Nanos, order_id: str, lots: int) -> bool:
        """Take lots off an order, which keeps its place, or cancel it when nothing is left."""
        order = self.exchange.order(self.account, order_id)
        if isinstance(order, Refused):
            return False
        step = self.instrument.amount_step
        left = order.amount - order.filled_amount - on_grid(lots, step)
        if left < step / 2.0:
            return self.cancel(now, order_id)
        edit = OrderEdit(amount=on_grid(round((order.amount - lots * step) / step), step))
        return not isinstance(self.exchange.edit(now, self.account, order_id, edit), Refused)

    def cancel(self, now: Nanos, order_id: str) -> bool:
        """Take an order back; False if it is gone."""
        return not isinstance(self.exchange.cancel(now, self.account, order_id), Refused)

    def take(self, now: Nanos, sign: int, tick: int, lots: int) -> int:
        """Trade at once up to a limit: the lots traded."""
        if tick <= 0 or lots <= 0:
            return 0
        placed = self._place(now, sign, tick, lots, TimeInForce.IOC, post_only=False)
        if not isinstance(placed, Placed):
            return 0
        return round(placed.order.filled_amount / self.instrument.amount_step)

    def sweep(self, now: Nanos, sign: int, bps: float) -> int:
        """Take everything within this distance of the best price: the lots traded."""
        best = self.best(-sign)
        if best is None:
            return 0
        limit = max(1, round(best * (1.0 + sign * bps * BPS)))
        return self.take(now, sign, limit, self.lots_from(-sign, limit))

    def _place(
        self, now: Nanos, sign: int, tick: int, lots: int, lasting: TimeInForce, post_only: bool
    ) -> Placed | Refused | Held:
        request = OrderRequest(
            instrument=self.instrument.name,
            side=_side(sign),
            amount=on_grid(lots, self.instrument.amount_step),
            price=on_grid(tick, self.instrument.tick),
            time_in_force=lasting,
            post_only=post_only,
        )
        return self.exchange.place(now, self.account, request)


def _side(sign: int) -> Side:
    return Side.BUY if sign > 0 else Side.SELL
