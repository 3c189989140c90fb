"""`python -m services.risk`: risk as a process of its own, on NATS and Redis."""

import sys

from services.risk.core import Risk
from shared.shell.service import serve

if __name__ == "__main__":
    sys.exit(serve(lambda _settings, params: [Risk(params)]))
