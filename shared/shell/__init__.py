"""The hosts, and everything they touch: sockets, brokers, files, the clock."""
