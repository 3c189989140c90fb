"""Who has forbidden what: the kill latch, an operator's pauses, anomalies, and the mode they add up to.

Owns the mode. The least allowing of latch, pause, anomaly and limit wins; each says why. The latch and the
pauses live in shared state, so that no restart forgets them: a stored latch that cannot be read latches.
"""

import msgspec

from services.risk.limits import ANOMALY_HOLD, ANOMALY_HOLD_OTHER, SEVERITY, Verdict
from shared.kernel import Nanos, Store
from shared.messages import Anomaly, Mode, Pause, Severity
from shared.state import KILL_LATCH, MODE, Latch, write_latch


class Pauses(msgspec.Struct, kw_only=True):
    """What an operator has paused. Stored as JSON under `mode`."""

    everything: str = ""
    """By whom; empty when not paused."""
    instruments: list[str] = msgspec.field(default_factory=list)


class Standing(msgspec.Struct, frozen=True):
    """The mode now, why it is not ACTIVE, and who wanted it so."""

    mode: Mode
    reason: str
    by: str


class Authority:
    """Adds up everything that forbids."""

    def __init__(self) -> None:
        self.latch: Latch | None = None
        self.pauses = Pauses()
        self._anomalies: dict[str, Nanos] = {}

    def restore_pauses(self, stored: str) -> None:
        """Take over the pauses; raises `msgspec.DecodeError` when they cannot be read."""
        self.pauses = msgspec.json.decode(stored, type=Pauses)

    def kill(self, latch: Latch) -> Store:
        """Latch; a second kill joins the first."""
        self.latch = latch if self.latch is None else self.latch.joined(latch)
        return Store(KILL_LATCH, write_latch(self.latch))

    def unlatch(self) -> Store:
        """Only ever on an operator's confirmed resume."""
        self.latch = None
        return Store(KILL_LATCH, write_latch(self.latch))

    def pause(self, message: Pause) -> Store:
        """Pause one instrument or everything."""
        if message.instrument is None:
            self.pauses.everything = message.by
        elif message.instrument not in self.pauses.instruments:
            self.pauses.instruments.append(message.instrument)
        return self._stored_pauses()

    def unpause(self, instrument: str | None) -> Store:
        """Lift the pause of one instrument, or every pause and what anomalies have reduced."""
        if instrument is None:
            self.pauses = Pauses()
            self._anomalies.clear()
        elif instrument in self.pauses.instruments:
            self.pauses.instruments.remove(instrument)
        return self._stored_pauses()

    def alarmed(self, now: Nanos, anomaly: Anomaly) -> None:
        """A critical anomaly reduces for as long as its kind says."""
        if anomaly.severity is Severity.CRITICAL:
            hold = ANOMALY_HOLD.get(anomaly.kind, ANOMALY_HOLD_OTHER)
            self._anomalies[anomaly.kind] = Nanos(now + hold)

    def standing(self, now: Nanos, verdict: Verdict) -> Standing:
        """The mode that follows from everything that forbids at present."""
        if self.latch is not None:
            return Standing(Mode.KILLED, self.latch.reason, self.latch.by)
        if self.pauses.everything:
            by = self.pauses.everything
            return Standing(Mode.PAUSED, f"paused by {by}", by)
        self._anomalies = {kind: until for kind, until in self._anomalies.items() if until > now}
        reasons = [f"anomaly {kind}" for kind in self._anomalies]
        mode = Mode.REDUCING if reasons else Mode.ACTIVE
        if verdict.reason:
            reasons.insert(0, verdict.reason)
            mode = max(mode, verdict.mode, key=SEVERITY.__getitem__)
        return Standing(mode, ", ".join(reasons), "risk")

    def _stored_pauses(self) -> Store:
        return Store(MODE, msgspec.json.encode(self.pauses).decode())
