"""Owns how long the laws are searched: a few dozen examples each, the same ones every time."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Derandomized, so that a failure is the change's own; without a deadline, since machines of CI stall.
settings.register_profile(
    "setscrew", max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("setscrew")
