"""The tape: book frames as Deribit writes them, and which of them force a requote.

A full-depth book of `DEPTH` levels a side, 2 USD apart, around a centre. Most frames change the amounts of
a few levels near the top, as on the exchange; every fifth moves the best price by half a dollar, which no
quote follows. A *move* shifts the centre, and with it every quote. Centres come in a tour of eleven, so
that a quoted price names the centre, and thereby the frame, that it answers: an order that comes late is
never credited to a younger frame, unless it is eleven moves late.
"""

import msgspec

from shared.randomness import Stream

INSTRUMENT = "BTC-PERPETUAL"
BASE = 86_000.0
"""The price in the middle of all centres, USD; the index and the mark stand here."""
CENTRE_STEP = 4.0
TOUR = (0, 2, 4, 6, 8, 10, 9, 7, 5, 3, 1)
SPACING = 2.0
DEPTH = 50
TOUCHED_BEST_EVERY = 5

Side = dict[float, float]
Step = tuple[str, float, float]


class Frame(msgspec.Struct, frozen=True):
    """The bytes of a book frame; `centre` is the index of the centre it moves to, None for no move."""

    data: bytes
    centre: int | None


def centre_price(centre: int) -> float:
    """USD."""
    return BASE + (centre - TOUR[len(TOUR) // 2]) * CENTRE_STEP


class Tape:
    """Endless frames of one instrument's book channel, one chain of change ids, deterministic in its seed."""

    def __init__(self, seed: str, interval: str = "100ms") -> None:
        self._draw = Stream(f"{seed}|bench|tape")
        self._channel = f"book.{INSTRUMENT}.{interval}"
        self._change_id = 1_000
        self._place = 0
        self._centre = centre_price(TOUR[0])
        amounts = [self._amount() for _ in range(2 * DEPTH)]
        self._bids: Side = {self._rung(-1, k): amounts[k] for k in range(DEPTH)}
        self._asks: Side = {self._rung(+1, k): amounts[DEPTH + k] for k in range(DEPTH)}

    def snapshot(self, ts_ms: int) -> bytes:
        """The whole book as it stands: a chain starts anew with it at any time."""
        bids: list[Step] = [("new", price, self._bids[price]) for price in sorted(self._bids)[::-1]]
        asks: list[Step] = [("new", price, self._asks[price]) for price in sorted(self._asks)]
        return self._encoded({"type": "snapshot"}, ts_ms, bids, asks)

    def frames(self, count: int, moves: int, ts_ms: int, rate: float) -> list[Frame]:
        """The next `count` frames at `rate` a second from `ts_ms` on; `moves` of them, spread, are moves."""
        if not 0 <= moves <= count:
            raise ValueError(f"expected 0 to {count} moves among {count} frames, came {moves}")
        movers = self._spread(count, moves)
        made = []
        for index in range(count):
            at_ms = ts_ms + int(index * 1000 / rate)
            if index in movers:
                made.append(self._move(at_ms))
            elif index % TOUCHED_BEST_EVERY == 0:
                made.append(Frame(self._changed(at_ms, *self._touch_best()), None))
            else:
                made.append(Frame(self._changed(at_ms, *self._resize()), None))
        return made

    def _spread(self, count: int, moves: int) -> dict[int, None]:
        """One move somewhere in the middle half of each of `moves` equal parts of the frames."""
        part = count / max(moves, 1)
        drawn = [(k + self._draw.uniform(0.25, 0.75)) * part for k in range(moves)]
        return {min(int(index), count - 1): None for index in drawn}

    def _move(self, ts_ms: int) -> Frame:
        self._place = (self._place + 1) % len(TOUR)
        centre = TOUR[self._place]
        self._centre = centre_price(centre)
        bids = self._recentre(self._bids, -1)
        asks = self._recentre(self._asks, +1)
        return Frame(self._changed(ts_ms, bids, asks), centre)

    def _recentre(self, side: Side, sign: int) -> list[Step]:
        """Take away what now stands on the wrong side of the centre, and fill up to it."""
        best = self._rung(sign, 0)
        steps: list[Step] = []
        for price in sorted(side):
            if sign * price < sign * best:
                del side[price]
                steps.append(("delete", price, 0.0))
        rung = 0
        while (price := self._rung(sign, rung)) not in side:
            steps.append(self._set(side, price))
            rung += 1
        return steps

    def _touch_best(self) -> tuple[list[Step], list[Step]]:
        """Half a dollar nearer on one side, or back again."""
        sign = self._draw.sign()
        side = self._bids if sign < 0 else self._asks
        price = self._centre + sign * 0.5
        if price in side:
            del side[price]
            step = ("delete", price, 0.0)
        else:
            step = self._set(side, price)
        return ([step], []) if sign < 0 else ([], [step])

    def _resize(self) -> tuple[list[Step], list[Step]]:
        """Two to six of the ten best levels get another amount."""
        bids: dict[float, Step] = {}
        asks: dict[float, Step] = {}
        for _ in range(2 + self._draw.below(5)):
            sign, rung = self._draw.sign(), self._draw.below(DEPTH // 5)
            side, steps = (self._bids, bids) if sign < 0 else (self._asks, asks)
            price = self._rung(sign, rung)
            steps[price] = self._set(side, price)
        return list(bids.values()), list(asks.values())

    def _set(self, side: Side, price: float) -> Step:
        action = "change" if price in side else "new"
        side[price] = self._amount()
        return action, price, side[price]

    def _amount(self) -> float:
        """Far more than an order of ours, so that a level is never taken for our own."""
        return 20_000.0 + 10.0 * self._draw.below(10_000)

    def _rung(self, sign: int, k: int) -> float:
        return self._centre + sign * (1.0 + SPACING * k)

    def _changed(self, ts_ms: int, bids: list[Step], asks: list[Step]) -> bytes:
        before, self._change_id = self._change_id, self._change_id + 1 + self._draw.below(9)
        return self._encoded({"type": "change", "prev_change_id": before}, ts_ms, bids, asks)

    def _encoded(
        self, chain: dict[str, object], ts_ms: int, bids: list[Step], asks: list[Step]
    ) -> bytes:
        data = {
            **chain,
            "timestamp": ts_ms,
            "instrument_name": INSTRUMENT,
            "change_id": self._change_id,
            "bids": bids,
            "asks": asks,
        }
        params = {"channel": self._channel, "data": data}
        return msgspec.json.encode({"jsonrpc": "2.0", "method": "subscription", "params": params})
