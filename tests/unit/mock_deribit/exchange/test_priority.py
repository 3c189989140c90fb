"""Price-time priority against the plainest model of it, hidden size included."""

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.units import Side
from tests.support.floor import PERPETUAL, Floor

ACCOUNTS = ("alice", "bob", "carol")


class Resting:
    """An order of the naive book; `shown` is its present slice, all of it unless it hides."""

    def __init__(self, who: str, side: Side, price: float, amount: float, display: float) -> None:
        self.who, self.side, self.price = who, side, price
        self.left, self.display = amount, display
        self.shown = min(amount, display)


class Naive:
    """Price-time priority in the plainest words: lists in order of joining, searched from the start."""

    def __init__(self) -> None:
        self.orders: list[Resting] = []

    def best(self, side: Side, limit: float) -> Resting | None:
        """Whom an order of the other side trades with next."""
        sign = side.sign
        facing = [o for o in self.orders if o.side is side and (o.price - limit) * sign >= 0]
        return max(facing, key=lambda o: o.price * sign) if facing else None

    def send(
        self, who: str, side: Side, amount: float, price: float, display: float
    ) -> list[tuple[str, float]]:
        """The fills (maker, amount) an order causes; what is left rests."""
        other = Side.SELL if side is Side.BUY else Side.BUY
        fills = []
        while amount and (maker := self.best(other, price)):
            traded = min(amount, maker.shown)
            fills.append((maker.who, traded))
            amount -= traded
            maker.left -= traded
            maker.shown -= traded
            if not maker.shown:
                self.orders.remove(maker)
                if maker.left:
                    maker.shown = min(maker.left, maker.display)
                    self.orders.append(maker)
        if amount:
            self.orders.append(Resting(who, side, price, amount, display))
        return fills


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(ACCOUNTS),
            st.sampled_from(list(Side)),
            st.integers(1, 40),
            st.integers(-4, 4),
            st.booleans(),
        ),
        max_size=40,
    )
)
def test_orders_trade_by_price_and_then_by_time_and_a_new_slice_joins_at_the_end(
    script: list[tuple[str, Side, int, int, bool]],
) -> None:
    floor, naive = Floor(), Naive()
    for side in Side:
        for name in ACCOUNTS:
            floor.exchange.open_account(f"{name} {side}", {"BTC": 100.0})
    for who, side, hundreds, ticks, hides in script:
        account, price, amount = f"{who} {side}", 60_000.0 + 0.5 * ticks, 100.0 * hundreds
        display = 1_000.0 if hides and amount > 1_000.0 else amount
        seen = len(floor.exchange.trades(PERPETUAL))
        floor.send(account, side, amount, price, display=display)
        expected = naive.send(account, side, amount, price, display)
        makers = {
            fill.trade.trade_id: name
            for name in floor.exchange.accounts
            for fill in floor.exchange.user_trades(name)
            if fill.maker
        }
        printed = list(floor.exchange.trades(PERPETUAL))[seen:]
        assert [(makers[fill.trade_id], fill.amount) for fill in printed] == expected
