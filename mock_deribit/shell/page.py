"""Makes the tables of docs/exchange.md anew: `python -m mock_deribit.shell.page`."""

from pathlib import Path

from mock_deribit.page import filled

PAGE = Path(__file__).parents[2] / "docs" / "exchange.md"

if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text()))
