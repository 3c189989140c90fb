"""A stage for the risk core: a clock that a test moves, and the messages of everybody else."""

from typing import Any, TypeVar

from services.risk.core import Risk
from shared.instruments import BookState, Instrument, Payoff
from shared.kernel import (
    Effect,
    Event,
    LinkUp,
    Nanos,
    Publish,
    Restored,
    Started,
    Store,
    Wake,
    WakeAt,
)
from shared.messages import (
    Account,
    Book,
    FeedState,
    FeedStatus,
    Filled,
    Health,
    InstrumentListed,
    Kill,
    Lease,
    Liquidity,
    Message,
    Pause,
    Position,
    Purpose,
    Resume,
    Ticker,
)
from shared.params import Params, RiskParams
from shared.units import DAY, HOUR, MILLISECOND, Side

PERPETUAL, FUTURE = "BTC-PERPETUAL", "BTC-25DEC26"
NOON = Nanos(20_000 * DAY + 12 * HOUR)
MARK = 60_000.0

M = TypeVar("M", bound=Message)


def spec(name: str = PERPETUAL, taker_fee: float = 0.0005) -> Instrument:
    """An inverse BTC contract."""
    return Instrument(
        name=name,
        payoff=Payoff.INVERSE,
        base="BTC",
        settlement="BTC",
        index="btc_usd",
        perpetual=name.endswith("PERPETUAL"),
        expiry=Nanos(0),
        tick=0.5,
        contract_size=10.0,
        amount_step=10.0,
        maker_fee=0.00015,
        taker_fee=taker_fee,
    )


def usd(btc: float, mark: float = MARK) -> float:
    """A tradable USD amount of about this many BTC at a mark."""
    return round(btc * mark / 10.0) * 10.0


def position(ts: Nanos, btc: float = 0.0, name: str = PERPETUAL, **changes: Any) -> Position:
    """A position of about this many BTC at the mark, reconciled now."""
    fields: dict[str, Any] = {
        "amount": usd(btc),
        "average_price": MARK if btc else 0.0,
        "realized": 0.0,
        "fees": 0.0,
        "fills": 0,
        "working_buy": 0.0,
        "working_sell": 0.0,
        "version": 1,
        "reconciled": ts,
    }
    return Position(ts=ts, instrument=name, **(fields | changes))


def account(ts: Nanos, equity: float = 1.0, **changes: Any) -> Account:
    """The exchange's view of the account."""
    fields: dict[str, Any] = {
        "balance": equity,
        "session_rpl": 0.0,
        "session_upl": 0.0,
        "initial_margin": 0.0,
        "maintenance_margin": 0.0,
        "available": equity,
        "delta_total": 0.0,
    }
    return Account(ts=ts, currency="BTC", equity=equity, **(fields | changes))


def book(ts: Nanos, name: str = PERPETUAL, mid: float = MARK, **changes: Any) -> Book:
    """Ten levels a side, 100,000 USD each, one dollar apart."""
    fields: dict[str, Any] = {
        "bids": tuple((mid - 0.5 - i, 100_000.0) for i in range(10)),
        "asks": tuple((mid + 0.5 + i, 100_000.0) for i in range(10)),
    }
    return Book(ts=ts, instrument=name, change_id=1, seen=ts, **(fields | changes))


def ticker(ts: Nanos, mark: float = MARK, name: str = PERPETUAL, **changes: Any) -> Ticker:
    """Mark and index the same."""
    fields: dict[str, Any] = {
        "state": BookState.OPEN,
        "index_price": mark,
        "min_price": mark * 0.98,
        "max_price": mark * 1.02,
    }
    return Ticker(ts=ts, instrument=name, seen=ts, mark_price=mark, **(fields | changes))


def fill(ts: Nanos, side: Side, amount: float, price: float, **changes: Any) -> Filled:
    """A trade of ours as a maker, without a fee."""
    fields: dict[str, Any] = {
        "instrument": PERPETUAL,
        "trade_id": f"t{ts}",
        "trade_seq": 1,
        "order_id": "o",
        "label": "mm",
        "fee": 0.0,
        "realized": 0.0,
        "liquidity": Liquidity.MAKER,
        "purpose": Purpose.QUOTE,
        "mark_price": price,
        "index_price": price,
        "seen": ts,
    }
    return Filled(ts=ts, side=side, amount=amount, price=price, **(fields | changes))


