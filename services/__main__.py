"""`python -m services marketdata quoter oms`: several services in one process.

Between them nothing travels over the bus, so one process costs a fraction of the latency of three; which
are grouped is a setting of the deployment, not of the code. Without names: all four that trade.
"""

import sys

from services.system import CORES, build
from shared.shell.service import serve


def main(names: list[str]) -> int:
    """Run the named services here; the exit code, 2 for a name that is none."""
    unknown = [name for name in names if name not in CORES]
    if unknown:
        expected = ", ".join(CORES)
        print(f"services: there is no {unknown[0]!r}; expected some of {expected}", file=sys.stderr)
        return 2
    return serve(lambda _settings, params: [build(name, params) for name in names or CORES])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
