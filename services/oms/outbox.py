"""What the OMS says while it handles one event: effects in order, anomalies, counters."""

from shared.kernel import Effect, Message, Nanos, Publish, WakeAt
from shared.messages import Anomaly, Severity


class Outbox:
    """Filled by every part of the core, emptied by the core at the end of an event."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._effects: list[Effect] = []
        self.counters: dict[str, float] = {}

    @property
    def empty(self) -> bool:
        """Whether nothing was said yet."""
        return not self._effects

    def say(self, message: Message) -> None:
        """Publish a message."""
        self._effects.append(Publish(message))

    def do(self, effect: Effect) -> None:
        """Any other effect."""
        self._effects.append(effect)

    def wake(self, timer: str, at: Nanos) -> None:
        """Ask to be woken."""
        self._effects.append(WakeAt(timer, at))

    def count(self, name: str, by: float = 1.0) -> None:
        """Add to a total."""
        self.counters[name] = self.counters.get(name, 0.0) + by

    def anomaly(
        self,
        now: Nanos,
        kind: str,
        severity: Severity,
        detail: str,
        instrument: str | None = None,
    ) -> None:
        """Something that should not have happened: said and counted."""
        self.count("anomalies")
        self.say(
            Anomaly(
                ts=now,
                source=self._source,
                kind=kind,
                severity=severity,
                detail=detail,
                instrument=instrument,
            )
        )

    def take(self) -> list[Effect]:
        """Everything said since the last time."""
        effects, self._effects = self._effects, []
        return effects
