"""★ Liquidation: what happens to an account whose equity no longer covers its maintenance margin.

Simplified, but conserving. With every mark (five times a second) each account is looked at, currency by
currency. One with equity < maintenance margin is locked (11098), its orders are cancelled
(`autoliquidation`), and a quarter of each of its positions, rounded up to a lot, is sent as a market order
bounded by the price band; again with the next mark until equity covers the margin, and the account is free
again. A liquidation by command sends whole positions and ends when nothing is left. Trades pay the
liquidation fee instead of the maker's or taker's and say who was liquidated.

What remains below zero once every position is closed is paid by the insurance purse, so that money is
conserved; nobody else is touched (no socialised loss, no auto-deleveraging). If the book has nothing to
trade with inside the band, the position waits, locked.

Source: Deribit's liquidation article, cut down; the quarter and the pace are ours.
"""

from mock_deribit.exchange.account import Account
from mock_deribit.exchange.contract import Contract
from mock_deribit.exchange.desk import Desk, Tag
from mock_deribit.exchange.events import AccountLocked
from mock_deribit.exchange.ledger import Ledger
from mock_deribit.exchange.messages import OrderRequest, OrderType, Refused
from mock_deribit.exchange.money import QUANTA
from mock_deribit.exchange.outbox import Outbox
from mock_deribit.exchange.position import Position
from shared.kernel import Nanos
from shared.units import Side

_SHARE = 4
_LIQUIDATION = Tag(liquidation=True)


class Liquidator:
    """Watches margins and reduces what they no longer cover. `automatic`: without being told."""

    def __init__(
        self,
        accounts: dict[str, Account],
        contracts: dict[str, Contract],
        desk: Desk,
        ledger: Ledger,
        outbox: Outbox,
        *,
        automatic: bool,
    ) -> None:
        self._accounts = accounts
        self._contracts = contracts
        self._desk = desk
        self._ledger = ledger
        self._outbox = outbox
        self._automatic = automatic
        self._ordered: dict[str, Account] = {}

    def order(self, now: Nanos, account: Account) -> None:
        """Liquidate an account whole, by command."""
        self._ordered[account.name] = account
        self._reduce(now, account)

    def watch(self, now: Nanos) -> None:
        """Look at every account that could need it."""
        for account in self._accounts.values():
            if account.house or not account.positions:
                continue
            if account.liquidating or (self._automatic and _short(account)):
                self._reduce(now, account)

    def _reduce(self, now: Nanos, account: Account) -> None:
        """One step: lock, cancel, sell or buy back a part, and free the account when it is safe."""
        ordered = account.name in self._ordered
        if not account.liquidating:
            account.liquidating = True
            self._outbox.tell(AccountLocked(ts=now, account=account.name, locked=True))
        for order in list(account.orders.values()):
            contract = self._contracts[order.instrument.name]
            self._desk.cancel(now, account, contract, order, "autoliquidation")
        short = _short(account)
        for position in account.positions.values():
            if position.lots and (ordered or position.contract.instrument.settlement in short):
                self._close(now, account, position, whole=ordered)
        if ordered and any(position.lots for position in account.positions.values()):
            return
        for currency in account.balances:
            if not any(position.lots for position in account.in_currency(currency)):
                self._ledger.cover(now, account, currency)
        if not _short(account):
            account.liquidating = False
            self._ordered.pop(account.name, None)
            self._outbox.tell(AccountLocked(ts=now, account=account.name, locked=False))

    def _close(self, now: Nanos, account: Account, position: Position, *, whole: bool) -> None:
        contract, lots = position.contract, abs(position.lots)
        request = OrderRequest(
            instrument=contract.name,
            side=Side.SELL if position.lots > 0 else Side.BUY,
            amount=contract.amount(lots if whole else -(-lots // _SHARE)),
            order_type=OrderType.MARKET,
        )
        draft = self._desk.draft(now, account, contract, request, _LIQUIDATION)
        if not isinstance(draft, Refused) and draft.takes:
            self._desk.place(now, account, contract, request, _LIQUIDATION)


def _short(account: Account) -> tuple[str, ...]:
    """Currencies in which equity does not cover maintenance margin."""
    held = dict.fromkeys(
        [
            position.contract.instrument.settlement
            for position in account.positions.values()
            if position.lots
        ]
    )
    return tuple(
        [
            currency
            for currency in held
            if account.equity(currency) < account.maintenance_margin(currency) * QUANTA
        ]
    )
