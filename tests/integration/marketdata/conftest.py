"""Servers and the mock exchange."""

from tests.support.exchange import exchange, exchange_process
from tests.support.servers import nats_server, own_nats, own_valkey, valkey_server

__all__ = [
    "exchange",
    "exchange_process",
    "nats_server",
    "own_nats",
    "own_valkey",
    "valkey_server",
]
