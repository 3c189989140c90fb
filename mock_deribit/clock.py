"""Owns the exchange's time: real time, but it can stand still, run at another speed, and be moved forward.

What an operator can say of it: one struct each, named by `clock`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from shared.kernel import Nanos
from shared.units import DAY, SECOND

SPEED_MAX = 100.0
STEP_MAX_S = 3_600.0
JUMP_MAX = 3_660 * DAY

Speed = Annotated[float, Meta(gt=0, le=SPEED_MAX)]


class _Word(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="clock",
    tag=str.lower,
):
    """Anything an operator can say of time."""


class Pause(_Word, frozen=True, kw_only=True):
    """Time stands still; requests are answered, but nothing happens by itself."""


class Resume(_Word, frozen=True, kw_only=True):
    """Time goes on."""


class Run(_Word, frozen=True, kw_only=True):
    """Time runs at so many seconds a second."""

    speed: Speed


class Step(_Word, frozen=True, kw_only=True):
    """Everything that these seconds hold happens at once, market included."""

    seconds: Annotated[float, Meta(gt=0, le=STEP_MAX_S)]


class Jump(_Word, frozen=True, kw_only=True):
    """It is that time now (ISO 8601 with an offset): the market sleeps, the exchange's calendar does not."""

    to: Annotated[datetime, Meta(tz=True)]

    @property
    def time(self) -> Nanos:
        """As the exchange counts."""
        return Nanos(round(self.to.timestamp() * 1e3) * 1_000_000)


ClockWord = Pause | Resume | Run | Step | Jump


class ExchangeClock:
    """Calling it reads it. `real` is followed at `speed`, beginning at `start`."""

    def __init__(
        self, real: Callable[[], Nanos], start: Nanos | None = None, speed: float = 1.0
    ) -> None:
        self._real = real
        self._since = real()
        self._base = self._since if start is None else start
        self.speed = speed
        self.paused = False

    def __call__(self) -> Nanos:
        return self._at(self._real())

    def _at(self, real: Nanos) -> Nanos:
        if self.paused:
            return self._base
        passed = real - self._since
        return Nanos(self._base + (passed if self.speed == 1.0 else round(passed * self.speed)))

    def _hold(self) -> Nanos:
        """Count on from here, in whatever way."""
        real = self._real()
        self._base, self._since = self._at(real), real
        return self._base

    def pause(self) -> None:
        """Stand still."""
        self._hold()
        self.paused = True

    def resume(self) -> None:
        """Go on."""
        self._hold()
        self.paused = False

    def run(self, speed: float) -> None:
        """Go on at another speed; one that stands still does so when it is resumed."""
        self._hold()
        self.speed = speed

    def pass_by(self, duration: Nanos) -> None:
        """It is so much later."""
        self._base = Nanos(self._hold() + duration)

    def move_to(self, now: Nanos) -> None:
        """It is that time. Raises ValueError for one that has been, or is more than ten years away."""
        present = self._hold()
        if now < present:
            reads = datetime.fromtimestamp(present / SECOND, tz=UTC).isoformat()
            raise ValueError(f"time does not run back: it is {reads}")
        if now - present > JUMP_MAX:
            raise ValueError(f"a jump is at most {JUMP_MAX // DAY} days long")
        self._base = now

    def wait_s(self, until: Nanos) -> float | None:
        """Real seconds until it is that time; None while it stands still."""
        if self.paused:
            return None
        return max(0, until - self()) / SECOND / self.speed
