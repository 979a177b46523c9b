"""Figures as people read them."""

from __future__ import annotations


def in_words(seconds: float) -> str:
    """``24 ms``, ``12.3 s``."""
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"
