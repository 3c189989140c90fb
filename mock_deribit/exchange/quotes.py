"""★ Mass quotes: many sides in one request, each an order of its own under a group's protection.

An account has at most one quote for each side of an instrument in a group. A side of a mass quote places it,
amends it (a missing price or amount keeps what rests) or, with amount 0, cancels it. The amount is what is to
be open, whatever was filled before. Sides are checked one by one: one that is refused is an error among the
answers, and takes with it what it had resting where the book takes cancels. When both prices of an instrument
move up the ask goes first, otherwise the bid, so that a quote never meets itself.

Place in the queue: kept when the size shrinks at the same price or only `quote_set_id` changes; sending the
same again loses it.

Source: Deribit's mass quotes article.
"""

from mock_deribit.exchange import checks
from mock_deribit.exchange.account import Account
from mock_deribit.exchange.contract import Contract
from mock_deribit.exchange.desk import Desk, Tag
from mock_deribit.exchange.hold import Hold
from mock_deribit.exchange.maker_messages import (
    HeldSide,
    MassQuote,
    MassQuoted,
    Quote,
    QuoteError,
    QuoteFilter,
    QuoteSide,
)
from mock_deribit.exchange.messages import (
    Held,
    OrderEdit,
    OrderRequest,
    OrderState,
    OrderView,
    Placed,
    Refused,
    UserTrade,
)
from mock_deribit.exchange.order import Order
from mock_deribit.exchange.rules import Rules
from shared.kernel import Nanos
from shared.units import SECOND, Side

QUOTES_MAX = 100
FREEZE = Nanos(SECOND)


class _Answers:
    """What a mass quote has brought so far."""

    def __init__(self) -> None:
        self.orders: list[OrderView] = []
        self.trades: list[UserTrade] = []
        self.errors: list[QuoteError] = []
        self.held: list[HeldSide] = []

    def take(self, quote: Quote, side: Side, answer: Placed | Refused | Held | None) -> None:
        match answer:
            case Placed():
                self.orders.append(answer.order)
                self.trades.extend(answer.trades)
            case Held(ticket=ticket):
                held = HeldSide(instrument=quote.instrument, side=side, ticket=ticket)
                self.held.append(held)
            case Refused():
                error = QuoteError(instrument=quote.instrument, side=side, refused=answer)
                self.errors.append(error)