class Scene:
    """A risk core with everything around it alive, unless a test says otherwise."""

    def __init__(self, **risk: Any) -> None:
        self.risk = Risk(Params(risk=RiskParams(**risk)))
        self.now = NOON
        self.effects: list[Effect] = []
        self.timers: dict[str, Nanos] = {}
        self.state: dict[str, str] = {}

    def tell(self, event: Event) -> list[Effect]:
        """One event; its effects are kept, timers and stored state followed."""
        self.now = Nanos(self.now + 1)
        effects = list(self.risk.handle(self.now, event))
        for effect in effects:
            if isinstance(effect, WakeAt):
                self.timers[effect.timer] = effect.at
            elif isinstance(effect, Store):
                self.state[effect.key] = effect.value
        self.effects += effects
        return effects

    def start(self, stored: dict[str, str] | None = None) -> "Scene":
        """Restore and start; nothing else is up yet."""
        for key in self.risk.remembers:
            self.tell(Restored(key=key, value=(stored or {}).get(key)))
        self.tell(Started(incarnation=1))
        return self

    def alive(self, equity: float = 1.0, **btc: float) -> "Scene":
        """Links up, both instruments listed, live, reconciled; `perpetual`, `future`: BTC held."""
        self.tell(LinkUp(link="state"))
        self.tell(LinkUp(link="bus"))
        for name in (PERPETUAL, FUTURE):
            self.tell(listed(self.now, name))
            self.tell(ticker(self.now, name=name))
        self.hold(**btc)
        self.tell(account(self.now, equity))
        self.beat()
        return self

    def hold(self, perpetual: float = 0.0, future: float = 0.0) -> None:
        """Positions of so many BTC, reconciled now."""
        self.tell(position(self.now, perpetual, PERPETUAL))
        self.tell(position(self.now, future, FUTURE))

    def beat(self, *silent: str) -> None:
        """Heartbeats of everyone but the silent: marketdata with all feeds, oms, one feed."""
        for source in ("marketdata", "oms"):
            if source not in silent:
                self.tell(health(self.now, source))
        for name in (PERPETUAL, FUTURE):
            if name not in silent and "marketdata" not in silent:
                self.tell(feed(self.now, name))
                self.tell(book(self.now, name))

    def pass_time(self, nanos: int, *silent: str, beating: bool = True) -> None:
        """Let time pass in steps of 100 ms, with timers, and heartbeats unless silent."""
        end = self.now + nanos
        while self.now < end:
            self.now = Nanos(min(end, self.now + 100 * MILLISECOND))
            if beating:
                self.beat(*silent)
            for timer, at in sorted(self.timers.items(), key=lambda item: item[1]):
                if at <= self.now:
                    del self.timers[timer]
                    self.tell(Wake(timer=timer))

    def pass_to_next_timer(self, *silent: str) -> None:
        """Let time pass exactly to the timer that is due next; everyone but the silent beats before it."""
        timer = min(self.timers, key=self.timers.__getitem__)
        at = self.timers.pop(timer)
        self.beat(*silent)
        self.now = Nanos(max(self.now, at - 1))
        self.tell(Wake(timer=timer))

    def said(self, kind: type[M]) -> list[M]:
        """Everything of one type that was published."""
        found = [effect.message for effect in self.effects if isinstance(effect, Publish)]
        return [message for message in found if isinstance(message, kind)]

    def lease(self) -> Lease:
        """The last one published."""
        return self.said(Lease)[-1]


def health(ts: Nanos, source: str) -> Health:
    """A heartbeat."""
    return Health(ts=ts, source=source, ready=True, detail="", started=NOON, counters={})


def listed(ts: Nanos, name: str = PERPETUAL) -> InstrumentListed:
    """It is followed."""
    return InstrumentListed(ts=ts, instrument=name, spec=spec(name), role="perpetual")


def feed(ts: Nanos, name: str = PERPETUAL, **changes: Any) -> FeedStatus:
    """A live feed that was heard now."""
    fields: dict[str, Any] = {"state": FeedState.LIVE, "reason": "", "heard": ts}
    return FeedStatus(ts=ts, instrument=name, **(fields | changes))


def kill(ts: Nanos, flatten: bool = False) -> Kill:
    """The operator throws the switch."""
    return Kill(ts=ts, command_id="1", by="ana", reason="drill", flatten=flatten)


def resume(ts: Nanos, confirm: bool = False, instrument: str | None = None) -> Resume:
    """The operator lets it go on."""
    return Resume(ts=ts, command_id="2", by="ana", confirm=confirm, instrument=instrument)


def pause(ts: Nanos, instrument: str | None = None) -> Pause:
    """The operator holds it."""
    return Pause(ts=ts, command_id="3", by="ana", instrument=instrument)
