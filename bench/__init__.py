"""Benchmarks: ours beside a floor that is measured in the same run, as a ratio that outlives the machine."""
