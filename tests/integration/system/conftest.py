"""The mock exchange of these tests."""

from tests.support.exchange import exchange

__all__ = ["exchange"]
