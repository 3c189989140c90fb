"""A stint: a probe at work on an exchange, with its account, its two quotes and its fills."""

from functools import partial

import msgspec

from backtest.observer import Observer
from calibration.probes import SIZE_USD, Probe, View, Wish
from calibration.record import Print
from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.events import UserTraded
from mock_deribit.exchange.messages import OrderRequest, Placed, TimeInForce
from mock_deribit.market.agenda import Agenda
from shared.kernel import Nanos
from shared.units import BPS, Side, on_grid

_TAKE_BPS = 5.0


class _Quote(msgspec.Struct):
    order_id: str
    tick: int
    usd: float


class Stint:
    """Carries out what a probe wishes, late by its latency on the way in and out."""

    def __init__(
        self, probe: Probe, exchange: Exchange, observer: Observer, agenda: Agenda
    ) -> None:
        self._probe = probe
        self._exchange = exchange
        self._observer = observer
        self._agenda = agenda
        self._instrument = observer.record.instrument
        self._tick = observer.record.tick
        self._quotes: dict[int, _Quote] = {}
        self._position = 0.0
        self.fills: list[Print] = []

    def begin(self, now: Nanos) -> None:
        """The first decision."""
        self._agenda.at(now, self._decide)

    def hear(self, event: UserTraded) -> None:
        """Fills of this account."""
        for fill in event.trades:
            trade, sign = fill.trade, fill.side.sign
            self.fills.append(Print(event.ts, sign, trade.price, trade.amount))
            self._position += sign * trade.amount
            quote = self._quotes.get(sign)
            if quote is not None and quote.order_id == fill.order_id:
                quote.usd -= trade.amount
                if quote.usd < 1.0:
                    del self._quotes[sign]

    def _decide(self, now: Nanos) -> None:
        bid, ask = self._others(1), self._others(-1)
        if bid is not None and ask is not None:
            wish = self._probe.decide(View(now, bid, ask, self._position))
            self._agenda.at(Nanos(now + 2 * self._probe.latency), partial(self._act, wish))
        self._agenda.at(Nanos(now + self._probe.pause), self._decide)

    def _others(self, sign: int) -> float | None:
        quote = self._quotes.get(sign)
        if quote is None:
            return self._observer.beside(sign, 0.0, 0.0)
        return self._observer.beside(sign, on_grid(quote.tick, self._tick), quote.usd)

    def _act(self, wish: Wish, now: Nanos) -> None:
        self._quote(now, 1, wish.bid)
        self._quote(now, -1, wish.ask)
        best = self._exchange.best(self._instrument)[1 if wish.take > 0 else 0]
        if wish.take and best is not None:
            limit = best * (1.0 + wish.take * _TAKE_BPS * BPS)
            self._place(now, wish.take, round(limit / self._tick), rests=False)

    def _quote(self, now: Nanos, sign: int, price: float | None) -> None:
        tick = None if price is None else round(price / self._tick)
        held = self._quotes.get(sign)
        if held is not None:
            if tick is not None and abs(held.tick - tick) <= tick * self._probe.leeway_bps * BPS:
                return
            del self._quotes[sign]
            self._exchange.cancel(now, self._probe.name, held.order_id)
        if tick is not None:
            self._place(now, sign, tick, rests=True)

    def _place(self, now: Nanos, sign: int, tick: int, *, rests: bool) -> None:
        request = OrderRequest(
            instrument=self._instrument,
            side=Side.BUY if sign > 0 else Side.SELL,
            amount=SIZE_USD,
            price=on_grid(tick, self._tick),
            time_in_force=TimeInForce.GTC if rests else TimeInForce.IOC,
            post_only=rests,
        )
        placed = self._exchange.place(now, self._probe.name, request)
        if isinstance(placed, Placed) and rests:
            at = round(placed.order.price / self._tick)
            self._quotes[sign] = _Quote(placed.order.order_id, at, SIZE_USD)
