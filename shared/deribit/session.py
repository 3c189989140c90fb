"""One socket's conversation with Deribit, without the socket.

Owns: the opening sequence, heartbeat, tokens, subscriptions, and which reply belongs to which request.
"""

from shared.deribit.outputs import Output, SessionConfig
from shared.kernel import Nanos


class Session:
    """Told what happened on the socket, answers with what to do. Never raises on what the venue sends.

    The owner turns `Transmit` into `Send`, `Distrust` into `Cut`, and asks for a wake at `next_wake`
    after every call.
    """

    def __init__(self, config: SessionConfig) -> None:
        self.config = config

    @property
    def ready(self) -> bool:
        """The opening sequence is through and the socket is not distrusted."""
        raise NotImplementedError

    @property
    def next_wake(self) -> Nanos | None:
        """When `woke` must be called next; None: nothing is due."""
        raise NotImplementedError

    @property
    def clock_offset(self) -> Nanos | None:
        """Venue clock minus ours, of the quickest of the last round trips; None before the first."""
        raise NotImplementedError

    def opened(self, now: Nanos) -> list[Output]:
        """The socket is open: start the opening sequence."""
        raise NotImplementedError

    def closed(self, now: Nanos, reason: str) -> list[Output]:
        """The socket is gone: every open request is `Unanswered`."""
        raise NotImplementedError

    def received(self, now: Nanos, data: bytes) -> list[Output]:
        """One text frame."""
        raise NotImplementedError

    def woke(self, now: Nanos) -> list[Output]:
        """Time-outs, token refresh and the silence limit."""
        raise NotImplementedError

    def request(
        self, now: Nanos, method: str, params: dict[str, object], context: object = None
    ) -> tuple[int, list[Output]]:
        """Ask the venue; the answer comes as Answered, Refused or Unanswered with this id and context.

        Raises RuntimeError when the session is not `ready`.
        """
        raise NotImplementedError

    def want(self, now: Nanos, channels: tuple[str, ...]) -> list[Output]:
        """Replace the set of wanted channels; refused ones among them are asked for again."""
        raise NotImplementedError

    def renew(self, now: Nanos, channel: str) -> list[Output]:
        """Unsubscribe, then subscribe: the only way to a new snapshot on an open socket.

        Raises ValueError for a channel that is not wanted.
        """
        raise NotImplementedError
