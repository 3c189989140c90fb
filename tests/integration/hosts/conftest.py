"""Servers for the hosts' tests."""

from tests.support.servers import nats_server, own_nats, own_valkey, valkey_server

__all__ = ["nats_server", "own_nats", "own_valkey", "valkey_server"]
