"""`python -m services.marketdata`: market data as a process of its own, on NATS."""

import os
import sys

from services.marketdata.core import Marketdata
from services.marketdata.shell import recorded
from shared.shell.service import serve

if __name__ == "__main__":
    sys.exit(serve(lambda _settings, params: [recorded(Marketdata(params), os.environ)]))
