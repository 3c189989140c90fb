"""Which instruments are followed."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.marketdata.selection import choose, dated
from shared.instruments import BookState, Instrument, Payoff
from shared.kernel import Nanos
from shared.params import MarketdataParams
from shared.units import DAY, HOUR

NOW = Nanos(20_000 * DAY)


def future(name: str, days: float, **changes: Any) -> Instrument:
    spec = Instrument(
        name=name,
        payoff=Payoff.INVERSE,
        base="BTC",
        settlement="BTC",
        index="btc_usd",
        perpetual=False,
        expiry=Nanos(NOW + round(days * DAY)),
        tick=2.5,
        contract_size=10.0,
        amount_step=10.0,
        maker_fee=0.0,
        taker_fee=0.0005,
    )
    return msgspec.structs.replace(spec, **changes)


PERPETUAL = future("BTC-PERPETUAL", 100_000, perpetual=True)
LISTED = (
    PERPETUAL,
    future("DAY", 1),
    future("WEEK", 7),
    future("MONTH", 30),
    future("QUARTER", 90),
)


def names(
    *, kept: tuple[str, ...] = (), interest: dict[str, float] | None = None, **params: Any
) -> list[str]:
    chosen = choose(LISTED, interest or {}, kept, NOW, MarketdataParams(**params))
    return [one.spec.name for one in chosen]


def test_the_perpetual_and_the_two_nearest_futures_that_do_not_expire_soon() -> None:
    assert names() == ["BTC-PERPETUAL", "WEEK", "MONTH"]
    chosen = choose(LISTED, {}, (), NOW, MarketdataParams())
    assert [one.role for one in chosen] == ["perpetual", "near", "far"]


def test_the_number_of_futures_is_a_parameter() -> None:
    assert names(dated_futures=0) == ["BTC-PERPETUAL"]
    assert names(dated_futures=4) == ["BTC-PERPETUAL", "WEEK", "MONTH", "QUARTER"]


def test_a_future_with_hardly_any_open_interest_is_passed_over() -> None:
    interest = {"DAY": 5e6, "WEEK": 1e6, "MONTH": 40e6, "QUARTER": 300e6}
    assert names(interest=interest) == ["BTC-PERPETUAL", "MONTH", "QUARTER"]


def test_an_illiquid_future_is_taken_where_there_is_no_other() -> None:
    interest = {"WEEK": 0.0, "MONTH": 0.0, "QUARTER": 300e6}
    assert names(interest=interest) == ["BTC-PERPETUAL", "WEEK", "QUARTER"]


def test_where_nothing_is_known_or_nothing_is_open_the_nearest_count_as_liquid() -> None:
    assert names(interest=dict.fromkeys(("WEEK", "MONTH", "QUARTER"), 0.0)) == names()
    assert names(interest={"QUARTER": 300e6}) == names()


def test_what_is_followed_stays_when_interest_moves_elsewhere() -> None:
    interest = {"WEEK": 1e6, "MONTH": 40e6, "QUARTER": 300e6}
    assert names(interest=interest, kept=("WEEK", "MONTH")) == ["BTC-PERPETUAL", "WEEK", "MONTH"]


def test_a_followed_future_near_its_end_stays_beside_its_successor() -> None:
    chosen = choose(LISTED, {}, ("DAY", "WEEK"), NOW, MarketdataParams())
    assert [(one.spec.name, one.role) for one in chosen] == [
        ("BTC-PERPETUAL", "perpetual"),
        ("DAY", "near"),
        ("WEEK", "far"),
        ("MONTH", "far"),
    ]


def test_what_is_held_is_followed_to_its_end_beside_what_is_chosen() -> None:
    chosen = choose(LISTED, {}, (), NOW, MarketdataParams(dated_futures=1), held=("DAY", "QUARTER"))
    assert [one.spec.name for one in chosen] == ["BTC-PERPETUAL", "DAY", "WEEK", "QUARTER"]


def test_expired_delivered_and_foreign_contracts_are_not_followed() -> None:
    listed = (
        PERPETUAL,
        future("EXPIRED", -0.1),
        future("DELIVERED", 10, state=BookState.DELIVERED),
        future("LINEAR", 10, payoff=Payoff.LINEAR, settlement="USDC"),
        future("ETHER", 10, base="ETH", settlement="ETH"),
        future("LOCKED", 10, state=BookState.LOCKED),
    )
    assert [spec.name for spec in dated(listed, NOW)] == ["LOCKED"]


@given(
    days=st.lists(st.floats(0.1, 400), max_size=8, unique=True),
    count=st.integers(0, 4),
    data=st.data(),
)
def test_never_more_than_asked_for_and_always_in_order_of_expiry(
    days: list[float], count: int, data: st.DataObject
) -> None:
    listed = (PERPETUAL, *(future(f"F{n}", day) for n, day in enumerate(days)))
    interest = {
        spec.name: data.draw(st.floats(0, 1e9)) for spec in listed[1:] if data.draw(st.booleans())
    }
    params = MarketdataParams(dated_futures=count)
    chosen = choose(listed, interest, (), NOW, params)
    futures = [one.spec for one in chosen[1:]]
    far_enough = [day for day in days if round(day * DAY) >= 48 * HOUR]
    assert len(futures) == min(count, len(far_enough))
    assert [spec.expiry for spec in futures] == sorted(spec.expiry for spec in futures)
    assert choose(tuple(reversed(listed)), interest, (), NOW, params)[1:] == chosen[1:]
