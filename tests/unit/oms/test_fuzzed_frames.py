"""Frames that are broken at random, under quotes and trades: nothing ends, and no fill is ever invented.

A frame is cut short, or one of its members is missing, of another type or an impossible figure. What cannot
be understood is an anomaly and changes nothing; once the line is honest again the fills are the exchange's.
"""

import json
from typing import Any

import pytest

from mock_deribit.market.still import StillMarket
from shared.messages import NoQuote
from shared.randomness import Stream
from shared.units import Side
from tests.unit.oms.line import LATENCY, PERPETUAL
from tests.unit.oms.rig import Rig

JUNK: tuple[Any, ...] = (None, [], {}, "", "x", "nan", "1e999", -1, 0, True, [[]], {"x": 1}, "-5")
VITAL = (b"subscribe", b"heartbeat", b"access_token", b'"ok"', b"cancel_on_disconnect")
"""The opening of a session is its own tests' affair; without it nothing would be seen here."""


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document that can be broken."""
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(p for key, below in inner for p in places(below, (*path, key)))]


def broken(draws: Stream, frame: bytes) -> bytes:
    """The frame with one thing wrong with it."""
    if draws.chance(0.1):
        return frame[: draws.below(len(frame))]
    document = json.loads(frame)
    path = draws.choice(places(document)[1:])
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    if draws.chance(0.3) and isinstance(holder, dict):
        del holder[path[-1]]
    else:
        holder[path[-1]] = draws.choice(JUNK)
    return json.dumps(document).encode()


class Fuzzed(Rig):
    """A rig on a line that breaks frames."""

    def __init__(self, seed: int) -> None:
        self.draws = Stream(f"{seed}|fuzz")
        self.share = 0.0
        super().__init__(market=StillMarket(amount_usd=100.0))

    def _believed(self, data: bytes) -> bytes:
        data = super()._believed(data)
        if not self.draws.chance(self.share) or any(word in data for word in VITAL):
            return data
        return broken(self.draws, data)


@pytest.mark.parametrize("seed", [1, 2, 7, 10, 17, 23, 59, 67])
def test_no_broken_frame_ends_it_or_makes_it_count_what_never_traded(seed: int) -> None:
    rig = Fuzzed(seed)
    rig.live()
    rig.share = 0.3
    for turn in range(150):
        away = 0.5 * rig.draws.below(8)
        rig.quote(59_999.0 - away, 60_001.0 + away, 100.0 * (1 + rig.draws.below(5)))
        if rig.draws.chance(0.5):
            side = Side.BUY if turn % 2 else Side.SELL
            rig.sweep(side, 60_000.0 + side.sign * 6.0, 100.0 * (1 + rig.draws.below(10)))
        rig.pass_time(rig.draws.uniform(0.0, 0.1))
        assert rig.halts == []
        real = {t.trade.trade_id: t.trade.amount for t in rig.account()["trades"]}
        assert all(real.get(fill.trade_id) == fill.amount for fill in rig.fills())
    rig.share = 0.0
    rig.tell(NoQuote(ts=rig.now, instrument=PERPETUAL, quote_id=0, reason="x", detail=""))
    rig.cut()
    rig.until(lambda: rig.oms.drained and not rig.book(), 30.0)
    settled = rig.now
    rig.until(lambda: rig.position().reconciled > settled + LATENCY, 30.0)
    told = sorted((fill.trade_id, fill.amount) for fill in rig.fills())
    assert told == sorted((t.trade.trade_id, t.trade.amount) for t in rig.account()["trades"])
    assert told
    assert rig.position().amount == rig.real_position()
