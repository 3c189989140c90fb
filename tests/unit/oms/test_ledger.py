"""Fills to positions, held against a naive reference in exact fractions."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.oms.ledger import BadInventory, Ledger
from shared.deribit.codec import VenueTrade
from shared.instruments import Instrument, Payoff
from shared.kernel import Nanos
from shared.messages import Liquidity
from shared.units import Side

NAME = "BTC-PERPETUAL"


def spec(payoff: Payoff) -> Instrument:
    """An instrument with a payoff."""
    return Instrument(
        name=NAME,
        payoff=payoff,
        base="BTC",
        settlement="BTC",
        index="btc_usd",
        perpetual=True,
        expiry=Nanos(0),
        tick=0.5,
        contract_size=10.0,
        amount_step=10.0,
        maker_fee=0.0,
        taker_fee=0.0005,
    )


def trade(number: int, signed: float, price: float, **changes: Any) -> VenueTrade:
    """A trade of ours; the fee is a satoshi."""
    values: dict[str, Any] = {"trade_id": str(number), "trade_seq": number, "ts": Nanos(number)}
    values |= {"order_id": "7", "label": "", "instrument": NAME, "realized": 0.0, "fee": 1e-8}
    values |= {"liquidity": Liquidity.MAKER, "mark_price": price, "index_price": price}
    side = Side.BUY if signed > 0 else Side.SELL
    return VenueTrade(side=side, price=price, amount=abs(signed), **(values | changes))


def reference(trades: list[VenueTrade], payoff: Payoff) -> tuple[Fraction, Fraction, Fraction]:
    """(amount, average, realized) by average cost, lot by lot of one step, in exact arithmetic."""
    amount, average, realized = Fraction(0), Fraction(0), Fraction(0)
    for told in trades:
        price = Fraction(told.price)
        for _ in range(int(told.amount / 10)):
            step = 10 * told.side.sign
            if amount * step < 0:
                if payoff is Payoff.INVERSE:
                    realized += -step * (1 / average - 1 / price)
                else:
                    realized += -step * (price - average)
            elif payoff is Payoff.INVERSE:
                cost = (amount / average if amount else 0) + step / price
                average = (amount + step) / cost
            else:
                average = (amount * average + step * price) / (amount + step)
            amount += step
            average = average if amount else Fraction(0)
    return amount, average, realized


signed_amounts = st.integers(-20, 20).filter(bool).map(lambda lots: 10.0 * lots)
prices = st.integers(20_000, 140_000).map(lambda half: half / 2)
histories = st.lists(st.tuples(signed_amounts, prices), min_size=1, max_size=15).map(
    lambda rows: [trade(number, *row) for number, row in enumerate(rows)]
)


@given(history=histories, payoff=st.sampled_from(list(Payoff)))
def test_the_ledger_equals_the_naive_reference(history: list[VenueTrade], payoff: Payoff) -> None:
    ledger = Ledger()
    for told in history:
        assert ledger.book(told, spec(payoff))
    amount, average, realized = reference(history, payoff)
    held = ledger.holding(NAME)
    assert held.amount == float(amount)
    assert held.average_price == pytest.approx(float(average), rel=1e-9)
    assert held.realized == pytest.approx(float(realized), rel=1e-7, abs=1e-9)
    assert held.fees == pytest.approx(len(history) * 1e-8)
    assert held.fills == len(history)


@given(history=histories, data=st.data())
def test_the_order_of_fills_does_not_change_the_amount(
    history: list[VenueTrade], data: st.DataObject
) -> None:
    straight, shuffled = Ledger(), Ledger()
    for told in history:
        straight.book(told, None)
    for told in data.draw(st.permutations(history)):
        shuffled.book(told, None)
    assert straight.amounts() == shuffled.amounts()


@given(history=histories, data=st.data())
def test_telling_a_trade_again_changes_nothing(
    history: list[VenueTrade], data: st.DataObject
) -> None:
    once, often = Ledger(), Ledger()
    for told in history:
        once.book(told, None)
        often.book(told, None)
        again = data.draw(st.sampled_from(history[: history.index(told) + 1]))
        assert not often.book(again, None)
    assert once.holdings == often.holdings


@given(history=histories)
def test_a_stored_ledger_continues_as_if_never_stopped(history: list[VenueTrade]) -> None:
    whole, first = Ledger(), Ledger()
    half = len(history) // 2
    for told in history[:half]:
        first.book(told, None)
    second = Ledger()
    second.load(first.dump())
    for told in history:
        whole.book(told, None)
        second.book(told, None)
    assert second.holdings == whole.holdings


def test_an_adopted_position_keeps_profit_and_fees() -> None:
    ledger = Ledger()
    ledger.book(trade(1, 100.0, 50_000.0), None)
    ledger.book(trade(2, -100.0, 60_000.0), None)
    realized = ledger.holding(NAME).realized
    ledger.adopt(NAME, 40.0, 55_000.0)
    held = ledger.holding(NAME)
    assert (held.amount, held.average_price) == (40.0, 55_000.0)
    assert held.realized == realized == pytest.approx(100 / 50_000 - 100 / 60_000)


@pytest.mark.parametrize("signed", [50.0, -50.0, -150.0])
def test_a_position_adopted_without_an_average_is_entered_at_the_next_price(signed: float) -> None:
    ledger = Ledger()
    ledger.adopt(NAME, 100.0, 0.0)
    ledger.book(trade(1, signed, 60_000.0), None)
    held = ledger.holding(NAME)
    assert (held.amount, held.realized) == (100.0 + signed, 0.0)
    assert held.average_price == pytest.approx(60_000.0)


def test_mismatches_name_both_sides_and_only_where_they_differ() -> None:
    ledger = Ledger()
    ledger.book(trade(1, 100.0, 50_000.0), None)
    assert ledger.mismatches({NAME: 100.0}) == ()
    assert ledger.mismatches({NAME: 90.0}) == ((NAME, 100.0, 90.0),)
    assert ledger.mismatches({}) == ((NAME, 100.0, 0.0),)
    assert ledger.mismatches({NAME: 100.0, "other": 10.0}) == (("other", 0.0, 10.0),)


@pytest.mark.parametrize("stored", ["", "{}", "[]", '{"format":9}'])
def test_a_stored_inventory_that_cannot_be_read_says_so_and_changes_nothing(stored: str) -> None:
    ledger = Ledger()
    ledger.book(trade(1, 100.0, 50_000.0), None)
    with pytest.raises(BadInventory, match="stored inventory"):
        ledger.load(stored)
    assert ledger.amounts() == {NAME: 100.0}


def test_a_future_format_is_refused_by_its_number() -> None:
    ledger = Ledger()
    newer = ledger.dump().replace('"format":1', '"format":2')
    with pytest.raises(BadInventory, match="format 2"):
        ledger.load(newer)


def test_memory_of_trades_is_bounded_and_keeps_the_newest() -> None:
    ledger = Ledger()
    trades = [trade(number, 10.0, 50_000.0) for number in range(25_000)]
    for told in trades:
        ledger.skip(told)
    assert ledger.has(trades[-1])
    assert not ledger.has(trades[0])


def test_an_exchange_that_numbers_from_the_start_again_is_still_counted() -> None:
    ledger = Ledger()
    assert ledger.book(trade(1, 100.0, 50_000.0), None)
    assert ledger.book(trade(1, 100.0, 50_000.0, ts=Nanos(9_000_000)), None)
    assert ledger.amounts() == {NAME: 200.0}
