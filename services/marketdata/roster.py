"""The roster: asks the venue what is listed and how much is open in it, then chooses.

One round is get_instruments, then a ticker for each dated future that could be chosen; the choice is
made when the last of them is answered, refused or lost. A refused or lost list ends the round without
a choice.
"""

from services.marketdata.selection import BASE, Chosen, choose, dated
from shared.deribit.codec import VenueFault, decode_instruments, decode_ticker
from shared.deribit.outputs import Answered, Refused, Unanswered
from shared.deribit.requests import Request, get_instruments, get_ticker
from shared.instruments import Instrument
from shared.kernel import Nanos
from shared.params import MarketdataParams

TICKERS_MAX = 8
"""Nearest futures whose open interest is asked for."""

Answer = Answered | Refused | Unanswered


class Roster:
    """State of one round; `chosen` and `failure` are its outcome."""

    def __init__(self) -> None:
        self._listed: tuple[Instrument, ...] = ()
        self._open_interest: dict[str, float] = {}
        self._awaited: dict[str, None] = {}
        self.chosen: tuple[Chosen, ...] = ()
        self.failure: str | None = None

    def begin(self) -> Request:
        """Start a round over."""
        self._awaited = {}
        self.chosen, self.failure = (), None
        return get_instruments(BASE)

    def hear_listed(self, now: Nanos, answer: Answer) -> list[tuple[str, Request]]:
        """The list came: what to ask next, as (instrument, request)."""
        if not isinstance(answer, Answered):
            self.failure = f"get_instruments: {_why(answer)}"
            return []
        try:
            self._listed = decode_instruments(answer.result)
        except VenueFault as fault:
            self.failure = str(fault)
            return []
        names = [spec.name for spec in dated(self._listed, now)[:TICKERS_MAX]]
        self._awaited = dict.fromkeys(names)
        return [(name, get_ticker(name)) for name in names]

    def hear_ticker(self, now: Nanos, name: str, answer: Answer) -> None:
        """One of the tickers came, or did not: then the future counts as liquid."""
        self._awaited.pop(name, None)
        self._open_interest.pop(name, None)
        if isinstance(answer, Answered):
            try:
                ticker = decode_ticker(answer.result, seen=now)
            except VenueFault:
                return
            self._open_interest[name] = ticker.open_interest

    def settle(
        self,
        now: Nanos,
        kept: tuple[str, ...],
        params: MarketdataParams,
        held: tuple[str, ...] = (),
    ) -> bool:
        """Choose if nothing is awaited any more; True when that ended the round."""
        if self._awaited or self.failure is not None:
            return self.failure is not None
        chosen = choose(self._listed, self._open_interest, kept, now, params, held)
        if not any(one.spec.perpetual for one in chosen):
            self.failure = f"no inverse {BASE} perpetual among {len(self._listed)} listed"
        self.chosen = chosen
        return True


def _why(answer: Refused | Unanswered) -> str:
    if isinstance(answer, Refused):
        return f"refused, {answer.code} {answer.message}"
    return answer.why
