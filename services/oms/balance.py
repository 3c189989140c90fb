"""The balance, held against our fees: between two settlements nothing else moves it.

The exchange charges fees to the balance at once and keeps profit and funding aside until 08:00 UTC
(Deribit API: account arithmetic). So the change of the balance between two agreed rounds must be the fees of
the trades counted between them, to the rounding of each; across a settlement it proves nothing. What three
rounds in a row cannot explain is told once, with the amount, and taken over: less than expected is critical,
since money that leaves an account unexplained is a reason not to add to its risk; more is a deposit.
"""

from services.oms.inventory import Inventory
from services.oms.outbox import Outbox
from shared.kernel import Nanos
from shared.messages import Severity
from shared.units import DAY, HOUR

_SETTLES = 8 * HOUR
_STRIKES = 3
_ROUNDING = 1e-8
"""Of one fee, and of the balance as printed."""


class Balance:
    """One currency's balance from round to round."""

    def __init__(self, out: Outbox, inventory: Inventory, currency: str) -> None:
        self._out = out
        self._inventory = inventory
        self._currency = currency
        self._base: tuple[float, float, int] | None = None
        """Balance, fees and fills when they were last seen to belong together."""
        self._day = 0
        self._strikes = 0

    def forget(self) -> None:
        """What happened while the line was away is compared by nobody."""
        self._base, self._strikes = None, 0

    def fills(self) -> int:
        """Fills counted so far whose fees it has paid."""
        return self._paid()[1]

    def compare(self, now: Nanos, balance: float, fills_before: int) -> None:
        """The balance of a round that agreed, and the fills counted when it was begun."""
        fees, fills = self._paid()
        if fills != fills_before:
            # Whether the balance was struck before or after that fill is not known.
            return
        day = (now - _SETTLES) // DAY
        before, same_day = self._base, day == self._day
        self._day = day
        if before is None or not same_day:
            self._base, self._strikes = (balance, fees, fills), 0
            return
        missing = balance - (before[0] - (fees - before[1]))
        if abs(missing) <= _ROUNDING * (2 + fills - before[2]):
            self._base, self._strikes = (balance, fees, fills), 0
            return
        self._strikes += 1
        if self._strikes == _STRIKES:
            detail = f"the balance moved by {missing:+.8f} {self._currency} that no fee explains"
            severity = Severity.CRITICAL if missing < 0.0 else Severity.WARNING
            self._out.anomaly(now, "balance_mismatch", severity, detail)
            self._base, self._strikes = (balance, fees, fills), 0

    def _paid(self) -> tuple[float, int]:
        """Fees in this currency, and of how many fills."""
        fees, fills = 0.0, 0
        for name, held in self._inventory.ledger.holdings.items():
            spec = self._inventory.specs.get(name)
            if spec is None or spec.settlement == self._currency:
                fees += held.fees
                fills += held.fills
        return fees, fills
