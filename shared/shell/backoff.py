"""How long to wait before trying again: exponential, jittered, bounded; and what of it is worth a line."""

import random

FIRST_S = 0.2
LONGEST_S = 5.0


class Backoff:
    """Waits of 0.1-0.2, 0.2-0.4, ... up to 2.5-5 s, spread so that many clients do not return at once."""

    def __init__(self) -> None:
        self._failures = 0
        self._reason: str | None = None

    def is_news(self, reason: str) -> bool:
        """Whether the last failure had another reason: an outage is told once, not at every try."""
        before, self._reason = self._reason, reason
        return reason != before

    def failed(self) -> float:
        """Seconds to wait after one more failure."""
        wait = min(LONGEST_S, FIRST_S * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return wait * random.uniform(0.5, 1.0)

    def succeeded(self) -> None:
        """Start again with short waits."""
        self._failures = 0
        self._reason = None
