"""The machine: what a number depends on besides the code, and what processes have used."""

import os
import platform
import sysconfig
from importlib.metadata import version
from pathlib import Path

import msgspec

from shared.shell.service import loop_factory

_FLAGS = ("--enable-optimizations", "--with-lto")
_LIBRARIES = ("msgspec", "websockets", "nats-py", "uvloop")


class Usage(msgspec.Struct, frozen=True):
    """Of one process: CPU seconds since its start, and resident memory in MB."""

    cpu_s: float
    rss_mb: float


def header() -> dict[str, str]:
    """Interpreter, its build, the event loop, the processor, the libraries."""
    loop = loop_factory()()
    name = type(loop).__module__.partition(".")[0]
    loop.close()
    return {
        "interpreter": f"{platform.python_implementation()} {platform.python_version()}",
        "build": f"{platform.python_compiler()}, {_optimisation()}",
        "loop": name,
        "cores": f"{os.cpu_count()}, load {os.getloadavg()[0]:.1f} before the run",
        "system": f"{platform.system()} {platform.machine()}",
        "libraries": ", ".join(f"{library} {version(library)}" for library in _LIBRARIES),
    }


def usage(pid: int) -> Usage | None:
    """What a process has used so far; None on systems without /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    cpu_s = ticks / os.sysconf("SC_CLK_TCK")
    return Usage(cpu_s, pages * os.sysconf("SC_PAGE_SIZE") / 2**20)


def _optimisation() -> str:
    configured = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    found = [flag for flag in _FLAGS if flag in configured]
    return " ".join(found) or "configured without optimisation flags (slower by a fifth to a half)"
