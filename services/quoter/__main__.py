"""`python -m services.quoter`: the quoter as a process of its own, on NATS."""

import sys

from services.quoter.core import Quoter
from shared.shell.service import serve

if __name__ == "__main__":
    sys.exit(serve(lambda _settings, params: [Quoter(params)]))
