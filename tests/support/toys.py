"""Small cores for tests of the hosts. They carry the names of services, because subjects go by name."""

from collections.abc import Callable

from shared.kernel import (
    Effects,
    Event,
    Message,
    Nanos,
    Publish,
    Restored,
    Started,
    Store,
    Wake,
    WakeAt,
)
from shared.messages import Anomaly, FeedState, FeedStatus, NoQuote, Severity

Script = Callable[[Nanos, Event], Effects]


class Listener:
    """Keeps every event it is told; answers with what its script says."""

    def __init__(
        self,
        name: str,
        script: Script | None = None,
        *,
        links: tuple[str, ...] = (),
        remembers: tuple[str, ...] = (),
    ) -> None:
        self._name = name
        self._links = links
        self._remembers = remembers
        self._script = script
        self.events: list[Event] = []
        self.times: list[Nanos] = []

    @property
    def name(self) -> str:
        """The service's name."""
        return self._name

    @property
    def links(self) -> tuple[str, ...]:
        """Links it was given."""
        return self._links

    @property
    def remembers(self) -> tuple[str, ...]:
        """Keys it was given."""
        return self._remembers

    def handle(self, now: Nanos, event: Event) -> Effects:
        """Keep, and answer by the script."""
        self.events.append(event)
        self.times.append(now)
        return () if self._script is None else self._script(now, event)

    def messages(self) -> list[Message]:
        """What it heard on the bus."""
        return [event for event in self.events if isinstance(event, Message)]

    def details(self) -> list[str]:
        """The detail of every anomaly it heard."""
        return [event.detail for event in self.events if isinstance(event, Anomaly)]


class Pulse:
    """A `marketdata` that says a status every `period` nanoseconds, numbered in its reason."""

    name = "marketdata"
    links: tuple[str, ...] = ()
    remembers: tuple[str, ...] = ()

    def __init__(self, period: int) -> None:
        self._period = period
        self.said = 0

    def handle(self, now: Nanos, event: Event) -> Effects:
        """One status per wake."""
        again = WakeAt("pulse", Nanos(now + self._period))
        if isinstance(event, Started):
            return (again,)
        if event == Wake(timer="pulse"):
            self.said += 1
            return (again, Publish(status(now, str(self.said))))
        return ()


class Echo:
    """An `oms` that answers each status with an anomaly, counts them over restarts and stores the count."""

    name = "oms"
    links: tuple[str, ...] = ()
    remembers = ("oms.echoes",)

    def __init__(self) -> None:
        self.echoes = 0

    def handle(self, now: Nanos, event: Event) -> Effects:
        """Count, store, tell."""
        if isinstance(event, Restored) and event.value is not None:
            self.echoes = int(event.value)
        if isinstance(event, FeedStatus):
            self.echoes += 1
            detail = f"{event.reason} was number {self.echoes}"
            return (Store("oms.echoes", str(self.echoes)), Publish(anomaly(now, detail)))
        return ()


def status(now: Nanos, reason: str) -> FeedStatus:
    """Data: lossy."""
    return FeedStatus(ts=now, instrument="TOY", state=FeedState.LIVE, reason=reason, heard=now)


def anomaly(now: Nanos, detail: str, source: str = "oms") -> Anomaly:
    """An event: never lost."""
    return Anomaly(ts=now, source=source, kind="toy", severity=Severity.INFO, detail=detail)


def refusal(now: Nanos, number: int) -> NoQuote:
    """An event of the quoter, numbered."""
    return NoQuote(ts=now, instrument="TOY", quote_id=number, reason="toy", detail="")
