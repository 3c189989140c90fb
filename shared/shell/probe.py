"""Tells a container's runtime whether the process beside it lives: `python -m shared.shell.probe`.

Exit code 0 when every heartbeat file in RUN_DIR (or that of the core named as argument) is fresh and
says ready, 1 with one line otherwise.
"""

import sys
import time

from shared.shell.health import Beat, read_beats
from shared.shell.settings import SettingsError, load_settings

AGE_MAX_S = 5.0


def ailments(beats: list[Beat], core: str | None, now: float) -> list[str]:
    """What is wrong; empty when all is well. `now` in seconds since the epoch."""
    wanted = [beat for beat in beats if core is None or core in beat.cores]
    if not wanted:
        return [f"no heartbeat of {core or 'any process'}; is it running with this RUN_DIR?"]
    found = []
    for beat in wanted:
        name = "+".join(beat.cores)
        if now - beat.written > AGE_MAX_S:
            found.append(f"{name}: last heartbeat {now - beat.written:.0f} s ago")
        elif not beat.ready:
            found.append(f"{name}: not ready, {beat.detail}")
    return found


def main(arguments: list[str]) -> int:
    """The exit code."""
    try:
        settings = load_settings()
    except SettingsError as error:
        print(f"probe: {error}", file=sys.stderr)
        return 1
    core = arguments[0] if arguments else None
    found = ailments(read_beats(settings.run_dir), core, time.time())
    for line in found:
        print(f"probe: {line}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
