"""Until ``UserAgent`` takes ``tls=``."""

from __future__ import annotations

from typing import Any

import pytest

from sipstack.net.network import LISTENERS, HostNetwork
from sipstack.net.settings import Settings
from sipstack.net.tls_settings import Tls


def with_tls(tls: Tls) -> Any:
    return {"network": HostNetwork(Settings(tls=tls))}


def needs(transport: str) -> None:
    if transport not in LISTENERS:
        pytest.skip(f"no {transport} yet")
