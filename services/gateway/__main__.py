"""`python -m services.gateway`: the control plane as a process of its own, on NATS, Redis and HTTP."""

import sys

from services.gateway.shell import main

if __name__ == "__main__":
    sys.exit(main())
