"""`python -m bench.local`: the trading services in one process without broker, telling how they are.

The single-process host as it is, except that every `Health` is also printed, for there is no bus on which
the benchmark could hear it.
"""

import asyncio
import sys

from services.system import CORES, build
from shared.kernel import Message
from shared.messages import Health
from shared.messages.codec import encode
from shared.shell.host import Host
from shared.shell.host_local import NoBus
from shared.shell.log import set_up_logging
from shared.shell.service import check, drive, loop_factory
from shared.shell.settings import load_params, load_settings
from shared.shell.state_redis import MemoryState


class SpokenHealth(NoBus):
    """Nobody else hears, but the benchmark reads along."""

    def say(self, message: Message) -> None:
        """Print how a core is."""
        super().say(message)
        if isinstance(message, Health):
            print(encode(message).decode(), flush=True)


def main() -> int:
    """Run until SIGTERM; the exit code."""
    settings = load_settings()
    params = load_params(settings.config_file)
    cores = [build(name, params) for name in CORES]
    check(cores, settings)
    set_up_logging(settings.log_level)

    async def live() -> int:
        config = params.model_dump(mode="json")
        return await drive(Host(cores, settings, SpokenHealth(), MemoryState(None), config))

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(live())


if __name__ == "__main__":
    sys.exit(main())
