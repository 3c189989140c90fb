"""Those who trade the difference: the basis arbitrageur and the funding trader.

Both are slow and seldom move anything here, where every pit knows its fair price; they are what pulls a
future back that a user has pushed away, and what funding attracts.
"""

from collections.abc import Sequence
from functools import partial

from mock_deribit.exchange.engine import Exchange
from mock_deribit.market.agenda import Agenda
from mock_deribit.market.pit import Pit
from shared.kernel import Nanos
from shared.randomness import Stream
from shared.units import MILLISECOND, SECOND, from_seconds

_GAP_BPS = 2.5 + 2 * 3.5
_ARBITRAGE_USD = 20_000.0
_REACTION_MS = (20.0, 200.0)
_LOOKS = Nanos(SECOND)
_RATE_LEAST = 2e-4
_FUNDING_USD = 15_000.0
_FUNDING_SECONDS = 40.0


class Arbitrageur:
    """Sells what is dear and buys what is cheap of a perpetual and its dated futures."""

    def __init__(self, agenda: Agenda, perpetual: Pit, dated: Sequence[Pit], seed: str) -> None:
        self._agenda = agenda
        self._perpetual = perpetual
        self._dated = dated
        self._draws = Stream(f"{seed}|arbitrage|{perpetual.instrument.name}")
        self._looks = 0

    def start(self, now: Nanos) -> None:
        """Begin to look."""
        self._agenda.at(Nanos(now + _LOOKS), self._look)

    def _look(self, now: Nanos) -> None:
        self._looks += 1
        here = self._perpetual.gap_bps()
        for pit in self._dated:
            gap = pit.gap_bps() - here
            if abs(gap) > _GAP_BPS:
                draw = self._draws.fork(self._looks)
                late = Nanos(now + int(draw.uniform(*_REACTION_MS) * MILLISECOND))
                self._agenda.at(late, partial(self._trade, pit, 1 if gap < 0.0 else -1))
        self._agenda.at(Nanos(now + _LOOKS), self._look)

    def _trade(self, pit: Pit, sign: int, now: Nanos) -> None:
        pit.take(now, sign, _ARBITRAGE_USD)
        self._perpetual.take(now, -sign, _ARBITRAGE_USD)


class FundingTrader:
    """Takes the side that is paid while funding is high: the higher, the more."""

    def __init__(self, agenda: Agenda, exchange: Exchange, pit: Pit, seed: str) -> None:
        self._agenda = agenda
        self._exchange = exchange
        self._pit = pit
        self._draws = Stream(f"{seed}|funding|{pit.instrument.name}")

    def start(self, now: Nanos) -> None:
        """Begin to look."""
        self._agenda.at(self._next(now), self._look)

    def _next(self, now: Nanos) -> Nanos:
        return Nanos(now + from_seconds(self._draws.exponential(_FUNDING_SECONDS)))

    def _look(self, now: Nanos) -> None:
        rate = self._exchange.ticker(self._pit.instrument.name).current_funding or 0.0
        usd = _FUNDING_USD * abs(rate) / _RATE_LEAST * self._draws.uniform(0.5, 1.5)
        if abs(rate) > _RATE_LEAST:
            self._pit.take(now, -1 if rate > 0.0 else 1, usd)
        self._agenda.at(self._next(now), self._look)
