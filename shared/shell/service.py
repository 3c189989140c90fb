"""How a process of this system begins and ends: settings in, exit code out.

Owns: the event loop, the signals, the log. A service's `__main__` is

    sys.exit(serve(lambda settings, params: [build(settings, params)]))
"""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from shared.kernel import Core
from shared.params import Params
from shared.shell.host import Host
from shared.shell.host_nats import NatsHost
from shared.shell.log import conceal, set_up_logging
from shared.shell.settings import Settings, SettingsError, load_params, load_settings

Companion = Callable[[Host], Awaitable[None]]
"""Runs beside the cores, e.g. an HTTP server; cancelled at the end."""

EXIT_SETTINGS = 2


def serve(
    build: Callable[[Settings, Params], Sequence[Core]],
    *,
    companions: Sequence[Companion] = (),
    history: Sequence[str] = (),
) -> int:
    """Read the settings, build cores, run them; a mistake in the settings is one line and exit 2."""
    try:
        settings = load_settings()
        params = load_params(settings.config_file)
        return run(
            build(settings, params),
            settings,
            config=params.model_dump(mode="json"),
            companions=companions,
            history=history,
        )
    except SettingsError as error:
        print(f"settings: {error}", file=sys.stderr)
        return EXIT_SETTINGS


def run(
    cores: Sequence[Core],
    settings: Settings,
    *,
    config: Mapping[str, Any] | None = None,
    companions: Sequence[Companion] = (),
    history: Sequence[str] = (),
) -> int:
    """Run cores over NATS until SIGTERM, SIGINT or a halt; the exit code (1 after a halt).

    `config` is what the cores were built from, for the journal; `history` names cores that are told the
    last day's events first. Raises `SettingsError` for settings that cannot work.
    """
    check(cores, settings)
    set_up_logging(settings.log_level)
    for secret in settings.credentials or ():
        conceal(secret.get_secret_value())

    async def live() -> int:
        try:
            host = NatsHost(cores, settings, config, history)
        except ValueError as error:
            raise SettingsError(f"NATS_URL or REDIS_URL: {error}") from error
        return await drive(host, companions)

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(live())


async def drive(host: Host, companions: Sequence[Companion] = ()) -> int:
    """Run a host, ended in good order by SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, host.stop)
    try:
        return await host.run(companions)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def check(cores: Sequence[Core], settings: Settings) -> None:
    """Raise `SettingsError` for what would fail later: no keys, a folder that cannot be written."""
    private = [core.name for core in cores if "private" in core.links]
    if private and settings.credentials is None:
        raise SettingsError(
            f"{private[0]} trades and needs keys; set DERIBIT_CLIENT_ID and DERIBIT_CLIENT_SECRET "
            "(or DERIBIT_CLIENT_SECRET_FILE)"
        )
    try:
        settings.run_dir.mkdir(parents=True, exist_ok=True)
        mark = settings.run_dir / ".writable"
        mark.touch()
        mark.unlink(missing_ok=True)
    except OSError as error:
        raise SettingsError(
            f"RUN_DIR {settings.run_dir} cannot be written: {error.strerror}"
        ) from error


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop where there is one."""
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
