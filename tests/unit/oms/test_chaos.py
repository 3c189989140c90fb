"""The OMS on a line that loses, doubles, delays and cuts, under quotes and trades at random.

Whatever the line does, while it does it: at most one request of an order is in flight, and with every order
on the exchange's own book filled the net delta stays within the limit. Once the line is honest again: fills
and position are the exchange's, and nothing of ours is left. Told the same again, a new OMS says the same.
"""

from typing import Any

import msgspec
import pytest

from mock_deribit.faults import LoseAnswer
from mock_deribit.market.still import StillMarket
from services.oms.core import Oms
from shared.messages import NoQuote
from shared.messages.codec import encode
from shared.randomness import Stream
from shared.units import MILLISECOND, SECOND, Side
from tests.unit.oms.line import LATENCY, PERPETUAL
from tests.unit.oms.rig import Rig

ORDER_METHODS = (
    "private/buy",
    "private/sell",
    "private/edit",
    "private/cancel",
    "private/cancel_by_label",
    "private/get_order_state_by_label",
)
LIMIT = 0.03
MARK = 60_000.0
TIMEOUT = 3 * SECOND


class Request(msgspec.Struct, frozen=True):
    """A request of an order that has not been answered."""

    label: str
    sent: int


class Watched(Rig):
    """A rig that looks at the wire and at the exchange's book after every step."""

    def __init__(self, seed: int) -> None:
        self.in_flight: dict[int, Request] = {}
        self.draws = Stream(f"{seed}|chaos")
        self.loss, self.doubling, self.lateness_ms = 0.0, 0.0, 0.0
        # Almost nobody else is there, so that sweeps reach us.
        super().__init__(market=StillMarket(amount_usd=100.0))
        self.hard_limit = LIMIT
        self.tamper = self._mistreat

    def _mistreat(self, frame: bytes) -> list[int]:
        # Replies of the opening (login, subscriptions) always come: their loss is the session's affair.
        if b"order" not in frame and b"trade" not in frame:
            return [LATENCY]
        if self.draws.chance(self.loss):
            return []
        copies = 2 if self.draws.chance(self.doubling) else 1
        return [
            LATENCY + round(self.draws.uniform() * self.lateness_ms * 1e6) for _ in range(copies)
        ]

    def _carry_out(self, data: bytes) -> None:
        super()._carry_out(data)
        frame = self.sent[-1]
        if frame["method"] not in ORDER_METHODS:
            return
        label = self._label_of(frame["params"])
        for number, request in self.in_flight.items():
            alone = request.label != label or self.now - request.sent >= TIMEOUT
            assert alone, f"{frame} while {number} is in flight for {label}"
        self.in_flight[frame["id"]] = Request(label, self.now)

    def _label_of(self, params: dict[str, Any]) -> str:
        if "label" in params:
            return str(params["label"])
        labels = {c.order_id: c.label for c in self.changes() if c.order_id is not None}
        return labels[params["order_id"]]

    def tell(self, event: Any) -> None:
        data = getattr(event, "data", b"")
        if data.startswith(b"{") and b'"id"' in data:
            answer = msgspec.json.decode(data)
            self.in_flight.pop(answer.get("id"), None)
        if type(event).__name__ == "LinkDown":
            self.in_flight.clear()
        super().tell(event)
        self._within_the_limit()

    def _within_the_limit(self) -> None:
        net = self.real_position()
        for side in Side:
            working = sum(o.amount - o.filled_amount for o in self.book() if o.side is side)
            worst = net + side.sign * working
            assert abs(worst) / MARK <= LIMIT + 1e-9, f"{worst} USD if every {side} filled"


def act(rig: Watched) -> None:
    """Something happens: mostly quotes and sweeps, sometimes to the line, the lease or the quote."""
    draws = rig.draws
    dice = draws.below(100)
    if dice < 45:
        bid, ask = (None if draws.chance(0.1) else 0.5 * draws.below(10) for _ in Side)
        rig.quote(
            None if bid is None else MARK - 1.0 - bid,
            None if ask is None else MARK + 1.0 + ask,
            100.0 * (1 + draws.below(15)),
            layers=1 + draws.below(2),
        )
    elif dice < 80:
        side = Side.BUY if draws.chance(0.5) else Side.SELL
        price = MARK + side.sign * 0.5 * (1 + draws.below(12))
        rig.sweep(side, price, 100.0 * (1 + draws.below(20)))
    elif dice < 88:
        rig.loss = draws.below(3) * 0.25
        rig.doubling = draws.below(3) * 0.25
        rig.lateness_ms = draws.below(3) * 20.0
    elif dice < 90:
        rig.cut()
    elif dice < 92:
        method = ("private/buy", "private/edit", "private/cancel")[draws.below(3)]
        rig.fault(LoseAnswer(method=method))
    elif dice < 95:
        pull(rig)
    elif dice < 97:
        rig.lease(granted=False)
    else:
        rig.pass_time(draws.uniform(0.5, 4.0))


def pull(rig: Watched) -> None:
    """Nothing is wanted any more."""
    rig.tell(NoQuote(ts=rig.now, instrument=PERPETUAL, quote_id=0, reason="x", detail=""))


@pytest.mark.parametrize("seed", range(12))
def test_no_line_can_make_it_lose_a_fill_or_double_a_request_or_break_the_limit(seed: int) -> None:
    rig = Watched(seed)
    rig.live()
    for _ in range(250):
        act(rig)
        rig.pass_time(rig.draws.uniform(0.0, 0.05))
    rig.loss = rig.doubling = rig.lateness_ms = 0.0
    pull(rig)
    rig.until(lambda: rig.oms.drained and not rig.book(), 20.0)
    settled = rig.now
    rig.until(lambda: rig.position().reconciled > settled + 10 * MILLISECOND, 20.0)
    assert rig.book() == []
    told = sorted((fill.trade_id, fill.amount) for fill in rig.fills())
    real = [(t.trade.trade_id, t.trade.amount) for t in rig.account()["trades"]]
    assert told == sorted(real)
    assert real
    assert rig.position().amount == rig.real_position()
    assert rig.halts == []
    assert "position_mismatch" not in rig.anomalies()
    again = Oms(rig.params)
    for now, event, said in rig.journal:
        assert [encode(effect) for effect in again.handle(now, event)] == said
