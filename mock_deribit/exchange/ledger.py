"""★ The ledger: whose money is whose, so that nothing is made or lost.

Every movement has two ends: an account's balance or session, and another account's or one of the
exchange's purses. Over all accounts and purses together, in one currency,

    sum (balance + session profit of every account) + fees + insurance + rounding = what was deposited

holds exactly after every act, because all of it is integer quanta (see `account`). The purses:

    fees        trading and delivery fees and liquidation fees, rebates taken off
    insurance   what bankrupt accounts could not pay (negative: the fund has paid)
    rounding    what settling to the satoshi left over

Each movement of an account's balance is one row of its transaction log.
"""

from mock_deribit.exchange.account import Account
from mock_deribit.exchange.messages import UserTrade
from mock_deribit.exchange.money import SATOSHI_QUANTA, coin
from mock_deribit.exchange.position import Position
from mock_deribit.exchange.records import (
    LogEntry,
    LogType,
    Noted,
    Settlement,
    SettlementType,
)
from shared.kernel import Nanos


def row_of(noted: Noted) -> LogEntry:
    """The row of the transaction log that a fill makes."""
    fill, match = noted.fill, noted.fill.trade
    return LogEntry(
        id=noted.id,
        ts=match.ts,
        type=LogType.LIQUIDATION if fill.is_liquidation else LogType.TRADE,
        currency=fill.fee_currency,
        change=-fill.fee + 0.0,
        balance=coin(noted.balance, 8),
        equity=coin(noted.equity, 8),
        commission=fill.fee,
        cash_flow=fill.profit_loss,
        instrument=match.instrument,
        side=fill.side,
        amount=fill.side.sign * match.amount,
        price=match.price,
        position=noted.position,
        mark_price=match.mark_price,
        index_price=match.index_price,
        order_id=fill.order_id,
        trade_id=match.trade_id,
        maker=fill.maker,
    )


class Ledger:
    """The exchange's own purses, and the writer of every account's log."""

    def __init__(self) -> None:
        self.fees: dict[str, int] = {}
        self.insurance: dict[str, int] = {}
        self.rounding: dict[str, int] = {}
        self._entries = 0

    def purse(self, currency: str) -> int:
        """Everything the exchange holds itself, in quanta."""
        purses = (self.fees, self.insurance, self.rounding)
        return sum(purse.get(currency, 0) for purse in purses)

    def charge(self, account: Account, currency: str, fee: int) -> None:
        """Move a fee from an account to the exchange (negative: a rebate)."""
        account.balances[currency] = account.balances.get(currency, 0) - fee
        self.fees[currency] = self.fees.get(currency, 0) + fee

    def deposit(self, now: Nanos, account: Account, currency: str, quanta: int) -> None:
        """Bring coin in from outside (negative: take it out)."""
        account.credit(currency, quanta)
        kind = LogType.DEPOSIT if quanta >= 0 else LogType.WITHDRAWAL
        self._write(now, account, kind, currency, quanta)

    def cover(self, now: Nanos, account: Account, currency: str) -> None:
        """Let the insurance fund pay what an account without positions still owes."""
        missing = -account.equity(currency)
        if missing > 0:
            account.credit(currency, missing)
            self.insurance[currency] = self.insurance.get(currency, 0) - missing
            self._write(now, account, LogType.BANKRUPTCY, currency, missing)

    def note_trade(
        self, account: Account, fill: UserTrade, balance: int, equity: int, position: float
    ) -> None:
        """Write down a fill, and how its account stood after it."""
        self._entries += 1
        account.trades.append(fill)
        account.log.append(Noted(self._entries, fill, balance, equity, position))

    def settle(
        self,
        now: Nanos,
        account: Account,
        position: Position,
        price: float,
        kind: SettlementType,
        fee: int = 0,
    ) -> None:
        """Move a position's session to the balance, to the satoshi, at a settlement price."""
        contract, currency = position.contract, position.contract.instrument.settlement
        position.accrue()
        lots, funding, realized = position.lots, position.funding, position.realized
        total = lots * contract.worth(price) - position.entry_cost
        profit = position.close_session(price)
        moved = round(profit / SATOSHI_QUANTA) * SATOSHI_QUANTA
        account.credit(currency, moved)
        self.charge(account, currency, fee)
        self.rounding[currency] = self.rounding.get(currency, 0) + profit - moved
        if account.house or not (lots or profit):
            return
        account.settlements.append(
            Settlement(
                ts=now,
                type=kind,
                instrument=contract.name,
                position=contract.amount(lots),
                mark_price=price,
                index_price=contract.valuation.index,
                session_profit_loss=coin(profit - funding, 8),
                profit_loss=coin(total, 8),
                funding=coin(funding, 8),
            )
        )
        self._write(
            now,
            account,
            LogType(kind.value),
            currency,
            moved - fee,
            position=position,
            price=price,
            fee=fee,
            session=(realized + funding, profit - realized - funding, funding),
        )

    def _write(
        self,
        now: Nanos,
        account: Account,
        kind: LogType,
        currency: str,
        change: int,
        *,
        position: Position | None = None,
        price: float | None = None,
        fee: int = 0,
        session: tuple[int, int, int] | None = None,
    ) -> None:
        if account.house:
            return
        contract = position.contract if position else None
        realized, unrealized, interest = session or (None, None, None)
        size = contract.amount(position.lots) if contract and position else None
        self._entries += 1
        account.log.append(
            LogEntry(
                id=self._entries,
                ts=now,
                type=kind,
                currency=currency,
                change=coin(change, 8),
                balance=account.balance(currency),
                equity=coin(account.equity(currency), 8),
                instrument=contract.name if contract else None,
                price=price,
                commission=coin(fee, 8),
                position=0.0 if kind is LogType.DELIVERY else size,
                mark_price=contract.valuation.mark if contract else None,
                index_price=contract.valuation.index if contract else None,
                session_rpl=None if realized is None else coin(realized, 8),
                session_upl=None if unrealized is None else coin(unrealized, 8),
                interest=None if interest is None else coin(interest, 8),
            )
        )
