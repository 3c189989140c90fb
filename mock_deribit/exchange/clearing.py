"""Clearing: what a match does to the two accounts, the tape and the ledger.

Every match is booked twice with opposite signs and the same lots and price, so positions of all accounts
sum to zero; each side's fee leaves its balance and enters the ledger's purse, so that money is conserved.
Fees are rate times notional in the settlement coin, rounded to eight decimals (a rebate is a negative fee);
by the rules what rounding left is forgotten, or carried to the account's next fee.
"""

import msgspec

from mock_deribit.exchange.account import Account
from mock_deribit.exchange.contract import Contract
from mock_deribit.exchange.ledger import Ledger
from mock_deribit.exchange.messages import PublicTrade, UserTrade
from mock_deribit.exchange.money import QUANTA, SATOSHI_QUANTA, coin, quanta
from mock_deribit.exchange.numbering import Numbering
from mock_deribit.exchange.order import Order
from mock_deribit.exchange.outbox import Outbox
from mock_deribit.exchange.records import SettlementType
from mock_deribit.exchange.rules import Rules
from shared.kernel import Nanos
from shared.units import Side

_BUY, _SELL = Side.BUY, Side.SELL


class Half(msgspec.Struct, frozen=True, gc=False):
    """One side of a match, its fee in whole satoshis, and how its account stood after it: balance and
    equity in quanta, and the size of the position. `told` names the state its order has when asked."""

    order: Order
    match: PublicTrade
    fee: int
    profit: int
    maker: bool
    balance: int
    equity: int
    position: float

    def told(self) -> UserTrade:
        """The trade as its owner hears of it."""
        order = self.order
        return UserTrade(
            self.match,
            order.order_id,
            _BUY if order.sign > 0 else _SELL,
            self.maker,
            self.fee / QUANTA + 0.0,
            order.instrument.settlement,
            coin(self.profit, 8) if self.profit else 0.0,
            order.state,
            order.order_type,
            order.post_only,
            order.reduce_only,
            order.label,
            order.group is not None,
            order.risk_reducing,
            order.is_liquidation,
            order.quote_set_id,
            order.quote_id,
        )


class Clearing:
    """Books matches and deliveries."""

    def __init__(self, numbering: Numbering, outbox: Outbox, ledger: Ledger, rules: Rules) -> None:
        self._numbering = numbering
        self._outbox = outbox
        self._ledger = ledger
        self._hidden_pays_taker = rules.hidden_pays_taker
        self._carries = rules.fee_remainder == "carried"

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
        price = making.price
        match = self._print(now, contract, taking, making, lots)
        contract.book.reduce(making, lots)
        making.take_fill(lots, price, now)
        taking.take_fill(lots, price, now)
        worth = contract.worth(price)
        return (
            self._settle(contract, *taker, match, lots, worth, maker=False),
            self._settle(contract, *maker, match, lots, worth, maker=True),
        )

    def deliver(self, now: Nanos, contract: Contract, account: Account, price: float) -> None:
        """Settle a position at the delivery price, close it there and charge the delivery fee."""
        position, instrument = account.position(contract), contract.instrument
        amount = contract.amount(abs(position.lots))
        fee = quanta(instrument.fee(amount, price, contract.listing.delivery_fee))
        self._ledger.settle(now, account, position, price, SettlementType.DELIVERY, fee)
        contract.gross_lots -= abs(position.lots)
        if position.lots:
            position.trade(-position.lots, contract.worth(price))

    def _settle(
        self,
        contract: Contract,
        account: Account,
        order: Order,
        match: PublicTrade,
        lots: int,
        worth: int,
        *,
        maker: bool,
    ) -> Half:
        instrument, position = contract.instrument, account.position(contract)
        currency = instrument.settlement
        cheap = maker and not (order.refilled and self._hidden_pays_taker)
        rate = instrument.maker_fee if cheap else instrument.taker_fee
        if order.is_liquidation:
            rate = contract.listing.liquidation_fee
        exact = instrument.fee(match.amount, match.price, rate)
        fee = self._carried(account, exact, currency) if self._carries else quanta(exact)
        if maker:
            position.add_open(order, -lots)
        held = position.lots
        profit = position.trade(order.sign * lots, worth)
        contract.gross_lots += abs(position.lots) - abs(held)
        self._ledger.charge(account, currency, fee)
        if account.house:
            return Half(order, match, fee, profit, maker, 0, 0, 0.0)
        balance, equity = account.balances[currency], account.equity(currency)
        size = contract.amount(position.lots)
        return Half(order, match, fee, profit, maker, balance, equity, size)

    @staticmethod
    def _carried(account: Account, exact: float, currency: str) -> int:
        """A fee to the satoshi, with what rounding left of the last one."""
        due = round(exact * QUANTA) + account.fee_remainders.get(currency, 0)
        fee = round(due / SATOSHI_QUANTA) * SATOSHI_QUANTA
        account.fee_remainders[currency] = due - fee
        return fee

    def _print(
        self, now: Nanos, contract: Contract, taking: Order, making: Order, lots: int
    ) -> PublicTrade:
        valuation, tape, price = contract.valuation, contract.tape, making.price
        valuation.accrue(now)
        liquidated = None
        if making.is_liquidation or taking.is_liquidation:
            liquidated = "M" * making.is_liquidation + "T" * taking.is_liquidation
        match = PublicTrade(
            self._numbering.trade_id(contract.instrument.settlement),
            tape.next_sequence(),
            now,
            contract.name,
            _BUY if taking.sign > 0 else _SELL,
            price,
            contract.amount(lots),
            tape.tick_direction(price),
            valuation.mark,
            valuation.index,
            liquidated,
        )
        tape.record(match, contract.instrument)
        self._outbox.public_trade(match)
        return match
