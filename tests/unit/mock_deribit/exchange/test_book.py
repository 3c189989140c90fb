"""The book against a naive one: price-time priority, totals, and the changes it tells."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from mock_deribit.exchange.book import ASK, BID, Book
from mock_deribit.exchange.listing import btc_listings
from mock_deribit.exchange.messages import OrderType, TimeInForce
from mock_deribit.exchange.order import Order
from shared.kernel import Nanos
from tests.support.floor import OPENING

INSTRUMENT = btc_listings(OPENING)[0].instrument


def order(number: int, sign: int, tick: int, lots: int) -> Order:
    return Order(
        number=number,
        order_id=str(number),
        account="a",
        instrument=INSTRUMENT,
        sign=sign,
        tick=tick,
        price=0.5 * tick,
        lots=lots,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        post_only=False,
        reject_post_only=False,
        reduce_only=False,
        label="",
        created=Nanos(0),
        updated=Nanos(0),
    )


@dataclass
class Naive:
    """A list in order of arrival; everything else is looked up by sorting it."""

    orders: list[Order] = field(default_factory=list)

    def ranked(self, half: int) -> list[Order]:
        mine = [o for o in self.orders if o.sign == half]
        return sorted(mine, key=lambda o: (-half * o.tick, o.number))

    def depth(self, half: int) -> list[tuple[int, int]]:
        totals: dict[int, int] = {}
        for resting in self.ranked(half):
            totals[resting.tick] = totals.get(resting.tick, 0) + resting.remaining
        return list(totals.items())


acts = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "remove", "reduce"]),
        st.sampled_from([BID, ASK]),
        st.integers(100, 108),
        st.integers(1, 9),
        st.integers(0, 1_000),
    ),
    max_size=60,
)


@given(acts)
def test_the_book_agrees_with_a_sorted_list_after_every_act(
    script: list[tuple[str, int, int, int, int]],
) -> None:
    book, naive = Book(), Naive()
    told: dict[int, dict[int, int]] = {BID: {}, ASK: {}}
    for number, (act, half, tick, lots, pick) in enumerate(script):
        if act == "add":
            naive.orders.append(order(number, half, tick, lots))
            book.add(naive.orders[-1])
        elif naive.orders:
            resting = naive.orders[pick % len(naive.orders)]
            cut = min(lots, resting.remaining) if act == "reduce" else resting.remaining
            book.reduce(resting, cut)
            resting.lots -= cut
            if not resting.remaining:
                naive.orders.remove(resting)
        for side in (BID, ASK):
            assert [o.number for o in book.reach(-side, -side * 10**9)] == [
                o.number for o in naive.ranked(side)
            ]
            assert list(book.depth(side)) == naive.depth(side)
            best = naive.depth(side)[0][0] if naive.depth(side) else None
            assert book.best(side) == best
            changed = book.bids if side == BID else book.asks
            for at, before, total in changed.take_changes():
                assert told[side].get(at, 0) == before != total
                told[side][at] = total
            assert {t: n for t, n in told[side].items() if n} == dict(naive.depth(side))


def test_a_level_that_comes_and_goes_within_one_request_is_not_told() -> None:
    book = Book()
    fleeting = order(1, BID, 100, 5)
    book.add(fleeting)
    book.remove(fleeting)
    assert book.bids.take_changes() == []


def test_a_reduction_keeps_the_place_in_the_queue() -> None:
    book = Book()
    first, second = order(1, ASK, 100, 5), order(2, ASK, 100, 5)
    book.add(first)
    book.add(second)
    book.reduce(first, 3)
    assert book.queue(ASK, 100) == (first, second)
    assert book.lots_at(ASK, 100) == 7


def test_an_order_reaches_only_prices_at_its_limit_or_better() -> None:
    book = Book()
    for number, tick in enumerate((103, 101, 102)):
        book.add(order(number, ASK, tick, 1))
    assert [o.tick for o in book.reach(BID, 102)] == [101, 102]
    assert book.crosses(BID, 101)
    assert not book.crosses(BID, 100)
