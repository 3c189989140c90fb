"""Which channels are wanted, asked for, granted and being left, on one connection.

    absent --ask--> ASKED --reply--> GRANTED --leave--> LEAVING --reply--> absent
                      `----reply---> REFUSED --want again--> absent

Channels compare without regard to case: the venue echoes some currencies in lower case.
"""

from enum import Enum, auto

_CHUNK = 200

Chunk = tuple[str, ...]


class _State(Enum):
    ASKED = auto()
    GRANTED = auto()
    LEAVING = auto()
    REFUSED = auto()


class Subscriptions:
    """The difference between wanted and had, in chunks for one request each."""

    def __init__(self, wanted: tuple[str, ...]) -> None:
        self._wanted = dict.fromkeys(wanted)
        self._states: dict[str, _State] = {}

    def __contains__(self, channel: str) -> bool:
        return channel in self._wanted

    @property
    def settled(self) -> bool:
        """Nothing that was asked for is unanswered."""
        return _State.ASKED not in self._states.values()

    def reset(self) -> None:
        """A new connection has no subscriptions."""
        self._states.clear()

    def want(self, channels: tuple[str, ...]) -> None:
        """Replace the wanted set, and forget past refusals."""
        self._wanted = dict.fromkeys(channels)
        for channel in self._in(_State.REFUSED):
            del self._states[channel]

    def to_ask(self) -> list[Chunk]:
        """Wanted channels to subscribe to now; they count as asked from here."""
        missing = [channel for channel in self._wanted if channel not in self._states]
        return self._moved(missing, _State.ASKED)

    def to_leave(self) -> list[Chunk]:
        """Granted channels that are no longer wanted; they count as being left from here."""
        surplus = [c for c in self._in(_State.GRANTED) if c not in self._wanted]
        return self._moved(surplus, _State.LEAVING)

    def leave(self, channel: str) -> list[Chunk]:
        """Leave a granted channel although it is wanted, so that it is asked for afresh."""
        if self._states.get(channel) is not _State.GRANTED:
            return []
        return self._moved([channel], _State.LEAVING)

    def answered(self, asked: Chunk, granted: list[str]) -> Chunk:
        """Settle a subscribe reply; returns what was refused."""
        echoed = {channel.casefold(): None for channel in granted}
        refused = tuple(channel for channel in asked if channel.casefold() not in echoed)
        self._moved(list(asked), _State.GRANTED)
        self._moved(list(refused), _State.REFUSED)
        return refused

    def left(self, channels: Chunk) -> None:
        """Settle an unsubscribe reply, whatever it said: afterwards the venue sends none of these."""
        for channel in channels:
            self._states.pop(channel, None)

    def _in(self, state: _State) -> list[str]:
        return [channel for channel, held in self._states.items() if held is state]

    def _moved(self, channels: list[str], state: _State) -> list[Chunk]:
        for channel in channels:
            self._states[channel] = state
        starts = range(0, len(channels), _CHUNK)
        return [tuple(channels[start : start + _CHUNK]) for start in starts]
