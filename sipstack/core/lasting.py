"""How long a kept session has lasted: clocks of two processes have nothing in common."""

from __future__ import annotations

BEGAN = "began"
"""The time at which a session was kept first, in what is kept with it: when it was answered."""
LASTED = "lasted"
"""In what is written, how many seconds ago that was."""


def lasted(application: dict[str, object], now: float) -> dict[str, object]:
    """What is kept with a session as it is written at ``now``."""
    since = application.get(BEGAN)
    if not isinstance(since, int | float):
        return application
    return {name: each for name, each in application.items() if name != BEGAN} | {LASTED: int(now - since)}


def began(application: dict[str, object], written: float) -> dict[str, object]:
    """The reverse for what was written at ``written``, by our clock."""
    seconds = application.get(LASTED)
    kept = {name: each for name, each in application.items() if name not in (BEGAN, LASTED)}
    return kept | {BEGAN: written - seconds} if isinstance(seconds, int | float) else kept
