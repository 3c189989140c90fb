"""`python -m mock_deribit`: the mock exchange in the foreground."""

import sys

from mock_deribit.shell.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
