"""The hedge: when a slice is due, through which instrument, and never through zero."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.risk.hedge import COOL_DOWN, EXPIRY, Hedger, Venue, route
from shared.kernel import Nanos
from shared.messages import Hedge, OrderChanged, OrderState, Purpose
from shared.params import RiskParams
from shared.units import MILLISECOND, MINUTE, SECOND, Side
from tests.unit.risk.scene import FUTURE, MARK, NOON, PERPETUAL, book, position, spec, usd

PARAMS = RiskParams()
DELAY = 2 * SECOND


def venue(btc: float, name: str = PERPETUAL, taker_fee: float = 0.0005, **of_book: Any) -> Venue:
    return Venue(
        spec=spec(name),
        position=position(NOON, btc, name),
        book=book(NOON, name, **of_book),
        mark=MARK,
        taker_fee=taker_fee,
    )


def ended(hedge: Hedge, state: OrderState = OrderState.FILLED) -> OrderChanged:
    return OrderChanged(
        ts=hedge.ts,
        instrument=hedge.instrument,
        label="mm",
        order_id="1",
        state=state,
        side=hedge.side,
        price=hedge.limit_price,
        amount=hedge.amount,
        filled=hedge.amount,
        purpose=Purpose.HEDGE,
        layer=0,
        quote_id=hedge.hedge_id,
        reason="",
        venue_ts=hedge.ts,
    )


def step(hedger: Hedger, after: int, btc: float, *, flatten: bool = False) -> Hedge | None:
    return hedger.step(Nanos(NOON + after), btc, [venue(btc)], PARAMS, flatten)


def test_nothing_happens_below_the_trigger() -> None:
    hedger = Hedger()

    assert step(hedger, 0, 0.24) is None
    assert step(hedger, MINUTE, 0.24) is None
    assert not hedger.busy


def test_the_trigger_must_be_exceeded_for_its_delay() -> None:
    hedger = Hedger()

    assert step(hedger, 0, 0.25) is None
    assert step(hedger, DELAY - 1, 0.25) is None
    hedge = step(hedger, DELAY, 0.25)

    assert hedge is not None
    assert hedge.side is Side.SELL
    assert hedge.amount == usd(0.05)
    assert hedge.expires == NOON + DELAY + EXPIRY


def test_a_dip_below_the_trigger_starts_the_delay_again() -> None:
    hedger = Hedger()
    step(hedger, 0, 0.25)
    step(hedger, SECOND, 0.24)
    step(hedger, SECOND + 1, 0.25)

    assert step(hedger, DELAY, 0.25) is None


def test_beyond_the_breach_limit_it_is_immediate() -> None:
    hedge = step(Hedger(), 0, -0.37)

    assert hedge is not None
    assert hedge.side is Side.BUY


def test_one_slice_at_a_time_and_the_interval_between() -> None:
    hedger = Hedger()
    first = step(hedger, 0, 0.40)
    assert first is not None

    assert step(hedger, 500 * MILLISECOND, 0.40) is None, "the first is not answered"
    hedger.answered(Nanos(NOON + 10 * MILLISECOND), ended(first))
    assert step(hedger, 299 * MILLISECOND, 0.35) is None, "the interval has not passed"
    assert step(hedger, 300 * MILLISECOND, 0.35) is not None


def test_slices_go_on_to_the_target_then_cool_down() -> None:
    hedger, held, now, slices = Hedger(), 0.40, 0, []
    while held > PARAMS.hedge_target_btc + 0.001:
        now += SECOND
        hedge = step(hedger, now, held)
        assert hedge is not None
        slices.append(hedge.amount)
        hedger.answered(Nanos(NOON + now), ended(hedge))
        held -= hedge.amount / MARK
    assert held == pytest.approx(PARAMS.hedge_target_btc, abs=0.0005)
    assert max(slices) <= usd(PARAMS.hedge_slice_btc)

    step(hedger, now, held)
    step(hedger, now + 1, 0.25)
    assert step(hedger, now + DELAY + 1, 0.25) is None, "cooling down"
    assert step(hedger, now + COOL_DOWN + 1, 0.25) is not None


def test_a_lost_answer_blocks_until_a_later_reconciliation() -> None:
    hedger = Hedger()
    assert step(hedger, 0, 0.40) is not None
    late = Nanos(NOON + 10 * SECOND)

    assert hedger.step(late, 0.40, [venue(0.40)], PARAMS, False) is None
    reconciled = Venue(
        spec=spec(), position=position(late, 0.40), book=book(late), mark=MARK, taker_fee=0.0005
    )
    assert hedger.step(late, 0.40, [reconciled], PARAMS, False) is not None


def test_the_late_end_of_a_slice_that_was_given_up_does_not_free_the_next_one() -> None:
    hedger = Hedger()
    given_up = step(hedger, 0, 0.40)
    assert given_up is not None
    late = Nanos(NOON + 10 * SECOND)
    reconciled = Venue(
        spec=spec(), position=position(late, 0.40), book=book(late), mark=MARK, taker_fee=0.0005
    )
    assert hedger.step(late, 0.40, [reconciled], PARAMS, False) is not None

    hedger.answered(late, ended(given_up, OrderState.CANCELLED))

    later = Nanos(late + 500 * MILLISECOND)
    assert hedger.step(later, 0.40, [reconciled], PARAMS, False) is None


def test_twenty_slices_a_minute_are_the_most() -> None:
    hedger, sent = Hedger(), 0
    for after in range(0, MINUTE, SECOND):
        hedge = step(hedger, after, 0.40)
        if hedge is not None:
            sent += 1
            hedger.answered(Nanos(NOON + after), ended(hedge, OrderState.CANCELLED))

    assert sent == 20


def test_flattening_goes_to_zero_at_once() -> None:
    hedge = step(Hedger(), 0, 0.02, flatten=True)

    assert hedge is not None
    assert hedge.amount == usd(0.02)


def test_only_an_instrument_that_holds_the_deviation_is_a_route() -> None:
    assert route(venue(-0.1), Side.SELL, 0.05, 3.0) is None
    assert route(venue(0.0), Side.SELL, 0.05, 3.0) is None
    assert route(venue(0.1), Side.SELL, 0.05, 3.0) is not None


def test_the_cheaper_route_wins_by_fee_and_by_depth() -> None:
    cheap_fee = [venue(0.3), venue(0.1, FUTURE, taker_fee=0.0001)]
    wide = tuple((MARK - 30 - i, 100_000.0) for i in range(10))
    wide_book = [venue(0.3), venue(0.1, FUTURE, bids=wide)]

    def chosen(venues: list[Venue]) -> str:
        hedge = Hedger().step(NOON, 0.40, venues, PARAMS, False)
        assert hedge is not None
        return hedge.instrument

    assert chosen(cheap_fee) == FUTURE
    assert chosen(wide_book) == PERPETUAL


def test_a_slice_never_exceeds_position_need_or_what_the_book_shows_within_the_slippage() -> None:
    thin = ((MARK - 0.5, 120.0), (MARK - 1.0, 500.0), (MARK - 100.0, 1e6))

    by_position = route(venue(0.01), Side.SELL, 0.05, 3.0)
    by_book = route(venue(0.3, bids=thin), Side.SELL, 0.05, 3.0)
    assert by_position is not None
    assert by_book is not None

    assert by_position.amount == usd(0.01)
    assert by_book.amount == 620.0
    assert by_book.limit_price >= (MARK - 0.5) * (1 - 3.0e-4)
    assert spec().is_on_tick(by_book.limit_price)


@given(
    held=st.floats(min_value=-1.0, max_value=1.0),
    need=st.floats(min_value=0.0002, max_value=1.0),
    side=st.sampled_from(Side),
)
def test_no_route_ever_crosses_zero_or_takes_more_than_needed(
    held: float, need: float, side: Side
) -> None:
    place = venue(held)
    offer = route(place, side, need, 50.0)
    if offer is None:
        return

    left = place.position.amount + side.sign * offer.amount
    assert left == 0 or (left > 0) == (place.position.amount > 0)
    assert offer.amount / MARK <= need * 1.0001
    assert offer.amount % place.spec.amount_step == 0
