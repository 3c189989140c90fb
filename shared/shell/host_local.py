"""LocalHost: the whole system in one process, without broker or state store."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.kernel import Core, LinkUp, Message
from shared.shell.host import Ears, Host
from shared.shell.settings import Settings
from shared.shell.state_redis import MemoryState


class NoBus:
    """The bus of a process that hosts everyone: nobody else is there to hear."""

    def __init__(self) -> None:
        self._said = 0

    async def keep(self, ears: Ears) -> None:
        """Always up."""
        ears.link(LinkUp(link="bus"))

    def say(self, message: Message) -> None:
        """All who hear it have heard it."""
        self._said += 1

    async def close(self) -> None:
        """Nothing to do."""

    def figures(self) -> dict[str, float]:
        """How much was said."""
        return {"bus_said": float(self._said)}


class LocalHost(Host):
    """Every core in one process; `state` outlives it when the caller keeps the dict."""

    def __init__(
        self,
        cores: Sequence[Core],
        settings: Settings,
        config: Mapping[str, Any] | None = None,
        state: dict[str, str] | None = None,
    ) -> None:
        super().__init__(cores, settings, NoBus(), MemoryState(state), config)
