"""The mock exchange in the real world: sockets, the clock, the control port."""
