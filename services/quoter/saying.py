"""What is said of a decision, and when it is worth saying."""

from services.quoter.decision import Wanted
from services.quoter.desk import Desk
from services.quoter.gates import Refusal
from shared.kernel import Nanos
from shared.messages import NoQuote, Quote
from shared.params import Params
from shared.units import SECOND, from_ms

NO_QUOTE_EVERY = SECOND


def quote_of(
    now: Nanos,
    desk: Desk,
    wanted: Wanted,
    quote_id: int,
    trigger: str,
    params: Params,
    params_version: int,
) -> Quote:
    """The decision as the oms hears it; it is good for as long as any word."""
    assert desk.book is not None
    return Quote(
        ts=now,
        instrument=desk.instrument,
        quote_id=quote_id,
        trigger=trigger,
        levels=wanted.ladder.levels,
        fair=wanted.stance.mid,
        reservation=wanted.stance.reservation,
        half_spread=wanted.stance.half_spread,
        sigma=wanted.sigma,
        valid_until=Nanos(now + from_ms(params.risk.word_ms)),
        change_id=desk.book.change_id,
        book_ts=desk.book.ts,
        book_seen=desk.book.seen,
        params_version=params_version,
        withheld=wanted.ladder.withheld,
    )


def no_quote_of(now: Nanos, desk: Desk, refusal: Refusal, quote_id: int) -> NoQuote:
    """The refusal as the oms hears it."""
    return NoQuote(
        ts=now,
        instrument=desk.instrument,
        quote_id=quote_id,
        reason=refusal.reason,
        detail=refusal.detail,
        book_seen=desk.book.seen if desk.book is not None else Nanos(0),
    )


def is_news(message: Quote | NoQuote, said: Quote | NoQuote | None, now: Nanos) -> bool:
    """Whether consumers must hear this: it differs, or what they have is half through its life."""
    if isinstance(message, Quote) and isinstance(said, Quote):
        worn = now - said.ts >= (said.valid_until - said.ts) // 2
        return worn or _asked(message) != _asked(said)
    if isinstance(message, NoQuote) and isinstance(said, NoQuote):
        return message.reason != said.reason or now - said.ts >= NO_QUOTE_EVERY
    return True


def _asked(quote: Quote) -> tuple[object, ...]:
    """What a quote asks for, without why."""
    return tuple((level.side, level.price, level.amount) for level in quote.levels)
