"""The gate: what passes, what does not and why; and that no set of orders it let pass can break a limit."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.oms.commands import Cancel, Edit, Place, Take
from services.oms.exposure import Exposure, Working, exposure_of, working_of
from services.oms.gate import Approved, Denied, Scene, approve, approve_cancel, offenders
from services.oms.order import Order
from shared.instruments import BookState, Instrument, Payoff, TickStep
from shared.kernel import Nanos
from shared.messages import Mode, OrderState, Purpose, Ticker
from shared.units import SECOND, Side

NOW = Nanos(1_000 * SECOND)
MARK = 50_000.0
NAME = "BTC-PERPETUAL"

SPEC = Instrument(
    name=NAME,
    payoff=Payoff.INVERSE,
    base="BTC",
    settlement="BTC",
    index="btc_usd",
    perpetual=True,
    expiry=Nanos(0),
    tick=0.5,
    tick_steps=(TickStep(50_400.0, 2.5),),
    contract_size=10.0,
    amount_step=10.0,
    maker_fee=0.0,
    taker_fee=0.0005,
)
TICKER = Ticker(
    ts=NOW,
    instrument=NAME,
    seen=NOW,
    state=BookState.OPEN,
    mark_price=MARK,
    index_price=MARK,
    min_price=49_500.0,
    max_price=50_500.0,
)


def scene(**changes: Any) -> Scene:
    """Flat, active, half a bitcoin of limit."""
    values: dict[str, Any] = {"now": NOW, "refusal": None, "mode": Mode.ACTIVE, "killed": False}
    values |= {"flatten": False, "hard_limit": 0.5, "spec": SPEC, "ticker": TICKER, "held": 0.0}
    values |= {"exposure": Exposure(0.0, 0.0, 0.0)}
    return Scene(**(values | changes))


def net(amount: float, buys: float = 0.0, sells: float = 0.0) -> dict[str, Any]:
    """A position in the instrument and what works around it, in USD."""
    exposure = exposure_of({NAME: amount}, {NAME: Working(buys, sells)}, {NAME: MARK}, {NAME: SPEC})
    return {"held": amount, "exposure": exposure}


def place(side: Side = Side.BUY, price: float = 49_990.0, amount: float = 1_000.0) -> Place:
    """A quote."""
    return Place(instrument=NAME, side=side, layer=0, price=price, amount=amount, quote_id=1)


def take(side: Side = Side.SELL, amount: float = 1_000.0, price: float = 49_990.0) -> Take:
    """A hedge."""
    expires = Nanos(NOW + SECOND)
    return Take(instrument=NAME, side=side, price=price, amount=amount, hedge_id=1, expires=expires)


def reason(command: Place | Edit | Take, where: Scene) -> str | None:
    """Why a command is denied; None: approved."""
    verdict: Approved[Place] | Approved[Edit] | Approved[Take] | Denied
    match command:
        case Place():
            verdict = approve(command, where)
        case Edit():
            verdict = approve(command, where)
        case Take():
            verdict = approve(command, where)
    return verdict.reason if isinstance(verdict, Denied) else None


def test_only_the_gate_can_approve() -> None:
    with pytest.raises(TypeError, match="only the gate"):
        Approved(place(), object())


def test_a_good_quote_passes_as_it_is() -> None:
    verdict = approve(place(), scene())
    assert isinstance(verdict, Approved)
    assert verdict.command == place()


def test_a_cancel_passes_in_every_scene() -> None:
    cancel = Cancel(label="x", order_id=None, reason="any")
    assert approve_cancel(cancel).command is cancel


@pytest.mark.parametrize(
    ("command", "changes", "why"),
    [
        (place(), {"refusal": "lease_expired"}, "lease_expired"),
        (place(), {"spec": None}, "no_instrument"),
        (place(), {"ticker": None}, "no_mark"),
        (place(), {"exposure": Exposure(0.0, 0.0, 0.0, ("OTHER",))}, "no_mark"),
        (place(price=49_990.25), {}, "tick"),
        (place(price=50_401.0), {}, "tick"),
        (place(price=-1.0), {}, "tick"),
        (place(amount=1_005.0), {}, "lot"),
        (place(amount=0.0), {}, "lot"),
        (place(price=50_502.5), {}, "band"),
        (place(Side.SELL, price=49_499.5), {}, "band"),
        (place(amount=25_010.0), {}, "hard_limit"),
        (place(Side.SELL, amount=25_010.0), {}, "hard_limit"),
    ],
)
def test_a_bad_quote_is_denied_with_its_reason(
    command: Place, changes: dict[str, Any], why: str
) -> None:
    assert reason(command, scene(**changes)) == why


def test_the_band_is_one_sided() -> None:
    assert reason(place(price=40_000.0), scene()) is None
    assert reason(place(Side.SELL, price=60_000.0), scene()) is None


@pytest.mark.parametrize("state", [s for s in BookState if s is not BookState.OPEN])
def test_only_an_open_book_takes_orders(state: BookState) -> None:
    ticker = msgspec.structs.replace(TICKER, state=state)
    assert reason(place(), scene(ticker=ticker)) == "not_open"


def test_the_limit_counts_everything_that_works_on_the_side_and_nothing_on_the_other() -> None:
    crowded = scene(**net(10_000.0, buys=14_000.0, sells=30_000.0))
    assert reason(place(amount=1_000.0), crowded) is None
    assert reason(place(amount=1_010.0), crowded) == "hard_limit"


def test_beyond_the_limit_the_reducing_side_stays_open() -> None:
    over = scene(**net(40_000.0))
    assert reason(place(amount=10.0), over) == "hard_limit"
    assert reason(place(Side.SELL, 50_010.0, 30_000.0), over) is None


def test_an_edit_counts_the_larger_of_its_two_sizes() -> None:
    edit = Edit(
        label="x",
        instrument=NAME,
        side=Side.BUY,
        layer=0,
        price=49_990.0,
        amount=2_000.0,
        quote_id=1,
        urgent=True,
    )
    full = net(0.0, buys=25_000.0)
    assert reason(edit, scene(open_amount=2_000.0, **full)) is None
    assert reason(edit, scene(open_amount=3_000.0, **full)) is None
    assert reason(edit, scene(open_amount=1_000.0, **full)) == "hard_limit"


@pytest.mark.parametrize(
    ("side", "amount", "why"),
    [
        (Side.SELL, 10_000.0, None),
        (Side.SELL, 20_000.0, None),
        (Side.SELL, 20_010.0, "reducing"),
        (Side.BUY, 10.0, "reducing"),
    ],
)
def test_reducing_never_lets_the_net_delta_grow(side: Side, amount: float, why: str | None) -> None:
    price = 49_990.0 if side is Side.BUY else 50_010.0
    where = scene(mode=Mode.REDUCING, **net(10_000.0))
    assert reason(place(side, price, amount), where) == why


def test_reducing_and_flat_lets_nothing_pass() -> None:
    for side in Side:
        assert reason(place(side, 50_000.0, 10.0), scene(mode=Mode.REDUCING)) == "reducing"


@pytest.mark.parametrize(
    ("command", "changes", "why"),
    [
        (take(), {}, None),
        (take(), {"refusal": "lease_expired", "mode": Mode.PAUSED}, None),
        (take(), {"killed": True}, "killed"),
        (take(), {"killed": True, "flatten": True}, None),
        (take(), {"now": Nanos(NOW + SECOND)}, "expired"),
        (take(Side.BUY), {}, "reduce_only"),
        (take(amount=10_010.0), {}, "reduce_only"),
        (take(amount=15.0), {}, "lot"),
        (take(price=49_000.0), {}, "band"),
        (take(), {"exposure": Exposure(-0.1, -0.1, -0.1)}, "no_reduction"),
        (take(), {"exposure": Exposure(0.01, 0.01, 0.01)}, "no_reduction"),
        (take(), {"exposure": Exposure(0.02, 0.02, 0.02)}, None),
    ],
)
def test_a_hedge_reduces_position_and_net_delta_or_is_denied(
    command: Take, changes: dict[str, Any], why: str | None
) -> None:
    assert reason(command, scene(**(net(10_000.0) | changes))) == why


def test_resting_quotes_that_would_no_longer_pass_are_named() -> None:
    bid, ask = resting(Side.BUY, 1_000.0), resting(Side.SELL, 1_000.0)
    hedge = resting(Side.BUY, 1_000.0, purpose=Purpose.HEDGE)
    gone = resting(Side.BUY, 1_000.0, state=OrderState.CANCELLED)
    orders = [bid, ask, hedge, gone]
    inside = net(1_000.0, buys=1_000.0, sells=1_000.0)["exposure"]
    assert offenders(orders, inside, Mode.ACTIVE, 0.04) == []
    assert offenders(orders, inside, Mode.ACTIVE, 0.03) == [bid]
    assert offenders(orders, inside, Mode.REDUCING, 0.04) == [bid]


def resting(side: Side, amount: float, **changes: Any) -> Order:
    """A resting order."""
    values: dict[str, Any] = {"state": OrderState.OPEN, "purpose": Purpose.QUOTE, "layer": 0}
    values |= {"price": MARK, "placed": NOW, "deadline": NOW, "label": f"{side}{amount}"}
    return Order(instrument=NAME, side=side, amount=amount, **(values | changes))


lots = st.integers(1, 300).map(lambda n: 100.0 * n)
wishes = st.lists(st.tuples(st.sampled_from(list(Side)), lots), max_size=12)
positions = st.integers(-250, 250).map(lambda n: 100.0 * n)


@given(
    position=positions,
    wanted=wishes,
    mode=st.sampled_from([Mode.ACTIVE, Mode.REDUCING]),
    data=st.data(),
)
def test_no_fills_of_what_passed_can_break_the_limit_or_grow_the_delta_while_reducing(
    position: float, wanted: list[tuple[Side, float]], mode: Mode, data: st.DataObject
) -> None:
    orders: list[Order] = []
    for side, amount in wanted:
        working = working_of(orders)
        exposure = exposure_of({NAME: position}, working, {NAME: MARK}, {NAME: SPEC})
        where = scene(mode=mode, held=position, exposure=exposure)
        price = 49_990.0 if side is Side.BUY else 50_010.0
        if reason(place(side, price, amount), where) is None:
            orders.append(resting(side, amount))
    filled = data.draw(st.lists(st.sampled_from(range(12)), unique=True))
    chosen = [order for number, order in enumerate(orders) if number in filled]
    after = position + sum(order.side.sign * order.amount for order in chosen)
    grown = abs(after) > abs(position)
    assert abs(after) / MARK <= 0.5 + 1e-12 or not grown
    if mode is Mode.REDUCING:
        assert abs(after) <= abs(position)


@given(
    position=positions,
    amounts=st.lists(st.tuples(st.sampled_from(list(Side)), lots), max_size=8),
    data=st.data(),
)
def test_no_sequence_of_fills_leaves_the_worst_case_interval(
    position: float, amounts: list[tuple[Side, float]], data: st.DataObject
) -> None:
    orders = [resting(side, amount) for side, amount in amounts]
    exposure = exposure_of({NAME: position}, working_of(orders), {NAME: MARK}, {NAME: SPEC})
    after = position
    for order in orders:
        after += order.side.sign * order.amount * data.draw(st.sampled_from([0.0, 0.5, 1.0]))
    assert exposure.shortest - 1e-12 <= after / MARK <= exposure.longest + 1e-12
    assert exposure.shortest <= exposure.net <= exposure.longest
    assert exposure.worst == max(abs(exposure.longest), abs(exposure.shortest))


def test_what_has_no_mark_is_named_and_not_guessed() -> None:
    exposure = exposure_of({"A": 10.0, "B": 0.0}, {"C": Working(10.0, 0.0)}, {}, {})
    assert exposure.unvalued == ("A", "C")


def test_a_mark_that_the_exchange_left_out_is_no_mark() -> None:
    exposure = exposure_of({"A": 10.0}, {}, {"A": 0.0}, {})
    assert exposure.unvalued == ("A",)
