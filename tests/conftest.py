"""What holds for every test of the project."""

from __future__ import annotations

from hypothesis import settings


# Examples are derived from the tests, so that a run says the same twice; and no test fails on a
# time.
settings.register_profile("deterministic", derandomize=True, deadline=None)
settings.load_profile("deterministic")
