"""Servers of a test's own: they are stopped and started again."""

from tests.support.servers import own_nats, own_valkey

__all__ = ["own_nats", "own_valkey"]