class QuoteDesk:
    """Takes mass quotes apart."""

    def __init__(
        self, contracts: dict[str, Contract], desk: Desk, hold: Hold, rules: Rules
    ) -> None:
        self._contracts = contracts
        self._desk = desk
        self._hold = hold
        self._rules = rules

    def quote(self, now: Nanos, account: Account, request: MassQuote) -> MassQuoted | Refused:
        """Carry out a mass quote, side by side."""
        refused = self._refused(now, account, request)
        if refused is not None:
            return refused
        answers = _Answers()
        for quote in request.quotes:
            for side in self._sequence(account, request.group, quote):
                asked = quote.bid if side is Side.BUY else quote.ask
                if asked is not None:
                    answer = self._side(now, account, request, quote, side, asked)
                    answers.take(quote, side, answer)
        return MassQuoted(
            orders=tuple(answers.orders),
            trades=tuple(answers.trades),
            errors=tuple(answers.errors),
            held=tuple(answers.held),
        )

    def freeze(self, now: Nanos, account: Account) -> None:
        """Take no mass quotes of the account for a second."""
        account.quotes_frozen_until = Nanos(now + FREEZE)

    def cancel(
        self, now: Nanos, account: Account, chosen: QuoteFilter, *, freeze: bool
    ) -> tuple[OrderView, ...]:
        """Cancel the quotes that fit; with `freeze` no new ones are taken for a second."""
        if freeze:
            self.freeze(now, account)
        cancelled = []
        for (_, name, _), order in list(account.quotes.items()):
            if _fits(order, chosen):
                view = self._withdrawn(now, account, self._contracts[name], order)
                if isinstance(view, OrderView):
                    cancelled.append(view)
        return tuple(cancelled)

    def _withdrawn(
        self, now: Nanos, account: Account, contract: Contract, order: Order
    ) -> OrderView | Refused:
        """Cancel a quote, unless its book takes no cancels."""
        halted_too = self._rules.halted_takes_cancels
        refused = checks.state_for_cancel(contract, halted_too=halted_too)
        return refused or self._desk.cancel(now, account, contract, order, "user_request")

    def _refused(self, now: Nanos, account: Account, request: MassQuote) -> Refused | None:
        """Why the request as a whole is not taken."""
        if not account.mass_quotes_enabled:
            return Refused(13902, "mass_quotes_disabled")
        if not request.guarded:
            return Refused(13042, "cod_not_enabled")
        if now < account.quotes_frozen_until:
            return Refused(13043, "quotes_frozen")
        if not request.group or not 1 <= len(request.quotes) <= QUOTES_MAX:
            return checks.invalid("quotes", f"a group and 1 to {QUOTES_MAX} quotes are required")
        contracts = [self._contracts.get(quote.instrument) for quote in request.quotes]
        indices = {contract.instrument.index: None for contract in contracts if contract}
        if None in contracts:
            return checks.UNKNOWN_INSTRUMENTS[self._rules.unknown_instrument_code]
        if len(indices) > 1:
            return checks.invalid("quotes", "all quotes must be on one index")
        if (next(iter(indices)), request.group) not in account.shields:
            return checks.MMP_REQUIRED
        return checks.deadline(now, request.valid_until)

    def _sequence(self, account: Account, group: str, quote: Quote) -> tuple[Side, Side]:
        """The ask first when a price moves up, so that the bid finds its way free."""
        for sign, side in ((1, quote.bid), (-1, quote.ask)):
            resting = account.quotes.get((group, quote.instrument, sign))
            if resting and side and side.price is not None and side.price != resting.price:
                upwards = side.price > resting.price
                return (Side.SELL, Side.BUY) if upwards else (Side.BUY, Side.SELL)
        return Side.BUY, Side.SELL

    def _side(
        self,
        now: Nanos,
        account: Account,
        request: MassQuote,
        quote: Quote,
        side: Side,
        asked: QuoteSide,
    ) -> Placed | Refused | Held | None:
        """Place, amend or cancel one side; None: there was nothing to cancel."""
        contract = self._contracts[quote.instrument]
        self._hold.supersede(now, _target(account, request, contract, side))
        resting = account.quotes.get((request.group, contract.name, side.sign))
        if asked.amount == 0.0:
            if resting is None:
                return None
            view = self._withdrawn(now, account, contract, resting)
            return view if isinstance(view, Refused) else Placed(view, ())
        if resting is None:
            return self._new(now, account, contract, request, quote, side, asked)
        return self._amend(now, account, contract, request, quote, resting, asked)

    def _new(
        self,
        now: Nanos,
        account: Account,
        contract: Contract,
        request: MassQuote,
        quote: Quote,
        side: Side,
        asked: QuoteSide,
    ) -> Placed | Refused | Held:
        if asked.price is None or asked.amount is None:
            return checks.invalid("price" if asked.price is None else "amount", "value required")
        order = OrderRequest(
            instrument=contract.name,
            side=side,
            amount=asked.amount,
            price=asked.price,
            post_only=asked.post_only,
            reject_post_only=asked.reject_post_only,
            valid_until=request.valid_until,
        )
        held = self._hold.protected_size(account.name, contract.name, request.group, side.sign)
        tag = Tag(request.group, request.quote_id, quote.quote_set_id or None, held=held)
        if contract.hold:
            draft = self._desk.draft(now, account, contract, order, tag)
            if not isinstance(draft, Refused) and draft.takes:
                tag = tag._replace(held=0.0)
                size = abs(contract.instrument.delta(asked.amount, asked.price))
                return self._hold.put(
                    now,
                    account.name,
                    contract,
                    lambda at: (
                        checks.lock(account) or self._desk.place(at, account, contract, order, tag)
                    ),
                    target=_target(account, request, contract, side),
                    size=(request.group, side.sign, size),
                )
        return self._desk.place(now, account, contract, order, tag)

    def _amend(
        self,
        now: Nanos,
        account: Account,
        contract: Contract,
        request: MassQuote,
        quote: Quote,
        resting: Order,
        asked: QuoteSide,
    ) -> Placed | Refused | Held:
        filled = contract.amount(resting.filled)
        edit = OrderEdit(
            amount=None if asked.amount is None else filled + asked.amount,
            price=asked.price,
            post_only=asked.post_only,
            reject_post_only=asked.reject_post_only,
            valid_until=request.valid_until,
        )

        def act(at: Nanos) -> Placed | Refused:
            if resting.state is not OrderState.OPEN:
                return checks.NOT_OPEN
            another = (quote.quote_set_id or None) != resting.quote_set_id
            quote_ids = resting.quote_id, resting.quote_set_id
            resting.quote_id, resting.quote_set_id = request.quote_id, quote.quote_set_id or None
            answer = self._desk.edit(at, account, contract, resting, edit, idle_keeps_place=another)
            if isinstance(answer, Refused):
                resting.quote_id, resting.quote_set_id = quote_ids
                self._withdrawn(at, account, contract, resting)
            elif answer.order.cancel_reason == "edit_post_only_reject":
                return checks.POST_ONLY_REJECT
            return answer

        if contract.hold:
            change = self._desk.change(now, account, contract, resting, edit)
            if not isinstance(change, Refused) and change.takes:
                target = _target(account, request, contract, resting.side)
                return self._hold.put(now, account.name, contract, act, target=target)
        return act(now)


def _target(account: Account, request: MassQuote, contract: Contract, side: Side) -> str:
    """One side of an instrument in a group, as the hold calls it."""
    return f"{account.name} {request.group} {contract.name} {side.sign}"


def _fits(order: Order, chosen: QuoteFilter) -> bool:
    instrument = order.instrument
    return (
        chosen.delta is None
        and chosen.quote_set_id in (None, order.quote_set_id)
        and chosen.instrument in (None, instrument.name)
        and chosen.currency in (None, instrument.settlement)
        and chosen.index in (None, instrument.index)
    )
