"""For tests, ours and yours: a simulated network, virtual time, and a world of user agents on it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sipstack.testing.link import Link
    from sipstack.testing.loop import VirtualTimeLoop
    from sipstack.testing.media import SilentMedia
    from sipstack.testing.network import Network
    from sipstack.testing.world import World

__all__ = ["Link", "Network", "SilentMedia", "VirtualTimeLoop", "World"]

_HOMES = {
    "Link": "link",
    "Network": "network",
    "SilentMedia": "media",
    "VirtualTimeLoop": "loop",
    "World": "world",
}


def __getattr__(name: str) -> Any:
    """Import on first use: pytest loads this package for its plugin, in projects that may not use it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'sipstack.testing' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"sipstack.testing.{_HOMES[name]}"), name)
    return value
