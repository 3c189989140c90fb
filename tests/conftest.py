"""What holds for the whole suite: how hypothesis looks for counterexamples."""

from hypothesis import HealthCheck, settings

# How long one example takes says nothing about right or wrong, least of all on a busy machine.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")
