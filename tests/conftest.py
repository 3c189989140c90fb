"""What holds for the whole suite: how hypothesis looks for counterexamples."""

import os

from hypothesis import HealthCheck, settings

# How long one example takes says nothing about right or wrong, least of all on a busy machine. In CI a
# change is judged by the same examples as the one before it; at a desk the search goes on.
settings.register_profile(
    "steady",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("steady")
