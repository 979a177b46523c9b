"""Multipart bodies (RFC 5621)."""

from __future__ import annotations


def find_part(body: bytes, content_type: object, media_type: str) -> bytes | None:
    """The first part of ``media_type``."""
    return None
