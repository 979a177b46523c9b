"""Fixtures of the tests behind a NAT: the three networks, and an event loop in each of the two that talk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import attrs
import pytest

from interop.namespace import Unavailable
from interop.nat.elsewhere import Elsewhere, elsewhere
from interop.nat.networks import Networks, networks

REAL_IDLE = os.environ.get("SIPSTACK_NAT_IDLE")
"""Seconds, such as 300, in place of a router that is in a hurry."""
IDLE = float(REAL_IDLE or 25)
FORGETFUL = 30 if REAL_IDLE else 8  # seconds
KEEP_ALIVE = 25.0 if REAL_IDLE else 5.0


@attrs.frozen
class Nat:
    """The networks, with what runs at home and on the server."""

    networks: Networks
    home: Elsewhere
    server: Elsewhere


@pytest.fixture
def nat() -> Iterator[Nat]:
    with ExitStack() as life:
        try:
            made = life.enter_context(networks(FORGETFUL))
        except Unavailable as reason:
            pytest.skip(str(reason))
        home, server = (life.enter_context(elsewhere(each)) for each in (made.client, made.server))
        yield Nat(made, home, server)
