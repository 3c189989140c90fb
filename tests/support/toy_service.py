"""A toy service as a process of its own: `python -m tests.support.toy_service NAME`."""

import sys

from shared.kernel import Core
from shared.shell.service import serve
from shared.units import MILLISECOND
from tests.support.toys import Echo, Pulse


def build(name: str) -> Core:
    """The toy of that name."""
    return Pulse(2 * MILLISECOND) if name == Pulse.name else Echo()


if __name__ == "__main__":
    sys.exit(serve(lambda settings, params: [build(sys.argv[1])]))
