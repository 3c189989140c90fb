"""The command line: one module per verb, started by `./mm`."""
