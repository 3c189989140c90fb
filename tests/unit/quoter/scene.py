"""A quoter with everything it needs to quote, driven by a clock of its own."""

from typing import Any

import msgspec

from services.quoter.core import Quoter
from shared.instruments import BookState, Instrument, Payoff
from shared.kernel import Effect, Event, Message, Nanos, Publish, Started, Wake, WakeAt
from shared.messages import (
    Book,
    FeedState,
    FeedStatus,
    InstrumentListed,
    Lease,
    Mode,
    NoQuote,
    Position,
    Quote,
    Ticker,
)
from shared.params import Params, change_params
from shared.units import DAY, HOUR, MILLISECOND, SECOND, from_seconds

MIDNIGHT = Nanos(20_454 * DAY)
NOON = Nanos(MIDNIGHT + 12 * HOUR)
PERPETUAL = "BTC-PERPETUAL"
DATED = "BTC-26JUN26"
TENTH = Nanos(100 * MILLISECOND)
FOREVER = Nanos(32_503_708_800 * SECOND)


def spec_of(name: str = PERPETUAL, **changes: Any) -> Instrument:
    """A listed instrument: the perpetual, or a dated future that expires in 30 days."""
    spec = Instrument(
        name=name,
        payoff=Payoff.INVERSE,
        base="BTC",
        settlement="BTC",
        index="btc_usd",
        perpetual=name == PERPETUAL,
        expiry=FOREVER if name == PERPETUAL else Nanos(MIDNIGHT + 30 * DAY + 8 * HOUR),
        tick=0.5 if name == PERPETUAL else 2.5,
        contract_size=10.0,
        amount_step=10.0,
        maker_fee=0.0,
        taker_fee=0.0005,
    )
    return msgspec.structs.replace(spec, **changes)


def params_of(changes: dict[str, Any]) -> Params:
    """Defaults with a short warm-up, then what the test asks for, by dotted name."""
    return change_params(Params(), {"quoter.warmup_s": 2.0, **changes})


class Scene:
    """Tells a quoter what a day of market tells it, and keeps all that it said."""

    def __init__(
        self,
        names: tuple[str, ...] = (PERPETUAL,),
        params: dict[str, Any] | None = None,
        at: Nanos = NOON,
    ) -> None:
        self.now = at
        self.names = names
        self.specs = {name: spec_of(name) for name in names}
        self.core = Quoter(params_of(params or {}))
        self.timers: dict[str, Nanos] = {}
        self.said: list[Message] = []
        self.mids = dict.fromkeys(names, 85_000.25)
        self.amounts = dict.fromkeys(names, 0.0)
        self.lease_changes: dict[str, Any] = {}
        self.status_changes: dict[str, Any] = {}
        self.ticker_changes: dict[str, Any] = {}
        self.tell(Started(incarnation=3))

    def tell(self, event: Event) -> list[Message]:
        """One event now; answers what was published because of it."""
        return self._take(self.core.handle(self.now, event))

    def _take(self, effects: list[Effect]) -> list[Message]:
        published = []
        for effect in effects:
            if isinstance(effect, WakeAt):
                self.timers[effect.timer] = effect.at
            elif isinstance(effect, Publish):
                published.append(effect.message)
        self.said += published
        return published

    def listing(self, name: str) -> InstrumentListed:
        """The instrument's card."""
        role = "perpetual" if name == PERPETUAL else "near"
        return InstrumentListed(ts=self.now, instrument=name, spec=self.specs[name], role=role)

    def book(self, name: str, spread: float = 0.5) -> Book:
        """Ten even levels a side around the scene's mid."""
        mid, tick = self.mids[name], self.specs[name].tick
        levels = range(10)
        return Book(
            ts=Nanos(self.now - 5 * MILLISECOND),
            instrument=name,
            change_id=self.now // MILLISECOND,
            seen=self.now,
            bids=tuple((mid - spread / 2 - n * tick, 10_000.0) for n in levels),
            asks=tuple((mid + spread / 2 + n * tick, 10_000.0) for n in levels),
        )

    def status(self, name: str) -> FeedStatus:
        """A live feed, unless the scene says otherwise."""
        values: dict[str, Any] = {"state": FeedState.LIVE, "reason": "", "heard": self.now}
        return FeedStatus(ts=self.now, instrument=name, **(values | self.status_changes))

    def ticker(self, name: str) -> Ticker:
        """Mark and index at the mid, a band 3 % around it."""
        mid = self.mids[name]
        values: dict[str, Any] = {
            "seen": self.now,
            "state": BookState.OPEN,
            "mark_price": mid,
            "index_price": mid,
            "min_price": mid * 0.97,
            "max_price": mid * 1.03,
        }
        return Ticker(ts=self.now, instrument=name, **(values | self.ticker_changes))

    def position(self, name: str, **changes: Any) -> Position:
        """The scene's amount, compared with the exchange just now."""
        values: dict[str, Any] = {
            "amount": self.amounts[name],
            "average_price": 85_000.0,
            "realized": 0.0,
            "fees": 0.0,
            "fills": 0,
            "working_buy": 0.0,
            "working_sell": 0.0,
            "version": 1,
            "reconciled": self.now,
        }
        return Position(ts=self.now, instrument=name, **(values | changes))

    def lease(self) -> Lease:
        """Two seconds of leave to quote, unless the scene says otherwise."""
        values: dict[str, Any] = {
            "number": self.now // MILLISECOND,
            "mode": Mode.ACTIVE,
            "granted": True,
            "reason": "",
            "until": Nanos(self.now + 2 * SECOND),
            "hard_limit": 0.3,
        }
        return Lease(ts=self.now, **(values | self.lease_changes))

    def pass_time(self, seconds: float, *, step: Nanos = TENTH) -> None:
        """Let time pass with an unchanged market, everybody's heartbeats and our own timers."""
        end = self.now + from_seconds(seconds)
        while self.now < end:
            self.now = Nanos(min(end, self.now + step))
            self.everybody_speaks()
            for timer, at in sorted(self.timers.items()):
                if at <= self.now:
                    del self.timers[timer]
                    self.tell(Wake(timer=timer))

    def everybody_speaks(self) -> None:
        """One round of data and events of every other service."""
        self.tell(self.lease())
        for name in self.names:
            self.tell(self.listing(name))
            self.tell(self.position(name))
            self.tell(self.ticker(name))
            self.tell(self.status(name))
            self.tell(self.book(name))

    def warm(self) -> "Scene":
        """Past the warm-up: the quoter quotes if it is allowed to."""
        self.pass_time(3.0)
        return self

    def last(self, name: str = PERPETUAL) -> Quote | NoQuote:
        """What was last said about an instrument."""
        spoken = [m for m in self.said if isinstance(m, Quote | NoQuote) and m.instrument == name]
        return spoken[-1]

    def quote(self, name: str = PERPETUAL) -> Quote:
        """The last word, which must be a quote."""
        last = self.last(name)
        assert isinstance(last, Quote), f"{last.reason}: {last.detail}"
        return last

    def refusal(self, name: str = PERPETUAL) -> str:
        """The reason of the last word, which must be a refusal."""
        last = self.last(name)
        assert isinstance(last, NoQuote), last
        return last.reason
