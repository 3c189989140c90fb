"""`./mm exchange`: the mock exchange by itself, in the foreground, until Ctrl-C."""

from mock_deribit.shell.command import add_arguments, run

__all__ = ["add_arguments", "run"]
