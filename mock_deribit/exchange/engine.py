"""The exchange: one object that owns books, accounts, orders, prices and the events they cause.

Owns: the public face of the engine, in three parts: what can be asked (`Inquiry`), what its operator can do
(`Operations`), and here what traders can do. Every method that acts takes `now` (which never runs back),
returns a value or `Refused`, and leaves events to be `drain`ed in the order in which they happened. Within
one request: order updates, user trades, public trades, book changes, position and portfolio changes, ticker
changes. An unknown account is a programmer's error (KeyError); an unknown instrument is `Refused`.

A request that would trade at once on a book with a hold is answered `Held`; its answer is the event
`HoldEnded` with the same ticket. Who cannot wait for it asks with `at_once`, and is not held.
"""

from mock_deribit.exchange import checks
from mock_deribit.exchange.account import Account
from mock_deribit.exchange.contract import Contract
from mock_deribit.exchange.desk import PLAIN, UNDER_PLAIN_PROTECTION
from mock_deribit.exchange.maker_messages import MassQuote, MassQuoted, Protection, QuoteFilter
from mock_deribit.exchange.messages import (
    Held,
    OrderEdit,
    OrderRequest,
    OrderState,
    OrderType,
    OrderView,
    Placed,
    Refused,
    SelfMatch,
)
from mock_deribit.exchange.operations import Operations
from mock_deribit.exchange.order import Order
from mock_deribit.exchange.protection import Shield
from mock_deribit.exchange.queries import fitting
from shared.instruments import BookState
from shared.kernel import Nanos
from shared.units import Side

_SECONDS_MAX = 3_600
_OPEN = BookState.OPEN


