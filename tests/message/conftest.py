"""Properties run on shared, noisy cores: no time limit for a single example."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("sipstack", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sipstack")
