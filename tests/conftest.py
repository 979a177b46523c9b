"""Fixtures of all tests."""

from __future__ import annotations

import pytest

from sipstack.testing.world import World


@pytest.fixture
def world(sip_world: World) -> World:
    """The plugin's fixture under a shorter name."""
    return sip_world
