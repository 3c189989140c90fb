"""What the venue's operator can do: open accounts, publish prices, change books, settle, liquidate; and
let time pass.

Every method that acts takes `now`, which never runs back (ValueError), and leaves events to be drained. An
unknown account, index or instrument is a KeyError that says what is known.
"""

from collections.abc import Mapping

from mock_deribit.exchange.account import Account
from mock_deribit.exchange.contract import Contract
from mock_deribit.exchange.events import Event, IndexChanged, Listed, LockChanged
from mock_deribit.exchange.listing import Listing
from mock_deribit.exchange.messages import SelfMatch
from mock_deribit.exchange.money import quanta
from mock_deribit.exchange.queries import Inquiry
from shared.instruments import BookState, TickStep
from shared.kernel import Nanos
from shared.units import MILLISECOND

_DEPOSIT_MAX = 1e12
_INDEX_MAX = 1e8


class Operations(Inquiry):
    """The exchange as its operator sees it."""

    # -- time ------------------------------------------------------------------------------------

    def advance(self, now: Nanos) -> None:
        """Let time pass: held orders, mark, funding, settlement at 08:00 UTC, expiry, liquidations,
        forgetting of orders. Raises ValueError when time runs back."""
        if now < self._now:
            raise ValueError(f"time runs back: the exchange was at {self._now}, now told {now}")
        if self._hold.waiting:
            due = self._hold.due()
            while due is not None and due <= now:
                self._pass(due)
                self._hold.release(due)
                due = self._hold.due()
        self._now = now
        if now >= self._timetable.due:
            self._timetable.advance(now)

    def next_wake(self) -> Nanos:
        """When `advance` is due next if nothing else happens."""
        held, due = self._hold.due(), self._timetable.due
        return due if held is None else min(held, due)

    def drain(self) -> list[Event]:
        """Take the events since the last drain, oldest first."""
        return self._outbox.drain()

    # -- accounts --------------------------------------------------------------------------------

    def open_account(
        self,
        name: str,
        deposits: Mapping[str, float],
        *,
        owner: str | None = None,
        house: bool = False,
        self_match: SelfMatch = SelfMatch.REJECT_TAKER,
    ) -> None:
        """Open an account; `owner` is the main account of a subaccount. A `house` account stands for
        the rest of the world: no margin, no price band, no private events, no order history. Raises
        ValueError if the name is taken."""
        if name in self._accounts:
            raise ValueError(f"account {name!r} is already open; choose another name")
        account = Account(name, owner=owner or name, house=house, self_match=self_match)
        account.protection_margin = self.rules.protection_margin
        self._accounts[name] = account
        for currency, amount in deposits.items():
            self._ledger.deposit(self._now, account, currency, quanta(amount))

    def deposit(self, now: Nanos, account: str, currency: str, amount: float) -> None:
        """Add coin to an account's balance (negative withdraws). Raises ValueError beyond 1e12."""
        if not abs(amount) <= _DEPOSIT_MAX:
            raise ValueError(f"a deposit is at most {_DEPOSIT_MAX:g} either way, got {amount}")
        self.advance(now)
        owner = self._accounts[account]
        self._ledger.deposit(now, owner, currency, quanta(amount))
        self._outbox.funds(now, owner, currency)

    def set_features(self, account: str, *, mmp: bool = True, mass_quotes: bool = True) -> None:
        """Grant or take away market maker protection and mass quotes; both are granted at first."""
        owner = self._accounts[account]
        owner.mmp_enabled, owner.mass_quotes_enabled = mmp, mass_quotes

    def liquidate(self, now: Nanos, account: str) -> None:
        """Liquidate an account whole, whatever its margin: it is locked until all positions are
        closed (`liquidation` holds the rule)."""
        self.advance(now)
        self._liquidator.order(now, self._accounts[account])

    # -- prices and books ------------------------------------------------------------------------

    def set_index(self, now: Nanos, index: str, price: float) -> None:
        """Publish an index price; what is pegged to it follows. Raises ValueError for one that cannot
        be."""
        self._require_index(index)
        if not 0.0 < price <= _INDEX_MAX:
            raise ValueError(f"an index is positive and at most {_INDEX_MAX:g}, got {price}")
        self.advance(now)
        self._publish(now, index, price)
        for pegged in self._pegs.get(index, ()):
            self._publish(now, pegged, price)

    def set_state(self, now: Nanos, instrument: str, state: BookState) -> None:
        """Move a book to a state; inactive, delivered and archivized cancel all its orders."""
        self.advance(now)
        self._timetable.change_state(now, self._known(instrument), state)

    def set_locked(self, now: Nanos, index: str, locked: bool) -> None:
        """Lock or release every book on an index (cancels stay possible)."""
        self._require_index(index)
        self.advance(now)
        self._lock(now, index, locked)

    def set_fees(
        self, now: Nanos, instrument: str, *, maker: float | None = None, taker: float | None = None
    ) -> None:
        """Charge other fees from now on, fractions of notional, negative is a rebate."""
        self.advance(now)
        self._known(instrument).change_instrument(maker_fee=maker, taker_fee=taker)
        self._outbox.tell(Listed(now, instrument, created=False))

    def set_tick(
        self,
        now: Nanos,
        instrument: str,
        tick: float | None = None,
        steps: tuple[TickStep, ...] | None = None,
    ) -> None:
        """Give an instrument another tick, or larger ticks above prices; resting orders stay where
        they are. Raises ValueError for a tick off the listing's grid."""
        self.advance(now)
        self._known(instrument).change_instrument(tick=tick, tick_steps=steps)
        self._outbox.tell(Listed(now, instrument, created=False))

    def set_hold(self, now: Nanos, instrument: str, hold_ms: float) -> None:
        """Let orders that would trade at once wait this long on one book; 0 switches it off."""
        if not 0.0 <= hold_ms <= 10_000.0:
            raise ValueError(f"a hold lasts 0 to 10,000 milliseconds, got {hold_ms}")
        self.advance(now)
        self._known(instrument).hold = Nanos(round(hold_ms * MILLISECOND))

    def enlist(self, now: Nanos, listing: Listing) -> None:
        """List another instrument on a known index. Raises ValueError if the name is taken."""
        self._require_index(listing.instrument.index)
        self.advance(now)
        if listing.name in self._contracts:
            raise ValueError(f"{listing.name} is already listed")
        self._enlist(now, listing)

    def settle_now(self, now: Nanos) -> None:
        """Settle every book out of turn; the calendar stays. Raises ValueError during a settlement."""
        self.advance(now)
        self._timetable.settle_now(now)

    def expire_now(self, now: Nanos, instrument: str) -> None:
        """Deliver a dated future before its time. Raises ValueError for one that cannot expire."""
        self.advance(now)
        self._timetable.expire_now(now, self._known(instrument))

    def _pass(self, now: Nanos) -> None:
        self._now = now
        if now >= self._timetable.due:
            self._timetable.advance(now)

    def _publish(self, now: Nanos, index: str, price: float) -> None:
        jump, self._indices[index] = abs(price / self._indices[index] - 1.0), price
        self._averages[index].observe(now, price)
        for contract in self._on_index(index):
            contract.publish(now, price)
        self._outbox.tell(IndexChanged(now, index, price))
        if 0.0 < self.rules.index_jump < jump:
            self._lock(now, index, True)

    def _lock(self, now: Nanos, index: str, locked: bool) -> None:
        self._locked[index] = locked
        for contract in self._on_index(index):
            contract.locked = locked
        self._outbox.tell(LockChanged(now, index, locked))

    def _require_index(self, index: str) -> None:
        if index not in self._indices:
            raise KeyError(f"no index {index!r}; known: {', '.join(self._indices)}")

    def _known(self, instrument: str) -> Contract:
        contract = self._contracts.get(instrument)
        if contract is None:
            raise KeyError(f"no instrument {instrument!r}; listed: {', '.join(self._contracts)}")
        return contract

    def _on_index(self, index: str) -> list[Contract]:
        return [c for c in self._contracts.values() if c.instrument.index == index]