class Exchange(Operations):
    """Deribit's engine, told the time."""

    # -- orders ----------------------------------------------------------------------------------

    def place(
        self, now: Nanos, account: str, request: OrderRequest, *, at_once: bool = False
    ) -> Placed | Refused | Held:
        """Take a new order: check, match, rest."""
        self.advance(now)
        owner, contract = self._accounts[account], self._contracts.get(request.instrument)
        if contract is None:
            return self._unknown_instrument()
        if owner.liquidating:
            return checks.ACCOUNT_LOCKED
        if contract.hold and not at_once:
            return self._place_or_hold(now, owner, contract, request)
        return self._desk.place(now, owner, contract, request)

    def edit(
        self, now: Nanos, account: str, order_id: str, edit: OrderEdit, *, at_once: bool = False
    ) -> Placed | Refused | Held:
        """Change a resting order; quotes are not found (10004). A post-only reject cancels it and
        comes back as a cancelled order with `cancel_reason` edit_post_only_reject."""
        self.advance(now)
        owner = self._accounts[account]
        order = owner.orders.get(order_id)
        if order is None:
            return _missing(owner, order_id)
        if order.quote_id is not None:
            return checks.NOT_FOUND
        if owner.liquidating:
            return checks.ACCOUNT_LOCKED
        contract = self._contracts[order.instrument.name]
        if contract.hold and not at_once:
            return self._edit_or_hold(now, owner, contract, order, edit)
        return self._desk.edit(now, owner, contract, order, edit)

    def edit_by_label(
        self,
        now: Nanos,
        account: str,
        instrument: str,
        label: str,
        edit: OrderEdit,
        *,
        at_once: bool = False,
    ) -> Placed | Refused | Held:
        """Change the one open order with this label (10004 none, 13032 several)."""
        found = [*fitting(self._accounts[account].orders.values(), instrument, None, label)]
        if not found:
            return checks.NOT_FOUND
        if len(found) > 1:
            return checks.NOT_UNIQUE
        return self.edit(now, account, found[0].order_id, edit, at_once=at_once)

    def cancel(
        self, now: Nanos, account: str, order_id: str, reason: str = "user_request"
    ) -> OrderView | Refused:
        """Cancel one order (10004 unknown, 11044 already closed, 11098 locked)."""
        self.advance(now)
        owner = self._accounts[account]
        if owner.liquidating:
            return checks.ACCOUNT_LOCKED
        order = owner.orders.get(order_id)
        if order is None:
            return _missing(owner, order_id)
        contract = self._contracts[order.instrument.name]
        if contract.state is not _OPEN:
            halted_too = self.rules.halted_takes_cancels
            refused = checks.state_for_cancel(contract, halted_too=halted_too)
            if refused is not None:
                return refused
        return self._desk.cancel(now, owner, contract, order, reason)

    def cancel_all(
        self,
        now: Nanos,
        account: str,
        *,
        instrument: str | None = None,
        currency: str | None = None,
        label: str | None = None,
        reason: str = "user_request",
        freeze_quotes: bool = False,
    ) -> tuple[OrderView, ...]:
        """Cancel every open order that fits the filters; books that allow no cancel are left out.

        Requests that wait in a hold are withdrawn (13666); with `freeze_quotes` mass quotes are
        refused for a second (13043).
        """
        self.advance(now)
        owner = self._accounts[account]
        self._hold.withdraw(now, account, instrument, currency, label)
        if freeze_quotes:
            self._quotes.freeze(now, owner)
        orders = [*fitting(owner.orders.values(), instrument, currency, label)]
        answers = [self.cancel(now, account, order.order_id, reason) for order in orders]
        return tuple([answer for answer in answers if isinstance(answer, OrderView)])

    def close_position(
        self,
        now: Nanos,
        account: str,
        instrument: str,
        order_type: OrderType,
        price: float | None,
        *,
        at_once: bool = False,
    ) -> Placed | Refused | Held:
        """A reduce-only order of the position's full size."""
        contract = self._contracts.get(instrument)
        if contract is None:
            return self._unknown_instrument()
        lots = self._accounts[account].position(contract).lots
        request = OrderRequest(
            instrument=instrument,
            side=Side.SELL if lots > 0 else Side.BUY,
            amount=contract.amount(max(1, abs(lots))),
            price=price,
            order_type=order_type,
            reduce_only=True,
        )
        return self.place(now, account, request, at_once=at_once)

    def set_self_match(self, account: str, mode: SelfMatch, *, extended: bool = False) -> None:
        """How the account wants its own crossings handled; `extended`: its subaccounts' too."""
        owner = self._accounts[account]
        owner.self_match, owner.self_match_extended = mode, extended

    # -- protection and mass quotes --------------------------------------------------------------

    def set_protection(
        self, now: Nanos, account: str, config: Protection
    ) -> tuple[Protection, ...] | Refused:
        """Set, replace or (with interval 0) remove a protection; answers what the account then has
        on that index and group. Orders beyond a lower `max_quote_quantity` are cancelled
        (`mmp_config_curtailment`), and so are those of a removed one."""
        self.advance(now)
        owner = self._accounts[account]
        if not owner.mmp_enabled:
            return checks.MMP_REQUIRED
        contracts = self._on_index(config.index)
        refused = _unsound(config, known=bool(contracts))
        if refused is not None:
            return refused
        key = (config.index, config.group)
        shield = owner.shields.get(key)
        if shield is None and config.interval_s:
            owner.shields[key] = Shield(config, contracts[0])
        elif shield is not None:
            leaving = shield.configure(config, contracts)
            for order in leaving:
                contract = self._contracts[order.instrument.name]
                self._desk.cancel(now, owner, contract, order, "mmp_config_curtailment")
            if not config.interval_s:
                del owner.shields[key]
        return self.protections(account, config.index, config.group)

    def reset_protection(
        self, now: Nanos, account: str, index: str, group: str = ""
    ) -> Refused | None:
        """End a freeze and start the counters anew (13040 without such a protection)."""
        self.advance(now)
        shield = self._accounts[account].shields.get((index, group))
        if shield is None:
            return checks.MMP_REQUIRED
        shield.reset()
        return None

    def mass_quote(self, now: Nanos, account: str, request: MassQuote) -> MassQuoted | Refused:
        """Place, amend and cancel many quotes (13902, 13042, 13043 or 13040 as a whole)."""
        self.advance(now)
        owner = self._accounts[account]
        return checks.lock(owner) or self._quotes.quote(now, owner, request)

    def cancel_quotes(
        self, now: Nanos, account: str, chosen: QuoteFilter, *, freeze: bool = False
    ) -> tuple[OrderView, ...]:
        """Cancel the quotes that fit; with `freeze` none are taken for a second (13043)."""
        self.advance(now)
        return self._quotes.cancel(now, self._accounts[account], chosen, freeze=freeze)

    # -- inside ----------------------------------------------------------------------------------

    def _place_or_hold(
        self, now: Nanos, owner: Account, contract: Contract, request: OrderRequest
    ) -> Placed | Refused | Held:
        tag = UNDER_PLAIN_PROTECTION if request.mmp else PLAIN
        held = self._hold.protected_size(owner.name, contract.name, "", request.side.sign)
        draft = self._desk.draft(now, owner, contract, request, tag._replace(held=held))
        if isinstance(draft, Refused):
            return draft
        if not draft.takes:
            return self._desk.place(now, owner, contract, request)
        price = contract.price(draft.tick)
        size = abs(contract.instrument.delta(request.amount, price))
        return self._hold.put(
            now,
            owner.name,
            contract,
            lambda at: checks.lock(owner) or self._desk.place(at, owner, contract, request),
            label=request.label,
            size=("", request.side.sign, size) if request.mmp else None,
        )

    def _edit_or_hold(
        self, now: Nanos, owner: Account, contract: Contract, order: Order, edit: OrderEdit
    ) -> Placed | Refused | Held:
        change = self._desk.change(now, owner, contract, order, edit)
        if isinstance(change, Refused):
            return change
        self._hold.supersede(now, order.order_id)
        if not change.takes:
            return self._desk.edit(now, owner, contract, order, edit)

        def act(at: Nanos) -> Placed | Refused:
            if order.state is not OrderState.OPEN:
                return checks.NOT_OPEN
            return checks.lock(owner) or self._desk.edit(at, owner, contract, order, edit)

        return self._hold.put(
            now, owner.name, contract, act, label=order.label, target=order.order_id
        )

    def _unknown_instrument(self) -> Refused:
        return checks.UNKNOWN_INSTRUMENTS[self.rules.unknown_instrument_code]


def _missing(account: Account, order_id: str) -> Refused:
    return checks.NOT_OPEN if order_id in account.closed else checks.NOT_FOUND


def _unsound(config: Protection, *, known: bool) -> Refused | None:
    """What is wrong with a protection's configuration."""
    limits = (config.quantity_limit, config.delta_limit, config.vega_limit)
    if not known:
        return checks.invalid("index_name", "unknown index")
    if not 0 <= config.interval_s <= _SECONDS_MAX:
        return checks.invalid("interval", f"must be between 0 and {_SECONDS_MAX}")
    if not config.interval_s:
        return None
    if not 0 <= config.frozen_time_s <= _SECONDS_MAX:
        return checks.invalid("frozen_time", f"must be between 0 and {_SECONDS_MAX}")
    if not 0.0 < config.max_quote_quantity < float("inf"):
        return checks.invalid("max_quote_quantity", "must be positive")
    if all(limit is None for limit in limits):
        return checks.invalid("quantity_limit", "at least one limit is required")
    for limit in limits:
        if limit is not None and not 0.0 < limit < float("inf"):
            return checks.invalid("quantity_limit", "limits must be positive")
    return None
