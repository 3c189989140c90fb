"""Clearing: what a match does to the two accounts, the tape and the exchange's own purse.

Every match is booked twice with opposite signs and the same lots and price, so positions of all accounts
sum to zero; each side's fee leaves its balance and enters `fees`, so that money is conserved. Fees are
rate times notional in the settlement coin, rounded to eight decimals (a rebate is a negative fee).
"""

from mock_deribit.exchange.account import Account
from mock_deribit.exchange.contract import Contract
from mock_deribit.exchange.messages import PublicTrade, UserTrade
from mock_deribit.exchange.numbering import Numbering
from mock_deribit.exchange.order import Order
from mock_deribit.exchange.outbox import Outbox
from shared.kernel import Nanos
from shared.units import round_satoshi


class Half:
    """One side of a match; `told` names the state its order has when asked."""

    __slots__ = ("fee", "maker", "match", "order", "profit")

    def __init__(
        self, order: Order, match: PublicTrade, fee: float, profit: float, *, maker: bool
    ) -> None:
        self.order = order
        self.match = match
        self.fee = fee
        self.profit = profit
        self.maker = maker

    def told(self) -> UserTrade:
        """The trade as its owner hears of it."""
        order = self.order
        return UserTrade(
            trade=self.match,
            order_id=order.order_id,
            side=order.side,
            maker=self.maker,
            fee=self.fee,
            fee_currency=order.instrument.settlement,
            profit_loss=round_satoshi(self.profit),
            state=order.state,
            order_type=order.order_type,
            post_only=order.post_only,
            reduce_only=order.reduce_only,
            label=order.label,
        )


class Clearing:
    """Books matches, fees and deliveries."""

    def __init__(self, numbering: Numbering, outbox: Outbox) -> None:
        self._numbering = numbering
        self._outbox = outbox
        self.fees: dict[str, float] = {}

    def trade(
        self,
        now: Nanos,
        contract: Contract,
        taker: tuple[Account, Order],
        maker: tuple[Account, Order],
        lots: int,
    ) -> tuple[Half, Half]:
        """Match lots of two orders at the resting one's price; the taker's half, then the maker's."""
        taking, making = taker[1], maker[1]
        match = self._print(now, contract, taking, making.price, lots)
        contract.book.reduce(making, lots)
        maker[0].position(contract).add_open(making, -lots)
        for order in (making, taking):
            order.take_fill(lots, match.price, now)
        return (
            self._settle(contract, *taker, match, lots, maker=False),
            self._settle(contract, *maker, match, lots, maker=True),
        )

    def charge(self, account: Account, currency: str, fee: float) -> None:
        """Move a fee from an account to the exchange (negative: a rebate)."""
        account.credit(currency, -fee)
        self.fees[currency] = self.fees.get(currency, 0.0) + fee

    def deliver(self, contract: Contract, account: Account, price: float) -> None:
        """Close a position at the delivery price and charge the delivery fee."""
        position, instrument = account.position(contract), contract.instrument
        if position.lots:
            amount = contract.amount(abs(position.lots))
            fee = round_satoshi(instrument.fee(amount, price, contract.listing.delivery_fee))
            self._move(contract, account, -position.lots, price)
            self.charge(account, instrument.settlement, fee)
        account.credit(instrument.settlement, position.close_session(price))

    def _settle(
        self,
        contract: Contract,
        account: Account,
        order: Order,
        match: PublicTrade,
        lots: int,
        *,
        maker: bool,
    ) -> Half:
        instrument = contract.instrument
        rate = instrument.maker_fee if maker else instrument.taker_fee
        fee = round_satoshi(instrument.fee(match.amount, match.price, rate))
        profit = self._move(contract, account, order.sign * lots, match.price)
        self.charge(account, instrument.settlement, fee)
        return Half(order, match, fee, profit, maker=maker)

    def _move(self, contract: Contract, account: Account, signed_lots: int, price: float) -> float:
        position = account.position(contract)
        before = abs(position.lots)
        profit = position.trade(signed_lots, price)
        contract.gross_lots += abs(position.lots) - before
        return profit

    def _print(
        self, now: Nanos, contract: Contract, taking: Order, price: float, lots: int
    ) -> PublicTrade:
        valuation, tape = contract.valuation, contract.tape
        valuation.accrue(now)
        match = PublicTrade(
            trade_id=self._numbering.trade_id(contract.instrument.settlement),
            trade_seq=tape.next_sequence(),
            ts=now,
            instrument=contract.name,
            side=taking.side,
            price=price,
            amount=contract.amount(lots),
            tick_direction=tape.tick_direction(price),
            mark_price=valuation.mark,
            index_price=valuation.index,
        )
        tape.record(match, contract.instrument)
        self._outbox.public_trade(match)
        return match
