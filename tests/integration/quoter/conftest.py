"""Servers and the mock exchange."""

from tests.support.exchange import exchange
from tests.support.servers import nats_server, valkey_server

__all__ = ["exchange", "nats_server", "valkey_server"]
