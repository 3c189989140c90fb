"""`python -m services.oms`: the OMS as a process of its own, on NATS and Redis."""

import sys

from services.oms.core import Oms
from shared.shell.service import serve

if __name__ == "__main__":
    sys.exit(serve(lambda _settings, params: [Oms(params)]))
