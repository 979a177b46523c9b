"""No time limit for a single example: the properties run on shared, noisy cores."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("sipstack", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sipstack")
