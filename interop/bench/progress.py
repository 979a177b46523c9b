"""The progress line: on a terminal one line that rewrites itself, elsewhere nothing."""

from __future__ import annotations

import sys
import time

_started = time.monotonic()


def show(text: str) -> None:
    """Says what is being measured right now."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K[{time.monotonic() - _started:5.0f} s] {text}"[:140])
        sys.stderr.flush()


def clear() -> None:
    """Before anything else is printed."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
