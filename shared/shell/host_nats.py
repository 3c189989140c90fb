"""NatsHost: one process of several, with NATS between them and Redis for what must survive."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.kernel import Core
from shared.shell.bus_nats import NatsBus
from shared.shell.host import Host
from shared.shell.settings import Settings
from shared.shell.state_redis import RedisState


class NatsHost(Host):
    """The production host. `history` names cores that are told the last day's events at the start."""

    def __init__(
        self,
        cores: Sequence[Core],
        settings: Settings,
        config: Mapping[str, Any] | None = None,
        history: Sequence[str] = (),
        *,
        fast: bool = True,
    ) -> None:
        names = [core.name for core in cores]
        bus = NatsBus(settings.nats_url, settings.env, names, history, fast=fast)
        trades = any("private" in core.links for core in cores)
        state = RedisState(settings.redis_url, settings.env, settings.account if trades else None)
        super().__init__(cores, settings, bus, state, config)
