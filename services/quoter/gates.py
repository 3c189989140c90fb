"""The gates: every reason not to quote an instrument at all, in the order in which they are asked.

`GATES` is the table; the first gate with an answer wins, and its name is the reason of the `NoQuote`.
Reasons that silence one side only are in `ladder.py`.
"""

from collections.abc import Callable

import msgspec

from shared.instruments import BookState, Instrument
from shared.kernel import Nanos
from shared.messages import FeedState, FeedStatus, Lease, Mode, Ticker
from shared.params import Params
from shared.units import BPS, DAY, HOUR, MILLISECOND, SECOND

DISLOCATED_INDEX_BPS = 100.0
DISLOCATED_MARK_BPS = 50.0
REFERENCE_SPREAD_MAX_BPS = 20.0
CLOCK_OFFSET_MAX_MS = 250.0
LISTING_AGE_MAX = Nanos(10 * SECOND)
EXPIRY_SILENCE = HOUR
"""Averaging of the delivery price starts 30 minutes before expiry; we are out half an hour earlier."""
EXPIRY_REDUCING = DAY
SETTLEMENT_AT = Nanos(8 * HOUR)
SETTLEMENT_WINDOW = Nanos(30 * SECOND)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that the gates of one instrument look at. Prices in USD, volatility in USD/sqrt(s)."""

    now: Nanos
    params: Params
    lease: Lease | None
    inventory_doubt: str | None
    instrument: str
    spec: Instrument | None
    listed: Nanos
    status: FeedStatus | None
    best_bid: float | None
    best_ask: float | None
    ticker: Ticker | None
    sigma: float
    observed_s: float

    @property
    def mid(self) -> float:
        """Mid of the others; asked only behind the book gate."""
        assert self.best_bid is not None
        assert self.best_ask is not None
        return (self.best_bid + self.best_ask) / 2.0


def _mode(facts: Facts) -> str | None:
    if facts.lease is None:
        return None
    if facts.lease.mode in (Mode.PAUSED, Mode.KILLED):
        return f"{facts.lease.mode}: {facts.lease.reason}"
    if facts.instrument in facts.lease.paused:
        return "paused by the operator"
    return None


def _lease(facts: Facts) -> str | None:
    if facts.lease is None:
        return "none was ever granted"
    if not facts.lease.granted:
        return facts.lease.reason
    if facts.lease.until <= facts.now:
        return f"ran out {_ms(facts.now - facts.lease.until)} ms ago"
    return None


def _position_unknown(facts: Facts) -> str | None:
    return facts.inventory_doubt


def _no_instrument(facts: Facts) -> str | None:
    if facts.spec is None:
        return "never listed"
    if facts.now - facts.listed > LISTING_AGE_MAX:
        return f"not listed for {_ms(facts.now - facts.listed)} ms"
    return None


def _book(facts: Facts) -> str | None:
    if facts.status is None:
        return "no word on the feed yet"
    if facts.status.state is not FeedState.LIVE:
        return f"{facts.status.state}: {facts.status.reason}"
    if facts.best_bid is None or facts.best_ask is None:
        return "a side without other orders than ours"
    return None


def _stale_book(facts: Facts) -> str | None:
    assert facts.status is not None
    silent = facts.now - min(facts.status.heard, facts.status.ts)
    if silent > facts.params.marketdata.stale_ms * MILLISECOND:
        return f"nothing heard for {_ms(silent)} ms"
    return None


def _clock(facts: Facts) -> str | None:
    assert facts.status is not None
    offset_ms = facts.status.clock_offset_ms
    if abs(offset_ms) > CLOCK_OFFSET_MAX_MS:
        return f"the venue's clock is {offset_ms:+.0f} ms from ours"
    return None


def _stale_ticker(facts: Facts) -> str | None:
    if facts.ticker is None:
        return "no ticker yet"
    age = facts.now - facts.ticker.seen
    if age > facts.params.marketdata.ticker_stale_ms * MILLISECOND:
        return f"{_ms(age)} ms old"
    return None


def _not_open(facts: Facts) -> str | None:
    assert facts.ticker is not None
    return None if facts.ticker.state is BookState.OPEN else str(facts.ticker.state)


def _dislocated(facts: Facts) -> str | None:
    """A dated future stands away from the index by its basis, which its mark knows."""
    assert facts.ticker is not None
    assert facts.spec is not None
    references = [("mark", facts.ticker.mark_price, DISLOCATED_MARK_BPS)]
    if facts.spec.perpetual:
        references.append(("index", facts.ticker.index_price, DISLOCATED_INDEX_BPS))
    for name, reference, limit_bps in references:
        away_bps = (facts.mid - reference) / reference / BPS
        if abs(away_bps) > limit_bps:
            return f"mid {facts.mid:.2f} is {away_bps:+.0f} bp from {name} {reference:.2f}"
    return None


def _warmup(facts: Facts) -> str | None:
    needed = facts.params.quoter.warmup_s
    if facts.observed_s < needed:
        return f"{facts.observed_s:.0f} of {needed:.0f} s of book seen"
    return None


def _settlement(facts: Facts) -> str | None:
    away = abs(facts.now % DAY - SETTLEMENT_AT)
    return "daily settlement at 08:00 UTC" if away <= SETTLEMENT_WINDOW else None


def _expiry(facts: Facts) -> str | None:
    assert facts.spec is not None
    left = facts.spec.expiry - facts.now
    if not facts.spec.perpetual and left <= EXPIRY_SILENCE:
        return f"expires in {left / SECOND:.0f} s"
    return None


def _sigma_ceiling(facts: Facts) -> str | None:
    ceiling = facts.params.quoter.sigma_ceiling
    if facts.sigma > ceiling:
        return f"{facts.sigma:.1f} above {ceiling:.1f} USD per square root of a second"
    return None


def _no_reference(facts: Facts) -> str | None:
    assert facts.best_bid is not None
    assert facts.best_ask is not None
    spread_bps = (facts.best_ask - facts.best_bid) / facts.mid / BPS
    if spread_bps > REFERENCE_SPREAD_MAX_BPS:
        return f"market spread {spread_bps:.1f} bp"
    return None


GATES: tuple[tuple[str, Callable[[Facts], str | None]], ...] = (
    ("mode", _mode),
    ("lease", _lease),
    ("position_unknown", _position_unknown),
    ("no_instrument", _no_instrument),
    ("book", _book),
    ("stale_book", _stale_book),
    ("clock", _clock),
    ("stale_ticker", _stale_ticker),
    ("not_open", _not_open),
    ("dislocated", _dislocated),
    ("warmup", _warmup),
    ("settlement", _settlement),
    ("expiry", _expiry),
    ("sigma_ceiling", _sigma_ceiling),
    ("no_reference", _no_reference),
)


class Refusal(msgspec.Struct, frozen=True):
    """Nothing is wanted: the gate's name and what it saw."""

    reason: str
    detail: str


def first_refusal(facts: Facts) -> Refusal | None:
    """The first gate that is shut, None when all are open."""
    for reason, gate in GATES:
        detail = gate(facts)
        if detail is not None:
            return Refusal(reason, detail)
    return None


def _ms(duration: int) -> int:
    return duration // MILLISECOND
