"""The simulated world: the same cores, a mock exchange and time that is only counted."""
